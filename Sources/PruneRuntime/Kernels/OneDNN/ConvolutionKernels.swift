import COneDNN
import PruneGraph
import PruneTensor

/// Conv and its gradients on oneDNN, for one to three spatial axes, groups, strides, dilations and pads.
enum ConvolutionKernels: KernelFamily {
  static let name = "onednn"
  static let kernels: [String: FastKernel] = [
    "Conv": forward, "ai.libprune.ConvGradInput": gradInput, "ai.libprune.ConvGradWeight": gradWeight,
  ]

  /// The convolution of an operation or of its gradient; nil where none of these kernels computes it.
  static func problem(_ op: Dataflow.Op, _ emitter: any Emitter) -> Problem? {
    let (x, w, y): (Int?, Int?, Int?) =
      switch op.key {
      case "ai.libprune.ConvGradInput": (op.output(0), op.input(1), op.input(0))
      case "ai.libprune.ConvGradWeight": (op.input(1), op.output(0), op.input(0))
      default: (op.input(0), op.input(1), op.output(0))
      }
    guard let x, let w, let y, emitter.isFloat(op.input(0)), emitter.isFloat(op.input(1)),
      let problem = Problem(op.node, x: emitter.dims(x), w: emitter.dims(w), y: emitter.dims(y))
    else { return nil }
    if op.key == "Conv", let bias = op.input(2) {
      guard emitter.isFloat(bias), emitter.count(bias) == problem.y[1] else { return nil }
    }
    return problem
  }

