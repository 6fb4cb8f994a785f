import PruneTensor

/// Normalizations: the output has the shape of the input; statistics are further outputs.
package enum NormalizationRules {
  static let table: [String: Rule] = {
    var table: [String: Rule] = [
      "BatchNormalization": Rule { (x) throws(PruneError) in try batch(x) },
      "LayerNormalization": Rule { (x) throws(PruneError) in try layer(x) },
      "InstanceNormalization": Rule { (x) throws(PruneError) in
        try channelVector(x, 1)
        try channelVector(x, 2)
        return try ElementwiseRules.same(x)
      },
      "GroupNormalization": Rule { (x) throws(PruneError) in
        let groups = try x.int("num_groups", default: 0, in: 1...(1 << 30))
        if let channels = try x.dims(0, atLeast: 2)?[1].value, channels % groups != 0 {
          throw x.fail("\(channels) channels do not divide into \(groups) groups")
        }
        return try ElementwiseRules.same(x)
      },
      "RMSNormalization": Rule { (x) throws(PruneError) in
        Array(try layer(x).prefix(1))
      },
      "LRN": Rule { (x) throws(PruneError) in
        _ = try x.int("size", default: 0, in: 1...(1 << 30))
        _ = try x.dims(0, atLeast: 2)
        return try ElementwiseRules.same(x)
      },
      "LpNormalization": Rule { (x) throws(PruneError) in
        if let rank = x.dims(0)?.count {
          _ = try x.axis(x.node.int("axis", default: -1), rank: rank)
        }
        return try ElementwiseRules.same(x)
      },
      "MeanVarianceNormalization": Rule { (x) throws(PruneError) in
        if let rank = x.dims(0)?.count {
          _ = try x.axes(x.node.ints("axes") ?? [0, 2, 3], rank: rank)
        }
        return try ElementwiseRules.same(x)
      },
    ]
    for name in ["Softmax", "LogSoftmax", "Hardmax"] {
      table[name] = Rule { (x) throws(PruneError) in
        if let rank = x.dims(0)?.count, rank > 0 {
          _ = try softmaxAxis(x.node, rank: rank, opset: x.opset)
        }
        return try ElementwiseRules.same(x)
      }
    }
    return table
  }()

  /// The axis of Softmax and its kin. Before opset 13 it may be the rank itself: nothing is normalized then.
  package static func softmaxAxis(_ node: Node, rank: Int, opset: Int64) throws(PruneError) -> Int {
    let axis = node.int("axis", default: opset < 13 ? 1 : -1)
    guard axis >= -rank, axis < rank || (opset < 13 && axis == rank) else {
      throw PruneError(.mismatch, "axis \(axis) is outside \(-rank)..<\(rank)", at: node.label)
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Input `index` must be a vector with an entry a channel of input 0.
  private static func channelVector(_ x: Operands, _ index: Int) throws(PruneError) {
    guard let dims = x.dims(0), let vector = x.dims(index) else { return }
    let channels = dims.count > 1 ? dims[1] : .fixed(1)
    guard vector.count == 1, Dim.unified(vector[0], channels) != nil else {
      throw x.fail("input \(index) is \(Dims.text(vector)), wanted [\(channels)]")
    }
  }

  private static func batch(_ x: Operands) throws(PruneError) -> [TensorType] {
    for index in 1..<5 { try channelVector(x, index) }
    let statistic = TensorType(x.dtype(3) ?? x.dtype(0), x.dims(3))
    return [TensorType(x.dtype(0), x.dims(0)), statistic, statistic, statistic, statistic]
  }

  private static func layer(_ x: Operands) throws(PruneError) -> [TensorType] {
    guard let dims = try x.dims(0, atLeast: 1) else { return [TensorType(x.dtype(0), nil)] }
    let axis = try x.axis(x.node.int("axis", default: -1), rank: dims.count)
    for index in 1..<3 {
      guard let weight = x.dims(index) else { continue }
      guard let both = Dims.broadcast(dims, weight), both.count == dims.count,
        zip(both, dims).allSatisfy({ Dim.unified($0, $1) != nil })
      else {
        throw x.fail(
          "input \(index) is \(Dims.text(weight)), wanted \(Dims.text(Array(dims[axis...])))")
      }
    }
    let statistic = TensorType(.float32, dims[..<axis] + dims[axis...].map { _ in .fixed(1) })
    return [TensorType(x.dtype(0), dims), statistic, statistic]
  }
}
