import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Convolutions with pixels of one channel in the lanes of vectors, on row-major images: no count of channels is
/// rounded up to whole blocks, as pruning leaves them.
enum PixelKernels {
  /// A convolution of `x` [N, G * C, H, W] to `y` [N, G * O, rows, columns].
  struct Problem {
    let x: [Int]
    let y: [Int]
    let groups: Int
    let kernel: [Int]
    let strides: [Int]
    let dilations: [Int]
    let before: [Int]
    /// Whether the weights are those of another convolution, [G * C, O, …], whose gradient with respect to its input
    /// this is.
    let isTurned: Bool

    /// Nil where there is no such kernel.
    init?(_ problem: ConvolutionKernels.Problem, isGradient: Bool = false) {
      let window = problem.window
      guard window.kernel.count <= 2, max(problem.x.reduce(1, *), problem.y.reduce(1, *)) < 1 << 40,
        problem.w.reduce(1, *) < 1 << 40, !isGradient || window.strides.allSatisfy({ $0 == 1 })
      else { return nil }
      func images(_ dims: [Int]) -> [Int] { dims.count == 3 ? [dims[0], dims[1], 1, dims[2]] : dims }
      func sides(_ values: [Int], _ one: Int) -> [Int] { values.count == 1 ? [one] + values : values }
      (x, y) = isGradient ? (images(problem.y), images(problem.x)) : (images(problem.x), images(problem.y))
      groups = problem.w.count > problem.x.count ? problem.w[0] : 1
      (kernel, strides, dilations) = (sides(window.kernel, 1), sides(window.strides, 1), sides(window.dilations, 1))
      let pads =
        isGradient
        ? window.kernel.indices.map { (window.kernel[$0] - 1) * window.dilations[$0] - window.before[$0] }
        : window.before
      guard pads.allSatisfy({ $0 >= 0 }) else { return nil }
      before = sides(pads, 0)
      isTurned = isGradient
    }

    /// Channels of a group.
    var inputs: Int { x[1] / groups }
    var outputs: Int { y[1] / groups }

    /// Whether this takes less time than oneDNN's kernels, which round channels up to whole blocks, multiply the groups
    /// that are no whole blocks as matrices, and want images in blocks. In multiplications; the factors are measured.
    ///
    /// - Parameter lies: how the images lie; nil is row-major.
    func isFaster(from lies: Layout?) -> Bool {
      let block = OneDNN.block
      guard groups == 1 else {
        return (inputs > 1 || outputs > 1) && (inputs % block != 0 || outputs % block != 0) && outputs <= 64
      }
      func rounded(_ count: Int, _ step: Int) -> Double { Double((count + step - 1) / step * step) }
      let isPlain = lies?.isRowMajor ?? true, isFew = inputs < 5
      let window = kernel[0] * kernel[1] * inputs, wide = block == 16 && (y[3] % 16 == 0 || y[3] % 16 > 8 || y[3] > 64)
      let sums = Double(y[0] * y[2] * y[3] * window) * Double(outputs)
      var (own, other) = (sums * (1 + 12 / Double(window)), sums)
      if kernel == [1, 1], strides == [1, 1] {
        own *= 1.5
      } else {
        own *=
          rounded(y[3], wide ? 16 : 8) / Double(y[3]) * (strides == [1, 1] ? 1 : 1.3) * (kernel == [1, 1] ? 2 : 1)
      }
      // Vectors that are not full cost more than their lanes.
      if y[3] % 8 != 0, kernel != [1, 1] { own *= 1.15 }
      other *= 0.95 * rounded(outputs, block) / Double(outputs) * (isFew ? 1 : rounded(inputs, block) / Double(inputs))
      if outputs <= block { other *= 1.3 }
      // What it costs to lay images out anew, and where what comes out does not lie as what comes next may want it.
      let (into, out) = (Double(x.reduce(1, *)) * 17, Double(y.reduce(1, *)) * 17)
      if isPlain { other += (isFew ? 0 : into) + out / 2 } else { own += into + out }
      return own < other
    }

    /// Whether what follows a convolution can be done with it.
    func takes(_ epilogue: [Dataflow.Epilogue], _ lowering: Lowering) -> Bool {
      for (index, item) in epilogue.enumerated() {
        switch item {
        case .add(let other): guard index == 0, lowering.count(other) == y.reduce(1, *) else { return false }
        case .activation(let activation):
          guard index == epilogue.count - 1, activation.leakyLimits != nil else { return false }
        }
      }
      return true
    }

