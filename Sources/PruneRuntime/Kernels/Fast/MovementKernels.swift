import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Operators that move elements: views where nothing has to move, else strided copies of any dtype.
enum MovementKernels: KernelFamily {
  static let name = "movement"
  static let kernels: [String: FastKernel] = [
    "Reshape": view, "Flatten": view, "Squeeze": view, "Unsqueeze": view, "Identity": view, "Transpose": transpose,
    "Expand": expand, "Concat": concat, "Split": split, "Slice": slice, "Pad": pad, "DepthToSpace": depthToSpace,
    "SpaceToDepth": spaceToDepth,
  ]

  /// Bytes of an element that strided copies can move.
  static func width(_ id: Int, _ emitter: any Emitter) -> Int? {
    guard let bits = emitter.value(id).dtype?.bitWidth, [8, 16, 32, 64].contains(bits) else { return nil }
    return bits / 8
  }

  private static func view(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.count(x) == emitter.count(y) else { return false }
    try emitter.defineView(y, of: x)
    return true
  }

  private static func transpose(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let width = width(x, emitter) else { return false }
    let dims = emitter.dims(x)
    let order = op.node.ints("perm") ?? dims.indices.reversed()
    guard order.sorted() == Array(dims.indices) else { return false }
    // Only axes of one element change their positions: no element moves.
    if order.filter({ dims[$0] != 1 }) == dims.indices.filter({ dims[$0] != 1 }) {
      try emitter.defineView(y, of: x)
      return true
    }
    return try permute(op, emitter, x, dims, order, y, width)
  }

  private static func depthToSpace(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let (x, y, width, block) = blocks(op, emitter) else { return false }
    let d = emitter.dims(x), mode = op.node.string("mode", default: "DCR")
    guard d[1] % (block * block) == 0, mode == "DCR" || mode == "CRD" else { return false }
    let depth = d[1] / (block * block)
    return mode == "CRD"
      ? try permute(op, emitter, x, [d[0], depth, block, block, d[2], d[3]], [0, 1, 4, 2, 5, 3], y, width)
      : try permute(op, emitter, x, [d[0], block, block, depth, d[2], d[3]], [0, 3, 4, 1, 5, 2], y, width)
  }

  private static func spaceToDepth(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let (x, y, width, block) = blocks(op, emitter) else { return false }
    let d = emitter.dims(x)
    guard d[2] % block == 0, d[3] % block == 0 else { return false }
    return try permute(
      op, emitter, x, [d[0], d[1], d[2] / block, block, d[3] / block, block], [0, 3, 5, 1, 2, 4], y, width)
  }

  private static func blocks(_ op: Dataflow.Op, _ emitter: any Emitter) -> (x: Int, y: Int, width: Int, block: Int)? {
    guard let x = op.input(0), let y = op.output(0), let width = width(x, emitter), emitter.dims(x).count == 4,
      emitter.count(x) == emitter.count(y)
    else { return nil }
    let block = op.node.int("blocksize", default: 1)
    return (1...1 << 16).contains(block) ? (x, y, width, block) : nil
  }

  /// `x`, seen as `dims`, with its axes in `order`.
  private static func permute(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ x: Int, _ dims: [Int], _ order: [Int], _ y: Int, _ width: Int
  ) throws(PruneError) -> Bool {
    let strides = Layout.rowMajorStrides(dims), result = order.map { dims[$0] }
    guard let walk = StridedWalk(result, [order.map { strides[$0] }, Layout.rowMajorStrides(result)]) else {
      return false
    }
    emitMove(op, emitter, width, walk, try emitter.plain(x), try emitter.define(y, layout: nil))
    return true
  }

  /// Copies all of a walk. oneDNN's reorders are tiled and vectorized for four-byte elements.
  static func emitMove(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ width: Int, _ walk: StridedWalk, _ source: Int, _ target: Int
  ) {
    if width == 4, let from = Layout(walk.dims, strides: walk.strides[0]),
      let to = Layout(walk.dims, strides: walk.strides[1]),
      let primitive = Primitive.reorder(from: from, to: to)
    {
      emitter.emit(
        op.node.label, primitive, [.init(DNNL_ARG_FROM, source, from), .init(DNNL_ARG_TO, target, to, isWritten: true)])
    } else {
      emitCopy(op, emitter, width, walk, source, 0, target, 0)
    }
  }

  private static func expand(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let width = width(x, emitter) else { return false }
    return try emitRepeated(op, emitter, x, to: emitter.dims(y), try emitter.define(y, layout: nil), width: width)
  }

  /// Writes a value, repeated along axes of one element, into a row-major buffer.
  static func emitRepeated(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ x: Int, to dims: [Int], _ target: Int, width: Int = 4
  ) throws(PruneError) -> Bool {
    let from = emitter.dims(x)
    guard from.count <= dims.count,
      let walk = StridedWalk(dims, [StridedWalk.broadcast(from, to: dims), Layout.rowMajorStrides(dims)])
    else { return false }
    emitCopy(op, emitter, width, walk, try emitter.plain(x), 0, target, 0)
    return true
  }

  private static func concat(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    let inputs = op.inputs.compactMap { $0 }.filter { emitter.count($0) > 0 }
    guard let y = op.output(0), let first = inputs.first, let width = width(y, emitter),
      let axis = emitter.value(y).shape?.axis(op.node.int("axis", default: 1))
    else { return false }
    if axis == 1, inputs.count > 1, try ConcatKernels.images(op, emitter, inputs, y) { return true }
    let dims = emitter.dims(y)
    let strides = Layout.rowMajorStrides(dims)
    guard emitter.dims(first).count == dims.count else { return false }
    let target = try emitter.define(y, layout: nil)
    var position = 0
    for input in inputs {
      let part = emitter.dims(input)
      guard let walk = StridedWalk(part, [Layout.rowMajorStrides(part), strides]) else { return false }
      emitCopy(op, emitter, width, walk, try emitter.plain(input), 0, target, position * strides[axis])
      position += part[axis]
    }
    return true
  }

