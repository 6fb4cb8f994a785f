import CPruneSupport

/// Second-order arithmetic on the matrices of a layer: what reconstruction after pruning is made of.
package enum SecondOrder {
  /// Products of all pairs of rows of a [count, length] matrix: [count, count].
  /// - Throws: `.mismatch` unless it is a float32 matrix.
  package static func rowProducts(_ rows: Tensor) throws(PruneError) -> Tensor {
    let rows = try matrix(rows, "rows")
    var result = try Tensor(zeros: .float32, try Shape([rows.shape[0], rows.shape[0]]))
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the result has count² elements, the rows count * length.
      span.withUnsafeMutableBufferPointer { out in
        guard let target = out.baseAddress else { return }
        withExtendedLifetime(rows) {
          ps_row_products(pointer(rows), Int64(rows.shape[0]), Int64(rows.shape[1]), target)
        }
      }
    }
    return result
  }

  /// The upper triangular U with UᵀU = (h + damping · mean(diag h) · I)⁻¹.
  /// - Throws: `.mismatch` unless `h` is a square float32 matrix, `.numeric` when it is not positive definite.
  package static func inverseFactor(_ h: Tensor, damping: Double) throws(PruneError) -> Tensor {
    let h = try matrix(h, "the matrix")
    guard h.shape[0] == h.shape[1] else { throw PruneError(.mismatch, "a square matrix is wanted, got \(h.shape)") }
    var result = try Tensor(zeros: .float32, h.shape)
    let status = try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: both matrices have n² elements.
      span.withUnsafeMutableBufferPointer { out -> Int32 in
        guard let target = out.baseAddress else { return 0 }
        return withExtendedLifetime(h) { ps_inverse_factor(pointer(h), Int64(h.shape[0]), damping, target) }
      }
    }
    if status == 1 { throw PruneError(.outOfMemory, "no memory for a factor of \(h.shape)") }
    guard status == 0 else {
      throw PruneError(
        .numeric, "the second moments of the layer's inputs are not positive definite",
        hint: "are there NaN or infinite activations?")
    }
    return result
  }

  /// What a sweep removes besides what is marked already.
  package enum Choice: Sendable {
    case nothing
    /// Prunes this share of the matrix.
    case amount(Double)
    /// All but `keep` of every `of` neighbours in a row; groups begin anew every `segment` columns.
    case groups(keep: Int, of: Int, segment: Int)
  }

  /// Removes weights from left to right while those to their right make up for them (SparseGPT; Frantar and Alistarh,
  /// 2023).
  /// - Parameters:
  ///   - weights: [rows, columns], a row for each output.
  ///   - factor: of `inverseFactor`, [columns, columns].
  ///   - removed: 1 for each weight that goes in any case, row by row; afterwards for each that is gone.
  package static func sweep(
    _ weights: inout Tensor, factor: Tensor, removed: inout [UInt8], _ choice: Choice
  ) throws(PruneError) {
    weights = try matrix(weights, "the weights")
    let factor = try matrix(factor, "the factor")
    let rows = weights.shape[0], columns = weights.shape[1]
    guard factor.shape[0] == columns, factor.shape[1] == columns, removed.count == weights.count else {
      throw PruneError(.mismatch, "weights are \(weights.shape), the factor \(factor.shape)")
    }
    var args = ps_obs_sweep_args()
    (args.rows, args.columns, args.amount) = (Int64(rows), Int64(columns), -1)
    switch choice {
    case .nothing: break
    case .amount(let amount): args.amount = min(max(amount, 0), 1)
    case .groups(let keep, let of, let segment):
      guard of > 0, (0...of).contains(keep), segment > 0 else {
        throw PruneError(.invalidArgument, "\(keep) of \(of) weights cannot be kept")
      }
      (args.keep, args.of, args.segment) = (Int64(keep), Int64(of), Int64(segment))
    }
    var marks = removed
    let status = try weights.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: all counts were checked above; the span and the marks have no other user during the call.
      span.withUnsafeMutableBufferPointer { values -> Int32 in
        marks.withUnsafeMutableBufferPointer { marks in
          guard let w = values.baseAddress, let marked = marks.baseAddress else { return 0 }
          (args.w, args.removed, args.u) = (w, marked, pointer(factor))
          return withExtendedLifetime(factor) { ps_obs_sweep(&args) }
        }
      }
    }
    removed = marks
    guard status == 0 else { throw PruneError(.outOfMemory, "no memory to rank \(weights.shape) weights") }
  }

  static func matrix(_ tensor: Tensor, _ what: String) throws(PruneError) -> Tensor {
    guard tensor.dtype == .float32, tensor.shape.rank == 2 else {
      throw PruneError(.mismatch, "\(what) must be a float32 matrix, got \(tensor.dtype.name) \(tensor.shape)")
    }
    return try tensor.aligned(to: 4)
  }

  static func pointer(_ tensor: Tensor) -> UnsafePointer<Float> {
    UnsafePointer(tensor.storage.base.advanced(by: tensor.byteOffset).assumingMemoryBound(to: Float.self))
  }
}
