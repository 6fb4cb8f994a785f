import CPruneSupport

/// Products and eigenvectors of matrices.
extension SecondOrder {
  /// The product of two float32 matrices, each as it is or transposed.
  /// - Throws: `.mismatch` where they do not fit.
  package static func product(
    _ a: Tensor, _ b: Tensor, transposesA: Bool = false, transposesB: Bool = false
  ) throws(PruneError) -> Tensor {
    let a = try matrix(a, "the left matrix"), b = try matrix(b, "the right matrix")
    let m = a.shape[transposesA ? 1 : 0], k = a.shape[transposesA ? 0 : 1], n = b.shape[transposesB ? 0 : 1]
    guard k == b.shape[transposesB ? 1 : 0] else {
      throw PruneError(.mismatch, "matrices \(a.shape) and \(b.shape) cannot be multiplied")
    }
    var result = try Tensor(zeros: .float32, try Shape([m, n]))
    guard m > 0, n > 0, k > 0 else { return result }
    func mark(_ isTransposed: Bool) -> CChar { CChar(UInt8(ascii: isTransposed ? "T" : "N")) }
    let status = try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the operands have m * k and k * n elements, the result m * n.
      span.withUnsafeMutableBufferPointer { out -> Int32 in
        guard let target = out.baseAddress else { return 0 }
        return withExtendedLifetime((a, b)) {
          ps_product(
            mark(transposesA), mark(transposesB), Int64(m), Int64(n), Int64(k), 1, pointer(a), Int64(a.shape[1]),
            pointer(b), Int64(b.shape[1]), 0, target, Int64(n))
        }
      }
    }
    guard status == 0 else { throw PruneError(.outOfMemory, "no memory for a product of \(a.shape) and \(b.shape)") }
    return result
  }

  /// The eigenvalues of a symmetric matrix, the largest first, and its eigenvectors, one a row.
  /// - Throws: `.mismatch` unless `h` is a square float32 matrix, `.numeric` for elements that are not finite.
  package static func eigen(_ h: Tensor) throws(PruneError) -> (values: [Double], vectors: Tensor) {
    let h = try matrix(h, "the matrix"), count = h.shape[0]
    guard count == h.shape[1] else { throw PruneError(.mismatch, "a square matrix is wanted, got \(h.shape)") }
    var values = [Double](repeating: 0, count: count)
    var vectors = try Tensor(zeros: .float32, h.shape)
    let status = try vectors.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the vectors have n² elements as the matrix has, the values n.
      span.withUnsafeMutableBufferPointer { out -> Int32 in
        values.withUnsafeMutableBufferPointer { list in
          guard let target = out.baseAddress, let numbers = list.baseAddress else { return 0 }
          return withExtendedLifetime(h) { ps_symmetric_eigen(pointer(h), Int64(count), numbers, target) }
        }
      }
    }
    if status == 1 { throw PruneError(.outOfMemory, "no memory for the eigenvectors of \(h.shape)") }
    guard status == 0 else {
      throw PruneError(.numeric, "a matrix \(h.shape) holds NaN or infinity, or has no eigenvalues")
    }
    return (values, vectors)
  }
}
