/// The extents of a tensor, outermost first. A scalar has none.
///
/// Every shape is checked when it is made: no extent is negative and the element count fits in 48 bits, so
/// that products and byte counts taken from it cannot overflow.
package struct Shape: Hashable, Sendable, CustomStringConvertible {
  package let dims: [Int]
  /// The product of the extents; 1 for a scalar.
  package let count: Int

  package static let scalar = Shape(uncheckedDims: [], count: 1)
  private static let limit = 1 << 48

  private init(uncheckedDims dims: [Int], count: Int) {
    self.dims = dims
    self.count = count
  }

  /// - Throws: `.invalidArgument` when an extent is negative or the element count is absurd.
  package init(_ dims: [Int]) throws(PruneError) {
    var product = 1
    for dim in dims {
      let (next, overflow) = max(product, 1).multipliedReportingOverflow(by: max(dim, 1))
      guard dim >= 0, !overflow, next <= Self.limit else {
        throw PruneError(
          .invalidArgument,
          "shape \(Self.describe(dims)) is not possible: extents must be 0 or more, and at most 2^48 elements in all")
      }
      product = next
    }
    self.dims = dims
    self.count = dims.contains(0) ? 0 : product
  }

  /// Any-length list of extents that are known good: literals in our own code and lengths of arrays in memory.
  package init(known dims: Int...) {
    self.dims = dims
    self.count = dims.reduce(1, *)
  }

  package var rank: Int { dims.count }
  package subscript(_ axis: Int) -> Int { dims[axis] }

  /// Elements between neighbours along each axis, in row-major order.
  package var strides: [Int] {
    var result = [Int](repeating: 1, count: dims.count)
    for axis in stride(from: dims.count - 2, through: 0, by: -1) {
      result[axis] = result[axis + 1] * max(dims[axis + 1], 1)
    }
    return result
  }

  /// The axis an ONNX axis attribute means: negative counts from the end. Nil outside -rank..<rank.
  package func axis(_ axis: Int) -> Int? {
    guard axis >= -rank, axis < rank else { return nil }
    return axis < 0 ? axis + rank : axis
  }

  package var description: String { Self.describe(dims) }
  private static func describe(_ dims: [Int]) -> String { "[" + dims.map(String.init).joined(separator: ",") + "]" }
}
