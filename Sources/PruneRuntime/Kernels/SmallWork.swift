/// Matrix products inside other kernels that are done before a second thread has woken up.
enum SmallWork {
  /// Multiplications that one thread does in some ten microseconds.
  private static let limit = 1 << 20

  /// Whether a product of these extents is small.
  static func contains(_ m: Int, _ n: Int, _ k: Int = 1) -> Bool {
    guard m < limit, n < limit, k < limit else { return false }
    // Below 2^40 each time.
    return m * n < limit && m * n * k < limit
  }
}
