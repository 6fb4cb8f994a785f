import PruneGraph
import PruneTensor

/// Transposed convolution, computed in Double.
enum ConvolutionTransposed {
  static let table: [String: Kernel] = [
    "ConvTranspose": Kernel { (call) throws(PruneError) in
      let (x, w) = (try call.tensor(0), try call.tensor(1))
      let bias = try call.optional(2).doubles(call)
      return [
        try call.result(try scatter(call, x.shape, call.doubles(0), w.shape, call.doubles(1), bias))
      ]
    }
  ]

  private static func scatter(
    _ call: KernelCall, _ input: Shape, _ x: [Double], _ filter: Shape, _ w: [Double],
    _ bias: [Double]?
  ) throws(PruneError) -> [Double] {
    let output = try call.shape()
    let group = call.node.int("group", default: 1)
    let kernel = Array(filter.dims.dropFirst(2))
    let extents = Array(input.dims.dropFirst(2))
    let window = try TransposedWindow(call.node, kernel: kernel, input: extents.map(Dim.fixed))
    let target = window.outputExtents
    try call.check(output.count)
    let (inner, outer) = (try Shape(extents), try Shape(target))
    let taps = try Shape(kernel)
    let channels = input[1] / group
    let perGroup = filter[1]
    let outputs = output[1]
    let cost = channels * taps.count * inner.count
    return Parallel.rows(output[0] * outputs, width: outer.count, cost: cost) { row, values in
      let (image, filterIndex) = (row / outputs, row % outputs)
      let (block, column) = (filterIndex / perGroup, filterIndex % perGroup)
      if let bias { for index in values.indices { values[index] = bias[filterIndex] } }
      for channel in 0..<channels {
        let source = (image * input[1] + block * channels + channel) * inner.count
        let weights = ((block * channels + channel) * perGroup + column) * taps.count
        var position = [Int](repeating: 0, count: extents.count)
        for index in 0..<inner.count {
          spread(x[source + index], position, w, weights, taps, window, outer, values)
          Self.step(&position, extents)
        }
      }
    }
  }

  /// Adds value * kernel around an input position.
  private static func spread(
    _ value: Double, _ position: [Int], _ w: [Double], _ weights: Int, _ taps: Shape,
    _ window: TransposedWindow,
    _ output: Shape, _ values: UnsafeMutableBufferPointer<Double>
  ) {
    var tap = [Int](repeating: 0, count: position.count)
    for index in 0..<taps.count {
      var offset = 0
      var isInside = true
      for axis in position.indices {
        let at =
          position[axis] * window.strides[axis] + tap[axis] * window.dilations[axis]
          - window.padsBegin[axis]
        isInside = isInside && at >= 0 && at < output[axis]
        offset = offset * output[axis] + at
      }
      if isInside { values[offset] += value * w[weights + index] }
      step(&tap, taps.dims)
    }
  }

  /// The next position in row-major order.
  static func step(_ position: inout [Int], _ dims: [Int]) {
    for axis in stride(from: dims.count - 1, through: 0, by: -1) {
      position[axis] += 1
      if position[axis] < dims[axis] { return }
      position[axis] = 0
    }
  }
}
