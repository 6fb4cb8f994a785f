import COneDNN
import PruneGraph
import PruneTensor

/// Max and average pools and their gradients on oneDNN.
enum PoolingKernels: KernelFamily {
  static let name = "onednn"
  static let kernels: [String: FastKernel] = [
    "MaxPool": forward, "AveragePool": forward, "GlobalAveragePool": forward, "GlobalMaxPool": forward,
    "ai.libprune.MaxPoolGrad": maxGradient, "ai.libprune.AveragePoolGrad": averageGradient,
  ]

  /// A pool for given shapes, ready to describe itself to oneDNN.
  struct Problem: Equatable {
    let window: SlidingWindow
    let after: [Int]
    let algorithm: dnnl_alg_kind_t

    init?(_ node: Node, x: [Int], y: [Int]) {
      guard x.count == y.count, x.count >= 3, !x.contains(0), !y.contains(0), x[0] == y[0], x[1] == y[1],
        node.int("storage_order", default: 0) == 0
      else { return nil }
      let (input, output) = (Array(x[2...]), Array(y[2...]))
      let isGlobal = node.opType.hasPrefix("Global")
      guard let kernel = isGlobal ? input : node.ints("kernel_shape"),
        let window = SlidingWindow(
          isGlobal ? Node(node.opType, inputs: [], outputs: []) : node, kernel: kernel, input: input, output: output)
      else { return nil }
      self.window = window
      let exact = window.exactAfter(input: input, output: output)
      let isMax = node.opType.hasPrefix("MaxPool") || node.opType.hasSuffix("MaxPool")
      let countsPadding = node.int("count_include_pad", default: 0) != 0
      // A stride that leaves a rest behind is fine; a window that hangs over the padding changes what averages divide
      // by.
      after = zip(exact, window.after).map { max($0, $1) }
      guard isMax || !countsPadding || after == window.after else { return nil }
      algorithm =
        isMax ? dnnl_pooling_max : countsPadding ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding
    }

    func forward(_ x: Layout, y: [Int], training: Bool) -> Primitive? {
      guard var target = Layout.any(y, type: x.type)?.raw else { return nil }
      var source = x.raw
      var descriptor = dnnl_pooling_v2_desc_t()
      guard
        dnnl_pooling_v2_forward_desc_init(
          &descriptor, training ? dnnl_forward_training : dnnl_forward_inference, algorithm, &source, &target,
          dnnlDims(window.strides), dnnlDims(window.kernel), dnnlDims(window.gaps), dnnlDims(window.before),
          dnnlDims(after)) == dnnl_success
      else { return nil }
      return Primitive.make(descriptor)
    }

    func backward(_ dx: Layout, _ dy: Layout, hint: Primitive) -> Primitive? {
      var (source, target) = (dx.raw, dy.raw)
      var descriptor = dnnl_pooling_v2_desc_t()
      guard
        dnnl_pooling_v2_backward_desc_init(
          &descriptor, algorithm, &source, &target, dnnlDims(window.strides), dnnlDims(window.kernel),
          dnnlDims(window.gaps), dnnlDims(window.before), dnnlDims(after)) == dnnl_success
      else { return nil }
      return Primitive.make(descriptor, hint: hint)
    }
  }

  /// A max-pool and the record it keeps of where its maxima were.
  private struct Workspace {
    let problem: Problem
    let primitive: Primitive
    let buffer: Int
    let layout: Layout
    /// The layout of what was pooled.
    let source: Layout
  }

  /// The workspaces of max-pools with a gradient, by the value that they pool.
  private struct Workspaces: KernelNotes {
    var byInput: [Int: Workspace] = [:]
  }

