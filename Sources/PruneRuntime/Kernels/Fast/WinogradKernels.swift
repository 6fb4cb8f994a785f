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
enum WinogradKernels: KernelFamily {
  static let name = "winograd"
  static let kernels: [String: FastKernel] = [
    "Conv": image, "ai.libprune.ConvGradInput": image, "ai.libprune.ConvGradWeight": weightGradient,
  ]

  /// The convolution, of a gradient that of which it is one.
  private static func problem(_ op: Dataflow.Op, _ emitter: any Emitter) throws(Refusal) -> Problem {
    guard let problem = ConvolutionKernels.problem(op, emitter) else { throw Refusal("it is no convolution of images") }
    return try Problem(
      problem, isGradient: op.key == "ai.libprune.ConvGradInput",
      isConstant: op.key == "Conv" && emitter.constant(op.input(1)) != nil)
  }

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      let problem = try problem(op, emitter)
      // Each thread adds up all weights in the domain.
      if op.key == "ai.libprune.ConvGradWeight", problem.x[1] * problem.y[1] > 128 * 128 {
        throw Refusal("there are too many weights for each thread to add them up")
      }
      return problem.tail(op.epilogue, emitter).verdict(on: op)
    } catch { return .refuses(error.reason) }
  }

  private static func image(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), let problem = try? problem(op, emitter) else {
      return false
    }
    return try emit(problem, op, x, w, bias: op.input(2), to: y, emitter)
  }

  private static func weightGradient(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let dw = op.output(0), let problem = try? problem(op, emitter)
    else { return false }
    return try emitGradient(problem, op, dy, x, to: dw, bias: op.output(1), emitter)
  }

  /// A convolution of `x` [N, C, H, W] to `y` [N, O, rows, columns] with the pads before the first row and column.
  struct Problem {
    let x: [Int]
    let y: [Int]
    let before: [Int]
    /// The side of the windows, 3 or 4.
    let taps: Int
    /// Whether the weights are those of another convolution, [C, O, 3, 3], whose gradient with respect to its input
    /// this is.
    let isRotated: Bool
    /// The images before four pixels became one, a side of their kernels, and how many zeros come before the first
    /// pixel of all.
    let folded: (x: [Int], side: Int, shift: (Int64, Int64))?

    /// - Throws: why other kernels are better.
    init(_ problem: ConvolutionKernels.Problem, isGradient: Bool = false, isConstant: Bool) throws(Refusal) {
      let window = problem.window
      guard OneDNN.block == 16 else { throw Refusal("the processor has no AVX-512") }
      guard problem.w.count == 4, problem.w[2] == problem.w[3], window.gaps == [0, 0] else {
        throw Refusal("windows are grouped, dilated or not square")
      }
      guard max(problem.x.reduce(1, *), problem.y.reduce(1, *)) < 1 << 48 else { throw Refusal("images are too large") }
      isRotated = isGradient
      if window.strides == [2, 2] {
        let (x, side) = (problem.x, problem.w[2])
        guard isConstant, !isGradient, (5...8).contains(side), x[1] <= 4, window.before.allSatisfy({ $0 < side }) else {
          throw Refusal("windows two steps apart are not 5x5 to 8x8 of few channels")
        }
        func extent(_ axis: Int) -> Int { (x[axis + 2] + window.before[axis] % 2 + 1) / 2 }
        self.x = [x[0], 4 * x[1], extent(0), extent(1)]
        y = problem.y
        before = window.before.map { $0 / 2 }
        taps = (side + 1) / 2
        folded = (x, side, (Int64(window.before[0] % 2), Int64(window.before[1] % 2)))
      } else {
        guard window.strides == [1, 1], problem.w[2] == 3, window.before.allSatisfy({ $0 <= 2 }) else {
          throw Refusal("windows are not 3x3, one step apart")
        }
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
      guard isFull else { throw Refusal("channels leave too much of their blocks empty") }
      guard step * step * tiles <= 2 * pixels + pixels / 2, pixels >= least else {
        throw Refusal("images are too small for their tiles")
      }
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

    /// What of an epilogue can be done with the convolution.
    func tail(_ epilogue: [Dataflow.Epilogue], _ emitter: any Emitter) -> ImageTail {
      ImageTail(epilogue, adds: { emitter.dims($0) == y }, applies: { $0.keepsZero || y[1] % 16 == 0 })
    }

    var arguments: ps_winograd_args {
      let threads = max(Parallel.threads, 1)
      var arguments = ps_winograd_args()
      (arguments.images, arguments.inputs, arguments.outputs) = (Int64(x[0]), Int64(inputs), Int64(outputs))
      (arguments.height, arguments.width, arguments.rows, arguments.columns) = (
        Int64(x[2]), Int64(x[3]), Int64(y[2]), Int64(y[3])
      )
      arguments.before = (Int64(before[0]), Int64(before[1]))
      (arguments.step, arguments.lanes) = (Int64(step), folded == nil ? 16 : Int64(x[1]))
      (arguments.parts, arguments.workers) = (Int64(parts(threads: threads)), Int64(threads))
      (arguments.slope, arguments.low, arguments.high) = (1, -.infinity, .infinity)
      return arguments
    }
  }

  /// Adds the steps of a convolution, and of an epilogue that the problem takes.
  static func emit(
    _ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ w: Int, bias: Int? = nil, to y: Int, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    let isInnermost = problem.folded != nil && problem.y[1] % 16 == 0
    guard let yl = isInnermost ? Layout.channelsLast(problem.y) : Layout(problem.y, tag: dnnl_nChw16c),
      let source = try source(problem, op, x, emitter), let weights = try weights(problem, op, w, emitter)
    else { return false }
    var arguments = problem.arguments
    arguments.innermost = isInnermost ? 1 : 0
    let tail = problem.tail(op.epilogue, emitter)
    arguments.adds = tail.residual == nil ? 0 : 1
    (arguments.slope, arguments.low, arguments.high) = tail.limits
    let shift = try bias.map { id throws(PruneError) in try padded(id, problem, emitter) }
    let target = try emitter.define(y, layout: yl, adding: tail.residual, in: op)
    let scratch = emitter.scratch(4 * Int(ps_winograd_scratch(&arguments) * min(arguments.workers, arguments.parts)))
    let final = arguments
    emitter.emit(op.node.label, reads: [source, weights] + [shift].compactMap { $0 }, writes: [target, scratch]) {
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
    _ problem: Problem, _ op: Dataflow.Op, _ dy: Int, _ x: Int, to dw: Int, bias db: Int?, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    guard let yl = Layout(problem.y, tag: dnnl_nChw16c),
      let source = try source(problem, op, x, emitter)
    else { return false }
    let gradient = try emitter.buffer(dy, in: yl)
    let (target, sums) = (
      try emitter.define(dw, layout: nil), try db.map { id throws(PruneError) in try emitter.define(id, layout: nil) }
    )
    var arguments = ps_winograd_gradient_args()
    arguments.convolution = problem.arguments
    (arguments.outputs, arguments.inputs) = (Int64(problem.y[1]), Int64(problem.x[1]))
    let workers = min(arguments.convolution.workers, arguments.convolution.parts)
    arguments.convolution.workers = workers
    let scratch = emitter.scratch(4 * Int(ps_winograd_gradient_scratch(&arguments.convolution) * workers))
    let final = arguments
    emitter.emit(op.node.label, reads: [source, gradient], writes: [target, scratch] + [sums].compactMap { $0 }) {
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
  private static func source(_ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ emitter: any Emitter) throws(PruneError)
    -> Int?
  {
    guard let folded = problem.folded else {
      guard let layout = Layout(problem.x, tag: dnnl_nChw16c) else { return nil }
      return try emitter.buffer(x, in: layout)
    }
    var arguments = ps_fold_args()
    (arguments.images, arguments.channels) = (Int64(folded.x[0]), Int64(folded.x[1]))
    (arguments.height, arguments.width) = (Int64(folded.x[2]), Int64(folded.x[3]))
    (arguments.rows, arguments.columns) = (Int64(problem.x[2]), Int64(problem.x[3]))
    arguments.shift = folded.shift
    let final = arguments, plain = try emitter.plain(x)
    let pixels = emitter.scratch(4 * 16 * problem.x[0] * problem.x[2] * problem.x[3])
    emitter.emit(op.node.label, reads: [plain], writes: [pixels]) { frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(plain))
      bound.y = frame.pointer(pixels)
      return frame.step(bound, ps_fold)
    }
    return pixels
  }

  /// The transformed weights: of constants once, of variables and rotated kernels in every run.
  private static func weights(_ problem: Problem, _ op: Dataflow.Op, _ w: Int, _ emitter: any Emitter)
    throws(PruneError)
    -> Int?
  {
    let (inputs, outputs) = (Int64(problem.x[1]), Int64(problem.y[1]))
    let count = Int(ps_winograd_weight_count(outputs, inputs))
    var arguments = ps_winograd_weights_args()
    (arguments.outputs, arguments.inputs) = (outputs, inputs)
    (arguments.output_stride, arguments.input_stride) = problem.isRotated ? (1, outputs) : (inputs, 1)
    if let folded = problem.folded { arguments.output_stride = Int64(folded.x[1]) }
    (arguments.side, arguments.taps) = (Int64(problem.folded?.side ?? 3), Int64(problem.taps))
    (arguments.is_rotated, arguments.is_folded) = (problem.isRotated ? 1 : 0, problem.folded == nil ? 0 : 1)
    guard let plain = Layout.plain(emitter.dims(w)), let layout = Layout.plain([count]) else { return nil }
    return try emitter.arranged(
      w, op.node.label, count: count, key: problem.isRotated ? nil : (plain, layout), arguments, from: \.weights,
      to: \.result, ps_winograd_weights)
  }

  /// A bias for whole blocks of channels.
  private static func padded(_ bias: Int, _ problem: Problem, _ emitter: any Emitter) throws(PruneError) -> Int {
    guard problem.y[1] % 16 != 0, let layout = Layout([1, problem.y[1], 1, 1], tag: dnnl_nChw16c) else {
      return try emitter.plain(bias)
    }
    return try emitter.buffer(bias, in: layout)
  }
}
