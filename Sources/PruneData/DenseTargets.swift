import PruneTensor

/// What targets say of a sample.
package enum TargetForm: Equatable, Sendable {
  /// One class, or numbers.
  case plain
  /// Numbers that are all 0 or 1, such as several labels of a sample.
  case flags
  /// A class for each of its positions, int64 of these extents, samples included.
  case dense([Int])
}

extension Dataset {
  /// A class number that stands for no class, wherever it came from.
  package static let ignoredClass: Int64 = -1

  /// What the targets say of a sample.
  package var targetForm: TargetForm {
    guard let y else { return .plain }
    if y.dtype == .int64 { return y.shape.rank > 1 && y.count != count ? .dense(y.shape.dims) : .plain }
    guard classCount == nil, y.dtype == .float32, y.count > 0 else { return .plain }
    let areFlags = try? y.withSpan(of: Float.self) { values throws(PruneError) in
      var seen = (zero: false, one: false)
      for index in values.indices {
        if values[index] == 0 { seen.zero = true } else if values[index] == 1 { seen.one = true } else { return false }
      }
      return seen.zero && seen.one
    }
    return areFlags == true ? .flags : .plain
  }

  /// A data set of classes by position: of pixels, of tokens. Negative ones count nowhere, as -100 does in PyTorch.
  /// Rows of integers of which each has a single 1 among zeros are classes of samples.
  static func dense(_ columns: [Column], _ y: Tensor, _ name: String) throws(PruneError) -> Dataset {
    if y.shape.rank == 2, y.shape[1] > 2, y.shape[0] > 1,
      let numbers = try y.cast(to: .float32).oneHotClasses()
    {
      return Dataset(columns: columns, y: try Tensor(numbers), classCount: y.shape[1], name: name)
    }
    return Dataset(
      columns: columns, y: try y.cast(to: .int64).replacing { $0 < 0 ? ignoredClass : $0 }, classCount: nil, name: name)
  }

  /// The same where positions of one class count nowhere: the border of objects, padding.
  /// - Throws: `.invalidArgument` where targets are no classes of positions.
  package func ignoring(_ label: Int64) throws(PruneError) -> Dataset {
    guard case .dense = targetForm, let y else {
      let found = y.map { "\($0.dtype.name) \($0.shape)" } ?? "none"
      throw PruneError(
        .invalidArgument, "the targets of '\(name)' are \(found), a class is ignored where each position has one",
        hint: "data:classes{…} leaves samples of a class out")
    }
    return Dataset(
      columns: columns, y: try y.replacing { $0 == label ? Self.ignoredClass : $0 }, classCount: nil, name: name,
      layout: layout, classNames: classNames)
  }
}

extension Tensor {
  /// An int64 tensor with each number replaced.
  fileprivate func replacing(_ change: (Int64) -> Int64) throws(PruneError) -> Tensor {
    var result = self
    try result.withMutableSpan(of: Int64.self) { values throws(PruneError) in
      for index in values.indices { values[index] = change(values[index]) }
    }
    return result
  }
}
