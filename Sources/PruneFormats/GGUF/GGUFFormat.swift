import PruneTensor

/// llama.cpp's GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata, tensor descriptions, the
/// bytes. Quantized tensors are decoded to float32 when they are asked for; the others are views of the mapped file.
struct GGUFFormat: WeightFormat {
  let name = "GGUF"
  let suffixes = [".gguf"]

  func matches(_ bytes: Bytes) -> Bool { bytes.slice(0, 4)?.array == Array("GGUF".utf8) }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    var reader = GGUFReader(file.bytes)
    let version = try reader.number(4)
    guard (2...3).contains(version) else {
      throw PruneError(.unsupported, "the GGUF file is of version \(version), libprune reads 2 and 3 (little-endian)")
    }
    let tensorCount = try reader.number(8), fieldCount = try reader.number(8)
    var alignment = 32
    for _ in 0..<fieldCount {
      let key = try reader.string()
      let value = try reader.value()
      if key == "general.alignment" { alignment = value ?? 0 }
    }
    guard alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw PruneError(.badFormat, "general.alignment of the GGUF file is \(alignment), a power of two was wanted")
    }
    var described: [(name: String, shape: Shape, type: Int, offset: Int)] = []
    for _ in 0..<tensorCount { described.append(try reader.tensor()) }
    let start = (reader.position + alignment - 1) / alignment * alignment
    var entries: [WeightEntry] = []
    for tensor in described {
      entries.append(
        try entry(tensor.name, tensor.shape, tensor.type, tensor.offset, file.bytes.slice(start, file.bytes.count)))
    }
    return entries
  }

  private func entry(
    _ name: String, _ shape: Shape, _ type: Int, _ offset: Int, _ data: Bytes?
  ) throws(PruneError) -> WeightEntry {
    guard let block = GGUFBlock(type: type) else {
      throw PruneError(
        .unsupported, "tensor '\(name)' is of GGML type \(GGUFBlock.name(of: type))",
        hint: "libprune decodes " + GGUFBlock.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let row = shape.dims.last ?? 1
    guard row % block.elements == 0 else {
      throw PruneError(
        .badFormat,
        "tensor '\(name)' is \(shape), its rows are no multiple of the \(block.elements) of \(block.rawValue)")
    }
    let (bytes, overflow) = (shape.count / block.elements).multipliedReportingOverflow(by: block.bytes)
    let (end, carry) = offset.addingReportingOverflow(bytes)
    guard !overflow, !carry, let part = data?.slice(offset, end) else {
      throw PruneError(
        .badFormat, "tensor '\(name)' (\(block.rawValue) \(shape)) goes past the end of the file",
        hint: "the file was cut short")
    }
    if let plain = block.plain { return WeightEntry(name, try Tensor(plain, shape, over: part)) }
    return WeightEntry(name, .float32, shape) { () throws(PruneError) in try block.decoded(part, shape) }
  }
}

/// Reads the head of a GGUF file.
private struct GGUFReader {
  private let bytes: Bytes
  private(set) var position = 4

  init(_ bytes: Bytes) { self.bytes = bytes }

  private func end() -> PruneError {
    PruneError(
      .badFormat, "the head of the GGUF file ends at byte \(position) of \(bytes.count)", hint: "the file was cut short"
    )
  }

  mutating func number(_ count: Int) throws(PruneError) -> Int {
    guard count <= bytes.count - position else { throw end() }
    var result: UInt64 = 0
    for index in 0..<count { result |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
    position += count
    guard let number = Int(exactly: result) else {
      throw PruneError(.badFormat, "the GGUF file has a number of \(result) at byte \(position - count)")
    }
    return number
  }

  private mutating func skip(_ count: Int) throws(PruneError) {
    guard count >= 0, count <= bytes.count - position else { throw end() }
    position += count
  }

  mutating func string() throws(PruneError) -> String {
    let count = try number(8)
    guard count <= bytes.count - position, let text = bytes.slice(position, position + count) else { throw end() }
    position += count
    return text.text
  }

  /// Bytes of each type of value; 0 where it varies.
  private static let widths = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]

  /// Passes over a value.
  /// - Returns: it, where it is an unsigned number.
  mutating func value() throws(PruneError) -> Int? {
    let type = try number(4)
    if [0, 2, 4].contains(type) { return try number(Self.widths[type]) }
    try skip(type, depth: 0)
    return nil
  }

  private mutating func skip(_ type: Int, depth: Int) throws(PruneError) {
    guard type < Self.widths.count, depth < 8 else {
      throw PruneError(.badFormat, "the GGUF file has a value of type \(type) at byte \(position)")
    }
    switch type {
    case 8: _ = try string()
    case 9:
      let element = try number(4), count = try number(8)
      guard element < Self.widths.count else {
        throw PruneError(.badFormat, "the GGUF file has values of type \(element)")
      }
      let width = Self.widths[element]
      if width > 0 {
        let (total, overflow) = count.multipliedReportingOverflow(by: width)
        guard !overflow else { throw end() }
        try skip(total)
      } else {
        for _ in 0..<count { try skip(element, depth: depth + 1) }
      }
    default: try skip(Self.widths[type])
    }
  }

  /// The description of a tensor; GGUF has the innermost extent first.
  mutating func tensor() throws(PruneError) -> (name: String, shape: Shape, type: Int, offset: Int) {
    let name = try string()
    let rank = try number(4)
    guard rank <= 8 else { throw PruneError(.badFormat, "tensor '\(name.prefix(80))' has \(rank) axes") }
    var dims: [Int] = []
    for _ in 0..<rank { dims.insert(try number(8), at: 0) }
    let type = try number(4), offset = try number(8)
    do throws(PruneError) { return (name, try Shape(dims), type, offset) } catch {
      throw PruneError(.badFormat, "tensor '\(name.prefix(80))': \(error.message)")
    }
  }
}