  private static func forward(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), op.output(1) == nil,
      let type = emitter.value(x).dtype?.dnnl,
      let problem = Problem(op.node, x: emitter.dims(x), y: emitter.dims(y))
    else { return false }
    if emitter.keepsNaN, type == dnnl_f32, problem.algorithm == dnnl_pooling_max { return false }
    var home = try emitter.home(x)
    if type != dnnl_f32 {
      // The greatest of some codes is one of them; averages would be rounded.
      guard type != dnnl_s32, problem.algorithm == dnnl_pooling_max,
        let layout = Layout.channelsLast(emitter.dims(x), type: type)
      else { return false }
      home = .init(layout: layout, buffer: try emitter.buffer(x, in: layout))
    }
    guard var xl = home.layout ?? Layout.plain(emitter.dims(x)) else { return false }
    let isUndone = emitter.readers(of: x).contains { isGradient($0, of: problem, x, emitter) }
    if isUndone, type == dnnl_f32, try MaxPoolKernels.forward(problem, op, x, y, home, emitter) { return true }
    guard var primitive = problem.forward(xl, y: emitter.dims(y), training: isUndone) else { return false }
    // There are no good kernels for row-major images, or not for this window.
    if primitive.isPlain, let layout = Layout.blocked(emitter.dims(x)) ?? Layout.channelsLast(emitter.dims(x)),
      type == dnnl_f32,
      let other = problem.forward(layout, y: emitter.dims(y), training: isUndone), !other.isPlain
    {
      home = .init(layout: layout, buffer: try emitter.buffer(x, in: layout))
      (xl, primitive) = (layout, other)
    }
    guard let yl = primitive.layout(dnnl_query_dst_md) else { return false }
    let target = try emitter.define(y, layout: yl)
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, home.buffer, xl), .init(DNNL_ARG_DST, target, yl, isWritten: true),
    ]
    if isUndone, let layout = primitive.layout(dnnl_query_workspace_md) {
      let workspace = emitter.scratch(layout.byteCount)
      arguments.append(.init(DNNL_ARG_WORKSPACE, workspace, layout, isWritten: true))
      emitter[Workspaces.self].byInput[x] = .init(
        problem: problem, primitive: primitive, buffer: workspace, layout: layout, source: xl)
    }
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }

  /// Whether `op` undoes the max-pool that `problem` describes of value `x`.
  private static func isGradient(_ op: Dataflow.Op, of problem: Problem, _ x: Int, _ emitter: any Emitter) -> Bool {
    guard problem.algorithm == dnnl_pooling_max, op.key == "ai.libprune.MaxPoolGrad", op.input(1) == x,
      let dy = op.input(0)
    else { return false }
    return Problem(op.node, x: emitter.dims(x), y: emitter.dims(dy)) == problem
  }

  private static func maxGradient(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let dx = op.output(0), emitter.isFloat(dy), emitter.isFloat(x),
      let problem = Problem(op.node, x: emitter.dims(x), y: emitter.dims(dy))
    else { return false }
    if try MaxPoolKernels.gradient(problem, op, dy, x, dx, emitter) { return true }
    let forward: Workspace
    if let workspace = emitter[Workspaces.self].byInput[x], workspace.problem == problem {
      forward = workspace
    } else {
      // The pool itself left no trace of where its maxima were: find them again.
      let home = try emitter.home(x)
      guard let xl = home.layout ?? Layout.plain(emitter.dims(x)),
        let primitive = problem.forward(xl, y: emitter.dims(dy), training: true),
        let yl = primitive.layout(dnnl_query_dst_md), let layout = primitive.layout(dnnl_query_workspace_md)
      else { return false }
      forward = .init(
        problem: problem, primitive: primitive, buffer: emitter.scratch(layout.byteCount), layout: layout, source: xl)
      emitter.emit(
        "\(op.node.label) maxima", primitive,
        [
          .init(DNNL_ARG_SRC, home.buffer, xl),
          .init(DNNL_ARG_DST, emitter.scratch(yl.byteCount), yl, isWritten: true),
          .init(DNNL_ARG_WORKSPACE, forward.buffer, layout, isWritten: true),
        ])
    }
    guard let yl = forward.primitive.layout(dnnl_query_dst_md),
      let primitive = problem.backward(forward.source, yl, hint: forward.primitive)
    else { return false }
    let gradient = try emitter.buffer(dy, in: yl)
    let target = try emitter.define(dx, layout: forward.source)
    emitter.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_WORKSPACE, forward.buffer, forward.layout),
        .init(DNNL_ARG_DIFF_SRC, target, forward.source, isWritten: true),
      ])
    return true
  }

  private static func averageGradient(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let dx = op.output(0), emitter.isFloat(dy),
      let problem = Problem(op.node, x: emitter.dims(dx), y: emitter.dims(dy)),
      let xl = Layout.plain(emitter.dims(dx)),
      let hint = problem.forward(xl, y: emitter.dims(dy), training: true), let yl = hint.layout(dnnl_query_dst_md),
      let primitive = problem.backward(xl, yl, hint: hint)
    else { return false }
    let gradient = try emitter.buffer(dy, in: yl)
    let target = try emitter.define(dx, layout: nil)
    emitter.emit(
      op.node.label, primitive,
      [.init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_DIFF_SRC, target, xl, isWritten: true)])
    return true
  }
}
