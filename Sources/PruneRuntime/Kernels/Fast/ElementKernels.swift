import CPruneSupport
import PruneGraph
import PruneTensor

/// Casts, comparisons, logic, and arithmetic on integers.
enum ElementKernels: KernelFamily {
  static let name = "element"
  static let kernels: [String: FastKernel] = {
    var table: [String: FastKernel] = ["Cast": cast, "Not": not]
    for (name, kind) in [
      ("Equal", PS_ELEMENT_EQUAL), ("Greater", PS_ELEMENT_GREATER), ("Less", PS_ELEMENT_LESS),
      ("GreaterOrEqual", PS_ELEMENT_GREATER_EQUAL), ("LessOrEqual", PS_ELEMENT_LESS_EQUAL), ("And", PS_ELEMENT_AND),
      ("Or", PS_ELEMENT_OR), ("Xor", PS_ELEMENT_XOR),
    ] {
      table[name] = kernel(kind)
    }
    return table
  }()

  private static func kernel(_ kind: ps_element_kind) -> FastKernel {
    { (op: Dataflow.Op, emitter: any Emitter) throws(PruneError) -> Bool in try pair(op, emitter, kind) }
  }

  private static func isKnown(_ type: DType) -> Bool { ps_casts(Int32(type.rawValue)) != 0 }

  private static func cast(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let from = emitter.value(x).dtype,
      let to = emitter.value(y).dtype
    else { return false }
    if from == to {
      try emitter.defineView(y, of: x)
      return true
    }
    guard isKnown(from), isKnown(to) else { return false }
    let source = try emitter.plain(x)
    let target = try emitter.define(y, layout: nil)
    let count = emitter.count(x)
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      frame.step(
        ps_cast_args(
          x: frame.pointers[source], y: frame.pointers[target], count: Int64(count), from: Int32(from.rawValue),
          to: Int32(to.rawValue)), ps_cast)
    }
    return true
  }

  private static func not(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.value(x).dtype == .bool, emitter.count(x) > 0 else {
      return false
    }
    let yes = try emitter.constantBuffer(try Tensor([UInt8(1)]))
    let source = try emitter.plain(x)
    emit(
      op, emitter, PS_ELEMENT_XOR, .bool, source, yes, try emitter.define(y, layout: nil), [emitter.count(x)], [1],
      [0])
    return true
  }

  /// What `BinaryKernels` does to floats, on integers; anything that compares.
  static func pair(_ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_element_kind) throws(PruneError) -> Bool {
    guard op.inputs.count == 2, let a = op.input(0), let b = op.input(1), let y = op.output(0), op.opset >= 7,
      let type = emitter.value(a).dtype, type == emitter.value(b).dtype, isKnown(type)
    else { return false }
    if kind.rawValue >= PS_ELEMENT_ADD.rawValue, type != .int64, type != .int32 { return false }
    if (PS_ELEMENT_AND.rawValue...PS_ELEMENT_XOR.rawValue).contains(kind.rawValue), type != .bool { return false }
    let dims = emitter.dims(y)
    guard let walk = StridedWalk(dims, [a, b].map { StridedWalk.broadcast(emitter.dims($0), to: dims) }) else {
      return false
    }
    let (first, second) = (try emitter.plain(a), try emitter.plain(b))
    emit(
      op, emitter, kind, type, first, second, try emitter.define(y, layout: nil), walk.dims, walk.strides[0],
      walk.strides[1])
    return true
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_element_kind, _ type: DType, _ a: Int, _ b: Int, _ y: Int,
    _ dims: [Int], _ aStrides: [Int], _ bStrides: [Int]
  ) {
    emitter.emit(op.node.label, reads: [a, b], writes: [y]) { frame in
      var arguments = ps_element_args()
      arguments.a = UnsafeRawPointer(frame.pointers[a])
      arguments.b = UnsafeRawPointer(frame.pointers[b])
      arguments.y = frame.pointers[y]
      arguments.kind = Int32(kind.rawValue)
      arguments.type = Int32(type.rawValue)
      arguments.rank = Int32(dims.count)
      StridedWalk.fill(&arguments.dims, dims)
      StridedWalk.fill(&arguments.a_strides, aStrides)
      StridedWalk.fill(&arguments.b_strides, bStrides)
      return frame.step(arguments, ps_element)
    }
  }
}
