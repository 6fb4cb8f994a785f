import PruneTensor

/// Files of which each is a sample, read when a batch is asked for.
final class ArrayFiles: SampleSource {
  private let list: FileList
  private let decode: @Sendable (Bytes) throws(PruneError) -> Tensor
  let sampleShape: [Int]

  var count: Int { list.count }
  var broken: [(file: String, reason: String)] { list.skipped }

  /// - Throws: what reading the first file throws.
  init(_ list: FileList, _ decode: @escaping @Sendable (Bytes) throws(PruneError) -> Tensor) throws(PruneError) {
    (self.list, self.decode) = (list, decode)
    do throws(PruneError) { sampleShape = try decode(try FileReader.bytes(of: list.path(0))).shape.dims } catch {
      throw error.located(at: list.path(0))
    }
  }

  func samples(at indices: [Int]) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, try Shape([indices.count] + sampleShape))
    let width = sampleShape.reduce(1, *)
    for (position, index) in indices.enumerated() {
      do throws(PruneError) {
        let sample = try decode(try FileReader.bytes(of: list.path(index))).cast(to: .float32)
        guard sample.shape.dims == sampleShape else {
          throw PruneError(.mismatch, "it is \(sample.shape), the first file is \(try Shape(sampleShape))")
        }
        try sample.withSpan(of: Float.self) { from throws(PruneError) in
          try result.withMutableSpan(of: Float.self) { to throws(PruneError) in
            for place in from.indices { to[position * width + place] = from[place] }
          }
        }
      } catch { throw error.located(at: list.path(index)) }
    }
    return result
  }
}

extension Dataset {
  /// Whether there is a folder at a path.
  package static func isFolder(_ path: String) -> Bool { FolderTree.kind(of: path) == .folder }

  /// A folder of .npy files, each a sample, by class folders or flat; or a table of file and label.
  /// - Parameter decode: what makes an array of a file.
  package static func arrays(
    _ path: String, _ decode: @escaping @Sendable (Bytes) throws(PruneError) -> Tensor
  ) throws(PruneError) -> Dataset {
    let list = try FileList(path, .arrays), source = try ArrayFiles(list, decode)
    var y: Tensor?
    if !list.labels.isEmpty { y = try Tensor(list.labels) }
    if !list.values.isEmpty { y = try Tensor(list.values, try Shape([list.count, 1])) }
    let column = try Column(name: "", stream: SampleStream(source, Array(0..<list.count)))
    return Dataset(
      columns: [column], y: y, classCount: list.classCount, name: lastComponent(path), classNames: list.classes)
  }
}
