/// Symmetric positive definite systems.
enum Cholesky {
  /// Solves A X = B in place, A [n, n] and B [n, m] row-major. False when A is not positive definite.
  static func solve(_ a: inout [Double], _ n: Int, _ b: inout [Double], _ m: Int) -> Bool {
    for j in 0..<n {
      var pivot = a[j * n + j]
      for k in 0..<j { pivot -= a[j * n + k] * a[j * n + k] }
      guard pivot > 0 else { return false }
      let root = pivot.squareRoot()
      a[j * n + j] = root
      for i in (j + 1)..<max(n, j + 1) {
        var sum = a[i * n + j]
        for k in 0..<j { sum -= a[i * n + k] * a[j * n + k] }
        a[i * n + j] = sum / root
      }
    }
    // L Z = B, then Lᵀ X = Z.
    for i in 0..<n {
      for k in 0..<i {
        let factor = a[i * n + k]
        for c in 0..<m { b[i * m + c] -= factor * b[k * m + c] }
      }
      for c in 0..<m { b[i * m + c] /= a[i * n + i] }
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
      for k in (i + 1)..<max(n, i + 1) {
        let factor = a[k * n + i]
        for c in 0..<m { b[i * m + c] -= factor * b[k * m + c] }
      }
      for c in 0..<m { b[i * m + c] /= a[i * n + i] }
    }
    return true
  }
}
