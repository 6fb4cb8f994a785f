import CPruneSupport

/// Scores of one weight, averaged over batches.
package struct ScoreAccumulator: Sendable {
  package enum Kind: Sendable, Hashable {
    /// Mean of g.
    case plain
    /// Mean of |g|.
    case absolute
    /// Mean of g².
    case square
    /// Root of the mean of (g·w)².
    case product

    fileprivate var code: Int32 {
      switch self {
      case .plain: Int32(PS_SCORES_PLAIN)
      case .absolute: Int32(PS_SCORES_ABSOLUTE)
      case .square: Int32(PS_SCORES_SQUARE)
      case .product: Int32(PS_SCORES_PRODUCT)
      }
    }
  }

  private let kind: Kind
  private let weight: Tensor
  private var sum: Tensor

  /// - Throws: `.mismatch` when the weight is not float32.
  package init(_ kind: Kind, weight: Tensor) throws(PruneError) {
    self.kind = kind
    self.weight = try weight.aligned(to: 4)
    sum = try Tensor(zeros: .float32, weight.shape)
    guard weight.dtype == .float32 else {
      throw PruneError(.mismatch, "weights are scored as float32, got \(weight.dtype.name)")
    }
  }

  /// Adds a batch.
  /// - Parameter share: the batch's part of all samples.
  /// - Throws: `.mismatch` when the gradient is not of the weight's shape.
  package mutating func add(_ gradient: Tensor, share: Float) throws(PruneError) {
    guard gradient.dtype == .float32, gradient.count == weight.count else {
      throw PruneError(
        .mismatch, "the gradient is \(gradient.dtype.name) \(gradient.shape), the weight \(weight.shape)")
    }
    let gradient = try gradient.aligned(to: 4)
    let kind = kind, weight = weight
    try sum.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the three hold count elements each, checked above and in init; the sum has no other owner now.
      span.withUnsafeMutableBufferPointer { scores in
        guard let target = scores.baseAddress else { return }
        withExtendedLifetime((gradient, weight)) {
          ps_scores_add(
            target, Self.pointer(gradient), kind == .product ? Self.pointer(weight) : nil, share, Int64(scores.count),
            kind.code)
        }
      }
    }
  }

  /// The scores so far.
  package consuming func scores() throws(PruneError) -> Tensor {
    guard kind == .product else { return sum }
    try sum.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the pointer covers the span's own count.
      span.withUnsafeMutableBufferPointer { scores in
        if let target = scores.baseAddress { ps_scores_square_root(target, Int64(scores.count)) }
      }
    }
    return sum
  }

  private static func pointer(_ tensor: Tensor) -> UnsafePointer<Float> {
    UnsafePointer(tensor.storage.base.advanced(by: tensor.byteOffset).assumingMemoryBound(to: Float.self))
  }
}

extension Tensor {
  /// The absolute values of a float32 tensor, or their squares.
  package func magnitudes(squared: Bool) throws(PruneError) -> Tensor {
    let result = try Tensor(unfilled: .float32, shape)
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the result has no other owner yet, and both hold count elements.
      span.withUnsafeBufferPointer { values in
        if let base = values.baseAddress {
          ps_scores_magnitude(
            base, Int64(values.count), squared ? 1 : 0, result.storage.base.assumingMemoryBound(to: Float.self))
        }
      }
    }
    return result
  }

  /// The sum of a float32 tensor's elements.
  package func sum() throws(PruneError) -> Double { try sums(rows: 1)[0] }

  /// The sums of equal runs of a float32 tensor's elements; the caller says how many runs.
  package func sums(rows: Int) throws(PruneError) -> [Double] {
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the runs lie within the span.
      span.withUnsafeBufferPointer { values in
        let each = values.count / max(rows, 1)
        return (0..<rows).map { row in values.baseAddress.map { ps_sum($0 + row * each, Int64(each)) } ?? 0 }
      }
    }
  }
}
