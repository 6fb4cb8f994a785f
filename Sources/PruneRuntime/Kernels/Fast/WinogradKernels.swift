import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Convolutions of 3x3 windows one step apart, and their gradients, by the Winograd transform: F(4x4, 3x3) of Lavin and
/// Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. A quarter of the products, and what is added
/// to get there is little as soon as there are some channels.
///
/// So are windows of 5x5 to 8x8 two steps apart of images with few channels, which networks begin with: when each four
/// pixels are one of four times as many channels, they are windows of 3x3 or 4x4 one step apart.
enum WinogradKernels {
  /// A convolution of `x` [N, C, H, W] to `y` [N, O, rows, columns] with so many pixels of pads before.
  struct Problem {
    let x: [Int]
    let y: [Int]
    let before: [Int]
    /// Of the windows, 3 or 4.
    let taps: Int
    /// Whether the weights are those of another convolution, [C, O, 3, 3], whose gradient with respect to its input
    /// this is.
    let isTurned: Bool
    /// The images before four pixels became one, a side of their kernels, and how many zeros come before the first
    /// pixel of all.
    let folded: (x: [Int], side: Int, shift: (Int64, Int64))?

    /// Nil where other kernels are better.
    init?(_ problem: ConvolutionKernels.Problem, isGradient: Bool = false, isConstant: Bool) {
      let window = problem.window
      guard OneDNN.block == 16, problem.w.count == 4, problem.w[2] == problem.w[3], window.gaps == [0, 0],
        max(problem.x.reduce(1, *), problem.y.reduce(1, *)) < 1 << 48
      else { return nil }
      isTurned = isGradient
      if window.strides == [2, 2] {
        let (x, side) = (problem.x, problem.w[2])
        guard isConstant, !isGradient, (5...8).contains(side), x[1] <= 4, window.before.allSatisfy({ $0 < side }) else {
          return nil
        }
        func extent(_ axis: Int) -> Int { (x[axis + 2] + window.before[axis] % 2 + 1) / 2 }
        self.x = [x[0], 4 * x[1], extent(0), extent(1)]
        y = problem.y
        before = window.before.map { $0 / 2 }
        taps = (side + 1) / 2
        folded = (x, side, (Int64(window.before[0] % 2), Int64(window.before[1] % 2)))
      } else {
        guard window.strides == [1, 1], problem.w[2] == 3, window.before.allSatisfy({ $0 <= 2 }) else { return nil }
        (x, y) = isGradient ? (problem.y, problem.x) : (problem.x, problem.y)
        before = isGradient ? window.before.map { 2 - $0 } : window.before
        taps = 3
        folded = nil
      }
      func waste(_ channels: Int) -> Double { Double((channels + 15) / 16 * 16) / Double(channels) }
      // Tiles may be mostly beyond the image, and weights, four times as many numbers as otherwise, be read or made for
      // little.
      let pixels = y[0] * y[2] * y[3], least = isConstant ? x[1] * y[1] <= 128 * 128 ? 36 : 128 : 1024
      // Blocks that are half empty still take less time than the products that are saved; oneDNN's would be as empty.
      let isFull =
        folded == nil ? min(x[1], y[1]) >= 9 && waste(x[1]) * waste(y[1]) <= 2.2 : y[1] >= 16 && waste(y[1]) <= 1.4
      guard isFull,
        step * step * tiles <= 2 * pixels + pixels / 2, pixels >= least
      else { return nil }
    }

    /// Results a side of a tile.
    var step: Int { 7 - taps }
    /// Blocks of channels.
    var inputs: Int { (x[1] + 15) / 16 }
    var outputs: Int { (y[1] + 15) / 16 }
    var tiles: Int { y[0] * ((y[2] + step - 1) / step) * ((y[3] + step - 1) / step) }

    /// How many parts the tiles come in. Some 24 fill the kernel's registers, are worth their weights' way through the
    /// caches, and stay in the second level themselves; if there are no more, all threads work on the same.
    func parts(threads: Int) -> Int {
      threads > 1 && tiles <= 36 ? 1 : max((tiles + 12 * threads) / (24 * threads), 1) * threads
    }

