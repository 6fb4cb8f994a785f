import PruneGraph
import PruneTensor

/// Operators on any number of tensors, choices and conversions.
enum ElementwiseVariadic {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [
      "Where": Kernel { (call) throws(PruneError) in [try choose(call)] },
      "Cast": Kernel { (call) throws(PruneError) in [try call.tensor(0).cast(to: try call.dtype())]
      },
      "CastLike": Kernel { (call) throws(PruneError) in
        [try call.tensor(0).cast(to: try call.dtype())]
      },
      "Identity": Kernel { (call) throws(PruneError) in [try call.tensor(0)] },
    ]
    for name in ["Max", "Min", "Sum", "Mean"] { table[name] = Kernel(.numbers, fold) }
    return table
  }()

  private static let fold: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let inputs = try call.tensors()
    guard let first = inputs.first else { throw call.fail("there is no input") }
    switch first.dtype {
    case .float32: return [try folded(call, inputs, Float.self)]
    case .float64: return [try folded(call, inputs, Double.self)]
    case .int64: return [try folded(call, inputs, Int64.self)]
    case .uint64: return [try folded(call, inputs, UInt64.self)]
    default: throw call.unsupported("\(call.node.opType) of \(first.dtype.name)")
    }
  }

  private static func folded<T: Number>(_ call: KernelCall, _ inputs: [Tensor], _: T.Type)
    throws(PruneError) -> Tensor
  {
    let shape = try call.shape()
    var result = inputs[0]
    for (index, next) in inputs.enumerated().dropFirst() {
      // Every step but the last makes only as much as its operands broadcast to.
      let step = index == inputs.count - 1 ? shape : try broadcast(result.shape, next.shape, call)
      switch call.node.opType {
      case "Max":
        result = try ElementwiseBinary.map(result, next, step) { (x: T, y: T) in T.maximum(x, y) }
      case "Min":
        result = try ElementwiseBinary.map(result, next, step) { (x: T, y: T) in T.minimum(x, y) }
      default:
        result = try ElementwiseBinary.map(result, next, step) { (x: T, y: T) in T.sum(x, y) }
      }
    }
    guard call.node.opType == "Mean" else { return result }
    let count = T(approximating: Double(inputs.count))
    return try ElementwiseUnary.apply(result) { (x: T) in T.quotient(x, count) }
  }

  private static func broadcast(_ a: Shape, _ b: Shape, _ call: KernelCall) throws(PruneError)
    -> Shape
  {
    guard let dims = Dims.broadcast(a.dims.map(Dim.fixed), b.dims.map(Dim.fixed)) else {
      throw call.fail("shapes \(a) and \(b) do not broadcast")
    }
    return try Shape(dims.compactMap(\.value))
  }

  private static func choose(_ call: KernelCall) throws(PruneError) -> Tensor {
    try select(try call.tensor(0), try call.tensor(1), try call.tensor(2), try call.shape())
  }

  /// `a` where the condition holds, else `b`; all broadcast to `shape`.
  static func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor, _ shape: Shape)
    throws(PruneError) -> Tensor
  {
    switch a.dtype.bitWidth {
    case 8: return try chosen(condition, a, b, shape, UInt8.self)
    case 16: return try chosen(condition, a, b, shape, UInt16.self)
    case 32: return try chosen(condition, a, b, shape, UInt32.self)
    case 64: return try chosen(condition, a, b, shape, UInt64.self)
    default:
      throw PruneError(.unsupported, "elements of type \(a.dtype.name) cannot be chosen one by one")
    }
  }

  private static func chosen<T: TensorElement>(
    _ condition: Tensor, _ a: Tensor, _ b: Tensor, _ shape: Shape, _: T.Type
  ) throws(PruneError) -> Tensor {
    let loop = StridedLoop(
      shape.dims,
      [condition, a, b].map { StridedLoop.broadcastStrides($0.shape, to: shape) } + [shape.strides])
    let steps = loop.rowStrides
    return try reading(condition, a, b) {
      (test: Span<UInt8>, x: Span<T>, y: Span<T>) throws(PruneError) in
      try Tensor.filled(shape, a.dtype) { (output: inout MutableSpan<T>) throws(PruneError) in
        try loop.forEachRow(from: [0, 0, 0, 0]) { offsets in
          for index in 0..<loop.rowLength {
            let isTrue = test[offsets[0] + index * steps[0]] != 0
            output[offsets[3] + index] =
              isTrue ? x[offsets[1] + index * steps[1]] : y[offsets[2] + index * steps[2]]
          }
        }
      }
    }
  }
}
