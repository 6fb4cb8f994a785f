import PruneTensor

/// NumPy's array file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
package enum Npy {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// The array, converted to row-major order and little-endian.
  /// - Throws: `.badFormat`, or `.unsupported` for arrays of strings, objects and records.
  package static func decode(_ bytes: Bytes) throws(PruneError) -> Tensor {
    guard bytes.count >= 10, bytes.slice(0, 6)?.array == magic else {
      throw PruneError(.badFormat, "this is not a NumPy array: it does not start with \\x93NUMPY")
    }
    let version = bytes[6]
    let lengthBytes = version == 1 ? 2 : 4
    guard (1...3).contains(version), let start = bytes.slice(8, 8 + lengthBytes) else {
      throw PruneError(.badFormat, "NumPy array format \(version) is not known; 1 to 3 are")
    }
    let headerLength = start.array.reversed().reduce(0) { $0 << 8 | Int($1) }
    let first = 8 + lengthBytes
    guard let header = bytes.slice(first, first + headerLength),
      let data = bytes.slice(first + headerLength, bytes.count)
    else {
      throw PruneError(
        .badFormat, "the array's header takes \(headerLength) bytes, but \(bytes.count - first) are left",
        hint: "the file was cut short")
    }
    let parsed = try NpyHeader(header.array)
    guard let byteCount = parsed.dtype.byteCount(parsed.shape.count), byteCount <= data.count,
      let values = data.slice(0, byteCount)
    else {
      throw PruneError(
        .badFormat,
        "\(parsed.dtype.name) \(parsed.shape) takes \(parsed.dtype.byteCount(parsed.shape.count) ?? -1) bytes, but \(data.count) are there",
        hint: "the file was cut short")
    }
    if parsed.isColumnMajor && parsed.shape.rank > 1 || parsed.swapsBytes {
      return try rearranged(values, parsed)
    }
    return try Tensor(parsed.dtype, parsed.shape, over: values)
  }

  /// The array file of a tensor.
  ///
  /// NumPy has no bfloat16, no floats of 8 bits and no integers of 4: they become float32 and int8 or uint8, which hold
  /// every value of them.
  /// - Throws: `.unsupported` for texts.
  package static func encode(_ original: Tensor) throws(PruneError) -> [UInt8] {
    var tensor = original
    if NpyHeader.code(of: original.dtype) == nil, original.dtype != .string {
      let isSigned = original.dtype == .int4
      tensor = try original.cast(to: original.dtype.isFloatingPoint ? .float32 : isSigned ? .int8 : .uint8)
    }
    guard let code = NpyHeader.code(of: tensor.dtype) else {
      throw PruneError(
        .unsupported, "NumPy's files hold no \(tensor.dtype.name)", hint: "save it as .safetensors, or leave it out")
    }
    let dims = tensor.shape.dims
    let shape = dims.map(String.init).joined(separator: ", ") + (dims.count == 1 ? "," : "")
    var header = "{'descr': '\(code)', 'fortran_order': False, 'shape': (\(shape)), }"
    // The data starts at a multiple of 64, as NumPy has it.
    header += String(repeating: " ", count: (64 - (11 + header.utf8.count) % 64) % 64) + "\n"
    let length = header.utf8.count
    guard length <= 0xFFFF else { throw PruneError(.unsupported, "a NumPy array cannot have \(dims.count) axes") }
    return magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(header.utf8) + tensor.bytes.array
  }

  /// Row-major, little-endian bytes of an array that is stored otherwise.
  private static func rearranged(_ values: Bytes, _ header: NpyHeader) throws(PruneError) -> Tensor {
    let width = header.dtype.bitWidth / 8
    let dims = header.shape.dims
    var strides = header.shape.strides
    if header.isColumnMajor {
      var stride = 1
      for axis in dims.indices {
        strides[axis] = stride
        stride *= max(dims[axis], 1)
      }
    }
    // Complex numbers swap each half.
    let unit = header.dtype == .complex64 ? 4 : header.dtype == .complex128 ? 8 : width
    let target = try values.withSpan { (source: Span<UInt8>) throws(PruneError) -> [UInt8] in
      var result: [UInt8] = []
      result.reserveCapacity(source.count)
      var index = [Int](repeating: 0, count: dims.count)
      for _ in 0..<header.shape.count {
        let start = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } * width
        for byte in 0..<width {
          let swapped = header.swapsBytes ? byte / unit * unit + (unit - 1 - byte % unit) : byte
          result.append(source[start + swapped])
        }
        for axis in dims.indices.reversed() {
          index[axis] += 1
          if index[axis] < dims[axis] { break }
          index[axis] = 0
        }
      }
      return result
    }
    return try Tensor(header.dtype, header.shape, over: try Bytes(target))
  }
}
