import PruneGraph
import PruneTensor

/// Which operations multiply without the zeros of their weights: those that this machine does faster so, each measured
/// both ways unless it is clear from the number of zeros. Images that change their layout between two operations cost
/// time too, so the choice is made for all of them together.
enum SparseChoice {
  /// More weights than this are never worth the indices; fewer multiplications never worth measuring.
  private static let densest = 0.6
  private static let leastWork = Double(1 << 16)
  /// A dense kernel with a choice of layouts is seldom slower than its measure by more.
  private static let margin = 0.97
  /// Bytes laid out anew in a nanosecond.
  private static let bytesPerNanosecond = 12.0

  /// - Returns: by position, what operations with constant weights are to do.
  static func run(_ flow: Dataflow, _ policy: SparsePolicy) throws(PruneError) -> [Int: WeightUse] {
    var uses: [Int: WeightUse] = [:]
    var candidates: [(position: Int, work: SparseWork)] = []
    var isWorthwhile = false
    for (position, op) in flow.ops.enumerated() {
      guard let work = SparseWork(op, flow) else { continue }
      uses[position] = WeightUse(isSparse: policy == .always, zeros: 1 - work.share)
      // Of depthwise convolutions no weight is left out: but they need not lay out anew what comes from sparse layers.
      guard work.multiplications >= leastWork, work.share <= densest || work.isDepthwise else { continue }
      candidates.append((position, work))
      isWorthwhile = isWorthwhile || work.share <= densest
    }
    guard policy == .measured, isWorthwhile else { return uses }
    var times: [Int: SparseTimes] = [:]
    for (position, work) in candidates { times[position] = try SparseMeasure.times(flow.ops[position], work, flow) }
    for position in chosen(times, flow) { uses[position]?.isSparse = true }
    for (position, time) in times { uses[position]?.measured = (time.dense, time.sparse) }
    return uses
  }

  /// The operations to run sparse: all are at first, then none; each is changed where that saves time, until none does.
  /// The faster of both ways is taken.
  private static func chosen(_ times: [Int: SparseTimes], _ flow: Dataflow) -> Set<Int> {
    let borders = borders(flow)
    var touching: [Int: [Int]] = [:]
    for (index, border) in borders.enumerated() {
      for position in Set([border.from, border.to]) { touching[position, default: []].append(index) }
    }
    func cost(_ position: Int, isSparse: Bool, _ set: Set<Int>) -> Double {
      guard let time = times[position] else { return 0 }
      var result = isSparse ? time.sparse : time.dense * margin
      for index in touching[position] ?? [] {
        let border = borders[index]
        let from = border.from == position ? isSparse : set.contains(border.from)
        let to = border.to == position ? isSparse : set.contains(border.to)
        if from != to { result += border.seconds }
      }
      return result
    }
    func total(_ set: Set<Int>) -> Double {
      times.reduce(0) { $0 + (set.contains($1.key) ? $1.value.sparse : $1.value.dense * margin) }
        + borders.reduce(0) { $0 + (set.contains($1.from) != set.contains($1.to) ? $1.seconds : 0) }
    }
    let order = times.keys.sorted()
    var best: (set: Set<Int>, seconds: Double) = ([], .infinity)
    for start in [Set(order), []] {
      var set = start
      for _ in 0..<8 {
        var isChanged = false
        for position in order {
          let isSparse = set.contains(position)
          guard cost(position, isSparse: !isSparse, set) < cost(position, isSparse: isSparse, set) else { continue }
          if isSparse { set.remove(position) } else { set.insert(position) }
          isChanged = true
        }
        if !isChanged { break }
      }
      let seconds = total(set)
      if seconds < best.seconds { best = (set, seconds) }
    }
    return best.set
  }

  /// Images that go from one convolution to another, others between them that take any layout.
  private struct Border {
    let from: Int
    let to: Int
    let seconds: Double
  }

  private static func borders(_ flow: Dataflow) -> [Border] {
    let index = FlowIndex(flow)
    var sources = [Int: Set<Int>]()
    /// The convolutions that a value's layout comes from.
    func origins(_ value: Int) -> Set<Int> {
      guard let producer = index.producer(of: value) else { return [] }
      return sources[producer] ?? []
    }
    var result: [Border] = []
    for (position, op) in flow.ops.enumerated() {
      let images = op.reads.filter { flow.dims($0).count >= 3 && flow.values[$0].constant == nil }
      if op.key == "Conv" {
        for value in images {
          let seconds = 8 * Double(flow.values[value].shape?.count ?? 0) / bytesPerNanosecond * 1e-9
          for origin in origins(value) { result.append(Border(from: origin, to: position, seconds: seconds)) }
        }
        sources[position] = [position]
      } else if let first = op.output(0), flow.dims(first).count >= 3 {
        sources[position] = images.reduce(into: Set<Int>()) { $0.formUnion(origins($1)) }
      }
    }
    return result
  }
}
