import PruneTensor

/// Shape arithmetic on symbols: what Shape, Gather, Concat, … of extents are, when the extents have only names.
enum SymbolicEvaluation {
  /// The elements of the node's first output, nil when the node is none of these or its inputs are not known.
  static func evaluate(_ operands: Operands) -> SymbolicValue? {
    guard operands.node.isStandard else { return nil }
    // A wrong attribute is reported by the node's rule.
    let value = try? value(of: operands)
    guard let value, value.elements.count <= SymbolicValue.limit else { return nil }
    return value
  }

  private static func input(_ operands: Operands, _ index: Int) -> SymbolicValue? {
    if index < operands.values.count, let value = operands.values[index] { return value }
    return operands.constant(index).flatMap { SymbolicValue($0) }
  }

  private static func value(of operands: Operands) throws(PruneError) -> SymbolicValue? {
    let node = operands.node
    switch node.opType {
    case "Shape":
      guard let dims = operands.dims(0) else { return nil }
      let range = LayoutRules.shapeRange(node, rank: dims.count)
      return SymbolicValue(Array(dims[range]))
    case "Size":
      guard let dims = operands.dims(0) else { return nil }
      return SymbolicValue([Dim.product(dims)], isScalar: true)
    case "Identity", "Cast", "CastLike":
      if node.opType == "Cast", let target = try operands.dtypeAttribute("to"), !target.isInteger {
        return nil
      }
      return input(operands, 0)
    case "Gather":
      guard let data = input(operands, 0), data.isVector, let indices = input(operands, 1) else {
        return nil
      }
      var picked: [Dim] = []
      for index in indices.elements {
        guard let at = index.value, at >= -data.elements.count, at < data.elements.count else {
          return nil
        }
        picked.append(data.elements[at < 0 ? at + data.elements.count : at])
      }
      return SymbolicValue(picked, dims: indices.dims)
    case "Concat":
      var elements: [Dim] = []
      for index in 0..<operands.inputCount {
        guard let part = input(operands, index), part.isVector else { return nil }
        elements += part.elements
      }
      return SymbolicValue(elements)
    case "Slice":
      guard let data = input(operands, 0),
        let slices = try SliceRanges(operands, dims: data.dims.map(Dim.fixed)),
        slices.output.allSatisfy({ $0.value ?? .max <= SymbolicValue.limit })
      else { return nil }
      return data.picking(
        data.dims.indices.map { axis in
          guard let range = slices.ranges[axis] else { return Array(0..<data.dims[axis]) }
          return (0..<range.count).map { range.start + $0 * range.step }
        })
    case "Transpose":
      guard let data = input(operands, 0), data.dims.count == 2,
        try LayoutRules.permutation(operands, rank: 2) == [1, 0]
      else {
        return try input(operands, 0).flatMap { (data) throws(PruneError) in
          data.dims.count < 2 ? data : nil
        }
      }
      let (rows, columns) = (data.dims[0], data.dims[1])
      let order = (0..<columns).flatMap { column in (0..<rows).map { $0 * columns + column } }
      return SymbolicValue(order.map { data.elements[$0] }, dims: [columns, rows])
    case "Unsqueeze", "Squeeze", "Reshape", "Flatten":
      // The operand's own extents, which its type may not have.
      guard let data = input(operands, 0),
        let dims = try InferenceRules.infer(operands)?.first?.dims
      else { return nil }
      let extents = dims.compactMap(\.value)
      return extents.count == dims.count ? SymbolicValue(data.elements, dims: extents) : nil
    case "Add", "Sub", "Mul", "Div", "Equal", "Max", "Min", "Mod": return pairwise(operands)
    case "Neg":
      guard let data = input(operands, 0) else { return nil }
      return SymbolicValue(data.elements.map { .fixed(0) - $0 }, dims: data.dims)
    case "Where": return choose(operands)
    case "ConstantOfShape":
      guard let count = try operands.integers(0), count.count <= 1, let fill = node.tensor("value"),
        fill.dtype.isInteger,
        let number = try fill.integers().first
      else { return nil }
      let length = count.first ?? 1
      guard length >= 0, length <= SymbolicValue.limit else { return nil }
      return SymbolicValue([Dim](repeating: .fixed(number), count: length), isScalar: count.isEmpty)
    case "Range":
      guard operands.dtype(0)?.isInteger == true, let start = try operands.integer(0),
        let limit = try operands.integer(1),
        let step = try operands.integer(2), step != 0
      else { return nil }
      let numbers = Swift.stride(from: start, to: limit, by: step).prefix(SymbolicValue.limit + 1)
      return SymbolicValue(numbers.map(Dim.fixed))
    case "ReduceProd":
      guard let data = input(operands, 0), data.isVector else { return nil }
      return SymbolicValue(
        [Dim.product(data.elements)], isScalar: node.int("keepdims", default: 1) == 0)
    default: return nil
    }
  }

