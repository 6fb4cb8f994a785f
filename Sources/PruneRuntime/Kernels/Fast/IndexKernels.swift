import CPruneSupport
import PruneGraph
import PruneTensor

/// Picking by index and by condition.
enum IndexKernels {
  static let table: [String: FastKernel] = ["Gather": gather, "Where": choose]

  private static func gather(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let x = op.input(0), let indices = op.input(1), let y = op.output(0), let shape = lowering.value(x).shape,
      let width = MovementKernels.width(x, lowering), let axis = shape.axis(op.node.int("axis", default: 0))
    else { return false }
    let type = lowering.value(indices).dtype
    guard type == .int64 || type == .int32 else { return false }
    let outer = shape.dims[..<axis].reduce(1, *)
    let inner = shape.dims[(axis + 1)...].reduce(1, *)
    let (extent, count) = (shape[axis], lowering.count(indices))
    guard outer * count * inner == lowering.count(y) else { return false }
    let (source, places) = (try lowering.plain(x), try lowering.plain(indices))
    let target = try lowering.define(y, layout: nil)
    lowering.emit(op.node.label, reads: [source, places], writes: [target]) { frame in
      frame.step(
        ps_gather_args(
          x: frame.pointers[source], indices: frame.pointers[places], y: frame.pointers[target], outer: Int64(outer),
          extent: Int64(extent), inner: Int64(inner), count: Int64(count), width: Int32(width),
          wide_indices: type == .int64 ? 1 : 0), ps_gather)
    }
    return true
  }

  private static func choose(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let condition = op.input(0), let a = op.input(1), let b = op.input(2), let y = op.output(0),
      lowering.value(condition).dtype == .bool, let width = MovementKernels.width(y, lowering),
      lowering.value(a).dtype == lowering.value(y).dtype, lowering.value(b).dtype == lowering.value(y).dtype
    else { return false }
    let dims = lowering.dims(y)
    guard let walk = StridedWalk(dims, [condition, a, b].map { StridedWalk.broadcast(lowering.dims($0), to: dims) })
    else { return false }
    let (flags, first, second) = (try lowering.plain(condition), try lowering.plain(a), try lowering.plain(b))
    let target = try lowering.define(y, layout: nil)
    lowering.emit(op.node.label, reads: [flags, first, second], writes: [target]) { frame in
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
