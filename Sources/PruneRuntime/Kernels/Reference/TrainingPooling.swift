import PruneGraph
import PruneTensor

/// Gradients of MaxPool and AveragePool, any number of spatial axes; pads are explicit.
enum PoolingGradients {
  private static func map(_ call: TrainingCall, x: Shape, y: Shape) throws(PruneError) -> WindowMap {
    guard let kernel = call.node.ints("kernel_shape"), x.rank >= 3, y.rank == x.rank, x[0] == y[0], x[1] == y[1] else {
      throw call.error("gradient \(y) and input \(x) do not go together, or kernel_shape is missing")
    }
    return try WindowMap(call, input: Array(x.dims[2...]), output: Array(y.dims[2...]), kernel: kernel)
  }

  /// MaxPoolGrad(dY, X) -> dX: each gradient goes to the first maximum of its window.
  static func max(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(1).shape
    let (dy, x) = (try call.floats(0), try call.floats(1))
    let map = try map(call, x: shape, y: call.tensor(0).shape)
    var result = [Float](repeating: 0, count: x.count)
    for plane in 0..<(shape[0] * shape[1]) {
      for position in 0..<map.outputCount {
        var best = -1
        for window in 0..<map.windowCount {
          let source = map.source[position * map.windowCount + window]
          guard source >= 0 else { continue }
          let index = plane * map.inputCount + source
          if best < 0 || x[index] > x[best] { best = index }
        }
        if best >= 0 { result[best] += dy[plane * map.outputCount + position] }
      }
    }
    return [try Tensor(result, shape)]
  }

  /// AveragePoolGrad(dY){input_shape, count_include_pad} -> dX.
  static func average(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.shape("input_shape")
    let dy = try call.floats(0)
    let map = try map(call, x: shape, y: call.tensor(0).shape)
    let countsPadding = call.node.int("count_include_pad", default: 0) != 0
    var result = [Float](repeating: 0, count: shape.count)
    for position in 0..<map.outputCount {
      let sources = map.source[position * map.windowCount..<(position + 1) * map.windowCount].filter { $0 >= 0 }
      let divisor = Float(countsPadding ? map.paddedCells[position] : sources.count)
      for plane in 0..<(shape[0] * shape[1]) {
        let share = dy[plane * map.outputCount + position] / divisor
        for source in sources { result[plane * map.inputCount + source] += share }
      }
    }
    return [try Tensor(result, shape)]
  }
}
