import PruneGraph
import PruneRuntime
import PruneTensor

/// What an output tells that no output before it in the layer tells, over the given data: exp(-2 I) of the largest
/// mutual information I with one of them. Taken as normally distributed, two outputs of correlation ρ share I = -½ ln(1
/// - ρ²) nats (Cover and Thomas, Elements of Information Theory, 8.5), so that the score is 1 - ρ²: an output that
///   repeats an earlier one,
/// up to scale and offset, scores 0, and so does one that never changes.
///
/// Unlike `cosine`, which compares weights, it sees what the data makes of them. Layers of more than 8,192 outputs,
/// whose pairs would be too many to keep, come last.
struct MutualImportance: Importance {
  private static let most = 8192

  var name: String { "mutual" }
  var needsData: Bool { true }

  /// Sums over all samples and positions of a layer's outputs, and of the products of all pairs of them.
  private struct Moments {
    var count = 0.0
    var sums: [Double]
    var products: [Double]

    init(_ outputs: Int) {
      sums = [Double](repeating: 0, count: outputs)
      products = [Double](repeating: 0, count: outputs * outputs)
    }

    func covariance(_ a: Int, _ b: Int) -> Double {
      products[a * sums.count + b] / count - sums[a] / count * (sums[b] / count)
    }

    /// 1 - the largest ρ² with an earlier output.
    func scores() -> [Float] {
      let variances = sums.indices.map { covariance($0, $0) }
      // What rounding leaves of a constant.
      func isConstant(_ unit: Int) -> Bool { variances[unit] <= 1e-6 * products[unit * sums.count + unit] / count }
      return sums.indices.map { unit in
        guard !isConstant(unit) else { return 0 }
        let shared = (0..<unit).filter { !isConstant($0) }.map { other in
          let both = covariance(unit, other)
          return both * both / (variances[unit] * variances[other])
        }
        return Float(1 - min(shared.max() ?? 0, 1))
      }
    }
  }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    guard let data = context.data else { return .tensors([]) }
    let weights = context.weights.weights, uses = context.weights.uses()
    var probe = ActivationProbe(context.weights.model)
    var probes: [(weight: Int, shape: String, sums: String, products: String)] = []
    for (index, uses) in uses.enumerated() {
      guard let use = uses.first, use.matrix.rows <= Self.most else { continue }
      let table = try Self.table(use, &probe)
      let transposed = probe.emit("Transpose", [table], [Attribute("perm", .integers([1, 0]))])
      probes.append(
        (index, probe.emit("Shape", [table]), try probe.sum(table, [1]), probe.emit("MatMul", [table, transposed])))
    }
    for entry in probes {
      probe.observe(entry.shape)
      probe.observe(entry.sums)
      probe.observe(entry.products)
    }
    var rows = [[Float]?](repeating: nil, count: weights.count)
    guard !probes.isEmpty else { return try FilterImportance.spread(rows, weights, uses, criterion: name) }
    var moments = probes.map { Moments(uses[$0.weight][0].matrix.rows) }
    try context.agree(name)
    try probe.run(
      data, batchSize: context.batchSize, cancel: context.cancel, communicator: context.communicator
    ) { values, _ throws(PruneError) in
      for (place, entry) in probes.enumerated() {
        guard let shape = try values[entry.shape]?.array(of: Int64.self), let sums = values[entry.sums],
          let products = values[entry.products], sums.count == moments[place].sums.count,
          products.count == moments[place].products.count
        else { continue }
        moments[place].count += Double(shape.last ?? 0)
        for (unit, sum) in try sums.array(of: Float.self).enumerated() { moments[place].sums[unit] += Double(sum) }
        for (pair, product) in try products.array(of: Float.self).enumerated() {
          moments[place].products[pair] += Double(product)
        }
      }
    }
    if let communicator = context.communicator {
      for place in moments.indices {
        moments[place].count = try communicator.sum([moments[place].count])[0]
        moments[place].sums = try communicator.sum(moments[place].sums)
        moments[place].products = try communicator.sum(moments[place].products)
      }
    }
    for (place, entry) in probes.enumerated() where moments[place].count > 0 {
      rows[entry.weight] = moments[place].scores()
    }
    return try FilterImportance.spread(rows, weights, uses, criterion: name)
  }

  /// What a layer puts out, a row an output, a column a sample and position.
  private static func table(_ use: WeightUse, _ probe: inout ActivationProbe) throws(PruneError) -> String {
    guard use.node.opType.hasPrefix("Conv") else {
      let rows = try probe.reshape(use.output, [-1, use.matrix.rows])
      return probe.emit("Transpose", [rows], [Attribute("perm", .integers([1, 0]))])
    }
    let split = try probe.reshape(use.output, [0, use.matrix.rows, -1])
    let transposed = probe.emit("Transpose", [split], [Attribute("perm", .integers([1, 0, 2]))])
    return try probe.reshape(transposed, [use.matrix.rows, -1])
  }
}
