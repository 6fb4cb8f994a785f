import PruneGraph
import PruneTensor

/// Gradients of operators that move or repeat elements.
enum ShapeGradients {
  /// SumToShape(dY){shape} -> dX: sums the axes along which a tensor of `shape` was broadcast to dY's shape.
  static func sumToShape(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let target = try call.shape("shape")
    let from = try call.tensor(0).shape
    let values = try call.floats(0)
    let offset = from.rank - target.rank
    guard offset >= 0, (0..<target.rank).allSatisfy({ target[$0] == from[$0 + offset] || target[$0] == 1 }) else {
      throw call.error("\(target) does not broadcast to \(from)")
    }
    // A summed axis has no stride in the result.
    var steps = [Int](repeating: 0, count: from.rank)
    for axis in 0..<target.rank where target[axis] != 1 { steps[axis + offset] = target.strides[axis] }
    var sum = [Double](repeating: 0, count: target.count)
    forEachIndex(from, origin: 0, steps: steps) { index, position in sum[position] += Double(values[index]) }
    return [try Tensor(sum.map { Float($0) }, target)]
  }

  /// SliceGrad(dY){input_shape, starts, ends, axes, steps} -> dX: dY in its place, zeros elsewhere. `starts` are
  /// resolved positions of the first element; `ends` is not needed, dY says how many there are.
  static func slice(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let target = try call.shape("input_shape")
    let from = try call.tensor(0).shape
    let values = try call.floats(0)
    let starts = call.node.ints("starts") ?? []
    let axes = call.node.ints("axes") ?? Array(starts.indices)
    let strides = call.node.ints("steps") ?? [Int](repeating: 1, count: starts.count)
    guard from.rank == target.rank, axes.count == starts.count, strides.count == starts.count else {
      throw call.error("starts \(starts), axes \(axes), steps \(strides) do not cut \(from) from \(target)")
    }
    var first = [Int](repeating: 0, count: from.rank)
    var step = [Int](repeating: 1, count: from.rank)
    for (index, axis) in axes.enumerated() {
      guard let axis = target.axis(axis) else { throw call.error("axis \(axis) is outside \(target)") }
      first[axis] = starts[index]
      step[axis] = strides[index]
    }
    for axis in 0..<from.rank where from.count > 0 {
      let (span, overflow) = (from[axis] - 1).multipliedReportingOverflow(by: step[axis])
      let (last, outside) = first[axis].addingReportingOverflow(span)
      guard !overflow, !outside, (0..<target[axis]).contains(first[axis]), (0..<target[axis]).contains(last) else {
        throw call.error("starts \(starts), steps \(strides) do not cut \(from) from \(target)")
      }
    }
    var result = [Float](repeating: 0, count: target.count)
    let origin = zip(first, target.strides).reduce(0) { $0 + $1.0 * $1.1 }
    forEachIndex(from, origin: origin, steps: zip(step, target.strides).map { $0 &* $1 }) { index, position in
      result[position] += values[index]
    }
    return [try Tensor(result, target)]
  }

  /// GatherGrad(dY, indices){axis, input_shape} -> dX: every slice of dY added where it was taken from.
  static func gather(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let target = try call.shape("input_shape")
    let values = try call.floats(0)
    let (outer, extent, inner) = try call.split(target, at: call.node.int("axis", default: 0))
    let indices = try integers(call, 1)
    guard values.count == outer * indices.count * inner else {
      throw call.error("gradient \(try call.tensor(0).shape) does not come from \(indices.count) slices of \(target)")
    }
    var result = [Float](repeating: 0, count: target.count)
    for (position, raw) in indices.enumerated() {
      guard raw >= -extent, raw < extent else { throw call.error("index \(raw) is outside an axis of \(extent)") }
      let slot = raw < 0 ? raw + extent : raw
      for row in 0..<outer {
        for column in 0..<inner {
          result[(row * extent + slot) * inner + column] += values[(row * indices.count + position) * inner + column]
        }
      }
    }
    return [try Tensor(result, target)]
  }

  /// The elements of an int64 or int32 input.
  static func integers(_ call: TrainingCall, _ index: Int) throws(PruneError) -> [Int] {
    let tensor = try call.tensor(index)
    switch tensor.dtype {
    case .int64: return try tensor.array(of: Int64.self).map { Int($0) }
    case .int32: return try tensor.array(of: Int32.self).map { Int($0) }
    default: throw call.error("input \(index) is \(tensor.dtype.name), wanted int64 or int32")
    }
  }

  /// Walks `shape` in row-major order, with a position that starts at `origin` and moves by `steps[axis]` along each
  /// axis.
  private static func forEachIndex(_ shape: Shape, origin: Int, steps: [Int], _ body: (Int, Int) -> Void) {
    guard shape.count > 0 else { return }
    var counter = [Int](repeating: 0, count: shape.rank)
    var position = origin
    for index in 0..<shape.count {
      body(index, position)
      var axis = shape.rank - 1
      while axis >= 0 {
        counter[axis] += 1
        // Wraps for the step of an axis with one element, which is never taken.
        position &+= steps[axis]
        if counter[axis] < shape[axis] { break }
        position &-= steps[axis] &* shape[axis]
        counter[axis] = 0
        axis -= 1
      }
    }
  }
}
