import PruneGraph
import PruneTensor

/// Gradients of operators that pick elements: each goes back to where it was taken from.
enum GatheringGradients {
  /// GatherElementsGrad(dY, indices){axis, input_shape} -> dX. Indices have dY's shape.
  static func elements(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let target = try call.shape("input_shape")
    let from = try call.tensor(0).shape
    let values = try call.floats(0)
    let indices = try ShapeGradients.integers(call, 1)
    guard let axis = target.axis(call.node.int("axis", default: 0)), from.rank == target.rank,
      indices.count == values.count,
      (0..<target.rank).allSatisfy({ $0 == axis || from[$0] <= target[$0] })
    else { throw call.error("a gradient \(from) with \(indices.count) indices does not go back to \(target)") }
    var result = [Float](repeating: 0, count: target.count)
    let (steps, strides) = (from.strides, target.strides)
    for (position, value) in values.enumerated() {
      let raw = indices[position]
      guard raw >= -target[axis], raw < target[axis] else {
        throw call.error("index \(raw) is outside an axis of \(target[axis])")
      }
      var place = (raw < 0 ? raw + target[axis] : raw) * strides[axis]
      for other in 0..<from.rank where other != axis { place += position / steps[other] % from[other] * strides[other] }
      result[place] += value
    }
    return [try Tensor(result, target)]
  }

  /// GatherNDGrad(dY, indices){batch_dims, input_shape} -> dX.
  static func nd(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let target = try call.shape("input_shape")
    let values = try call.floats(0)
    let indexShape = try call.tensor(1).shape
    let indices = try ShapeGradients.integers(call, 1)
    let batches = call.node.int("batch_dims", default: 0)
    guard indexShape.rank > 0, batches >= 0, batches < indexShape.rank, let width = indexShape.dims.last, width > 0,
      batches + width <= target.rank, Array(target.dims[..<batches]) == Array(indexShape.dims[..<batches])
    else { throw call.error("indices \(indexShape) with \(batches) batch axes do not pick from \(target)") }
    let rows = indices.count / width
    let batchCount = max(target.dims[..<batches].reduce(1, *), 1)
    let inner = target.dims[(batches + width)...].reduce(1, *)
    guard values.count == rows * inner, rows % batchCount == 0 else {
      throw call.error("a gradient of \(values.count) elements does not come from \(rows) picks of \(inner)")
    }
    let outer = target.dims[batches...].reduce(1, *)
    var result = [Float](repeating: 0, count: target.count)
    for row in 0..<rows {
      var place = row / (rows / batchCount) * outer
      for position in 0..<width {
        let extent = target[batches + position]
        let raw = indices[row * width + position]
        guard raw >= -extent, raw < extent else { throw call.error("index \(raw) is outside an axis of \(extent)") }
        place += (raw < 0 ? raw + extent : raw) * target.strides[batches + position]
      }
      for column in 0..<inner { result[place + column] += values[row * inner + column] }
    }
    return [try Tensor(result, target)]
  }
}
