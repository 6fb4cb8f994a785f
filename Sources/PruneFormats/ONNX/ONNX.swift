import PruneGraph
import PruneTensor

/// ONNX files in and out (https://onnx.ai/onnx/repo-docs/IR.html).
///
/// Lossless: what is loaded and saved unchanged is equal as a protobuf message, unknown fields included.
package enum ONNX {
  /// The most bytes protobuf allows in a message.
  static let messageLimit = Int(Int32.max)

  /// The model that an encoded `ModelProto` describes, checked by `validate`.
  /// - Parameter folder: where external data is looked for; without it such tensors are an error.
  package static func decode(_ bytes: Bytes, folder: String?) throws(PruneError) -> Model {
    try decode(bytes, folders: folder.map { [$0] } ?? [], copy: false)
  }

  static func decode(_ bytes: Bytes, folders: [String], copy: Bool) throws(PruneError) -> Model {
    if let error = FileKind.refusal(of: bytes) { throw error }
    var decoder = ONNXDecoder(external: ExternalFiles(folders: folders, copy: copy))
    let model: Model
    do throws(PruneError) { model = try decoder.model(bytes) } catch { throw FileKind.explaining(error, bytes) }
    try validate(model)
    return model
  }

  /// Writes the model, atomically.
  ///
  /// Tensors whose bytes came from another file, and all large ones when the model is too big for one protobuf message,
  /// go to a new file: `path` + ".data", or `path` + "." + 8 digits + ".data" when there is such a file already. Those
  /// of the replaced model are removed.
  /// - Throws: `.io`, or what `validate` throws; then the file that was at `path` before stays.
  package static func save(_ model: Model, path: String) throws(PruneError) {
    do throws(PruneError) {
      try validate(model)
      try ONNXWriter.save(model, path: path)
    } catch { throw error.located(at: path) }
  }

  /// The model as one message, all tensors inside.
  /// - Throws: `.unsupported` above 2 GB, or what `validate` throws.
  package static func encode(_ model: Model) throws(PruneError) -> [UInt8] {
    try validate(model)
    var encoder = ONNXEncoder(placement: .inside)
    let message = try encoder.model(model)
    guard message.count <= messageLimit else {
      throw PruneError(
        .unsupported, "the model takes \(message.count) bytes, a protobuf message holds at most \(messageLimit)",
        hint: "save it to a file: its weights then go to a second file beside it")
    }
    return message.array
  }
}