    /// Whether what follows a convolution can be done with it.
    func takes(_ epilogue: [Dataflow.Epilogue], _ lowering: Lowering) -> Bool {
      for (index, item) in epilogue.enumerated() {
        switch item {
        case .add(let other): guard index == 0, lowering.dims(other) == y else { return false }
        case .activation(let activation):
          guard index == epilogue.count - 1, activation.leakyLimits != nil, activation.keepsZero || y[1] % 16 == 0
          else { return false }
        }
      }
      return true
    }

    var arguments: ps_winograd_args {
      let threads = max(Parallel.threads, 1)
      var made = ps_winograd_args()
      (made.images, made.inputs, made.outputs) = (Int64(x[0]), Int64(inputs), Int64(outputs))
      (made.height, made.width, made.rows, made.columns) = (Int64(x[2]), Int64(x[3]), Int64(y[2]), Int64(y[3]))
      made.before = (Int64(before[0]), Int64(before[1]))
      (made.step, made.lanes) = (Int64(step), folded == nil ? 16 : Int64(x[1]))
      (made.parts, made.workers) = (Int64(parts(threads: threads)), Int64(threads))
      (made.slope, made.low, made.high) = (1, -.infinity, .infinity)
      return made
    }
  }

  /// Adds the steps of a convolution, and of an epilogue that the problem takes.
  static func emit(
    _ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ w: Int, bias: Int? = nil, to y: Int, _ lowering: Lowering
  ) throws(PruneError) -> Bool {
    let isInnermost = problem.folded != nil && problem.y[1] % 16 == 0
    guard let yl = isInnermost ? Layout.channelsLast(problem.y) : Layout(problem.y, tag: dnnl_nChw16c),
      let source = try source(problem, op, x, lowering), let weights = try weights(problem, op, w, lowering)
    else { return false }
    var arguments = problem.arguments
    arguments.innermost = isInnermost ? 1 : 0
    var residual: Int?
    for item in op.epilogue {
      switch item {
      case .add(let other): residual = other
      case .activation(let activation):
        if let limits = activation.leakyLimits { (arguments.slope, arguments.low, arguments.high) = limits }
      }
    }
    let shift = try bias.map { id throws(PruneError) in try padded(id, problem, lowering) }
    let target: Int
    if let residual {
      target = try lowering.define(y, layout: yl, holding: residual, in: op)
      arguments.adds = 1
    } else {
      target = try lowering.define(y, layout: yl)
    }
    let scratch = lowering.scratch(4 * Int(ps_winograd_scratch(&arguments) * min(arguments.workers, arguments.parts)))
    let final = arguments
    lowering.emit(op.node.label, reads: [source, weights] + [shift].compactMap { $0 }, writes: [target, scratch]) {
      frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(source))
      bound.weights = UnsafePointer(frame.pointer(weights))
      bound.bias = shift.map { UnsafePointer(frame.pointer($0)) }
      bound.y = frame.pointer(target)
      bound.scratch = frame.pointer(scratch)
      return frame.step(bound, ps_winograd)
    }
    return true
  }

  /// Adds the step of a convolution's gradient with respect to its weights and bias.
  static func emitGradient(
    _ problem: Problem, _ op: Dataflow.Op, _ dy: Int, _ x: Int, to dw: Int, bias db: Int?, _ lowering: Lowering
  ) throws(PruneError) -> Bool {
    // Each thread adds up all weights in the domain.
    guard problem.x[1] * problem.y[1] <= 128 * 128, let yl = Layout(problem.y, tag: dnnl_nChw16c),
      let source = try source(problem, op, x, lowering)
    else { return false }
    let gradient = try lowering.buffer(dy, in: yl)
    let (target, sums) = (
      try lowering.define(dw, layout: nil), try db.map { id throws(PruneError) in try lowering.define(id, layout: nil) }
    )
    var arguments = ps_winograd_gradient_args()
    arguments.convolution = problem.arguments
    (arguments.outputs, arguments.inputs) = (Int64(problem.y[1]), Int64(problem.x[1]))
    let workers = min(arguments.convolution.workers, arguments.convolution.parts)
    arguments.convolution.workers = workers
    let scratch = lowering.scratch(4 * Int(ps_winograd_gradient_scratch(&arguments.convolution) * workers))
    let final = arguments
    lowering.emit(op.node.label, reads: [source, gradient], writes: [target, scratch] + [sums].compactMap { $0 }) {
      frame in
      var bound = final
      bound.convolution.x = UnsafePointer(frame.pointer(source))
      bound.convolution.y = frame.pointer(gradient)
      bound.convolution.scratch = frame.pointer(scratch)
      bound.dw = frame.pointer(target)
      bound.db = sums.map { frame.pointer($0) }
      return frame.step(bound, ps_winograd_gradient)
    }
    return true
  }

  /// The images in blocks of channels, four pixels in one where the problem says so.
  private static func source(_ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ lowering: Lowering) throws(PruneError)
    -> Int?
  {
    guard let folded = problem.folded else {
      guard let layout = Layout(problem.x, tag: dnnl_nChw16c) else { return nil }
      return try lowering.buffer(x, in: layout)
    }
    var arguments = ps_fold_args()
    (arguments.images, arguments.channels) = (Int64(folded.x[0]), Int64(folded.x[1]))
    (arguments.height, arguments.width) = (Int64(folded.x[2]), Int64(folded.x[3]))
    (arguments.rows, arguments.columns) = (Int64(problem.x[2]), Int64(problem.x[3]))
    arguments.shift = folded.shift
    let final = arguments, plain = try lowering.plain(x)
    let made = lowering.scratch(4 * 16 * problem.x[0] * problem.x[2] * problem.x[3])
    lowering.emit(op.node.label, reads: [plain], writes: [made]) { frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(plain))
      bound.y = frame.pointer(made)
      return frame.step(bound, ps_fold)
    }
    return made
  }

  /// The weights in Winograd's domain: constants once, variables and what is turned in every run.
  private static func weights(_ problem: Problem, _ op: Dataflow.Op, _ w: Int, _ lowering: Lowering) throws(PruneError)
    -> Int?
  {
    let (inputs, outputs) = (Int64(problem.x[1]), Int64(problem.y[1]))
    let count = Int(ps_winograd_weight_count(outputs, inputs))
    var arguments = ps_winograd_weights_args()
    (arguments.outputs, arguments.inputs) = (outputs, inputs)
    (arguments.output_stride, arguments.input_stride) = problem.isTurned ? (1, outputs) : (inputs, 1)
    if let folded = problem.folded { arguments.output_stride = Int64(folded.x[1]) }
    (arguments.side, arguments.taps) = (Int64(problem.folded?.side ?? 3), Int64(problem.taps))
    (arguments.is_turned, arguments.is_folded) = (problem.isTurned ? 1 : 0, problem.folded == nil ? 0 : 1)
    guard !problem.isTurned, lowering.constant(w) != nil else {
      let final = arguments, plain = try lowering.plain(w), made = lowering.scratch(4 * count)
      lowering.emit(op.node.label, reads: [plain], writes: [made]) { frame in
        var bound = final
        bound.weights = UnsafeRawPointer(frame.pointer(plain))
        bound.result = frame.pointer(made)
        return frame.step(bound, ps_winograd_weights)
      }
      return made
    }
    guard let plain = Layout.plain(lowering.dims(w)), let layout = Layout.plain([count]) else { return nil }
    return try lowering.packed(w, key: (plain, layout), count: count) { address, result in
      arguments.weights = address
      arguments.result = result
      _ = ps_winograd_weights(&arguments)
    }
  }

  /// A bias for whole blocks of channels.
  private static func padded(_ bias: Int, _ problem: Problem, _ lowering: Lowering) throws(PruneError) -> Int {
    guard problem.y[1] % 16 != 0, let layout = Layout([1, problem.y[1], 1, 1], tag: dnnl_nChw16c) else {
      return try lowering.plain(bias)
    }
    return try lowering.buffer(bias, in: layout)
  }
}
