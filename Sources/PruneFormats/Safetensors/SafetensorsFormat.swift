import PruneTensor

/// Hugging Face's safetensors (https://github.com/huggingface/safetensors): the length of a JSON header, the header,
/// the bytes. Tensors are views of the mapped file.
struct SafetensorsFormat: WeightFormat {
  let name = "safetensors"
  let suffixes = [".safetensors"]
  let isWritable = true

  /// What the format's own reader allows.
  private static let longestHeader = 100_000_000

  private static let types: [(name: String, dtype: DType)] = [
    ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("F64", .float64), ("I64", .int64), ("I32", .int32),
    ("I16", .int16), ("I8", .int8), ("U8", .uint8), ("BOOL", .bool), ("U16", .uint16), ("U32", .uint32),
    ("U64", .uint64),
    ("F8_E4M3", .float8e4m3fn), ("F8_E5M2", .float8e5m2), ("F8_E4M3FNUZ", .float8e4m3fnuz),
    ("F8_E5M2FNUZ", .float8e5m2fnuz),
    ("F4", .float4e2m1), ("C64", .complex64),
  ]

  private func headerLength(_ bytes: Bytes) -> Int? {
    guard bytes.count >= 10 else { return nil }
    let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) }
    return length <= UInt64(Self.longestHeader) ? Int(length) : nil
  }

  func matches(_ bytes: Bytes) -> Bool {
    guard let length = headerLength(bytes), length >= 2 else { return false }
    return bytes[8] == UInt8(ascii: "{")
      && (bytes[9] == UInt8(ascii: "\"") || bytes[9] == UInt8(ascii: "}") || bytes[9] == 32)
  }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    let bytes = file.bytes
    guard let length = headerLength(bytes), let header = bytes.slice(8, 8 + length),
      let data = bytes.slice(8 + length, bytes.count)
    else {
      throw PruneError(
        .badFormat,
        "the header of the safetensors file takes \(headerLength(bytes) ?? -1) bytes, \(bytes.count) are there",
        hint: "the file was cut short")
    }
    guard let fields = try JSON(text: header.array).fields else {
      throw PruneError(.badFormat, "the header of the safetensors file is no JSON object")
    }
    var entries: [(first: Int, end: Int, entry: WeightEntry)] = []
    for (name, field) in fields where name != "__metadata__" {
      let (first, end, tensor) = try Self.tensor(name, field, data)
      entries.append((first, end, WeightEntry(name, tensor)))
    }
    let ordered = entries.sorted { ($0.first, $0.end) < ($1.first, $1.end) }
    for (one, next) in zip(ordered, ordered.dropFirst()) where next.first < one.end {
      throw PruneError(.badFormat, "tensors '\(one.entry.name)' and '\(next.entry.name)' overlap in the file")
    }
    return entries.map(\.entry)
  }

  private static func tensor(
    _ name: String, _ field: JSON, _ data: Bytes
  ) throws(PruneError) -> (first: Int, end: Int, tensor: Tensor) {
    guard let code = field["dtype"]?.string, let dims = field["shape"]?.ints, dims.count <= 64,
      let offsets = field["data_offsets"]?.ints, offsets.count == 2
    else { throw PruneError(.badFormat, "tensor '\(name)' has no dtype, shape or data_offsets") }
    guard let type = types.first(where: { $0.name == code }) else {
      throw PruneError(
        .unsupported, "tensor '\(name)' is of type \(code)",
        hint: "libprune reads " + types.map(\.name).joined(separator: ", "))
    }
    do throws(PruneError) {
      let shape = try Shape(dims)
      guard let part = data.slice(offsets[0], offsets[1]) else {
        throw PruneError(
          .badFormat, "it lies at bytes \(offsets[0]) to \(offsets[1]) of \(data.count)", hint: "the file was cut short"
        )
      }
      guard type.dtype.byteCount(shape.count) == part.count else {
        throw PruneError(
          .badFormat, "\(code) \(shape) takes \(type.dtype.byteCount(shape.count) ?? -1) bytes, it has \(part.count)")
      }
      return (offsets[0], offsets[1], try Tensor(type.dtype, shape, over: part))
    } catch {
      throw PruneError(.badFormat, "tensor '\(name)': \(error.message)", hint: error.hint)
    }
  }

  func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(PruneError) {
    // Wide elements first, so that each lies at a multiple of its size; as the format's own writer orders them.
    let ordered = tensors.sorted { ($1.tensor.dtype.bitWidth, $0.name) < ($0.tensor.dtype.bitWidth, $1.name) }
    // What PyTorch's users look for: Transformers refuses files that do not say it.
    var header = "{\"__metadata__\":{\"format\":\"pt\"}"
    var end = 0
    for (name, tensor) in ordered {
      guard let type = Self.types.first(where: { $0.dtype == tensor.dtype }) else {
        throw PruneError(
          .unsupported, "safetensors has no \(tensor.dtype.name), as '\(name)' is", at: path,
          hint: "write .npz, or leave it out")
      }
      let shape = tensor.shape.dims.map(String.init).joined(separator: ",")
      header +=
        ",\(JSON.string(name).text):{\"dtype\":\"\(type.name)\",\"shape\":[\(shape)],\"data_offsets\":[\(end),\(end + tensor.byteCount)]}"
      end += tensor.byteCount
    }
    header += "}"
    header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let length = UInt64(header.utf8.count)
    let file = try AtomicFile(path: path)
    try file.write((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + Array(header.utf8))
    for (_, tensor) in ordered { try file.write(tensor.bytes) }
    try file.commit()
  }
}
