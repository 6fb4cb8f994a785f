import PruneGraph
import PruneTensor

/// Convolutions of any number of spatial axes, grouped and dilated, computed in Double.
enum Convolution {
  static let table: [String: Kernel] = [
    "Conv": Kernel { (call) throws(PruneError) in
      let bias = try call.optional(2).doubles(call)
      return [
        try call.result(
          try convolve(
            call, x: call.doubles(0), weight: call.tensor(1), w: call.doubles(1), bias: bias))
      ]
    },
    "ConvInteger": Kernel { (call) throws(PruneError) in
      let x = try Quantizing.centred(call, 0, zeroPoint: 2, axis: nil)
      let w = try Quantizing.centred(call, 1, zeroPoint: 3, axis: 0)
      return [try call.result(try convolve(call, x: x, weight: call.tensor(1), w: w, bias: nil))]
    },
    "QLinearConv": Kernel { (call) throws(PruneError) in
      let x = try Quantizing.centred(call, 0, zeroPoint: 2, axis: nil)
      let w = try Quantizing.centred(call, 3, zeroPoint: 5, axis: 0)
      let bias = try call.optional(8).doubles(call)
      let sums = try convolve(call, x: x, weight: call.tensor(3), w: w, bias: bias)
      let shape = try call.shape()
      return [
        try Quantizing.requantized(
          call, sums, scales: (1, 4, 6), zeroPoint: 7, channels: shape[1],
          inner: shape.dims.dropFirst(2).reduce(1, *))
      ]
    },
  ]

  private static func convolve(
    _ call: KernelCall, x: [Double], weight: Tensor, w: [Double], bias: [Double]?
  ) throws(PruneError) -> [Double] {
    let input = try call.tensor(0).shape
    let output = try call.shape()
    let group = call.node.int("group", default: 1)
    let kernel = Array(weight.shape.dims.dropFirst(2))
    let extents = Array(input.dims.dropFirst(2))
    let window = try Window(call.node, kernel: kernel, input: extents.map(Dim.fixed))
    if let bias, bias.count != output[1] {
      throw call.fail("bias has \(bias.count) entries for \(output[1]) channels")
    }
    try call.check(output.count)
    let plane = ConvolutionPlane(window, input: extents)
    let (channels, outputs) = (weight.shape[1], output[1])
    let (taps, area, outArea) = (plane.taps.count, plane.inputCount, plane.outputCount)
    let perGroup = max(outputs / group, 1)
    let cost = channels * taps * outArea
    return Parallel.rows(output[0] * outputs, width: outArea, cost: cost) { row, values in
      let (image, filter) = (row / outputs, row % outputs)
      if let bias { for index in values.indices { values[index] = bias[filter] } }
      for channel in 0..<channels {
        let source = (image * channels * group + filter / perGroup * channels + channel) * area
        for tap in 0..<taps {
          let factor = w[(filter * channels + channel) * taps + tap]
          plane.accumulate(factor, x, source, plane.taps[tap], values)
        }
      }
    }
  }
}

/// How one input plane is added into one output plane, kernel tap by kernel tap.
struct ConvolutionPlane: Sendable {
  /// Per spatial axis: the outputs that a tap reaches, and the input position of the first of them.
  struct Reach {
    let first: Int
    let last: Int
    let start: Int
  }

  let taps: [[Reach]]
  let inputCount: Int
  let outputCount: Int
  private let strides: [Int]
  private let inputStrides: [Int]
  private let outputStrides: [Int]

  init(_ window: Window, input: [Int]) {
    let output = window.outputExtents
    strides = window.strides
    inputStrides = Self.strides(input)
    outputStrides = Self.strides(output)
    inputCount = input.reduce(1, *)
    outputCount = output.reduce(1, *)
    var taps: [[Reach]] = [[]]
    for axis in input.indices {
      let reaches = (0..<window.kernel[axis]).map { position -> Reach in
        let stride = window.strides[axis]
        let shift = position * window.dilations[axis] - window.padsBegin[axis]
        let first = shift >= 0 ? 0 : (-shift + stride - 1) / stride
        let beyond = input[axis] - shift
        let last = beyond <= 0 ? 0 : min((beyond + stride - 1) / stride, output[axis])
        return Reach(first: first, last: max(last, first), start: first * stride + shift)
      }
      taps = taps.flatMap { prefix in reaches.map { prefix + [$0] } }
    }
    self.taps = taps
  }

  private static func strides(_ dims: [Int]) -> [Int] {
    var result = [Int](repeating: 1, count: dims.count)
    for axis in stride(from: dims.count - 2, through: 0, by: -1) {
      result[axis] = result[axis + 1] * dims[axis + 1]
    }
    return result
  }

  /// Adds factor * input to the outputs that a tap reaches.
  func accumulate(
    _ factor: Double, _ x: [Double], _ source: Int, _ tap: [Reach],
    _ values: UnsafeMutableBufferPointer<Double>
  ) {
    accumulate(factor, x, source, 0, tap, 0, values)
  }

  private func accumulate(
    _ factor: Double, _ x: [Double], _ source: Int, _ target: Int, _ tap: [Reach], _ axis: Int,
    _ values: UnsafeMutableBufferPointer<Double>
  ) {
    let reach = tap[axis]
    if axis == tap.count - 1 {
      var read = source + reach.start
      for index in (target + reach.first)..<(target + reach.last) {
        values[index] += factor * x[read]
        read += strides[axis]
      }
      return
    }
    for position in reach.first..<reach.last {
      let along = reach.start + (position - reach.first) * strides[axis]
      accumulate(
        factor, x, source + along * inputStrides[axis], target + position * outputStrides[axis],
        tap, axis + 1, values)
    }
  }
}

extension Optional where Wrapped == Tensor {
  /// The elements of an optional input.
  func doubles(_ call: KernelCall) throws(PruneError) -> [Double]? {
    guard let self else { return nil }
    return try call.doubles(self)
  }
}
