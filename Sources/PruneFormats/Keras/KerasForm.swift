import PruneTensor

/// How a weight lies in a Keras file and in the graph.
struct KerasForm: Sendable {
  /// Converts a tensor of the file to the graph's form.
  let forward: @Sendable (Tensor) throws(PruneError) -> Tensor
  /// And back.
  let inverse: @Sendable (Tensor) throws(PruneError) -> Tensor

  static let same = KerasForm(
    forward: { tensor throws(PruneError) in tensor }, inverse: { tensor throws(PruneError) in tensor })

  static func permuted(_ axes: [Int]) -> KerasForm {
    var inverseAxes = [Int](repeating: 0, count: axes.count)
    for (index, axis) in axes.enumerated() { inverseAxes[axis] = index }
    let inverse = inverseAxes
    return KerasForm(
      forward: { tensor throws(PruneError) in try tensor.permuted(axes) },
      inverse: { tensor throws(PruneError) in try tensor.permuted(inverse) })
  }

  /// A convolution's kernel: spatial axes, then two of channels, as Keras has it.
  static func kernel(_ rank: Int) -> KerasForm { permuted([rank + 1, rank] + Array(0..<rank)) }

  /// A depthwise kernel: spatial axes, inputs, outputs of each.
  static func depthwise(_ rank: Int, multiplier: Int) -> KerasForm {
    let kernel = permuted([rank, rank + 1] + Array(0..<rank))
    return KerasForm(
      forward: { tensor throws(PruneError) in
        let transposed = try kernel.forward(tensor)
        return try transposed.reshaped(
          try Shape([transposed.shape[0] * transposed.shape[1], 1] + transposed.shape.dims.dropFirst(2)))
      },
      inverse: { tensor throws(PruneError) in
        guard tensor.shape.rank == rank + 2, tensor.shape[1] == 1, tensor.shape[0] % multiplier == 0 else {
          throw PruneError(
            .unsupported, "a depthwise kernel of shape \(tensor.shape) has no depth multiplier of \(multiplier)")
        }
        let grouped = try tensor.reshaped(
          try Shape([tensor.shape[0] / multiplier, multiplier] + tensor.shape.dims.dropFirst(2)))
        return try kernel.inverse(grouped)
      })
  }

  /// Another shape of the same elements; an extent of nil takes what is left.
  static func reshaped(_ forward: [Int?], back: [Int?]) -> KerasForm {
    KerasForm(
      forward: { tensor throws(PruneError) in try tensor.reshaped(filling: forward) },
      inverse: { tensor throws(PruneError) in try tensor.reshaped(filling: back) })
  }
}

extension Tensor {
  /// The tensor of these extents; the one that is nil takes what is left.
  fileprivate func reshaped(filling dims: [Int?]) throws(PruneError) -> Tensor {
    let fixedCount = dims.reduce(1) { $0.multipliedReportingOverflow(by: max($1 ?? 1, 1)).partialValue }
    return try reshaped(try Shape(dims.map { $0 ?? count / max(fixedCount, 1) }))
  }

  /// The axes in another order: axis `axes[i]` becomes axis i.
  func permuted(_ axes: [Int]) throws(PruneError) -> Tensor {
    guard axes.count == shape.rank, Set(axes) == Set(0..<shape.rank) else {
      throw PruneError(.mismatch, "a weight has shape \(shape), \(axes.count) axes were wanted")
    }
    if axes == Array(0..<shape.rank) { return self }
    switch dtype.bitWidth {
    case 8: return try permuted(axes, UInt8.self)
    case 16: return try permuted(axes, UInt16.self)
    case 32: return try permuted(axes, UInt32.self)
    case 64: return try permuted(axes, UInt64.self)
    default: throw PruneError(.unsupported, "a weight is \(dtype.name), which cannot be transposed")
    }
  }

  private func permuted<T: TensorElement>(_ axes: [Int], _: T.Type) throws(PruneError) -> Tensor {
    let dims = axes.map { shape[$0] }
    let strides = axes.map { shape.strides[$0] }
    var result = try Tensor(zeros: dtype, try Shape(dims))
    guard count > 0 else { return result }
    let outStrides = result.shape.strides
    // The source's last axis goes in blocks of a cache line, so that neither side jumps for every element.
    let last = axes.count - 1
    guard let inner = axes.firstIndex(of: last) else { return result }
    let outer = dims.indices.filter { $0 != inner }
    let length = dims[inner]
    let step = outStrides[inner]
    let block = 16
    try withSpan(of: T.self) { source throws(PruneError) in
      try result.withMutableSpan(of: T.self) { target throws(PruneError) in
        for first in stride(from: 0, to: length, by: block) {
          let end = min(first + block, length)
          var index = [Int](repeating: 0, count: outer.count)
          var from = 0
          var to = 0
          while true {
            for element in first..<end { target[to + element * step] = source[from + element] }
            var position = outer.count - 1
            while position >= 0 {
              let axis = outer[position]
              index[position] += 1
              from += strides[axis]
              to += outStrides[axis]
              if index[position] < dims[axis] { break }
              from -= strides[axis] * dims[axis]
              to -= outStrides[axis] * dims[axis]
              index[position] = 0
              position -= 1
            }
            if position < 0 { break }
          }
        }
      }
    }
    return result
  }
}
