import PruneGraph
import PruneTensor

/// Operators on pairs of elements, with broadcasting.
enum ElementwiseBinary {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [:]
    for name in ["Add", "Sub", "Mul", "Div", "Mod", "PRelu"] {
      table[name] = Kernel(.numbers, arithmetic)
    }
    for name in ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"] {
      table[name] = Kernel(.numbers, compare)
    }
    for name in ["And", "Or", "Xor"] { table[name] = Kernel(.none, logic) }
    for name in ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"] {
      table[name] = Kernel(.numbers, bits)
    }
    table["Pow"] = Kernel(.numbers, power)
    return table
  }()

  /// A tensor of `shape` with `combine` of every pair of elements.
  @inline(__always)
  static func map<A: TensorElement, B: TensorElement, R: TensorElement>(
    _ a: Tensor, _ b: Tensor, _ shape: Shape, _ dtype: DType = R.dtype, _ combine: (A, B) -> R
  ) throws(PruneError) -> Tensor {
    let loop = StridedLoop(
      shape.dims,
      [
        StridedLoop.broadcastStrides(a.shape, to: shape),
        StridedLoop.broadcastStrides(b.shape, to: shape), shape.strides,
      ])
    let (stepA, stepB) = (loop.rowStrides[0], loop.rowStrides[1])
    return try reading(a, b) { (x: Span<A>, y: Span<B>) throws(PruneError) in
      try Tensor.filled(shape, dtype) { (output: inout MutableSpan<R>) throws(PruneError) in
        try loop.forEachRow(from: [0, 0, 0]) { offsets in
          var (atA, atB) = (offsets[0], offsets[1])
          for index in offsets[2]..<(offsets[2] + loop.rowLength) {
            output[index] = combine(x[atA], y[atB])
            atA += stepA
            atB += stepB
          }
        }
      }
    }
  }

  /// Both inputs; before opset 7 the second is aligned at `axis` of the first.
  private static func pair(_ call: KernelCall) throws(PruneError) -> (Tensor, Tensor) {
    let (a, b) = (try call.tensor(0), try call.tensor(1))
    guard call.opset < 7, call.node.int("broadcast") == 1 else { return (a, b) }
    let axis = try ElementwiseRules.legacyAxis(call.operands)
    let trailing = a.shape.rank - axis - b.shape.rank
    return (
      a, try b.reshaped(try Shape(b.shape.dims + [Int](repeating: 1, count: max(trailing, 0))))
    )
  }

  private static let arithmetic: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let (a, b) = try pair(call)
    switch a.dtype {
    case .float32: return [try combined(call, a, b, Float.self)]
    case .float64: return [try combined(call, a, b, Double.self)]
    case .int64:
      try refuseZeroDivisor(call, b, Int64.self)
      return [try combined(call, a, b, Int64.self)]
    case .uint64:
      try refuseZeroDivisor(call, b, UInt64.self)
      return [try combined(call, a, b, UInt64.self)]
    default: throw call.unsupported("no arithmetic on \(a.dtype.name)")
    }
  }

  private static func refuseZeroDivisor<T: Number>(_ call: KernelCall, _ b: Tensor, _: T.Type)
    throws(PruneError)
  {
    guard call.node.opType == "Div" || call.node.opType == "Mod" else { return }
    let hasZero = try b.withSpan(of: T.self) { span in
      for index in 0..<span.count where span[index] == .zero { return true }
      return false
    }
    if hasZero { throw PruneError(.numeric, "an integer is divided by zero", at: call.node.label) }
  }

  private static func combined<T: Number>(
    _ call: KernelCall, _ a: Tensor, _ b: Tensor, _: T.Type
  ) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    switch call.node.opType {
    case "Add": return try map(a, b, shape) { (x: T, y: T) in T.sum(x, y) }
    case "Sub": return try map(a, b, shape) { (x: T, y: T) in T.difference(x, y) }
    case "Mul": return try map(a, b, shape) { (x: T, y: T) in T.product(x, y) }
    case "Div": return try map(a, b, shape) { (x: T, y: T) in T.quotient(x, y) }
    case "PRelu":
      return try map(a, b, shape) { (x: T, y: T) in x < .zero ? T.product(x, y) : x }
    default:
      let isLikeDividend = call.node.int("fmod", default: 0) != 0
      return try map(a, b, shape) { (x: T, y: T) in T.remainder(x, y, likeDividend: isLikeDividend)
      }
    }
  }

  private static let compare: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    var (a, b) = try pair(call)
    if a.dtype == .bool { (a, b) = (try a.cast(to: .int64), try b.cast(to: .int64)) }
    switch a.dtype {
    case .float32: return [try compared(call, a, b, Float.self)]
    case .float64: return [try compared(call, a, b, Double.self)]
    case .int64: return [try compared(call, a, b, Int64.self)]
    case .uint64: return [try compared(call, a, b, UInt64.self)]
    default: throw call.unsupported("no comparison of \(a.dtype.name)")
    }
  }

  private static func compared<T: Number>(
    _ call: KernelCall, _ a: Tensor, _ b: Tensor, _: T.Type
  ) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    switch call.node.opType {
    case "Equal": return try map(a, b, shape, .bool) { (x: T, y: T) in UInt8(x == y ? 1 : 0) }
    case "Greater": return try map(a, b, shape, .bool) { (x: T, y: T) in UInt8(x > y ? 1 : 0) }
    case "Less": return try map(a, b, shape, .bool) { (x: T, y: T) in UInt8(x < y ? 1 : 0) }
    case "GreaterOrEqual":
      return try map(a, b, shape, .bool) { (x: T, y: T) in UInt8(x >= y ? 1 : 0) }
    default: return try map(a, b, shape, .bool) { (x: T, y: T) in UInt8(x <= y ? 1 : 0) }
    }
  }

  private static let logic: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let (a, b) = try pair(call)
    guard a.dtype == .bool, b.dtype == .bool else {
      throw call.fail("inputs are \(a.dtype.name) and \(b.dtype.name), wanted bool")
    }
    let shape = try call.shape()
    switch call.node.opType {
    case "And":
      return [
        try map(a, b, shape, .bool) { (x: UInt8, y: UInt8) in x != 0 && y != 0 ? UInt8(1) : 0 }
      ]
    case "Or":
      return [
        try map(a, b, shape, .bool) { (x: UInt8, y: UInt8) in x != 0 || y != 0 ? UInt8(1) : 0 }
      ]
    default:
      return [
        try map(a, b, shape, .bool) { (x: UInt8, y: UInt8) in (x != 0) != (y != 0) ? UInt8(1) : 0 }
      ]
    }
  }

  private static let bits: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let (a, b) = try pair(call)
    guard a.dtype.isInteger, b.dtype.isInteger else {
      throw call.fail("input is \(a.dtype.name), wanted an integer")
    }
    let shape = try call.shape()
    switch call.node.opType {
    case "BitwiseAnd": return [try map(a, b, shape, a.dtype) { (x: UInt64, y: UInt64) in x & y }]
    case "BitwiseOr": return [try map(a, b, shape, a.dtype) { (x: UInt64, y: UInt64) in x | y }]
    case "BitwiseXor": return [try map(a, b, shape, a.dtype) { (x: UInt64, y: UInt64) in x ^ y }]
    default:
      let direction = call.node.string("direction", default: "")
      guard direction == "LEFT" || direction == "RIGHT" else {
        throw call.fail("direction is '\(direction)', wanted LEFT or RIGHT")
      }
      // Smart shifts: by 64 or more nothing is left.
      if direction == "LEFT" {
        return [try map(a, b, shape, a.dtype) { (x: UInt64, y: UInt64) in x << y }]
      }
      return [try map(a, b, shape, a.dtype) { (x: UInt64, y: UInt64) in x >> y }]
    }
  }

  /// The base's type is the result's; the exponent may be of another.
  private static let power: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let (a, b) = try pair(call)
    let shape = try call.shape()
    switch (a.dtype, b.dtype.isFloatingPoint) {
    case (.float32, _):
      let exponent = try b.cast(to: .float64)
      return [
        try map(a, exponent, shape) { (x: Float, y: Double) in Float(Double.power(Double(x), y)) }
      ]
    case (.float64, _):
      let exponent = try b.cast(to: .float64)
      return [try map(a, exponent, shape) { (x: Double, y: Double) in Double.power(x, y) }]
    case (.int64, false), (.uint64, false):
      let exponent = try b.cast(to: .int64)
      return [
        try map(a, exponent, shape, a.dtype) { (x: UInt64, y: Int64) in
          UInt64(bitPattern: Int64.power(Int64(bitPattern: x), y))
        }
      ]
    case (.int64, true), (.uint64, true):
      let (base, exponent) = (try a.cast(to: .float64), try b.cast(to: .float64))
      return [
        try map(base, exponent, shape) { (x: Double, y: Double) in Double.power(x, y) }.cast(
          to: a.dtype)
      ]
    default: throw call.unsupported("no powers of \(a.dtype.name)")
    }
  }
}
