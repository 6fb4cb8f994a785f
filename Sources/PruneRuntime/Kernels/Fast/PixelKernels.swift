import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Convolutions with pixels of one channel in the lanes of vectors, on row-major images: no count of channels is
/// rounded up to whole blocks, as pruning leaves them.
enum PixelKernels: KernelFamily {
  static let name = "pixels"
  static let kernels: [String: FastKernel] = ["Conv": image, "ai.libprune.ConvGradInput": image]

  private static func problem(_ op: Dataflow.Op, _ emitter: any Emitter) throws(Refusal) -> Problem {
    guard let problem = ConvolutionKernels.problem(op, emitter) else { throw Refusal("it is no convolution of images") }
    return try Problem(problem, isGradient: op.key == "ai.libprune.ConvGradInput")
  }

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      let problem = try problem(op, emitter)
      if problem.groups > 1, !problem.leavesBlocksOpen { throw Refusal("channels of a group fill whole blocks") }
      return problem.tail(op.epilogue, emitter).verdict(on: op)
    } catch { return .refuses(error.reason) }
  }

  static func cost(of op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Double? {
    guard let image = op.input(0), let problem = try? problem(op, emitter) else { return nil }
    return problem.cost(from: try emitter.home(image).layout)
  }

  private static func image(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), let problem = try? problem(op, emitter) else {
      return false
    }
    return try emit(problem, op, x, w, bias: op.input(2), to: y, emitter)
  }

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
    let isRotated: Bool

    /// - Throws: why there is no such kernel.
    init(_ problem: ConvolutionKernels.Problem, isGradient: Bool = false) throws(Refusal) {
      let window = problem.window
      guard window.kernel.count <= 2 else { throw Refusal("images have more than two axes") }
      guard max(problem.x.reduce(1, *), problem.y.reduce(1, *)) < 1 << 40, problem.w.reduce(1, *) < 1 << 40 else {
        throw Refusal("images are too large")
      }
      guard !isGradient || window.strides.allSatisfy({ $0 == 1 }) else {
        throw Refusal("a gradient of windows several steps apart")
      }
      func images(_ dims: [Int]) -> [Int] { dims.count == 3 ? [dims[0], dims[1], 1, dims[2]] : dims }
      func sides(_ values: [Int], _ one: Int) -> [Int] { values.count == 1 ? [one] + values : values }
      (x, y) = isGradient ? (images(problem.y), images(problem.x)) : (images(problem.x), images(problem.y))
      groups = problem.w.count > problem.x.count ? problem.w[0] : 1
      (kernel, strides, dilations) = (sides(window.kernel, 1), sides(window.strides, 1), sides(window.dilations, 1))
      let pads =
        isGradient
        ? window.kernel.indices.map { (window.kernel[$0] - 1) * window.dilations[$0] - window.before[$0] }
        : window.before
      guard pads.allSatisfy({ $0 >= 0 }) else { throw Refusal("pads are wider than the windows") }
      before = sides(pads, 0)
      isRotated = isGradient
    }

    /// Channels of a group.
    var inputs: Int { x[1] / groups }
    var outputs: Int { y[1] / groups }

    /// Whether groups are no whole blocks, which oneDNN multiplies as matrices, one by one.
    var leavesBlocksOpen: Bool {
      let block = OneDNN.block
      return (inputs > 1 || outputs > 1) && (inputs % block != 0 || outputs % block != 0) && outputs <= 64
    }

    /// The time these kernels take, in multiplications; the factors are measured. Nil for groups.
    /// - Parameter lies: how the images lie; nil is row-major.
    func cost(from lies: Layout?) -> Double? {
      guard groups == 1 else { return nil }
      let window = kernel[0] * kernel[1] * inputs
      func rounded(_ count: Int, _ step: Int) -> Double { Double((count + step - 1) / step * step) }
      let isWide = OneDNN.block == 16 && (y[3] % 16 == 0 || y[3] % 16 > 8 || y[3] > 64)
      var cost = Double(y[0] * y[2] * y[3] * window) * Double(outputs) * (1 + 12 / Double(window))
      if kernel == [1, 1], strides == [1, 1] {
        cost *= 1.5
      } else {
        cost *=
          rounded(y[3], isWide ? 16 : 8) / Double(y[3]) * (strides == [1, 1] ? 1 : 1.3) * (kernel == [1, 1] ? 2 : 1)
      }
      // Vectors that are not full cost more than their lanes.
      if y[3] % 8 != 0, kernel != [1, 1] { cost *= 1.15 }
      // The cost to change the layout of the images, and of a result that the next operation wants in another layout.
      if !(lies?.isRowMajor ?? true) {
        cost +=
          Double(x.reduce(1, *)) * ConvolutionKernels.moveCost + Double(y.reduce(1, *)) * ConvolutionKernels.moveCost
      }
      return cost
    }

    /// What of an epilogue can be done with the convolution.
    func tail(_ epilogue: [Dataflow.Epilogue], _ emitter: any Emitter) -> ImageTail {
      ImageTail(epilogue, adds: { emitter.count($0) == y.reduce(1, *) }, applies: { _ in true })
    }

    var arguments: ps_pixel_convolution_args {
      var arguments = ps_pixel_convolution_args()
      (arguments.images, arguments.groups, arguments.inputs, arguments.outputs) = (
        Int64(x[0]), Int64(groups), Int64(inputs), Int64(outputs)
      )
      (arguments.height, arguments.width, arguments.rows, arguments.columns) = (
        Int64(x[2]), Int64(x[3]), Int64(y[2]), Int64(y[3])
      )
      arguments.kernel = (Int64(kernel[0]), Int64(kernel[1]))
      arguments.strides = (Int64(strides[0]), Int64(strides[1]))
      arguments.dilations = (Int64(dilations[0]), Int64(dilations[1]))
      arguments.before = (Int64(before[0]), Int64(before[1]))
      arguments.workers = Int64(max(Parallel.threads, 1))
      return arguments
    }
  }

  /// Adds the steps of a convolution, and of an epilogue that the problem takes.
  static func emit(
    _ problem: Problem, _ op: Dataflow.Op, _ x: Int, _ w: Int, bias: Int? = nil, to y: Int, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    guard let layout = Layout.plain(emitter.dims(y)), let weights = try weights(problem, op, w, emitter) else {
      return false
    }
    var arguments = problem.arguments
    let tail = problem.tail(op.epilogue, emitter)
    arguments.adds = tail.residual == nil ? 0 : 1
    (arguments.slope, arguments.low, arguments.high) = tail.limits
    let source = try emitter.plain(x), shift = try bias.map { id throws(PruneError) in try emitter.plain(id) }
    let target = try emitter.define(y, layout: layout, adding: tail.residual, in: op)
    let scratch = emitter.scratch(Int(ps_pixel_scratch(&arguments)))
    let final = arguments
    emitter.emit(op.node.label, reads: [source, weights] + [shift].compactMap { $0 }, writes: [target, scratch]) {
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

  /// The weights as the kernel reads them: of constants once, of variables and rotated kernels in every run.
  private static func weights(_ problem: Problem, _ op: Dataflow.Op, _ w: Int, _ emitter: any Emitter)
    throws(PruneError)
    -> Int?
  {
    let count = emitter.count(w), (inputs, outputs) = (Int64(problem.inputs), Int64(problem.outputs))
    var arguments = ps_pixel_weights_args()
    (arguments.groups, arguments.inputs, arguments.outputs) = (Int64(problem.groups), inputs, outputs)
    (arguments.taps, arguments.group_stride) = (Int64(problem.kernel[0] * problem.kernel[1]), inputs * outputs)
    (arguments.output_stride, arguments.input_stride) = problem.isRotated ? (1, outputs) : (inputs, 1)
    arguments.is_rotated = problem.isRotated ? 1 : 0
    let form = [problem.groups, problem.outputs, problem.inputs * problem.kernel[0] * problem.kernel[1]]
    guard let plain = Layout.plain(emitter.dims(w)), let layout = Layout.plain(form) else { return nil }
    return try emitter.arranged(
      w, op.node.label, count: count, key: problem.isRotated ? nil : (plain, layout), arguments, from: \.weights,
      to: \.result, ps_pixel_weights)
  }
}
