import PruneTensor

/// The type and extents of an attribute or a data set.
struct HDF5Type {
  enum Kind {
    case tensor(DType)
    /// Texts of a fixed number of bytes each.
    case fixedText
    /// Texts in a heap of the file.
    case text
  }
  let kind: Kind
  /// Bytes of an element.
  let size: Int

  init(_ bytes: Bytes) throws(PruneError) {
    var cursor = HDF5Cursor(bytes)
    let lead = try cursor.byte()
    let bits = try cursor.number(3)
    size = try cursor.number(4)
    switch lead & 15 {
    case 0:
      guard bits & 1 == 0 || size == 1 else { throw Self.bigEndian }
      guard let dtype = Self.integer(size, isSigned: bits & 8 != 0) else {
        throw Self.unknown("integers of \(size) bytes")
      }
      kind = .tensor(dtype)
    case 1:
      guard bits & 0x41 == 0 else { throw Self.bigEndian }
      try cursor.skip(5)
      let exponent = try cursor.byte()
      switch (size, exponent) {
      case (4, 8): kind = .tensor(.float32)
      case (8, 11): kind = .tensor(.float64)
      case (2, 5): kind = .tensor(.float16)
      case (2, 8): kind = .tensor(.bfloat16)
      default: throw Self.unknown("floats of \(size) bytes with \(exponent) bits of exponent")
      }
    case 3: kind = .fixedText
    // h5py writes booleans as an enumeration of bytes.
    case 8:
      guard size == 1 else { throw Self.unknown("an enumeration of \(size) bytes") }
      kind = .tensor(.bool)
    case 9:
      guard bits & 15 == 1, size == 16 else { throw Self.unknown("lists of variable length") }
      kind = .text
    default: throw Self.unknown("class \(lead & 15)")
    }
  }

  private static func integer(_ size: Int, isSigned: Bool) -> DType? {
    switch size {
    case 1: isSigned ? .int8 : .uint8
    case 2: isSigned ? .int16 : .uint16
    case 4: isSigned ? .int32 : .uint32
    case 8: isSigned ? .int64 : .uint64
    default: nil
    }
  }

  private static var bigEndian: PruneError { unknown("big-endian numbers") }
  private static func unknown(_ what: String) -> PruneError {
    PruneError(.unsupported, "the HDF5 type is \(what), which no tensor has")
  }

  /// The extents of a dataspace message; nil for one without elements.
  static func shape(_ bytes: Bytes) throws(PruneError) -> Shape? {
    var cursor = HDF5Cursor(bytes)
    let version = try cursor.byte()
    let rank = try cursor.byte()
    guard version == 1 || version == 2, rank <= 32 else {
      throw PruneError(.badFormat, "the HDF5 file has a space of \(rank) axes, version \(version)")
    }
    try cursor.skip(1)
    if version == 1 { try cursor.skip(5) } else if try cursor.byte() == 2 { return nil }
    var dims: [Int] = []
    for _ in 0..<rank { dims.append(try cursor.size()) }
    do throws(PruneError) { return try Shape(dims) } catch { throw PruneError(.badFormat, error.message) }
  }
}

/// What an attribute holds.
package enum HDF5Value: Sendable {
  case texts([String])
  case tensor(Tensor)
  case empty

  package var text: String? {
    if case .texts(let texts) = self, texts.count == 1 { return texts[0] }
    return nil
  }
  package var texts: [String]? {
    if case .texts(let texts) = self { return texts }
    return nil
  }

  /// A text that ends at its first zero byte.
  static func terminated(_ bytes: Bytes) -> String {
    var count = 0
    while count < bytes.count, bytes[count] != 0 { count += 1 }
    return (bytes.slice(0, count) ?? bytes).text
  }

  init(_ file: HDF5File, _ type: HDF5Type, _ shape: Shape?, _ data: Bytes) throws(PruneError) {
    guard let shape else {
      self = .empty
      return
    }
    let (byteCount, overflow) = type.size.multipliedReportingOverflow(by: shape.count)
    guard !overflow, byteCount >= 0, let exact = data.slice(0, byteCount) else {
      throw PruneError(
        .badFormat, "an attribute of shape \(shape) wants \(byteCount) bytes, it has \(data.count)",
        hint: "the file is damaged")
    }
    switch type.kind {
    case .tensor(let dtype): self = .tensor(try Tensor(dtype, shape, over: exact))
    case .fixedText, .text:
      guard type.size > 0 || shape.count <= 1 << 20 else {
        throw PruneError(.badFormat, "an attribute has \(shape.count) empty texts")
      }
      var texts: [String] = []
      var cursor = HDF5Cursor(exact)
      for _ in 0..<shape.count {
        if case .fixedText = type.kind {
          texts.append(Self.terminated(try cursor.take(type.size)))
        } else {
          let length = try cursor.number(4)
          let address = try cursor.size()
          let index = try cursor.number(4)
          guard length > 0 else {
            texts.append("")
            continue
          }
          let object = try file.heapObject(at: address, index: index)
          guard let text = object.slice(0, length) else {
            throw PruneError(.badFormat, "a text of the HDF5 file is cut short")
          }
          texts.append(Self.terminated(text))
        }
      }
      self = .texts(texts)
    }
  }
}
