import PruneGraph
import PruneTensor

/// `SparseTensorProto`: the elements that are not zero and where they are. They become dense tensors, as every operator
/// wants them, and are written dense.
extension ONNXDecoder {
  /// A small file can stand for any number of zeros; no weight takes more.
  private static let largestDense = 1 << 31

  /// - Parameter kind: what the tensor is, for errors.
  mutating func sparseTensor(_ bytes: Bytes, kind: String) throws(PruneError) -> TensorValue {
    var values: TensorValue?, indices: TensorValue?
    var dims: [Int64] = []
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): values = try tensor(value, kind: kind)
      case (2, .bytes(let value)): indices = try tensor(value, kind: "\(kind)'s indices")
      case (3, .varint(let value)): dims.append(Int64(bitPattern: value))
      case (3, .bytes(let value)): dims += try ProtoReader.packedVarints(value).map { Int64(bitPattern: $0) }
      default: break
      }
    }
    guard let values else { throw PruneError(.badFormat, "a sparse tensor has no values", at: kind) }
    do throws(PruneError) {
      let dense = try Self.dense(values.tensor, indices?.tensor, try Shape(dims.map { Int(clamping: $0) }))
      return TensorValue(name: values.name, tensor: dense, docString: values.docString)
    } catch { throw error.located(at: values.name.isEmpty ? kind : "\(kind) '\(values.name)'") }
  }

  private static func dense(_ values: Tensor, _ indices: Tensor?, _ shape: Shape) throws(PruneError) -> Tensor {
    guard let bytes = values.dtype.byteCount(shape.count), bytes <= largestDense else {
      throw PruneError(
        .unsupported, "a sparse tensor \(values.dtype.name) \(shape) takes more than 2 GiB when it is dense")
    }
    guard values.shape.rank == 1 else {
      throw PruneError(.badFormat, "values of a sparse tensor are \(values.shape), wanted a list")
    }
    let places = try Self.places(indices, count: values.count, shape)
    switch values.dtype {
    case .float32: return try filled(Float.self, values, places, shape)
    case .float64: return try filled(Double.self, values, places, shape)
    case .float16, .bfloat16, .uint16: return try filled(UInt16.self, values, places, shape)
    case .int64: return try filled(Int64.self, values, places, shape)
    case .int32: return try filled(Int32.self, values, places, shape)
    case .int16: return try filled(Int16.self, values, places, shape)
    case .int8: return try filled(Int8.self, values, places, shape)
    case .uint8, .bool: return try filled(UInt8.self, values, places, shape)
    default: throw PruneError(.unsupported, "a sparse tensor of \(values.dtype.name) cannot be made dense")
    }
  }

  private static func filled<T: TensorElement>(
    _ type: T.Type, _ values: Tensor, _ places: [Int], _ shape: Shape
  ) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: values.dtype, shape)
    try values.withSpan(of: T.self) { source throws(PruneError) in
      try result.withMutableSpan(of: T.self) { target throws(PruneError) in
        for (index, place) in places.enumerated() { target[place] = source[index] }
      }
    }
    return result
  }

  /// Where each value lies: its position in the flattened tensor, or its coordinates.
  private static func places(_ indices: Tensor?, count: Int, _ shape: Shape) throws(PruneError) -> [Int] {
    guard count > 0 else { return [] }
    guard let indices else { throw PruneError(.badFormat, "a sparse tensor with \(count) values has no indices") }
    let numbers = try indices.integers()
    let isFlat = indices.shape.dims == [count]
    guard isFlat || indices.shape.dims == [count, shape.rank] else {
      throw PruneError(
        .badFormat, "indices of a sparse tensor are \(indices.shape), wanted [\(count)] or [\(count),\(shape.rank)]")
    }
    let extents = isFlat ? [shape.count] : shape.dims
    return try (0..<count).map { index throws(PruneError) in
      var place = 0
      for (axis, extent) in extents.enumerated() {
        let number = numbers[index * extents.count + axis]
        guard number >= 0, number < extent else {
          throw PruneError(.badFormat, "an index of a sparse tensor \(shape) is \(number), wanted 0 to \(extent - 1)")
        }
        place = place * extent + number
      }
      return place
    }
  }
}
