import PruneGraph
import PruneTensor

/// Field numbers of `TensorProto`.
enum TensorField {
  static let dims = 1, dataType = 2, segment = 3, floatData = 4, int32Data = 5, stringData = 6, int64Data = 7
  static let name = 8, rawData = 9, doubleData = 10, uint64Data = 11, docString = 12, externalData = 13
  static let dataLocation = 14
  static let typedData = [floatData, int32Data, stringData, int64Data, doubleData, uint64Data]
}

extension ONNXDecoder {
  /// A `TensorProto`. Its bytes stay in the file they are in, except those of typed fields such as `int32_data`.
  /// - Parameter kind: what the tensor is, for errors.
  mutating func tensor(_ bytes: Bytes, kind: String) throws(PruneError) -> TensorValue {
    let parts = try TensorParts(bytes)
    do throws(PruneError) {
      let (dtype, shape) = try parts.type()
      var location: String?
      let tensor: Tensor
      if parts.isExternal {
        guard dtype != .string, let byteCount = dtype.byteCount(shape.count) else {
          throw PruneError(.badFormat, "strings cannot be external data")
        }
        let (bytes, file) = try external.bytes(parts.external, byteCount: byteCount)
        tensor = try Tensor(dtype, shape, over: bytes)
        location = file
      } else {
        tensor = try parts.tensor(dtype, shape)
      }
      return TensorValue(
        name: parts.name, tensor: tensor, docString: parts.docString, original: bytes, externalLocation: location)
    } catch {
      throw error.located(at: parts.name.isEmpty ? kind : "\(kind) '\(parts.name)'")
    }
  }
}

/// The fields of a `TensorProto` before they are put together.
private struct TensorParts {
  var name = ""
  var docString = ""
  var dims: [Int64] = []
  var dataType: UInt64 = 0
  var raw: Bytes?
  var external: [(key: String, value: String)] = []
  var isExternal = false
  /// For each typed field that is there: how many times, and the bytes of the last.
  var typed: [Int: (occurrences: Int, last: Bytes?)] = [:]
  let message: Bytes

  init(_ bytes: Bytes) throws(PruneError) {
    message = bytes
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (TensorField.dims, .varint(let value)): dims.append(Int64(bitPattern: value))
      case (TensorField.dims, .bytes(let value)):
        dims.append(contentsOf: try ProtoReader.packedVarints(value).map { Int64(bitPattern: $0) })
      case (TensorField.dataType, .varint(let value)): dataType = value
      case (TensorField.name, .bytes(let value)): name = try ONNXDecoder.name(value)
      case (TensorField.rawData, .bytes(let value)): raw = value
      case (TensorField.docString, .bytes(let value)):
        docString = String(validating: value.array, as: UTF8.self) ?? ""
      case (TensorField.externalData, .bytes(let value)): external.append(try Self.entry(value))
      case (TensorField.dataLocation, .varint(let value)): isExternal = value == 1
      case (TensorField.segment, .bytes):
        throw PruneError(.unsupported, "tensor '\(name)' comes in segments, which nothing writes any more")
      case (let number, let value) where TensorField.typedData.contains(number):
        let seen = typed[number]?.occurrences ?? 0
        if case .bytes(let chunk) = value { typed[number] = (seen + 1, chunk) } else { typed[number] = (seen + 1, nil) }
      default: break
      }
    }
  }

  private static func entry(_ bytes: Bytes) throws(PruneError) -> (key: String, value: String) {
    var entry = (key: "", value: "")
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): entry.key = try ONNXDecoder.name(value)
      case (2, .bytes(let value)): entry.value = try ONNXDecoder.name(value)
      default: break
      }
    }
    return entry
  }

  func type() throws(PruneError) -> (DType, Shape) {
    guard dataType != 0 else { throw PruneError(.badFormat, "the tensor has no data type") }
    guard let dtype = Int32(exactly: dataType).flatMap(DType.init(rawValue:)) else {
      throw PruneError(
        .unsupported, "the tensor has data type \(dataType), which this build does not know",
        hint: "known are 1 (float32) to 23 (float4e2m1)")
    }
    guard dims.count <= ONNXDecoder.rankLimit else {
      throw PruneError(
        .invalidModel, "the tensor has \(dims.count) axes, at most \(ONNXDecoder.rankLimit) are possible")
    }
    let shape: Shape
    do throws(PruneError) { shape = try Shape(dims.map(Int.init)) } catch {
      throw PruneError(.invalidModel, error.message)
    }
    return (dtype, shape)
  }

  /// The tensor of bytes that are inside the model.
  func tensor(_ dtype: DType, _ shape: Shape) throws(PruneError) -> Tensor {
    let used = typed.keys.sorted()
    if dtype == .string {
      let stringCount = typed[TensorField.stringData]?.occurrences ?? 0
      guard stringCount == shape.count else {
        throw PruneError(.mismatch, "string \(shape) takes \(shape.count) strings, the file holds \(stringCount)")
      }
      return try Tensor(zeros: .string, shape)
    }
    if let raw, raw.count > 0 || used.isEmpty {
      guard used.isEmpty else { throw PruneError(.badFormat, "the tensor holds its values twice, raw and typed") }
      return try Tensor(dtype, shape, over: raw)
    }
    let (number, width) = Self.typedField(of: dtype)
    guard used.isEmpty || used == [number] else {
      throw PruneError(
        .badFormat, "\(dtype.name) values are wanted in field \(number), the file has them in \(used)")
    }
    return try decodeTyped(number, width, dtype, shape)
  }

  /// The field that holds values of a dtype when `raw_data` does not, and the bytes one entry stands for.
  private static func typedField(of dtype: DType) -> (number: Int, width: Int) {
    switch dtype {
    case .float32, .complex64: (TensorField.floatData, 4)
    case .float64, .complex128: (TensorField.doubleData, 8)
    case .int64: (TensorField.int64Data, 8)
    case .uint64: (TensorField.uint64Data, 8)
    case .uint32: (TensorField.uint64Data, 4)
    case .int32: (TensorField.int32Data, 4)
    case .int16, .uint16, .float16, .bfloat16: (TensorField.int32Data, 2)
    default: (TensorField.int32Data, 1)
    }
  }

  private func decodeTyped(
    _ number: Int, _ width: Int, _ dtype: DType, _ shape: Shape
  ) throws(PruneError) -> Tensor {
    let isFixed = number == TensorField.floatData || number == TensorField.doubleData
    // One packed run of floats is already what memory holds.
    if isFixed, let field = typed[number], field.occurrences == 1, let run = field.last {
      return try Tensor(dtype, shape, over: run)
    }
    var values: [UInt8] = []
    var reader = ProtoReader(message)
    while let field = try reader.next() {
      guard field.number == number else { continue }
      switch field.value {
      case .bytes(let run) where isFixed: values.append(contentsOf: run.array)
      case .bytes(let run): for value in try ProtoReader.packedVarints(run) { Self.append(value, width, &values) }
      case .varint(let value): Self.append(value, width, &values)
      case .fixed32(let value): Self.append(UInt64(value), 4, &values)
      case .fixed64(let value): Self.append(value, 8, &values)
      case .group: break
      }
    }
    return try Tensor(dtype, shape, over: try Bytes(values))
  }

  private static func append(_ value: UInt64, _ width: Int, _ target: inout [UInt8]) {
    for index in 0..<width { target.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }
}
