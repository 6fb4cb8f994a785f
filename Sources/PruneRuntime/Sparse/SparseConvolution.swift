import CPruneSupport
import PruneGraph
import PruneTensor

/// Convolutions with sparse weights, of one or two spatial axes, any kernel, stride, dilation, pads and groups. Images
/// are row-major: neighbouring pixels lie in the lanes of vectors.
///
/// Only 1x1 kernels one step apart read images as they are. For others, images are laid out with zeros around them, and
/// rows and columns that a stride keeps apart each for themselves; every tap is then a distance.
enum SparseConvolution {
  struct Geometry {
    let images: Int
    let channels: Int
    let groups: Int
    /// [height, width] of the images and of the result.
    let inputs: [Int]
    let outputs: [Int]
    let window: SlidingWindow

    init?(_ node: Node, x: [Int], w: [Int], y: [Int]) {
      guard x.count == w.count, x.count == y.count, x.count == 3 || x.count == 4, !(x + w + y).contains(0) else {
        return nil
      }
      let groups = node.int("group", default: 1)
      guard groups > 0, w[0] % groups == 0, x[1] % groups == 0, x[1] / groups == w[1], y[1] == w[0], x[0] == y[0],
        var window = SlidingWindow(node, kernel: Array(w[2...]), input: Array(x[2...]), output: Array(y[2...]))
      else { return nil }
      (inputs, outputs) = (x.count == 3 ? [1, x[2]] : Array(x[2...]), y.count == 3 ? [1, y[2]] : Array(y[2...]))
      if x.count == 3 {
        (window.kernel, window.strides, window.dilations) = (
          [1] + window.kernel, [1] + window.strides, [1] + window.dilations
        )
        (window.before, window.after) = ([0] + window.before, [0] + window.after)
      }
      (images, channels, self.groups, self.window) = (x[0], x[1], groups, window)
      let padded = padding
      guard padded.before.allSatisfy({ $0 < 1 << 16 }), padded.rows < 1 << 20, padded.pitch < 1 << 20,
        padded.channel < 1 << 30,
        channels * padded.channel < 1 << 31, x.reduce(1, *) < 1 << 31, y.reduce(1, *) < 1 << 31
      else { return nil }
    }

    /// Whether each place of the result is made of the same place of the images.
    var isPointwise: Bool {
      window.kernel == [1, 1] && window.strides == [1, 1] && window.before == [0, 0] && inputs == outputs
    }

    /// Whether the images are read where they lie. Many channels that are a power of two apart are laid out anew: their
    /// pixels would compete for the same lines of the cache.
    var readsImages: Bool { isPointwise && (channels <= 32 || (inputs[0] * inputs[1]) % 256 != 0) }

    /// Whether each channel is convolved alone.
    var isDepthwise: Bool { channels == groups }

    /// Images with zeros around them.
    struct Padding {
      var before: [Int]
      var phases: [Int]
      var rows: Int
      var pitch: Int
      /// From channel to channel.
      var channel: Int
    }

    var padding: Padding {
      var shifts: [Int] = []
      var phases: [Int] = []
      for axis in 0..<2 {
        let reach = (window.kernel[axis] - 1) * window.dilations[axis]
        shifts.append(reach / window.strides[axis])
        phases.append(min(window.strides[axis], reach + 1))
      }
      var pitch = outputs[1] + shifts[1]
      if window.strides[1] == 1 {
        // The zeros behind a row are those before the next one.
        let after = outputs[1] + shifts[1] - inputs[1] - window.before[1]
        pitch = max(outputs[1], inputs[1] + max(window.before[1], after))
      }
      let rows = outputs[0] + shifts[0]
      // An odd number of lines of the cache.
      let lines = (phases[0] * phases[1] * rows * pitch + window.before[1] + 31) / 16 | 1
      return Padding(before: window.before, phases: phases, rows: rows, pitch: pitch, channel: 16 * lines)
    }

    /// Where each tap of a group reads, from where the result's place is.
    var offsets: [Int32] {
      let padding = padding
      let distance = readsImages ? inputs[0] * inputs[1] : padding.channel
      var offsets: [Int32] = []
      for channel in 0..<channels / groups {
        for i in 0..<window.kernel[0] {
          for j in 0..<window.kernel[1] {
            let (down, across) = (i * window.dilations[0], j * window.dilations[1])
            let phase = down % window.strides[0] * padding.phases[1] + across % window.strides[1]
            let row = phase * padding.rows + down / window.strides[0]
            offsets.append(Int32(clamping: channel * distance + row * padding.pitch + across / window.strides[1]))
          }
        }
      }
      return offsets
    }
  }

