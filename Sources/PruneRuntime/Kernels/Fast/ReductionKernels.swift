import CPruneSupport
import PruneGraph
import PruneTensor

/// Reductions along axes, softmax, and the place of the largest.
enum ReductionKernels: KernelFamily {
  static let name = "reduction"
  static let kernels: [String: FastKernel] = [
    "ReduceSum": reduce, "ReduceMean": reduce, "ReduceSumSquare": reduce, "ReduceL2": reduce, "ReduceL1": reduce,
    "ReduceMax": reduce, "ReduceMin": reduce, "ReduceProd": reduce, "ai.libprune.SumToShape": sumToShape,
    "Softmax": softmax, "LogSoftmax": softmax, "ArgMax": place, "ArgMin": place,
  ]

  private static let kinds: [String: ps_reduce_kind] = [
    "ReduceSumSquare": PS_REDUCE_SQUARES, "ReduceL2": PS_REDUCE_SQUARES, "ReduceL1": PS_REDUCE_ABSOLUTE,
    "ReduceMax": PS_REDUCE_MAX, "ReduceMin": PS_REDUCE_MIN, "ReduceProd": PS_REDUCE_PRODUCT,
  ]

  private static func reduce(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), let shape = emitter.value(x).shape else {
      return false
    }
    var axes = op.node.ints("axes") ?? []
    if let id = op.input(1) {
      guard let numbers = try? emitter.constant(id)?.array(of: Int64.self) else { return false }
      axes = numbers.map { Int($0) }
    }
    if axes.isEmpty {
      guard op.node.int("noop_with_empty_axes", default: 0) == 0 else { return false }
      axes = Array(0..<shape.rank)
    }
    var isSummed = [Bool](repeating: false, count: shape.rank)
    for axis in axes {
      guard let axis = shape.axis(axis) else { return false }
      isSummed[axis] = true
    }
    let summed = shape.dims.indices.reduce(1) { isSummed[$1] ? $0 * shape[$1] : $0 }
    guard summed > 0, shape.count > 0, emitter.count(y) == shape.count / summed else { return false }
    return try emit(
      op, emitter, x, y, isSummed, scale: op.node.opType == "ReduceMean" ? 1 / Float(summed) : 1,
      kind: kinds[op.node.opType] ?? PS_REDUCE_SUM)
  }

  private static func sumToShape(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x) else { return false }
    let (from, to) = (emitter.dims(x), emitter.dims(y))
    let offset = from.count - to.count
    guard offset >= 0, !from.contains(0), to.indices.allSatisfy({ to[$0] == from[$0 + offset] || to[$0] == 1 }) else {
      return false
    }
    if from.filter({ $0 != 1 }) == to.filter({ $0 != 1 }) {
      try emitter.defineView(y, of: x)
      return true
    }
    let isSummed = from.indices.map { $0 < offset || (to[$0 - offset] == 1 && from[$0] != 1) }
    return try emit(op, emitter, x, y, isSummed, scale: 1)
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ x: Int, _ y: Int, _ isSummed: [Bool], scale: Float,
    kind: ps_reduce_kind = PS_REDUCE_SUM
  ) throws(PruneError) -> Bool {
    let dims = emitter.dims(x)
    var strides = [Int](repeating: 0, count: dims.count)
    var next = 1
    for axis in dims.indices.reversed() where !isSummed[axis] {
      strides[axis] = next
      next *= dims[axis]
    }
    guard let walk = StridedWalk(dims, [Layout.rowMajorStrides(dims), strides]) else { return false }
    emit(
      op, emitter, source: try emitter.plain(x), target: try emitter.define(y, layout: nil),
      count: emitter.count(y), walk,
      scale: scale, kind: kind)
    return true
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, source: Int, target: Int, count: Int, _ walk: StridedWalk, scale: Float,
    kind: ps_reduce_kind
  ) {
    let takesRoot = op.key == "ReduceL2"
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      var arguments = ps_reduce_args()
      arguments.x = UnsafePointer(frame.pointer(source))
      arguments.y = frame.pointer(target)
      arguments.rank = Int32(walk.dims.count)
      arguments.scale = scale
      arguments.kind = Int32(kind.rawValue)
      arguments.takes_root = takesRoot ? 1 : 0
      arguments.count = Int64(count)
      StridedWalk.fill(&arguments.dims, walk.dims)
      StridedWalk.fill(&arguments.y_strides, walk.strides[1])
      return frame.step(arguments, ps_reduce)
    }
  }

  /// The sums of a matrix's columns.
  static func columnSums(
    _ op: Dataflow.Op, _ emitter: any Emitter, source: Int, target: Int, rows: Int, columns: Int
  ) -> Bool {
    guard rows > 0, let walk = StridedWalk([rows, columns], [[columns, 1], [0, 1]]) else { return false }
    emit(op, emitter, source: source, target: target, count: columns, walk, scale: 1, kind: PS_REDUCE_SUM)
    return true
  }

  private static func softmax(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), let shape = emitter.value(x).shape,
      shape.count > 0, let axis = shape.axis(op.node.int("axis", default: op.opset < 13 ? 1 : -1))
    else { return false }
    // Before opset 13 all axes from `axis` on form one row.
    let isFlat = op.opset < 13
    let outer = shape.dims[..<axis].reduce(1, *)
    let extent = isFlat ? shape.dims[axis...].reduce(1, *) : shape[axis]
    let inner = isFlat ? 1 : shape.dims[(axis + 1)...].reduce(1, *)
    let source = try emitter.plain(x)
    // Columns are read more than once, so only whole rows may be overwritten.
    let target =
      inner == 1 && emitter.canOverwrite(x, in: op)
      ? emitter.define(y, layout: nil, over: source) : try emitter.define(y, layout: nil)
    let isLog = op.node.opType == "LogSoftmax"
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      frame.step(
        ps_softmax_args(
          x: frame.pointer(source), y: frame.pointer(target), outer: Int64(outer), extent: Int64(extent),
          inner: Int64(inner), is_log: isLog ? 1 : 0), ps_softmax)
    }
    return true
  }

  private static func place(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), let shape = emitter.value(x).shape,
      shape.count > 0,
      let axis = shape.axis(op.node.int("axis", default: 0)), emitter.value(y).dtype == .int64
    else { return false }
    let (outer, inner) = (shape.dims[..<axis].reduce(1, *), shape.dims[(axis + 1)...].reduce(1, *))
    let extent = shape[axis]
    let (isMin, takesLast) = (op.key == "ArgMin", op.node.int("select_last_index", default: 0) != 0)
    let source = try emitter.plain(x)
    let target = try emitter.define(y, layout: nil)
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      frame.step(
        ps_arg_args(
          x: frame.pointer(source), y: frame.pointer(target, as: Int64.self), outer: Int64(outer),
          extent: Int64(extent),
          inner: Int64(inner), is_min: isMin ? 1 : 0, takes_last: takesLast ? 1 : 0), ps_arg)
    }
    return true
  }
}
