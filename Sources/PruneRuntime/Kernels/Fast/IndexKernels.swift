import CPruneSupport
import PruneGraph
import PruneTensor

/// Picking by index and by condition.
enum IndexKernels: KernelFamily {
  static let name = "index"
  static let kernels: [String: FastKernel] = ["Gather": gather, "Where": choose]

  private static func gather(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let indices = op.input(1), let y = op.output(0), let shape = emitter.value(x).shape,
      let width = MovementKernels.width(x, emitter), let axis = shape.axis(op.node.int("axis", default: 0))
    else { return false }
    let type = emitter.value(indices).dtype
    guard type == .int64 || type == .int32 else { return false }
    let outer = shape.dims[..<axis].reduce(1, *)
    let inner = shape.dims[(axis + 1)...].reduce(1, *)
    let (extent, count) = (shape[axis], emitter.count(indices))
    guard outer * count * inner == emitter.count(y) else { return false }
    let (source, places) = (try emitter.plain(x), try emitter.plain(indices))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(op.node.label, reads: [source, places], writes: [target]) { frame in
      frame.step(
        ps_gather_args(
          x: frame.pointers[source], indices: frame.pointers[places], y: frame.pointers[target], outer: Int64(outer),
          extent: Int64(extent), inner: Int64(inner), count: Int64(count), width: Int32(width),
          wide_indices: type == .int64 ? 1 : 0), ps_gather)
    }
    return true
  }

  private static func choose(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let condition = op.input(0), let a = op.input(1), let b = op.input(2), let y = op.output(0),
      emitter.value(condition).dtype == .bool, let width = MovementKernels.width(y, emitter),
      emitter.value(a).dtype == emitter.value(y).dtype, emitter.value(b).dtype == emitter.value(y).dtype
    else { return false }
    let dims = emitter.dims(y)
    guard let walk = StridedWalk(dims, [condition, a, b].map { StridedWalk.broadcast(emitter.dims($0), to: dims) })
    else { return false }
    let (flags, first, second) = (try emitter.plain(condition), try emitter.plain(a), try emitter.plain(b))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(op.node.label, reads: [flags, first, second], writes: [target]) { frame in
      var arguments = ps_where_args()
      arguments.condition = UnsafePointer(frame.pointer(flags, as: UInt8.self))
      arguments.a = UnsafeRawPointer(frame.pointers[first])
      arguments.b = UnsafeRawPointer(frame.pointers[second])
      arguments.y = frame.pointers[target]
      arguments.width = Int32(width)
      arguments.rank = Int32(walk.dims.count)
      StridedWalk.fill(&arguments.dims, walk.dims)
      StridedWalk.fill(&arguments.condition_strides, walk.strides[0])
      StridedWalk.fill(&arguments.a_strides, walk.strides[1])
      StridedWalk.fill(&arguments.b_strides, walk.strides[2])
      return frame.step(arguments, ps_where)
    }
    return true
  }
}
