import PruneGraph
import PruneTensor

/// Training-mode batch normalization and the gradients of normalizations.
enum NormalizationGradients {
  /// Calls `body(channel, index)` for every element of an [N, C, ...] tensor.
  private static func forEach(_ shape: Shape, _ body: (Int, Int) -> Void) {
    let inner = shape.dims.dropFirst(2).reduce(1, *)
    for index in 0..<shape.count { body(index / inner % shape[1], index) }
  }

  private static func channels(_ call: TrainingCall, _ shape: Shape) throws(PruneError) -> Shape {
    guard shape.rank >= 2, shape.count > 0 else { throw call.error("input is \(shape), wanted [N, C, ...]") }
    return try Shape([shape[1]])
  }

  /// BatchNormTrain(X, scale, B, mean, var){epsilon, momentum} -> Y, saved_mean, saved_inv_std, new_mean, new_var.
  /// Statistics of the batch normalize; the running ones move by `new = old * momentum + batch * (1 - momentum)`, with
  /// the population variance, as ONNX defines them.
  static func batchNormTrain(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    let channels = try channels(call, shape)
    let x = try call.floats(0)
    let scale = try call.floats(1, shaped: channels)
    let bias = try call.floats(2, shaped: channels)
    let (oldMean, oldVariance) = (try call.floats(3, shaped: channels), try call.floats(4, shaped: channels))
    let epsilon = Double(call.node.float("epsilon", default: 1e-5))
    let momentum = call.node.float("momentum", default: 0.9)
    let perChannel = Double(shape.count / channels.count)
    var mean = [Double](repeating: 0, count: channels.count)
    var variance = mean
    forEach(shape) { mean[$0] += Double(x[$1]) / perChannel }
    forEach(shape) { variance[$0] += (Double(x[$1]) - mean[$0]) * (Double(x[$1]) - mean[$0]) / perChannel }
    let inverse = variance.map { 1 / ($0 + epsilon).squareRoot() }
    var y = x
    forEach(shape) { c, index in
      y[index] = Float((Double(x[index]) - mean[c]) * inverse[c] * Double(scale[c]) + Double(bias[c]))
    }
    func moved(_ old: [Float], _ new: [Double]) throws(PruneError) -> Tensor {
      try Tensor(zip(old, new).map { $0 * momentum + Float($1) * (1 - momentum) }, channels)
    }
    return [
      try Tensor(y, shape), try Tensor(mean.map { Float($0) }, channels),
      try Tensor(inverse.map { Float($0) }, channels),
      try moved(oldMean, mean), try moved(oldVariance, variance),
    ]
  }

  /// BatchNormGrad(dY, X, scale, saved_mean, saved_inv_std) -> dX, dScale, dB.
  static func batchNorm(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(1).shape
    let channels = try channels(call, shape)
    let (dy, x) = (try call.floats(0, shaped: shape), try call.floats(1))
    let scale = try call.floats(2, shaped: channels)
    let (mean, inverse) = (try call.floats(3, shaped: channels), try call.floats(4, shaped: channels))
    let perChannel = Double(shape.count / channels.count)
    var dScale = [Double](repeating: 0, count: channels.count)
    var dBias = dScale
    func normalized(_ c: Int, _ index: Int) -> Double { (Double(x[index]) - Double(mean[c])) * Double(inverse[c]) }
    forEach(shape) { c, index in
      dBias[c] += Double(dy[index])
      dScale[c] += Double(dy[index]) * normalized(c, index)
    }
    var dx = x
    forEach(shape) { c, index in
      let centred = Double(dy[index]) - (dBias[c] + normalized(c, index) * dScale[c]) / perChannel
      dx[index] = Float(centred * Double(scale[c]) * Double(inverse[c]))
    }
    return [
      try Tensor(dx, shape), try Tensor(dScale.map { Float($0) }, channels),
      try Tensor(dBias.map { Float($0) }, channels),
    ]
  }

  /// LayerNormGrad(dY, X, scale){axis, epsilon} -> dX, dScale, dB. Scale has the extents from `axis` on.
  static func layerNorm(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(1).shape
    let (dy, x) = (try call.floats(0, shaped: shape), try call.floats(1))
    guard let axis = shape.axis(call.node.int("axis", default: -1)) else {
      throw call.error("axis is outside \(shape)")
    }
    let width = try Shape(Array(shape.dims[axis...]))
    let scale = try call.floats(2, shaped: width)
    let epsilon = Double(call.node.float("epsilon", default: 1e-5))
    let count = Double(width.count)
    var dx = x
    var dScale = [Double](repeating: 0, count: width.count)
    var dBias = dScale
    for row in 0..<(width.count == 0 ? 0 : shape.count / width.count) {
      let range = row * width.count..<(row + 1) * width.count
      let mean = range.reduce(0.0) { $0 + Double(x[$1]) } / count
      let variance = range.reduce(0.0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) } / count
      let inverse = 1 / (variance + epsilon).squareRoot()
      var (sum, product) = (0.0, 0.0)
      for (column, index) in range.enumerated() {
        let normalized = (Double(x[index]) - mean) * inverse
        let scaled = Double(dy[index]) * Double(scale[column])
        sum += scaled / count
        product += scaled * normalized / count
        dScale[column] += Double(dy[index]) * normalized
        dBias[column] += Double(dy[index])
      }
      for (column, index) in range.enumerated() {
        let normalized = (Double(x[index]) - mean) * inverse
        dx[index] = Float(inverse * (Double(dy[index]) * Double(scale[column]) - sum - normalized * product))
      }
    }
    return [
      try Tensor(dx, shape), try Tensor(dScale.map { Float($0) }, width), try Tensor(dBias.map { Float($0) }, width),
    ]
  }
}
