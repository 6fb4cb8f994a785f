import PruneTensor

/// Operators whose output has the shape of their input, or that their inputs broadcast to.
package enum ElementwiseRules {
  static let table: [String: Rule] = {
    var table: [String: Rule] = [:]
    for name in Operator.names(of: .unary, .broadcasting) {
      guard let row = Operator[name: name] else { continue }
      let givesFlags = row.traits.contains(.givesFlags)
      table[name] =
        row.kind == .unary
        ? Rule { (x) throws(PruneError) in [TensorType(givesFlags ? .bool : x.dtype(0), x.dims(0))] }
        : Rule { (x) throws(PruneError) in
          let dtype = try sameDType(x)
          return [TensorType(givesFlags ? .bool : dtype, try broadcast(x))]
        }
    }
    for name in ["Pow", "PRelu"] {
      table[name] = Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try broadcast(x))] }
    }
    table["Where"] = Rule { (x) throws(PruneError) in
      if let condition = x.dtype(0), condition != .bool {
        throw x.fail("the condition is \(condition.name), wanted bool")
      }
      return [TensorType(try sameDType(x, from: 1), try broadcast(x))]
    }
    table["Cast"] = Rule { (x) throws(PruneError) in
      guard let target = try x.dtypeAttribute("to") else { throw x.fail("attribute to is missing") }
      return [TensorType(target, x.dims(0))]
    }
    table["CastLike"] = Rule { (x) throws(PruneError) in [TensorType(x.dtype(1), x.dims(0))] }
    table["Dropout"] = Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(0), x.dims(0)), TensorType(x.opset < 10 ? x.dtype(0) : .bool, x.dims(0))]
    }
    table["Bernoulli"] = Rule { (x) throws(PruneError) in
      [TensorType(try x.dtypeAttribute("dtype") ?? x.dtype(0), x.dims(0))]
    }
    return table
  }()

  static let same: Rule = Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), x.dims(0))] }

  /// The dtype that all inputs share.
  static func sameDType(_ x: Operands, from first: Int = 0) throws(PruneError) -> DType? {
    var dtype: DType?
    for index in first..<max(x.inputCount, first) {
      guard let type = x.dtype(index) else { continue }
      if let dtype, dtype != type {
        throw x.fail("input \(index) is \(type.name), the others are \(dtype.name)")
      }
      dtype = type
    }
    return dtype
  }

  /// The shape that all inputs broadcast to.
  static func broadcast(_ x: Operands) throws(PruneError) -> [Dim]? {
    if x.opset < 7, let legacy = try legacyBroadcast(x) { return legacy }
    guard x.inputCount > 0, var result = x.dims(0) else { return nil }
    for index in 1..<max(x.inputCount, 1) {
      guard let next = x.dims(index) else { return nil }
      guard let both = Dims.broadcast(result, next) else {
        throw x.fail("shapes \(Dims.text(result)) and \(Dims.text(next)) do not broadcast")
      }
      result = both
    }
    return result
  }

  /// Before opset 7 only the second input was stretched, from `axis` on, and only where `broadcast` was set.
  private static func legacyBroadcast(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard x.inputCount == 2, x.node.int("broadcast") == 1, let a = x.dims(0), x.dims(1) != nil
    else { return nil }
    _ = try legacyAxis(x)
    return a
  }

  /// The axis of the first input where the second one starts.
  package static func legacyAxis(_ x: Operands) throws(PruneError) -> Int {
    guard let a = x.dims(0), let b = x.dims(1) else { return 0 }
    let axis = x.node.int("axis").map { $0 < 0 ? $0 &+ a.count : $0 } ?? (a.count - b.count)
    guard axis >= 0, axis <= a.count, axis + b.count <= a.count else {
      throw x.fail("shape \(Dims.text(b)) does not fit \(Dims.text(a)) at axis \(axis)")
    }
    for (index, dim) in b.enumerated() where Dim.broadcast(a[axis + index], dim) == nil {
      throw x.fail("shape \(Dims.text(b)) does not fit \(Dims.text(a)) at axis \(axis)")
    }
    return axis
  }
}