  static func emit(
    _ problem: SparseProblem, _ geometry: Geometry, _ op: Dataflow.Op, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    if geometry.isDepthwise, problem.tail.residual == nil { return try planes(problem, geometry, op, emitter) }
    guard let weights = try SparseWeights.packed(problem, isFew: false, emitter) else { return false }
    let padding = geometry.padding
    let (pixels, results) = (geometry.inputs[0] * geometry.inputs[1], geometry.outputs[0] * geometry.outputs[1])
    let channel = geometry.readsImages ? pixels : padding.channel
    var arguments = ps_sparse_args(problem.tail.activation)
    (arguments.images, arguments.x_image, arguments.y_image) = (
      Int64(geometry.images), Int64(geometry.channels * channel), Int64(problem.rows * results)
    )
    arguments.x_group = Int64(geometry.channels / geometry.groups * channel)
    (arguments.y_row, arguments.y_place) = (Int64(results), 1)
    (arguments.pitch, arguments.columns) = (Int64(padding.pitch), Int64(geometry.outputs[1]))
    arguments.is_padded = geometry.readsImages ? 0 : 1
    let offsets = geometry.offsets
    arguments.window = Int64(geometry.window.kernel.reduce(1, *))
    arguments.reach = Int64(offsets.prefix(geometry.window.kernel.reduce(1, *)).max() ?? 0)
    arguments.channel = Int64(channel)
    if geometry.isPointwise || padding.pitch == geometry.outputs[1] {
      arguments.target = Int32(PS_SPARSE_PLANES.rawValue)
      arguments.places = Int64(results)
    } else {
      arguments.target = Int32(PS_SPARSE_IMAGES.rawValue)
      arguments.places = Int64((geometry.outputs[0] - 1) * padding.pitch + geometry.outputs[1])
    }
    let source = geometry.readsImages ? try emitter.plain(problem.x) : try padded(problem, geometry, op, emitter)
    try SparseStep.emit(arguments, problem, weights, source, offsets: offsets, op, emitter, run: ps_sparse)
    return true
  }

  private static func padded(
    _ problem: SparseProblem, _ geometry: Geometry, _ op: Dataflow.Op, _ emitter: any Emitter
  ) throws(PruneError) -> Int {
    let padding = geometry.padding
    var arguments = ps_sparse_pad_args()
    (arguments.images, arguments.channels) = (Int64(geometry.images), Int64(geometry.channels))
    (arguments.height, arguments.width) = (Int64(geometry.inputs[0]), Int64(geometry.inputs[1]))
    arguments.before = (Int64(padding.before[0]), Int64(padding.before[1]))
    arguments.steps = (Int64(geometry.window.strides[0]), Int64(geometry.window.strides[1]))
    arguments.phases = (Int64(padding.phases[0]), Int64(padding.phases[1]))
    (arguments.rows, arguments.pitch) = (Int64(padding.rows), Int64(padding.pitch))
    (arguments.y_channel, arguments.y_image) = (Int64(padding.channel), Int64(geometry.channels * padding.channel))
    let plain = try emitter.plain(problem.x)
    // A vector of the last tile may end behind the last channel.
    let target = emitter.scratch(4 * (geometry.images * geometry.channels * padding.channel + 16))
    let final = arguments
    emitter.emit(op.node.label, reads: [plain], writes: [target]) { frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(plain))
      bound.y = frame.pointer(target)
      return frame.step(bound, ps_sparse_pad)
    }
    return target
  }

  /// A depthwise convolution, which leaves out no weight: but images stay as sparse convolutions around it want them.
  private static func planes(
    _ problem: SparseProblem, _ geometry: Geometry, _ op: Dataflow.Op, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    let (window, padding) = (geometry.window, geometry.padding)
    let tail = ps_sparse_args(problem.tail.activation)
    var arguments = ps_sparse_plane_args()
    (arguments.images, arguments.channels) = (Int64(geometry.images), Int64(geometry.channels))
    arguments.multiplier = Int64(problem.rows / geometry.channels)
    (arguments.height, arguments.width) = (Int64(geometry.inputs[0]), Int64(geometry.inputs[1]))
    (arguments.rows, arguments.columns) = (Int64(geometry.outputs[0]), Int64(geometry.outputs[1]))
    arguments.kernel = (Int64(window.kernel[0]), Int64(window.kernel[1]))
    arguments.steps = (Int64(window.strides[0]), Int64(window.strides[1]))
    arguments.dilations = (Int64(window.dilations[0]), Int64(window.dilations[1]))
    arguments.before = (Int64(padding.before[0]), Int64(padding.before[1]))
    arguments.phases = (Int64(padding.phases[0]), Int64(padding.phases[1]))
    let reach = (window.kernel[1] - 1) * window.dilations[1]
    arguments.pitch = Int64(geometry.outputs[1] + reach / window.strides[1])
    (arguments.slope, arguments.low, arguments.high) = (tail.slope, tail.low, tail.high)
    (arguments.function, arguments.alpha, arguments.beta) = (tail.function, tail.alpha, tail.beta)
    arguments.threads = Int64(max(Parallel.threads, 1))
    let source = try emitter.plain(problem.x), weights = try emitter.plain(problem.weight)
    let bias = try problem.tail.bias.map { id throws(PruneError) in try emitter.plain(id) }
    let target = try emitter.define(problem.y, layout: nil)
    let scratch = emitter.scratch(4 * Int(ps_sparse_plane_scratch(&arguments)))
    let final = arguments
    emitter.emit(op.node.label, reads: [source, weights] + [bias].compactMap { $0 }, writes: [target, scratch]) {
      frame in
      var bound = final
      bound.x = UnsafePointer(frame.pointer(source))
      bound.weights = UnsafePointer(frame.pointer(weights))
      bound.bias = bias.map { UnsafePointer(frame.pointer($0)) }
      bound.y = frame.pointer(target)
      bound.scratch = frame.pointer(scratch)
      return frame.step(bound, ps_sparse_planes)
    }
    return true
  }
}
