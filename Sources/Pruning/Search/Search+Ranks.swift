import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// A search whose candidates ranks share out.
extension SearchRun {
  /// Gives every rank the points of all, in the order of the ways, without their models.
  mutating func gather(_ ways: [Way], _ counts: [Int], _ communicator: Communicator) throws(PruneError) {
    let localPoints = points, counts = try communicator.sum(counts)
    var next = 0
    points = []
    for (index, way) in ways.enumerated() {
      let root = index % communicator.size
      for _ in 0..<counts[index] {
        let point: Point? = root == communicator.rank && next < localPoints.count ? localPoints[next] : nil
        if point != nil { next += 1 }
        var numbers: [Double] = point.map { [$0.amount, $0.metric, $0.cost] } ?? [0, 0, 0]
        numbers = try communicator.sum(numbers)
        var values = [0, 0]
        for (place, setting) in (point?.settings ?? []).prefix(2).enumerated() {
          if case .integer(let value) = setting.value { values[place] = value }
        }
        values = try communicator.sum(values)
        let recipe = try communicator.broadcast(point?.recipe ?? "", from: root)
        points.append(
          point
            ?? Point(
              way: way, amount: numbers[0], model: nil, metric: numbers[1], drop: metricGuard.drop(of: numbers[1]),
              cost: numbers[2], recipe: recipe.isEmpty ? nil : recipe,
              settings: zip(settingNames, values).map { ($0, .integer($1)) }))
      }
    }
    tried = try communicator.sum([tried])[0]
    isStopped = try communicator.max([isStopped ? 1 : 0])[0] > 0
    let separator = "\u{1}", mine = refused.flatMap { [$0.name, $0.reason] }.joined(separator: separator)
    refused = []
    for root in 0..<communicator.size {
      let parts = try communicator.broadcast(mine, from: root).split(separator: Character(separator)).map(String.init)
      for place in stride(from: 0, to: parts.count - 1, by: 2)
      where !refused.contains(where: { $0.name == parts[place] }) {
        refused.append((parts[place], parts[place + 1]))
      }
    }
  }

  /// The model of the best point, made here once more where another rank found it.
  mutating func result() throws(PruneError) -> Model? {
    guard let best else { return nil }
    if let model = best.model { return model }
    let count = tried
    (options.onCandidate, options.cancel) = (nil, nil)
    defer { tried = count }
    return try pruned(best.way, best.amount)?.model
  }

  /// What all ranks must have alike before they search together.
  static func shared(_ model: Model, _ data: Dataset, _ options: SearchOptions) -> [SharedFact] {
    var weights = Fingerprint(), settings = Fingerprint()
    weights.add(model)
    for text in [options.objective, options.metric ?? "", options.output ?? ""] { settings.add(text) }
    settings.add(options.maxDrop)
    return [
      .count("the number of samples", data.count), .count("seed", Int(bitPattern: UInt(options.seed))),
      .hash("the model", weights), .hash("an option", settings),
    ]
  }
}

extension Communicator {
  /// Gives every rank a text of one.
  func broadcast(_ text: String, from root: Int) throws(PruneError) -> String {
    let count = try max([rank == root ? text.utf8.count : 0])[0]
    guard count > 0 else { return "" }
    let bytes = rank == root ? Array(text.utf8) : [UInt8](repeating: 0, count: count)
    return String(decoding: try broadcast(bytes, from: root), as: UTF8.self)
  }
}