  private static func split(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let width = width(x, emitter),
      let axis = emitter.value(x).shape?.axis(op.node.int("axis", default: 0))
    else { return false }
    let strides = Layout.rowMajorStrides(emitter.dims(x))
    let source = try emitter.plain(x)
    var position = 0
    for output in op.outputs {
      // Its extent is not known, so neither is where the next one starts.
      guard let output else { return false }
      let part = emitter.dims(output)
      guard part.count == strides.count, let walk = StridedWalk(part, [strides, Layout.rowMajorStrides(part)]) else {
        return false
      }
      emitCopy(op, emitter, width, walk, source, position * strides[axis], try emitter.define(output, layout: nil), 0)
      position += part[axis]
    }
    return position == emitter.dims(x)[axis]
  }

  private static func slice(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let width = width(x, emitter), let shape = emitter.value(x).shape
    else { return false }
    func list(_ index: Int, _ name: String) -> [Int]? {
      if op.opset < 10 { return op.node.ints(name) }
      guard let tensor = emitter.constant(op.input(index)) else { return nil }
      if tensor.dtype == .int32 { return (try? tensor.array(of: Int32.self))?.map { Int($0) } }
      return (try? tensor.array(of: Int64.self))?.map { Int($0) }
    }
    guard let starts = list(1, "starts") else { return false }
    let hasAxes = op.opset < 10 ? op.node.ints("axes") != nil : op.input(3) != nil
    let hasSteps = op.opset >= 10 && op.input(4) != nil
    guard let axes = hasAxes ? list(3, "axes") : Array(starts.indices),
      let steps = hasSteps ? list(4, "steps") : [Int](repeating: 1, count: starts.count),
      axes.count == starts.count, steps.count == starts.count
    else { return false }
    var strides = Layout.rowMajorStrides(shape.dims)
    let dense = strides
    let result = emitter.dims(y)
    var origin = 0
    for (index, axis) in axes.enumerated() {
      guard let axis = shape.axis(axis), steps[index] != 0, (-1 << 31..<1 << 31).contains(steps[index]) else {
        return false
      }
      let extent = shape[axis]
      let start = starts[index] < 0 ? starts[index] &+ extent : starts[index]
      let first = steps[index] > 0 ? max(0, min(start, extent)) : max(0, min(start, extent - 1))
      guard result[axis] > 0, (0..<extent).contains(first + (result[axis] - 1) * steps[index]) else { return false }
      origin += first * dense[axis]
      strides[axis] = dense[axis] * steps[index]
    }
    guard let walk = StridedWalk(result, [strides, Layout.rowMajorStrides(result)]) else { return false }
    emitCopy(op, emitter, width, walk, try emitter.plain(x), origin, try emitter.define(y, layout: nil), 0)
    return true
  }

  /// Constant padding by constant amounts, none of them negative.
  private static func pad(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let width = width(x, emitter), op.input(3) == nil,
      op.node.string("mode", default: "constant") == "constant", emitter.count(x) > 0
    else { return false }
    var amounts = op.node.ints(op.opset < 2 ? "paddings" : "pads") ?? []
    var value: Tensor?
    if op.opset >= 11 {
      guard let numbers = try? emitter.constant(op.input(1))?.array(of: Int64.self) else { return false }
      amounts = numbers.map { Int($0) }
      if let id = op.input(2) {
        guard let constant = emitter.constant(id), constant.count == 1, constant.dtype == emitter.value(x).dtype
        else { return false }
        value = constant
      }
    } else if op.node.float("value", default: 0) != 0 {
      return false
    }
    let (from, dims) = (emitter.dims(x), emitter.dims(y))
    guard amounts.count == 2 * dims.count, amounts.allSatisfy({ $0 >= 0 && $0 < 1 << 48 }),
      dims.indices.allSatisfy({ dims[$0] == from[$0] + amounts[$0] + amounts[$0 + dims.count] })
    else { return false }
    let strides = Layout.rowMajorStrides(dims)
    guard let all = StridedWalk(dims, [dims.map { _ in 0 }, strides]),
      let inner = StridedWalk(from, [Layout.rowMajorStrides(from), strides])
    else { return false }
    let source = try emitter.plain(x)
    let zero = try Tensor(zeros: .uint8, try Shape([width]))
    let filling = try emitter.constantBuffer((value ?? zero).elementAligned())
    let target = try emitter.define(y, layout: nil)
    emitCopy(op, emitter, width, all, filling, 0, target, 0)
    emitCopy(op, emitter, width, inner, source, 0, target, zip(amounts, strides).reduce(0) { $0 + $1.0 * $1.1 })
    return true
  }

  static func emitCopy(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ width: Int, _ walk: StridedWalk, _ source: Int, _ from: Int,
    _ target: Int, _ to: Int
  ) {
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      var arguments = ps_copy_args()
      // Safe: the walk stays inside both arrays; offsets are those of its first element.
      arguments.x = UnsafeRawPointer(frame.pointers[source].advanced(by: from * width))
      arguments.y = frame.pointers[target].advanced(by: to * width)
      arguments.width = Int32(width)
      arguments.rank = Int32(walk.dims.count)
      StridedWalk.fill(&arguments.dims, walk.dims)
      StridedWalk.fill(&arguments.x_strides, walk.strides[0])
      StridedWalk.fill(&arguments.y_strides, walk.strides[1])
      return frame.step(arguments, ps_copy)
    }
  }
}
