import PruneTensor
import Synchronization

/// Images that are decoded when a batch is asked for, by all threads at once: memory holds a batch, however many files
/// there are.
final class ImageSource: SampleSource {
  private let list: FileList
  private let recipe: ImageRecipe
  private let isStrict: Bool
  private let failures = Mutex<[Int: String]>([:])

  init(_ list: FileList, _ recipe: ImageRecipe, isStrict: Bool) {
    (self.list, self.recipe, self.isStrict) = (list, recipe, isStrict)
  }

  var count: Int { list.count }
  var sampleShape: [Int] { recipe.sampleShape }

  /// What was left out when the folder was read, and files that could not be read so far, in their order.
  var broken: [(file: String, reason: String)] {
    list.skipped
      + failures.withLock { all in all.sorted { $0.key < $1.key }.map { (file: list.path($0.key), reason: $0.value) } }
  }

  /// A file that cannot be read is replaced by the next one of its class that can: a batch keeps its size, and its
  /// labels hold.
  func samples(at indices: [Int]) throws(PruneError) -> Tensor {
    try recipe.scale.tensor(try Shape([indices.count] + recipe.sampleShape)) { position throws(PruneError) in
      let index = indices[position]
      do throws(PruneError) { return try self.pixels(index) } catch {
        guard !self.isStrict, error.status != .unsupported else { throw error }
        return try self.substitute(for: index, error)
      }
    }
  }

  private func pixels(_ index: Int) throws(PruneError) -> Pixels {
    let path = list.path(index)
    do throws(PruneError) {
      if let known = failures.withLock({ $0[index] }) { throw PruneError(.badFormat, known) }
      return try recipe.pixels(of: try FileReader.bytes(of: path, copy: true))
    } catch {
      if error.status == .badFormat || error.status == .io { failures.withLock { $0[index] = error.message } }
      throw error.located(at: path)
    }
  }

  private func substitute(for index: Int, _ error: PruneError) throws(PruneError) -> Pixels {
    for step in 1..<max(count, 2) {
      let other = (index + step) % count
      guard list.labels.isEmpty || list.labels[other] == list.labels[index], failures.withLock({ $0[other] }) == nil
      else { continue }
      guard list.values.isEmpty || list.values[other] == list.values[index] else { continue }
      if let found = try? pixels(other) { return found }
    }
    throw error
  }

  /// The files that can be read, all of them decoded to find out.
  func readable() throws(PruneError) -> [Int] {
    let found = Mutex<[Int]>([]), missing = Mutex<PruneError?>(nil)
    Parallel.forEach(count, grain: 1) { range in
      for index in range {
        do throws(PruneError) {
          _ = try self.pixels(index)
          found.withLock { $0.append(index) }
        } catch {
          if self.isStrict || error.status == .unsupported || error.status == .outOfMemory {
            missing.withLock { $0 = $0 ?? error }
          }
        }
      }
    }
    if let error = missing.withLock({ $0 }) { throw error }
    return found.withLock { $0.sorted() }
  }
}

extension Dataset {
  /// Images of a folder or of a table, decoded as batches are asked for.
  /// - Throws: `.invalidArgument` naming the option, `.io`, `.notFound` without images; of a file that cannot be read
  ///   where the options are strict and check.
  package static func images(_ options: ImageOptions) throws(PruneError) -> Dataset {
    let recipe = try ImageRecipe(options), list = try FileList(options.path, .images)
    let source = ImageSource(list, recipe, isStrict: options.strict)
    var y: Tensor?
    if !list.labels.isEmpty { y = try Tensor(list.labels) }
    if !list.values.isEmpty { y = try Tensor(list.values, try Shape([list.count, 1])) }
    let column = try Column(name: "", stream: SampleStream(source, Array(0..<list.count)))
    let all = Dataset(
      columns: [column], y: y,
      classCount: list.classCount, name: lastComponent(options.path),
      layout: recipe.layout, classNames: list.classes)
    guard options.check else { return all }
    let kept = try source.readable()
    guard !kept.isEmpty else {
      throw PruneError(.badFormat, "none of the \(list.count) images can be read", at: options.path)
    }
    return kept.count == list.count ? all : try all.subset(kept)
  }

  /// Files that could not be read so far; none for data in memory.
  package var brokenFiles: [(file: String, reason: String)] { columns.flatMap { $0.stream?.source.broken ?? [] } }
}
