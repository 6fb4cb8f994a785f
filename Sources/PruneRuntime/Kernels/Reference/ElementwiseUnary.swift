import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Mathematical functions of one element. Floats are computed in Double and rounded once.
enum ElementwiseUnary {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [:]
    for (name, function) in functions {
      table[name] = Kernel(.numbers) { (call) throws(PruneError) in [try map(call, function)] }
    }
    for name in ["Abs", "Neg", "Sign"] { table[name] = Kernel(.numbers, signs) }
    table["Not"] = Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0)
      guard x.dtype == .bool else { throw call.fail("input is \(x.dtype.name), wanted bool") }
      return [try apply(x, .bool) { (value: UInt8) in value == 0 ? UInt8(1) : 0 }]
    }
    table["BitwiseNot"] = Kernel(.numbers) { (call) throws(PruneError) in
      let x = try call.tensor(0)
      guard x.dtype.isInteger else {
        throw call.fail("input is \(x.dtype.name), wanted an integer")
      }
      return [try apply(x, x.dtype) { (value: UInt64) in ~value }]
    }
    table["IsNaN"] = Kernel(.halves) { (call) throws(PruneError) in [try test(call) { $0.isNaN }] }
    table["IsInf"] = Kernel(.halves) { (call) throws(PruneError) in
      let negative = call.node.int("detect_negative", default: 1) != 0
      let positive = call.node.int("detect_positive", default: 1) != 0
      return [try test(call) { (positive && $0 == .infinity) || (negative && $0 == -.infinity) }]
    }
    return table
  }()

  private static let functions: [String: @Sendable (Double) -> Double] = [
    "Acos": { acos($0) }, "Acosh": { acosh($0) }, "Asin": { asin($0) }, "Asinh": { asinh($0) },
    "Atan": { atan($0) },
    "Atanh": { atanh($0) }, "Ceil": { $0.rounded(.up) }, "Cos": { cos($0) }, "Cosh": { cosh($0) },
    "Erf": { erf($0) },
    "Exp": { exp($0) }, "Floor": { $0.rounded(.down) }, "Log": { log($0) },
    "Reciprocal": { 1 / $0 },
    "Round": { $0.rounded(.toNearestOrEven) }, "Sin": { sin($0) }, "Sinh": { sinh($0) },
    "Sqrt": { $0.squareRoot() },
    "Tan": { tan($0) }, "Tanh": { tanh($0) },
  ]

  /// `function` of every element.
  @inline(__always)
  static func apply<T: TensorElement, R: TensorElement>(
    _ x: Tensor, _ dtype: DType = R.dtype, _ function: (T) -> R
  ) throws(PruneError) -> Tensor {
    try x.withSpan(of: T.self) { (input: Span<T>) throws(PruneError) in
      try Tensor.filled(x.shape, dtype) { (output: inout MutableSpan<R>) in
        for index in 0..<output.count { output[index] = function(input[index]) }
      }
    }
  }

  /// A function on Double of every element of input 0.
  static func map(_ call: KernelCall, _ function: (Double) -> Double) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    switch x.dtype {
    case .float32: return try apply(x) { (value: Float) in Float(function(Double(value))) }
    case .float64: return try apply(x) { (value: Double) in function(value) }
    case .int64:
      return try apply(x) { (value: Int64) in Int64(approximating: function(Double(value))) }
    default: throw call.unsupported("\(call.node.opType) of \(x.dtype.name)")
    }
  }

  private static func test(_ call: KernelCall, _ isTrue: (Double) -> Bool) throws(PruneError)
    -> Tensor
  {
    let x = try call.tensor(0)
    switch x.dtype {
    case .float32:
      return try apply(x, .bool) { (value: Float) in isTrue(Double(value)) ? UInt8(1) : 0 }
    case .float64: return try apply(x, .bool) { (value: Double) in isTrue(value) ? UInt8(1) : 0 }
    default: throw call.unsupported("\(call.node.opType) of \(x.dtype.name)")
    }
  }

  private static let signs: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let x = try call.tensor(0)
    let name = call.node.opType
    switch x.dtype {
    case .float32: return [try signed(name, x, Float.self)]
    case .float64: return [try signed(name, x, Double.self)]
    case .int64: return [try signed(name, x, Int64.self)]
    case .uint64: return [name == "Abs" ? x : try signed(name, x, UInt64.self)]
    default: throw call.unsupported("\(name) of \(x.dtype.name)")
    }
  }

  private static func signed<T: Number>(_ name: String, _ x: Tensor, _: T.Type) throws(PruneError)
    -> Tensor
  {
    switch name {
    case "Abs":
      return try apply(x) { (value: T) in
        value < .zero ? T.difference(.zero, value) : T.sum(value, .zero)
      }
    case "Neg":
      return try apply(x) { (value: T) in T.product(value, T.difference(.zero, T(approximating: 1)))
      }
    default:
      let one = T(approximating: 1)
      return try apply(x) { (value: T) in
        value > .zero ? one : value < .zero ? T.difference(.zero, one) : value
      }
    }
  }
}