    var arguments: ps_pixel_convolution_args {
      var made = ps_pixel_convolution_args()
      (made.images, made.groups, made.inputs, made.outputs) = (
        Int64(x[0]), Int64(groups), Int64(inputs), Int64(outputs)
      )
      (made.height, made.width, made.rows, made.columns) = (Int64(x[2]), Int64(x[3]), Int64(y[2]), Int64(y[3]))
      made.kernel = (Int64(kernel[0]), Int64(kernel[1]))
      made.strides = (Int64(strides[0]), Int64(strides[1]))
      made.dilations = (Int64(dilations[0]), Int64(dilations[1]))
      made.before = (Int64(before[0]), Int64(before[1]))
      made.workers = Int64(max(Parallel.threads, 1))
      (made.slope, made.low, made.high) = (1, -.infinity, .infinity)
      return made
    }
  }

  /// Adds the steps of a convolution, and of an epilogue that the problem takes.
  static func emit(
    _ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ w: Int, bias: Int? = nil, to y: Int, _ lowering: Lowering
  ) throws(PruneError) -> Bool {
    guard let layout = Layout.plain(lowering.dims(y)), let weights = try weights(problem, op, w, lowering) else {
      return false
    }
    var arguments = problem.arguments
    var residual: Int?
    for item in op.epilogue {
      switch item {
      case .add(let other): residual = other
      case .activation(let activation):
        if let limits = activation.leakyLimits { (arguments.slope, arguments.low, arguments.high) = limits }
      }
    }
    let source = try lowering.plain(x), shift = try bias.map { id throws(PruneError) in try lowering.plain(id) }
    let target: Int
    if let residual {
      target = try lowering.define(y, layout: layout, holding: residual, in: op)
      arguments.adds = 1
    } else {
      target = try lowering.define(y, layout: layout)
    }
    let scratch = lowering.scratch(Int(ps_pixel_scratch(&arguments)))
    let final = arguments
    lowering.emit(op.node.label, reads: [source, weights] + [shift].compactMap { $0 }, writes: [target, scratch]) {
      frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(source))
      bound.weights = UnsafePointer(frame.pointer(weights))
      bound.bias = shift.map { UnsafePointer(frame.pointer($0)) }
      bound.y = frame.pointer(target)
      bound.scratch = UnsafeMutableRawPointer(frame.pointer(scratch) as UnsafeMutablePointer<Float>)
      return frame.step(bound, ps_pixel_convolution)
    }
    return true
  }

  /// The weights as the kernel reads them: constants once, variables and what is turned in every run.
  private static func weights(_ problem: Problem, _ op: Dataflow.Op, _ w: Int, _ lowering: Lowering) throws(PruneError)
    -> Int?
  {
    let count = lowering.count(w), (inputs, outputs) = (Int64(problem.inputs), Int64(problem.outputs))
    var arguments = ps_pixel_weights_args()
    (arguments.groups, arguments.inputs, arguments.outputs) = (Int64(problem.groups), inputs, outputs)
    (arguments.taps, arguments.group_stride) = (Int64(problem.kernel[0] * problem.kernel[1]), inputs * outputs)
    (arguments.output_stride, arguments.input_stride) = problem.isTurned ? (1, outputs) : (inputs, 1)
    arguments.is_turned = problem.isTurned ? 1 : 0
    guard !problem.isTurned, lowering.constant(w) != nil else {
      let final = arguments, plain = try lowering.plain(w), made = lowering.scratch(4 * count)
      lowering.emit(op.node.label, reads: [plain], writes: [made]) { frame in
        var bound = final
        bound.weights = UnsafeRawPointer(frame.pointer(plain))
        bound.result = frame.pointer(made)
        return frame.step(bound, ps_pixel_weights)
      }
      return made
    }
    guard let plain = Layout.plain(lowering.dims(w)),
      let layout = Layout.plain([
        problem.groups, problem.outputs, problem.inputs * problem.kernel[0] * problem.kernel[1],
      ])
    else { return nil }
    return try lowering.packed(w, key: (plain, layout), count: count) { address, result in
      arguments.weights = address
      arguments.result = result
      _ = ps_pixel_weights(&arguments)
    }
  }
}