  /// oneDNN's kernels round channels up to whole blocks, and want images in blocks.
  static func cost(of op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Double? {
    guard let image = op.input(0), let problem = problem(op, emitter) else { return nil }
    return problem.cost(isGradient: op.key == "ai.libprune.ConvGradInput", from: try emitter.home(image).layout)
  }

  /// What it costs to lay one number of an image out anew, in multiplications.
  static let moveCost = 17.0

  /// What forward and backward have in common.
  struct Problem {
    let window: SlidingWindow
    let x: [Int]
    let y: [Int]
    /// [O, I/G, …], or [G, O/G, I/G, …] with groups.
    let w: [Int]
    let xLayout: Layout
    let yLayout: Layout
    let wLayout: Layout

    /// - Parameter codes: types of 8-bit `x` and of `y`; channels are innermost then.
    init?(
      _ node: Node, x: [Int], w: [Int], y: [Int], codes: (x: dnnl_data_type_t, y: dnnl_data_type_t)? = nil
    ) {
      guard x.count == w.count, x.count == y.count, x.count >= 3, !x.contains(0), !w.contains(0), !y.contains(0) else {
        return nil
      }
      let groups = node.int("group", default: 1)
      guard groups > 0, w[0] % groups == 0, x[1] == w[1] * groups, y[1] == w[0], x[0] == y[0],
        let window = SlidingWindow(node, kernel: Array(w[2...]), input: Array(x[2...]), output: Array(y[2...]))
      else { return nil }
      self.window = window
      (self.x, self.y) = (x, y)
      self.w = groups == 1 ? w : [groups, w[0] / groups] + w[1...]
      if let codes {
        guard let xLayout = Layout.channelsLast(x, type: codes.x), let yLayout = Layout.channelsLast(y, type: codes.y),
          let wLayout = Layout.any(self.w, type: dnnl_s8)
        else { return nil }
        (self.xLayout, self.yLayout, self.wLayout) = (xLayout, yLayout, wLayout)
        return
      }
      // Blocks of channels waste work where the counts leave them half empty; then channels go innermost instead.
      let block = OneDNN.block
      func waste(_ channels: Int) -> Double { Double((channels + block - 1) / block * block) / Double(channels) }
      let isWasteful = groups == 1 && (x[1] < block ? 1 : waste(x[1])) * waste(w[0]) > 1.4
      guard let xLayout = isWasteful ? Layout.channelsLast(x) : Layout.any(x),
        let yLayout = isWasteful ? Layout.channelsLast(y) : Layout.any(y), let wLayout = Layout.any(self.w)
      else { return nil }
      (self.xLayout, self.yLayout, self.wLayout) = (xLayout, yLayout, wLayout)
    }

    /// Whether channels are better innermost for this convolution though its neighbours have them in blocks: oneDNN's
    /// kernels for windows of several pixels take up to a third less time then, once there is more to do than to lay
    /// images out.
    var favorsChannelsLast: Bool {
      w.count == 4 && OneDNN.block == 16 && w[2] * w[3] > 1 && min(x[1], y[1]) >= 64 && (x[1] | y[1]) % 16 == 0
    }

    /// The time that oneDNN's kernels take, in multiplications; the factors are measured. Nil for groups.
    ///
    /// - Parameters:
    ///   - isGradient: whether it is the gradient with respect to the images.
    ///   - lies: how the images lie; nil is row-major.
    func cost(isGradient: Bool, from lies: Layout?) -> Double? {
      guard w.count == x.count else { return nil }
      let (source, result) = isGradient ? (y, x) : (x, y)
      let (inputs, outputs, block) = (source[1], result[1], OneDNN.block), isFew = inputs < 5
      func rounded(_ count: Int) -> Double { Double((count + block - 1) / block * block) }
      let taps = window.kernel.reduce(inputs, *)
      var cost = Double(result[0] * result[2...].reduce(1, *) * taps) * Double(outputs)
      cost *= 0.95 * rounded(outputs) / Double(outputs) * (isFew ? 1 : rounded(inputs) / Double(inputs))
      if outputs <= block { cost *= 1.3 }
      if lies?.isRowMajor ?? true {
        let (into, out) = (
          Double(source.reduce(1, *)) * ConvolutionKernels.moveCost,
          Double(result.reduce(1, *)) * ConvolutionKernels.moveCost
        )
        cost += (isFew ? 0 : into) + out / 2
      }
      return cost
    }

    /// Images in blocks of channels.
    var blocked: Layout? { w.count == 4 && y[1].isMultiple(of: OneDNN.block) ? Layout.blocked(x) : nil }

    /// - Parameters:
    ///   - source: the layout of the images; nil leaves it to the primitive.
    ///   - target: that of the results.
    func forward(
      bias: Bool, training: Bool = false, source: Layout? = nil, target: Layout? = nil, post: PostOperations = .init()
    ) -> Primitive? {
      var descriptor = dnnl_convolution_desc_t()
      var (x, w, y) = ((source ?? xLayout).raw, wLayout.raw, (target ?? yLayout).raw)
      guard var b = Layout.plain([self.y[1]])?.raw else { return nil }
      let status = withUnsafePointer(to: &b) {
        dnnl_dilated_convolution_forward_desc_init(
          &descriptor, training ? dnnl_forward_training : dnnl_forward_inference, dnnl_convolution_direct, &x, &w,
          bias ? $0 : nil, &y, dnnlDims(window.strides), dnnlDims(window.gaps), dnnlDims(window.before),
          dnnlDims(window.after))
      }
      return status == dnnl_success ? Primitive.make(descriptor, post: post) : nil
    }
  }

  private static func forward(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), let problem = problem(op, emitter) else {
      return false
    }
    let bias = op.input(2), isConstant = emitter.constant(w) != nil
    var post = PostOperations()
    var residual: Int?
    for item in op.epilogue {
      switch item {
      case .activation(let activation): post.items.append(activation.postOperation)
      case .add(let other):
        guard residual == nil, emitter.dims(other) == problem.y else { return false }
        residual = other
        post.items.append(.sum)
      }
    }
    guard post.isUnambiguous else { return false }
    var chosen: Primitive?
    if isConstant, residual == nil, problem.favorsChannelsLast, let xl = Layout.channelsLast(problem.x),
      let yl = Layout.channelsLast(problem.y)
    {
      chosen = problem.forward(bias: bias != nil, source: xl, target: yl, post: post)
    }
    // What already lies in blocks stays so: the kernel that a free choice would give is no faster than two reorders are
    // slow.
    if chosen == nil, let blocked = problem.blocked, try emitter.home(x).layout == blocked {
      chosen = problem.forward(bias: bias != nil, source: blocked, post: post)
    }
    guard let primitive = chosen ?? problem.forward(bias: bias != nil, post: post),
      let xl = primitive.layout(dnnl_query_src_md),
      let wl = primitive.layout(dnnl_query_weights_md), let yl = primitive.layout(dnnl_query_dst_md),
      let bl = Layout.plain([problem.y[1]])
    else { return false }
    // What most kernels cannot do behind a convolution, as to add before a function, is better done in a step of its
    // own.
    guard op.epilogue.isEmpty || !primitive.isPlain else { return false }
    let source = try emitter.buffer(x, in: xl)
    let weight = try emitter.buffer(w, in: wl)
    var arguments: [PrimitiveArgument] = [.init(DNNL_ARG_SRC, source, xl), .init(DNNL_ARG_WEIGHTS, weight, wl)]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, try emitter.plain(bias), bl)) }
    let target = try emitter.define(y, layout: yl, adding: residual, in: op)
    arguments.append(.init(DNNL_ARG_DST, target, yl, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }

  // MARK: - Gradients

  private static func gradInput(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let w = op.input(1), let dx = op.output(0), let problem = problem(op, emitter) else {
      return false
    }
    var descriptor = dnnl_convolution_desc_t()
    var (xr, wr, yr) = (problem.xLayout.raw, problem.wLayout.raw, problem.yLayout.raw)
    guard let hint = problem.forward(bias: false, training: true),
      dnnl_dilated_convolution_backward_data_desc_init(
        &descriptor, dnnl_convolution_direct, &xr, &wr, &yr, dnnlDims(problem.window.strides),
        dnnlDims(problem.window.gaps), dnnlDims(problem.window.before), dnnlDims(problem.window.after)) == dnnl_success,
      let primitive = Primitive.make(descriptor, hint: hint), let xl = primitive.layout(dnnl_query_diff_src_md),
      let wl = primitive.layout(dnnl_query_weights_md), let yl = primitive.layout(dnnl_query_diff_dst_md)
    else { return false }
    let gradient = try emitter.buffer(dy, in: yl)
    let weight = try emitter.buffer(w, in: wl)
    let target = try emitter.define(dx, layout: xl)
    emitter.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_WEIGHTS, weight, wl),
        .init(DNNL_ARG_DIFF_SRC, target, xl, isWritten: true),
      ])
    return true
  }

  private static func gradWeight(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let dw = op.output(0), let problem = problem(op, emitter) else {
      return false
    }
    let db = op.output(1)
    guard let hint = problem.forward(bias: false, training: true), let bl = Layout.plain([problem.y[1]]) else {
      return false
    }
    func primitive(bias: Bool) -> Primitive? {
      var descriptor = dnnl_convolution_desc_t()
      var (xr, wr, yr, br) = (problem.xLayout.raw, problem.wLayout.raw, problem.yLayout.raw, bl.raw)
      let status = withUnsafePointer(to: &br) {
        dnnl_dilated_convolution_backward_weights_desc_init(
          &descriptor, dnnl_convolution_direct, &xr, &wr, bias ? $0 : nil, &yr, dnnlDims(problem.window.strides),
          dnnlDims(problem.window.gaps), dnnlDims(problem.window.before), dnnlDims(problem.window.after))
      }
      return status == dnnl_success ? Primitive.make(descriptor, hint: hint) : nil
    }
    // oneDNN adds up a bias's gradient in memory, number by number, where channels lie innermost.
    let withoutBias = primitive(bias: false),
      sumsHere = db != nil && withoutBias?.layout(dnnl_query_diff_dst_md) == Layout.channelsLast(problem.y)
    guard let primitive = db == nil || sumsHere ? withoutBias : primitive(bias: true),
      let xl = primitive.layout(dnnl_query_src_md), let wl = primitive.layout(dnnl_query_diff_weights_md),
      let yl = primitive.layout(dnnl_query_diff_dst_md)
    else { return false }
    let gradient = try emitter.buffer(dy, in: yl)
    let source = try emitter.buffer(x, in: xl)
    let target = try emitter.define(dw, layout: wl)
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_SRC, source, xl),
      .init(DNNL_ARG_DIFF_WEIGHTS, target, wl, isWritten: true),
    ]
    let bias = try db.map { id throws(PruneError) in try emitter.define(id, layout: nil) }
    if let bias, !sumsHere { arguments.append(.init(DNNL_ARG_DIFF_BIAS, bias, bl, isWritten: true)) }
    emitter.emit(op.node.label, primitive, arguments)
    guard let bias, sumsHere else { return true }
    let channels = problem.y[1]
    return ReductionKernels.columnSums(
      op, emitter, source: gradient, target: bias, rows: problem.y.reduce(1, *) / max(channels, 1), columns: channels)
  }
}
