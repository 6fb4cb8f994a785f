import PruneTensor

extension Dataset {
  /// Two disjoint parts that hold everything, each class divided by the same fraction where targets are classes. The
  /// same seed divides the same way.
  /// - Throws: `.invalidArgument` unless both parts get a sample.
  package func split(
    test: Double, seed: UInt64, stratified: Bool = true
  ) throws(PruneError) -> (train: Dataset, test: Dataset) {
    guard test > 0, test < 1 else {
      throw PruneError(.invalidArgument, "test is \(test), wanted a fraction between 0 and 1")
    }
    var random = RandomSource(seed: seed)
    var order = random.permutation(count)
    let wanted = Int((Double(count) * test).rounded())
    guard wanted > 0, wanted < count else {
      throw PruneError(.invalidArgument, "splitting \(count) samples by \(test) leaves one part empty")
    }
    if stratified, classCount != nil, let labels = try y?.array(of: Int64.self) {
      order = Self.interleaved(order, labels)
    }
    // Sorted, so that each part keeps the order of the whole.
    return (train: try subset(order[wanted...].sorted()), test: try subset(order[..<wanted].sorted()))
  }

  /// The order rearranged so that every prefix holds each class in its proportion: sample k of a class with n samples
  /// comes at (k + 1/2) / n.
  private static func interleaved(_ order: [Int], _ labels: [Int64]) -> [Int] {
    var sizes: [Int64: Int] = [:]
    for label in labels { sizes[label, default: 0] += 1 }
    var seen: [Int64: Int] = [:]
    let ranked = order.enumerated().map { position, index -> (place: Double, position: Int, index: Int) in
      let label = labels[index]
      let rank = seen[label, default: 0]
      seen[label] = rank + 1
      return ((Double(rank) + 0.5) / Double(sizes[label] ?? 1), position, index)
    }
    return ranked.sorted { ($0.place, $0.position) < ($1.place, $1.position) }.map(\.index)
  }

  /// The first `count` samples, or all when there are fewer. Shares the bytes.
  package func take(_ count: Int) throws(PruneError) -> Dataset {
    guard count >= 0 else { throw PruneError(.invalidArgument, "cannot take \(count) samples") }
    let last = min(count, self.count)
    return try isStream ? selecting(0..<last) : rows(0, last)
  }

  /// The samples at 0-based positions, in that order.
  package func subset(_ indices: [Int]) throws(PruneError) -> Dataset {
    try selecting(indices)
  }

  /// Only the samples of these classes, renumbered 0, 1, … in the order given unless they are to keep their numbers.
  /// - Parameters:
  ///   - total: how many classes there are, where more than the samples have.
  ///   - orNone: a data set without samples, rather than an error, where no sample is of these classes.
  package func classes(
    _ wanted: [Int], renumber: Bool = true, of total: Int = 0, orNone: Bool = false
  ) throws(PruneError) -> Dataset {
    guard let own = classCount, let labels = try y?.array(of: Int64.self) else {
      throw PruneError(.invalidArgument, "the targets of '\(name)' are not classes")
    }
    // The last classes may have no sample in a small data set.
    let classCount = max(own, total)
    var renumbered: [Int64: Int64] = [:]
    for (position, number) in wanted.enumerated() {
      guard number >= 0, number < classCount else {
        throw PruneError(.invalidArgument, "class \(number) does not exist: there are 0 to \(classCount - 1)")
      }
      guard renumbered.updateValue(Int64(renumber ? position : number), forKey: Int64(number)) == nil else {
        throw PruneError(.invalidArgument, "class \(number) is listed twice")
      }
    }
    let kept = labels.indices.filter { renumbered[labels[$0]] != nil }
    guard orNone || !kept.isEmpty else {
      throw PruneError(.invalidArgument, "no sample of '\(name)' has one of the classes \(wanted)")
    }
    let numbers = kept.compactMap { renumbered[labels[$0]] }
    let part = try subset(kept)
    let names =
      classNames.isEmpty || !renumber
      ? classNames : wanted.map { classNames.indices.contains($0) ? classNames[$0] : "\($0)" }
    return Dataset(
      columns: part.columns, y: try Tensor(numbers), classCount: renumber ? wanted.count : classCount, name: name,
      layout: layout,
      classNames: names)
  }
}
