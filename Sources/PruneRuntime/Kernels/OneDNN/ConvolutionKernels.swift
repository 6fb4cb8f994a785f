import COneDNN
import PruneGraph
import PruneTensor

/// Conv and its gradients on oneDNN, for one to three spatial axes, groups, strides, dilations and pads.
enum ConvolutionKernels {
  static let table: [String: FastKernel] = [
    "Conv": forward, "ai.libprune.ConvGradInput": gradInput, "ai.libprune.ConvGradWeight": gradWeight,
  ]

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

  private static func forward(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), lowering.isFloat(x), lowering.isFloat(w),
      let problem = Problem(op.node, x: lowering.dims(x), w: lowering.dims(w), y: lowering.dims(y))
    else { return false }
    let bias = op.input(2)
    if let bias { guard lowering.isFloat(bias), lowering.count(bias) == problem.y[1] else { return false } }
    let isConstant = lowering.constant(w) != nil
    if let minimal = WinogradKernels.Problem(problem, isConstant: isConstant) {
      if minimal.takes(op.epilogue, lowering), try WinogradKernels.emit(minimal, op, x, w, bias: bias, to: y, lowering)
      {
        return true
      }
      // A function of its own costs less than is gained.
      if op.epilogue.count == 1, case .activation = op.epilogue[0] { return false }
    }
    if let exact = PixelKernels.Problem(problem), exact.isFaster(from: try lowering.home(x).layout) {
      if exact.takes(op.epilogue, lowering), try PixelKernels.emit(exact, op, x, w, bias: bias, to: y, lowering) {
        return true
      }
      if op.epilogue.count == 1, case .activation = op.epilogue[0] { return false }
    }
    var post = PostOperations()
    var residual: Int?
    for item in op.epilogue {
      switch item {
      case .activation(let activation): post.items.append(activation.postOperation)
      case .add(let other):
        guard residual == nil, lowering.dims(other) == problem.y else { return false }
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
    if chosen == nil, let blocked = problem.blocked, try lowering.home(x).layout == blocked {
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
    let source = try lowering.buffer(x, in: xl)
    let weight = try lowering.buffer(w, in: wl)
    var arguments: [PrimitiveArgument] = [.init(DNNL_ARG_SRC, source, xl), .init(DNNL_ARG_WEIGHTS, weight, wl)]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, try lowering.plain(bias), bl)) }
    let target: Int
    if let residual {
      target = try lowering.define(y, layout: yl, holding: residual, in: op)
    } else {
      target = try lowering.define(y, layout: yl)
    }
    arguments.append(.init(DNNL_ARG_DST, target, yl, isWritten: true))
    lowering.emit(op.node.label, primitive, arguments)
    return true
  }

  // MARK: - Gradients

  private static func gradInput(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let w = op.input(1), let dx = op.output(0), lowering.isFloat(dy), lowering.isFloat(w),
      let problem = Problem(op.node, x: lowering.dims(dx), w: lowering.dims(w), y: lowering.dims(dy))
    else { return false }
    if let minimal = WinogradKernels.Problem(problem, isGradient: true, isConstant: false),
      try WinogradKernels.emit(minimal, op, dy, w, to: dx, lowering)
    {
      return true
    }
    if let exact = PixelKernels.Problem(problem, isGradient: true), exact.isFaster(from: try lowering.home(dy).layout),
      try PixelKernels.emit(exact, op, dy, w, to: dx, lowering)
    {
      return true
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
    let gradient = try lowering.buffer(dy, in: yl)
    let weight = try lowering.buffer(w, in: wl)
    let target = try lowering.define(dx, layout: xl)
    lowering.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_WEIGHTS, weight, wl),
        .init(DNNL_ARG_DIFF_SRC, target, xl, isWritten: true),
      ])
    return true
  }

  private static func gradWeight(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let dw = op.output(0), lowering.isFloat(dy), lowering.isFloat(x),
      let problem = Problem(op.node, x: lowering.dims(x), w: lowering.dims(dw), y: lowering.dims(dy))
    else { return false }
    let db = op.output(1)
    if let minimal = WinogradKernels.Problem(problem, isConstant: false),
      try WinogradKernels.emitGradient(minimal, op, dy, x, to: dw, bias: db, lowering)
    {
      return true
    }
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
    let alone = primitive(bias: false),
      sumsHere = db != nil && alone?.layout(dnnl_query_diff_dst_md) == Layout.channelsLast(problem.y)
    guard let primitive = db == nil || sumsHere ? alone : primitive(bias: true),
      let xl = primitive.layout(dnnl_query_src_md), let wl = primitive.layout(dnnl_query_diff_weights_md),
      let yl = primitive.layout(dnnl_query_diff_dst_md)
    else { return false }
    let gradient = try lowering.buffer(dy, in: yl)
    let source = try lowering.buffer(x, in: xl)
    let target = try lowering.define(dw, layout: wl)
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_DIFF_DST, gradient, yl), .init(DNNL_ARG_SRC, source, xl),
      .init(DNNL_ARG_DIFF_WEIGHTS, target, wl, isWritten: true),
    ]
    let bias = try db.map { id throws(PruneError) in try lowering.define(id, layout: nil) }
    if let bias, !sumsHere { arguments.append(.init(DNNL_ARG_DIFF_BIAS, bias, bl, isWritten: true)) }
    lowering.emit(op.node.label, primitive, arguments)
    guard let bias, sumsHere else { return true }
    let channels = problem.y[1]
    return ReductionKernels.columnSums(
      op, lowering, source: gradient, target: bias, rows: problem.y.reduce(1, *) / max(channels, 1), columns: channels)
  }
}
