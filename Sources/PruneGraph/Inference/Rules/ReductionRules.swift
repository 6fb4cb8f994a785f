import PruneTensor

/// Reductions over axes, and operators that look along one axis.
package enum ReductionRules {
  static let table: [String: Rule] = {
    var table: [String: Rule] = [:]
    for name in [
      "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
      "ReduceMin", "ReduceProd",
      "ReduceSum", "ReduceSumSquare",
    ] {
      table[name] = Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try reduced(x))] }
    }
    for name in ["ArgMax", "ArgMin"] {
      table[name] = Rule { (x) throws(PruneError) in
        guard let dims = try x.dims(0, atLeast: 1) else { return [TensorType(.int64, nil)] }
        let axis = try x.axis(x.node.int("axis", default: 0), rank: dims.count)
        guard dims[axis] != .fixed(0) else {
          throw x.fail("axis \(axis) of \(Dims.text(dims)) has no element to pick")
        }
        return [
          TensorType(
            .int64, removing(dims, [axis], keeping: x.node.int("keepdims", default: 1) != 0))
        ]
      }
    }
    table["CumSum"] = Rule { (x) throws(PruneError) in
      if let rank = x.dims(0)?.count, let axis = try x.integer(1) {
        _ = try x.axis(axis, rank: rank)
      }
      return try ElementwiseRules.same(x)
    }
    table["CumProd"] = table["CumSum"]
    table["TopK"] = Rule { (x) throws(PruneError) in
      guard var dims = try x.dims(0, atLeast: 1) else {
        return [TensorType(x.dtype(0), nil), TensorType(.int64, nil)]
      }
      let axis = try x.axis(x.node.int("axis", default: -1), rank: dims.count)
      let count = x.opset < 10 ? x.node.int("k") : try x.integer(1)
      if let count {
        guard count >= 0, count <= dims[axis].value ?? .max else {
          throw x.fail("k is \(count), axis \(axis) has \(dims[axis]) elements")
        }
      }
      dims[axis] = count.map(Dim.fixed) ?? .unknown
      return [TensorType(x.dtype(0), dims), TensorType(.int64, dims)]
    }
    return table
  }()

  private static func removing(_ dims: [Dim], _ axes: [Int], keeping: Bool) -> [Dim] {
    var result: [Dim] = []
    for (axis, dim) in dims.enumerated() {
      if !axes.contains(axis) { result.append(dim) } else if keeping { result.append(.fixed(1)) }
    }
    return result
  }

  private static func reduced(_ x: Operands) throws(PruneError) -> [Dim]? {
    let keeps = x.node.int("keepdims", default: 1) != 0
    guard let dims = x.dims(0) else { return nil }
    guard let axes = try axes(x, rank: dims.count) else {
      return keeps ? dims.map { _ in .unknown } : nil
    }
    return removing(dims, axes, keeping: keeps)
  }

  /// The axes a reduction sums over; nil when they are computed at run time. `axes` is an attribute before opset 13
  /// (ReduceSum) or 18 (the others), an input from then on.
  package static func axes(_ x: Operands, rank: Int) throws(PruneError) -> [Int]? {
    let isInput = x.opset >= (x.node.opType == "ReduceSum" ? 13 : 18)
    var listed: [Int] = []
    if isInput, x.has(1) {
      guard let numbers = try x.integers(1) else { return nil }
      listed = numbers
    } else if !isInput {
      listed = x.node.ints("axes") ?? []
    }
    if listed.isEmpty {
      return isInput && x.node.int("noop_with_empty_axes", default: 0) != 0 ? [] : Array(0..<rank)
    }
    return try x.axes(listed, rank: rank)
  }
}
