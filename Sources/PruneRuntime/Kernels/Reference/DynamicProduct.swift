import PruneGraph
import PruneTensor

/// `DynamicProducts` in one: x rounded to uint8 with the scale and zero point of its own range, times int8 weights,
/// times both scales, plus a bias.
enum DynamicProduct {
  static func run(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    guard call.inputs.count >= 3, let x = call.inputs[0], let w = call.inputs[1], let steps = call.inputs[2],
      x.dtype == .float32,
      w.dtype == .int8, w.shape.rank == 2, x.shape.rank > 0, x.shape.dims.last == w.shape[0]
    else { throw PruneError(.mismatch, "its operands are no float data, int8 matrix and scales", at: call.node.label) }
    let values = try x.array(of: Float.self), weights = try w.array(of: Int8.self),
      scales = try steps.array(of: Float.self)
    let bias = try call.inputs.count > 3 ? call.inputs[3]?.array(of: Float.self) : nil
    let (k, n) = (w.shape[0], w.shape[1]), rows = k > 0 ? values.count / k : 0
    guard scales.count == 1 || scales.count == n, bias.map({ $0.count == n }) ?? true else {
      throw PruneError(.mismatch, "it has \(scales.count) scales for \(n) columns", at: call.node.label)
    }
    let shape = try Shape(x.shape.dims.dropLast() + [n])
    guard values.allSatisfy(\.isFinite) else { return [try Tensor([Float](repeating: .nan, count: rows * n), shape)] }
    let low = min(values.min() ?? 0, 0), high = max(values.max() ?? 0, 0)
    let scale = high > low ? (high - low) / 255 : 1
    let zero = min(max((-low / scale).rounded(.toNearestOrEven), 0), 255)
    let codes = values.map { Int(min(max(($0 / scale).rounded(.toNearestOrEven) + zero, 0), 255) - zero) }
    var result = [Float](repeating: 0, count: rows * n)
    for row in 0..<rows {
      for column in 0..<n {
        var sum = 0
        for place in 0..<k { sum += codes[row * k + place] * Int(weights[place * n + column]) }
        let value = Float(sum) * (scale * scales[scales.count == 1 ? 0 : column])
        result[row * n + column] = bias.map { value + $0[column] } ?? value
      }
    }
    return [try Tensor(result, shape)]
  }
}
