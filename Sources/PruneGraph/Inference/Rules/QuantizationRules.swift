import PruneTensor

/// Quantizing and dequantizing.
package enum QuantizationRules {
  static let table: [String: Rule] = [
    "QuantizeLinear": Rule { (x) throws(PruneError) in
      try checkScale(x)
      let named = try outputDType(x)
      return [TensorType(x.dtype(2) ?? named ?? .uint8, x.dims(0))]
    },
    "DequantizeLinear": Rule { (x) throws(PruneError) in
      try checkScale(x)
      let named = try outputDType(x)
      return [TensorType(named ?? x.dtype(1) ?? .float32, x.dims(0))]
    },
    "DynamicQuantizeLinear": Rule { (x) throws(PruneError) in
      [TensorType(.uint8, x.dims(0)), TensorType(.float32, [Dim]()), TensorType(.uint8, [Dim]())]
    },
  ]

  private static func outputDType(_ x: Operands) throws(PruneError) -> DType? {
    x.node.int("output_dtype", default: 0) == 0 ? nil : try x.dtypeAttribute("output_dtype")
  }

  /// The scale is one number, a vector along `axis`, or (opset 21) blocks of `block_size` along it.
  private static func checkScale(_ x: Operands) throws(PruneError) {
    guard let dims = x.dims(0), let scale = x.dims(1) else { return }
    if let zero = x.dims(2),
      zero.count != scale.count || zip(zero, scale).contains(where: { Dim.unified($0, $1) == nil })
    {
      // A scalar and a vector of one say the same.
      guard Dim.product(zero) == .fixed(1), Dim.product(scale) == .fixed(1) else {
        throw x.fail("the scale is \(Dims.text(scale)), the zero point \(Dims.text(zero))")
      }
    }
    let block = try x.int("block_size", default: 0, in: 0...(1 << 40))
    if block > 0 {
      let axis = try x.axis(x.node.int("axis", default: 1), rank: dims.count)
      guard scale.count == dims.count else {
        throw x.fail("the scale is \(Dims.text(scale)), the data \(Dims.text(dims))")
      }
      for position in dims.indices {
        guard let extent = dims[position].value, let count = scale[position].value else { continue }
        let expected = position == axis ? (extent + block - 1) / block : extent
        guard count == expected else {
          throw x.fail(
            "the scale is \(Dims.text(scale)), the data \(Dims.text(dims)) in blocks of \(block) along axis \(axis)"
          )
        }
      }
      return
    }
    guard scale.count == 1, scale[0] != .fixed(1) else {
      guard scale.isEmpty || (scale.count == 1 && scale[0] == .fixed(1)) else {
        throw x.fail("the scale is \(Dims.text(scale)), wanted one number or a vector")
      }
      return
    }
    let axis = try x.axis(x.node.int("axis", default: 1), rank: dims.count)
    guard Dim.unified(dims[axis], scale[0]) != nil else {
      throw x.fail(
        "the scale has \(scale[0]) entries, axis \(axis) of \(Dims.text(dims)) has \(dims[axis])")
    }
  }
}
