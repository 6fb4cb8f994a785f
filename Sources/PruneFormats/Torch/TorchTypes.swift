import PruneTensor

/// PyTorch's names of element types, and the arguments of the functions that rebuild its tensors.
enum TorchTypes {
  private static let types: [(name: String, storage: String, dtype: DType)] = [
    ("float32", "Float", .float32), ("float64", "Double", .float64), ("float16", "Half", .float16),
    ("bfloat16", "BFloat16", .bfloat16), ("int64", "Long", .int64), ("int32", "Int", .int32),
    ("int16", "Short", .int16),
    ("int8", "Char", .int8), ("uint8", "Byte", .uint8), ("bool", "Bool", .bool),
    ("complex64", "ComplexFloat", .complex64),
    ("complex128", "ComplexDouble", .complex128), ("uint16", "", .uint16), ("uint32", "", .uint32),
    ("uint64", "", .uint64),
    ("float8_e4m3fn", "", .float8e4m3fn), ("float8_e5m2", "", .float8e5m2), ("float8_e4m3fnuz", "", .float8e4m3fnuz),
    ("float8_e5m2fnuz", "", .float8e5m2fnuz),
  ]

  /// The element type of a storage class, nil for one of bytes.
  static func element(ofStorage global: String) throws(PruneError) -> DType? {
    let name = global.split(separator: ".").last.map(String.init) ?? global
    if name == "UntypedStorage" { return nil }
    guard let type = types.first(where: { !$0.storage.isEmpty && $0.storage + "Storage" == name }) else {
      throw PruneError(
        .unsupported, "tensors over a '\(global)' are not read", hint: "convert them to float32 before saving")
    }
    return type.dtype
  }

  /// The tensor that `_rebuild_tensor…(storage, offset, shape, strides, …)` would make; the third version gives the
  /// dtype last.
  static func tensor(_ arguments: [PickleValue], isTyped: Bool) throws(PruneError) -> PickleValue {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0], let offset = arguments[1].integer,
      let dims = integers(arguments[2]), let strides = integers(arguments[3]), dims.count == strides.count,
      dims.count <= 64
    else { throw PruneError(.badFormat, "a tensor of the pickle has no storage, offset, shape and strides") }
    var dtype = storage.dtype
    if isTyped {
      guard arguments.count >= 7, case .global(let global) = arguments[6],
        let type = types.first(where: { "torch.\($0.name)" == global })
      else { throw PruneError(.unsupported, "a tensor of the pickle is of a type that is not read") }
      dtype = type.dtype
    }
    guard let dtype else { throw PruneError(.badFormat, "a tensor of the pickle has no element type") }
    return .tensor(
      TorchTensor(
        storage: storage, view: StridedElements(dtype: dtype, offset: offset, shape: try Shape(dims), strides: strides))
    )
  }

  private static func integers(_ value: PickleValue) -> [Int]? {
    guard let items = value.container?.items else { return nil }
    let numbers = items.compactMap(\.integer)
    return numbers.count == items.count ? numbers : nil
  }
}
