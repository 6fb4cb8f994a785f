import PruneTensor

/// Operators that make tensors from little: constants, ranges, random numbers.
package enum GeneratorRules {
  static let table: [String: Rule] = [
    "Constant": Rule { (x) throws(PruneError) in
      guard let tensor = try constant(x.node) else { return [TensorType(nil, nil)] }
      return [TensorType(tensor.dtype, tensor.shape)]
    },
    "ConstantOfShape": Rule { (x) throws(PruneError) in
      let dtype = x.node.tensor("value")?.dtype ?? .float32
      if let dims = try x.elements(0) { return [TensorType(dtype, try extents(x, dims))] }
      let rank = try x.length(0)
      return [
        TensorType(dtype, rank.flatMap { $0 <= 64 ? [Dim](repeating: .unknown, count: $0) : nil })
      ]
    },
    "Range": Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(0), [try rangeCount(x).map(Dim.fixed) ?? .unknown])]
    },
    "EyeLike": Rule { (x) throws(PruneError) in
      [TensorType(try x.dtypeAttribute("dtype") ?? x.dtype(0), try x.dims(0, rank: 2))]
    },
    "OneHot": Rule { (x) throws(PruneError) in
      guard var dims = x.dims(0) else { return [TensorType(x.dtype(2), nil)] }
      let axis = try x.axis(x.node.int("axis", default: -1), rank: dims.count + 1)
      dims.insert(try depth(x).map(Dim.fixed) ?? .unknown, at: axis)
      return [TensorType(x.dtype(2), dims)]
    },
    "RandomNormal": random,
    "RandomUniform": random,
    "RandomNormalLike": randomLike,
    "RandomUniformLike": randomLike,
    "Multinomial": Rule { (x) throws(PruneError) in
      let count = try x.int("sample_size", default: 1, in: 0...(1 << 40))
      return [
        TensorType(
          try x.dtypeAttribute("dtype") ?? .int32,
          [try x.dims(0, rank: 2)?[0] ?? .unknown, .fixed(count)])
      ]
    },
    "HannWindow": window,
    "HammingWindow": window,
    "BlackmanWindow": window,
  ]

  /// The tensor of a Constant node; nil for kinds that are no numbers.
  package static func constant(_ node: Node) throws(PruneError) -> Tensor? {
    guard
      let attribute = node.attributes.first(where: {
        $0.name.hasPrefix("value") || $0.name == "sparse_value"
      })
    else {
      throw PruneError(.invalidModel, "the constant has no value", at: node.label)
    }
    switch attribute.value {
    case .tensor(let value): return value.tensor
    case .float(let value): return try Tensor(scalar: value)
    case .floats(let values): return try Tensor(values)
    case .int(let value): return try Tensor(scalar: value)
    case .ints(let values): return try Tensor(values)
    default: return nil
    }
  }

  private static func extents(_ x: Operands, _ dims: [Dim]) throws(PruneError) -> [Dim] {
    guard dims.allSatisfy({ $0.value ?? 0 >= 0 }) else {
      throw x.fail("shape \(Dims.text(dims)) is not possible")
    }
    return dims
  }

  /// The elements of a Range, nil when its bounds are computed at run time.
  package static func rangeCount(_ x: Operands) throws(PruneError) -> Int? {
    if x.dtype(0)?.isFloatingPoint == true {
      var bounds: [Double] = []
      for index in 0..<3 {
        guard let tensor = x.constant(index) else { return nil }
        guard tensor.count == 1 else {
          throw x.fail("input \(index) is \(tensor.shape), wanted a scalar")
        }
        bounds.append(try tensor.doubles()[0])
      }
      let count = ((bounds[1] - bounds[0]) / bounds[2]).rounded(.up)
      guard bounds[2] != 0, count.isFinite, count < 0x1p48 else {
        throw x.fail("a range from \(bounds[0]) to \(bounds[1]) by \(bounds[2]) has no end")
      }
      return Int(max(0, count))
    }
    guard let start = try x.integer(0), let limit = try x.integer(1), let step = try x.integer(2)
    else { return nil }
    let (span, overflow) = limit.subtractingReportingOverflow(start)
    guard step != 0, !overflow, span.magnitude <= 1 << 60 else {
      throw x.fail("a range from \(start) to \(limit) by \(step) is not possible")
    }
    if (span > 0) != (step > 0) || span == 0 { return 0 }
    return Int((span.magnitude + step.magnitude - 1) / step.magnitude)
  }

  /// The depth of OneHot; its number may be of any type.
  package static func depth(_ x: Operands) throws(PruneError) -> Int? {
    guard let tensor = x.constant(1) else { return try x.integer(1) }
    guard tensor.count == 1 else { throw x.fail("depth is \(tensor.shape), wanted one number") }
    let number = try tensor.doubles()[0]
    guard number >= 0, number < 0x1p40 else { throw x.fail("depth is \(number), wanted 0 or more") }
    return Int(number)
  }

  private static let random: Rule = Rule { (x) throws(PruneError) in
    guard let dims = x.node.ints("shape") else { throw x.fail("attribute shape is missing") }
    return [
      TensorType(try x.dtypeAttribute("dtype") ?? .float32, try extents(x, dims.map(Dim.fixed)))
    ]
  }

  private static let randomLike: Rule = Rule { (x) throws(PruneError) in
    [TensorType(try x.dtypeAttribute("dtype") ?? x.dtype(0), x.dims(0))]
  }

  private static let window: Rule = Rule { (x) throws(PruneError) in
    let count = try x.integer(0)
    if let count, count < 0 { throw x.fail("size is \(count), wanted 0 or more") }
    return [
      TensorType(
        try x.dtypeAttribute("output_datatype") ?? .float32, [count.map(Dim.fixed) ?? .unknown])
    ]
  }
}
