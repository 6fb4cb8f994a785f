import PruneGraph
import PruneTensor

/// A tensor of a file of weights, read when it is asked for.
package struct WeightEntry: Sendable {
  package let name: String
  package let dtype: DType
  package let shape: Shape
  private let body: @Sendable () throws(PruneError) -> Tensor

  package init(
    _ name: String, _ dtype: DType, _ shape: Shape, _ body: @escaping @Sendable () throws(PruneError) -> Tensor
  ) {
    (self.name, self.dtype, self.shape, self.body) = (name, dtype, shape, body)
  }

  package init(_ name: String, _ tensor: Tensor) {
    self.init(name, tensor.dtype, tensor.shape) { () throws(PruneError) in tensor }
  }

  /// - Throws: what reading it throws, naming the tensor.
  package func tensor() throws(PruneError) -> Tensor {
    do throws(PruneError) { return try body() } catch {
      var named = error
      named.message = "tensor '\(name)': \(error.message)"
      throw named
    }
  }
}

/// A file of weights: named tensors without a graph. Its content decides how it is read, its name how it is written.
package protocol WeightFormat: Sendable {
  /// The name in errors and help.
  var name: String { get }
  /// How names of such files end, with the dot.
  var suffixes: [String] { get }
  /// Whether `write` can.
  var isWritable: Bool { get }
  func matches(_ bytes: Bytes) -> Bool
  /// - Throws: `.badFormat` or `.unsupported`, naming the tensor.
  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry]
  /// Writes tensors, atomically.
  func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(PruneError)
}

extension WeightFormat {
  package var isWritable: Bool { false }
  package func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(PruneError) {
    throw PruneError(.unsupported, "files of \(name) are not written", at: path)
  }
}

/// The formats of weights there are. To add one, write its `WeightFormat` and list it here.
package enum WeightFormats {
  package static let all: [any WeightFormat] = [
    SafetensorsFormat(), NpzFormat(), TorchFormat(), GGUFFormat(), ShardIndexFormat(), ModelWeightsFormat(),
  ]

  /// The tensors of a file of any format.
  /// - Throws: `.io`, or what the format throws.
  package static func load(path: String) throws(PruneError) -> [WeightEntry] {
    do throws(PruneError) {
      let file = ModelFile(bytes: try FileReader.bytes(of: path), folders: ExternalFiles.folders(of: path))
      return try read(file)
    } catch {
      var located = error
      located.place = error.place.isEmpty ? path : "\(path): \(error.place)"
      throw located
    }
  }

  package static func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    guard let format = all.first(where: { $0.matches(file.bytes) }) else {
      throw unknown(file.bytes.count == 0 ? "the file is empty" : "the file holds no weights that libprune knows")
    }
    let entries = try format.read(file)
    var names = Set<String>()
    for entry in entries where !names.insert(entry.name).inserted {
      throw PruneError(.badFormat, "two tensors of the \(format.name) file have the name '\(entry.name)'")
    }
    return entries
  }

  static func unknown(_ message: String) -> PruneError {
    let formats = all.map { "\($0.name) (\($0.suffixes.joined(separator: ", ")))" }.joined(separator: "; ")
    return PruneError(.badFormat, message, hint: "libprune reads weights of \(formats)")
  }

  /// Writes tensors in the format that the path's suffix says.
  /// - Throws: `.unsupported` for a suffix that none writes, listing those that are; `.io`.
  package static func save(_ tensors: [(name: String, tensor: Tensor)], path: String) throws(PruneError) {
    let writable = all.filter(\.isWritable)
    guard let format = writable.first(where: { $0.suffixes.contains(where: path.hasSuffix) }) else {
      throw PruneError(
        .unsupported, "weights are not written to a file of that name", at: path,
        hint: "end it in " + writable.flatMap(\.suffixes).joined(separator: " or "))
    }
    try format.write(tensors, to: path)
  }
}

/// The initializers of a model's own file.
struct ModelWeightsFormat: WeightFormat {
  let name = "models"
  var suffixes: [String] { ModelFormats.all.flatMap(\.suffixes) }

  func matches(_ bytes: Bytes) -> Bool { bytes.count > 0 && ModelFormats.all.contains { $0.matches(bytes) } }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    do throws(PruneError) {
      return try ModelFormats.read(file).opened().graph.initializers.map { WeightEntry($0.name, $0.tensor) }
    } catch {
      // ONNX has no signature: bytes that nobody else takes end up here.
      guard error.status == .badFormat else { throw error }
      throw WeightFormats.unknown("the file holds no weights that libprune knows; as a model: \(error.message)")
    }
  }
}

/// NumPy's archive of arrays.
struct NpzFormat: WeightFormat {
  let name = "NumPy"
  let suffixes = [".npz"]
  let isWritable = true

  func matches(_ bytes: Bytes) -> Bool {
    guard let archive = ZipArchive.opened(bytes) else { return false }
    return archive.entries.contains { $0.name.hasSuffix(".npy") } || archive.entries.isEmpty
  }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    try Npz.decode(file.bytes).map { WeightEntry($0.name, $0.tensor) }
  }

  func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(PruneError) {
    try Npz.save(tensors, path: path, compressed: false)
  }
}
