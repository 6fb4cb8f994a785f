import PruneTensor

/// What a file that is not ONNX looks like, so that an error can say so.
enum FileKind {
  /// The error for bytes whose beginning already shows that they are not ONNX.
  static func refusal(of bytes: Bytes) -> PruneError? {
    if bytes.count == 0 { return PruneError(.badFormat, "the file is empty, an ONNX model was wanted") }
    guard let (kind, hint) = marked(bytes) else { return nil }
    return PruneError(.badFormat, "this is not an ONNX model: it looks like \(kind)", hint: hint)
  }

  /// The error of a failed decoding, or a better one when the bytes look like something else.
  static func explaining(_ error: PruneError, _ bytes: Bytes) -> PruneError {
    guard error.status == .badFormat || error.status == .invalidModel else { return error }
    if let (kind, hint) = guessed(bytes) {
      return PruneError(.badFormat, "this is not an ONNX model: it looks like \(kind)", hint: hint)
    }
    return error
  }

  private static let weightsHint =
    "it holds weights but no graph: export the model to ONNX, then Model:load_weights takes them over"

  private static let imageHint = "images are data: prune.data.images reads a folder of them"

  /// Kinds with a signature that no ONNX file begins with.
  private static func marked(_ bytes: Bytes) -> (String, String)? {
    func starts(_ prefix: [UInt8], at offset: Int = 0) -> Bool {
      bytes.slice(offset, offset + prefix.count)?.array == prefix
    }
    if starts([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A]) {
      return ("an HDF5 file, such as Keras writes", "")
    }
    if starts([0x50, 0x4B, 0x03, 0x04]) {
      return (
        "a zip archive, such as .pt and .npz are, or a damaged .keras",
        "export a PyTorch model with torch.onnx.export; Model:load_weights takes state dicts over"
      )
    }
    if starts([0x1F, 0x8B]) { return ("a gzip file", "unpack it first: gunzip") }
    if starts(Array("\u{93}NUMPY".unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })) {
      return ("a NumPy array", "arrays are data: prune.data.npy reads them")
    }
    if starts([0x80, 0x02]) || starts([0x80, 0x04]) || starts([0x80, 0x05]) {
      return ("a Python pickle, such as an old .pt checkpoint", "export the model with torch.onnx.export")
    }
    if starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A]) { return ("a PNG image", imageHint) }
    if starts([0xFF, 0xD8, 0xFF]) { return ("a JPEG image", imageHint) }
    if starts(Array("GIF8".utf8)) { return ("a GIF image", imageHint) }
    if starts(Array("RIFF".utf8)) {
      return ("sound or an image in a RIFF file", "WAV files are data: prune.data.wav reads a folder of them")
    }
    if starts(Array("%PDF".utf8)) { return ("a PDF document", "") }
    if starts(Array("TFL3".utf8), at: 4) { return ("a TensorFlow Lite model", "convert it with tf2onnx --tflite") }
    if starts(Array("ORTM".utf8), at: 4) {
      return ("an ONNX Runtime .ort file", "use the .onnx file that it was made from")
    }
    if starts(Array("GGUF".utf8)) { return ("a GGUF file", weightsHint) }
    if starts(Array("version https://git-lfs".utf8)) {
      return ("a Git LFS pointer, not the file itself", "fetch the file: git lfs pull")
    }
    if bytes.count > 9, bytes[8] == UInt8(ascii: "{"), (2..<8).allSatisfy({ $0 < 4 || bytes[$0] == 0 }),
      bytes[9] == UInt8(ascii: "\"")
    {
      return ("a safetensors file", weightsHint)
    }
    return nil
  }

  /// Kinds that are only likely: asked for once decoding failed.
  private static func guessed(_ bytes: Bytes) -> (String, String)? {
    guard let head = bytes.slice(0, min(bytes.count, 256))?.array else { return nil }
    guard head.allSatisfy({ $0 >= 0x20 || $0 == 9 || $0 == 10 || $0 == 13 }) else { return nil }
    switch head.first(where: { $0 > 0x20 }) {
    case UInt8(ascii: "<"): return ("a web page or XML", "the download gave a page rather than the file")
    case UInt8(ascii: "{"), UInt8(ascii: "["): return ("JSON text", "")
    default: return ("text", "")
    }
  }
}
