import PruneGraph
import PruneTensor

/// A kind of file that holds a model. Files are recognized by what is in them, and written by the name they are given.
package protocol ModelFormat: Sendable {
  /// The name in errors and help.
  var name: String { get }
  /// How names of such files end, with the dot.
  var suffixes: [String] { get }
  /// Whether bytes are of this kind.
  func matches(_ bytes: Bytes) -> Bool
  /// - Throws: `.badFormat`, `.invalidModel`, `.mismatch` or `.unsupported`, naming the node or tensor.
  func read(_ file: ModelFile) throws(PruneError) -> Model
  /// Writes the model, atomically.
  /// - Throws: `.io`; then the file that was at `path` before stays.
  func write(_ model: Model, to path: String, cancel: CancelFlag?) throws(PruneError)
}

/// The bytes of a file, and where what belongs to it lies.
package struct ModelFile {
  package var bytes: Bytes
  /// Folders that hold external data, in the order they are looked at.
  package var folders: [String] = []
  /// Whether external data is read into memory rather than mapped.
  package var copies = false

  package init(bytes: Bytes, folders: [String] = [], copies: Bool = false) {
    (self.bytes, self.folders, self.copies) = (bytes, folders, copies)
  }
}

/// The formats there are. To add one, write its `ModelFormat` and list it here.
package enum ModelFormats {
  /// The first that matches reads; the last is what a name without a known suffix means.
  package static let all: [any ModelFormat] = [PackedFormat(), KerasArchiveFormat(), KerasHDF5Format(), ONNXFormat()]

  /// The model in a file of any format. Weights stay where they are: tensors are views of the mapped file, or of the
  /// files beside it that hold its external data.
  /// - Throws: `.io`, or what the format throws.
  package static func load(path: String, _ options: LoadOptions = .init()) throws(PruneError) -> Model {
    do throws(PruneError) {
      let bytes = try FileReader.bytes(of: path, copy: options.copy)
      return try read(ModelFile(bytes: bytes, folders: ExternalFiles.folders(of: path), copies: options.copy))
    } catch {
      var located = error
      located.place = error.place.isEmpty ? path : "\(path): \(error.place)"
      throw located
    }
  }

  /// The model that the bytes of a file describe.
  /// - Parameter folder: where external data is looked for; without it such tensors are an error.
  package static func decode(_ bytes: Bytes, folder: String? = nil) throws(PruneError) -> Model {
    try read(ModelFile(bytes: bytes, folders: folder.map { [$0] } ?? []))
  }

  static func read(_ file: ModelFile) throws(PruneError) -> Model {
    let format = all.first { $0.matches(file.bytes) } ?? all[all.count - 1]
    return try format.read(file)
  }

  /// Writes a model in the format that the path's suffix says; a name without a suffix is ONNX.
  /// - Throws: `.unsupported` for a suffix of none, or what the format throws.
  package static func save(_ model: Model, path: String, cancel: CancelFlag? = nil) throws(PruneError) {
    try format(of: path).write(model, to: path, cancel: cancel)
  }

  private static func format(of path: String) throws(PruneError) -> any ModelFormat {
    let name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    if let format = all.first(where: { $0.suffixes.contains(where: name.hasSuffix) }) { return format }
    // A dot in front hides a file and starts no suffix.
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return all[all.count - 1] }
    throw PruneError(
      .unsupported, "'\(path)': models are not written as '\(name[dot...])'",
      hint: "the name says the format: "
        + all.flatMap { format in format.suffixes.map { "\($0) (\(format.name))" } }.joined(separator: ", "))
  }
}

/// How files are read.
package struct LoadOptions: Sendable {
  /// Read the file into memory rather than map it.
  package var copy = false
  /// Extents to write in that the inputs leave open; reading itself does not look at them.
  package var shapes = ShapeBinding()
  package init(copy: Bool = false) { self.copy = copy }
}

/// ONNX (https://onnx.ai/onnx/repo-docs/IR.html).
struct ONNXFormat: ModelFormat {
  let name = "ONNX"
  let suffixes = [".onnx"]

  /// Protobuf has no signature: bytes that are nothing else are taken for ONNX, and say why they are none.
  func matches(_ bytes: Bytes) -> Bool { FileKind.refusal(of: bytes) == nil }

  func read(_ file: ModelFile) throws(PruneError) -> Model {
    try ONNX.decode(file.bytes, folders: file.folders, copy: file.copies)
  }

  func write(_ model: Model, to path: String, cancel: CancelFlag?) throws(PruneError) {
    try ONNX.save(model, path: path)
  }
}

/// Packed models of libprune; include/prunez.h states the format.
struct PackedFormat: ModelFormat {
  let name = "packed"
  let suffixes = [".prunez"]

  func matches(_ bytes: Bytes) -> Bool { PackedFile.isPacked(bytes) }

  func read(_ file: ModelFile) throws(PruneError) -> Model {
    try ONNX.decode(try PackedFile.unpack(file.bytes), folders: [], copy: file.copies)
  }

  func write(_ model: Model, to path: String, cancel: CancelFlag?) throws(PruneError) {
    try Prunez.save(model, path: path, cancel: cancel)
  }
}