  private static func pairwise(_ operands: Operands) -> SymbolicValue? {
    guard operands.inputCount == 2, let a = input(operands, 0), let b = input(operands, 1),
      operands.dtype(0)?.isFloatingPoint != true
    else { return nil }
    let count = max(a.elements.count, b.elements.count)
    guard a.elements.count == count || a.elements.count == 1,
      b.elements.count == count || b.elements.count == 1,
      a.dims.count <= 1, b.dims.count <= 1
    else { return nil }
    var elements: [Dim] = []
    for index in 0..<count {
      let x = a.elements[a.elements.count == 1 ? 0 : index]
      let y = b.elements[b.elements.count == 1 ? 0 : index]
      elements.append(combined(operands.node.opType, x, y))
    }
    return SymbolicValue(elements, isScalar: a.isScalar && b.isScalar)
  }

  private static func combined(_ operation: String, _ x: Dim, _ y: Dim) -> Dim {
    switch operation {
    case "Add": return x + y
    case "Sub": return x - y
    case "Mul": return x * y
    case "Div": return x / y
    case "Equal": return isEqual(x, y).map { .fixed($0 ? 1 : 0) } ?? .unknown
    case "Max", "Min":
      guard x != y else { return x }
      guard let left = x.value, let right = y.value else { return .unknown }
      return .fixed(operation == "Max" ? max(left, right) : min(left, right))
    case "Mod":
      guard let left = x.value, let right = y.value, left >= 0, right > 0 else { return .unknown }
      return .fixed(left % right)
    default: return .unknown
    }
  }

  /// Whether two extents are equal, nil when it cannot be told. A symbol is an extent and so never negative.
  private static func isEqual(_ x: Dim, _ y: Dim) -> Bool? {
    switch (x, y) {
    case (.fixed(let a), .fixed(let b)): a == b
    case (.named, .fixed(let b)) where b < 0: false
    case (.fixed(let a), .named) where a < 0: false
    case (.named(let a), .named(let b)) where a == b: true
    default: nil
    }
  }

  private static func choose(_ operands: Operands) -> SymbolicValue? {
    guard let condition = input(operands, 0), let a = input(operands, 1), let b = input(operands, 2)
    else { return nil }
    let parts = [condition, a, b]
    let count = parts.map(\.elements.count).max() ?? 0
    guard
      parts.allSatisfy({
        ($0.elements.count == count || $0.elements.count == 1) && $0.dims.count <= 1
      })
    else { return nil }
    func element(_ value: SymbolicValue, _ index: Int) -> Dim {
      value.elements[value.elements.count == 1 ? 0 : index]
    }
    var elements: [Dim] = []
    for index in 0..<count {
      let (x, y) = (element(a, index), element(b, index))
      switch element(condition, index).value {
      case nil: elements.append(x == y ? x : .unknown)
      case 0: elements.append(y)
      default: elements.append(x)
      }
    }
    return SymbolicValue(elements, isScalar: parts.allSatisfy(\.isScalar))
  }
}
