import PruneTensor

/// Samples and their targets. Never changes; what makes another one shares the bytes where it can.
package struct Dataset: Sendable {
  /// [N, …], float32, uint8 or int64.
  package let x: Tensor
  /// Class numbers, int64 [N], or values, float32 [N, …]; nil when there are none.
  package let y: Tensor?
  /// Number of classes when the targets are class numbers.
  package let classCount: Int?
  /// What reports call it.
  package let name: String

  package var count: Int { x.shape.dims.first ?? 0 }
  /// The shape of one sample.
  package var sampleShape: [Int] { Array(x.shape.dims.dropFirst()) }

  /// Used where the parts are known to fit.
  init(x: Tensor, y: Tensor?, classCount: Int?, name: String) {
    self.x = x
    self.y = y
    self.classCount = classCount
    self.name = name
  }

  /// A data set of two arrays: x [N, …] float32, uint8 or int64 (other numbers are converted to float32), y integer class
  /// numbers [N], or floats [N, …], or nil. One-hot rows are class numbers.
  /// - Throws: `.mismatch` when the counts differ or a type does not fit, `.invalidArgument` for negative classes.
  package static func tensors(_ x: Tensor, _ y: Tensor?, name: String = "tensors") throws(PruneError) -> Dataset {
    guard x.shape.rank >= 1 else {
      throw PruneError(.mismatch, "x is a scalar", hint: "x holds one sample after the other: its first axis counts them")
    }
    let samples = [.float32, .uint8, .int64].contains(x.dtype) ? x : try x.cast(to: .float32)
    guard let y else { return Dataset(x: samples, y: nil, classCount: nil, name: name) }
    guard y.shape.rank >= 1, y.shape[0] == x.shape[0] else {
      throw PruneError(
        .mismatch, "x has \(x.shape[0]) samples, y is \(y.dtype.name) \(y.shape)", hint: "both need the same first extent")
    }
    if y.dtype.isInteger || y.dtype == .bool {
      guard y.count == y.shape[0] else {
        throw PruneError(.mismatch, "integer targets are \(y.shape), wanted one class number a sample: [\(x.shape[0])]")
      }
      return try classes(samples, try y.cast(to: .int64).reshaped(try Shape([y.count])), name)
    }
    let values = try y.cast(to: .float32)
    if let numbers = try values.oneHotClasses() {
      return Dataset(x: samples, y: try Tensor(numbers), classCount: y.shape.dims.last, name: name)
    }
    return Dataset(x: samples, y: values, classCount: nil, name: name)
  }

  /// A data set of samples and class numbers.
  static func classes(_ x: Tensor, _ y: Tensor, _ name: String) throws(PruneError) -> Dataset {
    let largest = try y.withSpan(of: Int64.self) { span throws(PruneError) in
      var largest: Int64 = -1
      for index in span.indices {
        guard span[index] >= 0, span[index] < 1 << 24 else {
          throw PruneError(.invalidArgument, "sample \(index) has class \(span[index]), wanted 0 or more", at: name)
        }
        largest = max(largest, span[index])
      }
      return largest
    }
    return Dataset(x: x, y: y, classCount: Int(largest) + 1, name: name)
  }

  /// The samples at these positions, copied together, with their targets.
  /// - Throws: `.invalidArgument` for a position that is not there.
  package func batch(_ indices: ArraySlice<Int>) throws(PruneError) -> (x: Tensor, y: Tensor?) {
    (x: try x.gatheringRows(indices), y: try y.map { targets throws(PruneError) in try targets.gatheringRows(indices) })
  }

  /// Samples first..<last, without a copy.
  package func rows(_ first: Int, _ last: Int) throws(PruneError) -> (x: Tensor, y: Tensor?) {
    (x: try x.rows(first, last), y: try y.map { targets throws(PruneError) in try targets.rows(first, last) })
  }
}

extension Tensor {
  /// The class of each row when every row of [N, C] is one 1 among zeros.
  fileprivate func oneHotClasses() throws(PruneError) -> [Int64]? {
    guard shape.rank == 2, shape[1] > 1 else { return nil }
    let width = shape[1], count = shape[0]
    return try withSpan(of: Float.self) { span throws(PruneError) in
      var classes = [Int64](repeating: 0, count: count)
      for row in 0..<count {
        var ones = 0
        for column in 0..<width {
          let value = span[row * width + column]
          if value == 1 {
            ones += 1
            classes[row] = Int64(column)
          } else if value != 0 {
            return nil
          }
        }
        if ones != 1 { return nil }
      }
      return classes
    }
  }
}
