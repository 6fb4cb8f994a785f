import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Prunes and palettizes each weight as much as one budget for all of them asks for: of how many bits and what density
/// a weight is to be comes from a table of what each choice, made for that weight alone, does to the outputs. The sum
/// of the squared distances is minimized under the sum of the bytes, by a price on bytes that is raised until they fit.
struct JointBudget {
  /// One way to store a weight.
  private struct Choice {
    let bits: Int
    let density: Double
    /// What the entropy coder of packed files needs, about.
    let bytes: Double
    /// The squared relative distance of the outputs with this weight alone changed.
    var damage = 0.0
  }

  private static let bits = [2, 3, 4, 5, 6, 8]
  private static let densities = [1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05]
  /// Samples that distances are measured on.
  private static let samples = 64

  static func apply(_ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme) throws(PruneError)
    -> QuantizedModel
  {
    guard let data = options.calibration, data.count > 0 else {
      throw PruneError(
        .invalidArgument, "scheme 'joint' measures what each weight tolerates, and there is no calibration data",
        hint: "give calibration = some hundred samples")
    }
    let index = GraphIndex(model.graph)
    let plan = try WeightPlan(index, ignore: scheme.ignore, operators: WeightPlan.storable.subtracting(["Gather"]))
    var layers: [(layer: WeightPlan.Layer, weight: Tensor)] = []
    for layer in plan.layers {
      guard let weight = model.graph.initializer(layer.weight),
        !layers.contains(where: { $0.layer.weight == layer.weight })
      else { continue }
      layers.append((layer, weight))
    }
    let before = layers.reduce(0) { $0 + $1.weight.byteCount }
    let budget = options.bytes <= 1 ? options.bytes * Double(before) : options.bytes
    guard budget.isFinite, budget.magnitude < 1e18 else {
      throw PruneError(
        .invalidArgument, "bytes is \(options.bytes), it must be a number of bytes or a fraction of those now")
    }
    let probe = try OutputProbe(model, data, count: samples, cancel: options.cancel)
    var tables: [[Choice]] = []
    for (layer, weight) in layers {
      var table = try choices(weight)
      for place in table.indices {
        try options.cancel?.check()
        var changed = model
        changed.graph.setInitializer(layer.weight, try made(weight, table[place]))
        let distance = try probe.distance(of: changed)
        table[place].damage = distance * distance
      }
      tables.append(table)
    }
    let least = tables.reduce(0.0) { $0 + ($1.map(\.bytes).min() ?? 0) }
    guard least <= budget else {
      throw PruneError(
        .invalidArgument,
        "a budget of \(formatted(budget, digits: 0)) bytes is less than the \(formatted(least.rounded(.up), digits: 0)) that the weights take at least",
        hint: "raise bytes; the weights are \(before) bytes now")
    }
    return try assemble(model, index, layers, chosen(tables, budget), plan, data, budget: budget)
  }

  /// The choice for each table at the lowest price at which the bytes fit.
  private static func chosen(_ tables: [[Choice]], _ budget: Double) -> [Choice] {
    func choose(_ price: Double) -> [Choice] {
      tables.compactMap { table in table.min { $0.damage + price * $0.bytes < $1.damage + price * $1.bytes } }
    }
    func bytes(_ choices: [Choice]) -> Double { choices.reduce(0) { $0 + $1.bytes } }
    var low = 0.0, high = 1e-12
    while bytes(choose(high)) > budget, high < 1e12 { (low, high) = (high, high * 4) }
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if bytes(choose(middle)) > budget { low = middle } else { high = middle }
    }
    var best = bytes(choose(high)) <= budget ? choose(high) : tables.compactMap { $0.min { $0.bytes < $1.bytes } }
    // What the price leaves over goes where it helps most.
    while true {
      let free = budget - bytes(best)
      var gain = 0.0, place: (layer: Int, choice: Choice)?
      for (layer, table) in tables.enumerated() where layer < best.count {
        for choice in table where choice.bytes - best[layer].bytes <= free && best[layer].damage - choice.damage > gain
        {
          (gain, place) = (best[layer].damage - choice.damage, (layer, choice))
        }
      }
      guard let place else { return best }
      best[place.layer] = place.choice
    }
  }

  private static func assemble(
    _ model: Model, _ index: GraphIndex, _ layers: [(layer: WeightPlan.Layer, weight: Tensor)], _ choices: [Choice],
    _ plan: WeightPlan, _ data: Dataset, budget: Double
  ) throws(PruneError) -> QuantizedModel {
    var result = model
    var rows: [QuantizedLayer] = []
    for ((layer, weight), choice) in zip(layers, choices) {
      result.graph.setInitializer(layer.weight, try made(weight, choice))
      if choice.density < 1, !result.maskedParameters.contains(layer.weight) {
        result.maskedParameters.append(layer.weight)
      }
      let node = index.graph.nodes[layer.node]
      var row = QuantizedLayer(
        name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count, bits: choice.bits,
        channels: 0,
        largestScale: 0, decibels: choice.damage > 0 ? -10 * logarithm(choice.damage) / logarithm(10) : nil,
        bytesBefore: weight.byteCount, bytesAfter: Int(choice.bytes.rounded(.up)))
      row.density = choice.density
      rows.append(row)
    }
    return QuantizedModel(
      model: result, layers: rows, kept: plan.kept, samples: min(data.count, samples),
      steps: [("budget", Int(budget)), ("estimated_bytes", rows.reduce(0) { $0 + $1.bytesAfter })],
      provenance: "joint \(Int(budget)) bytes \(min(data.count, samples)) samples of \(data.name)")
  }

  private static func choices(_ weight: Tensor) throws(PruneError) -> [Choice] {
    let zeros = try weight.array(of: Float.self).count { $0 == 0 }
    let own = Double(weight.count - zeros) / Double(max(weight.count, 1))
    var result: [Choice] = []
    // What is pruned already stays so.
    for density in [own] + densities.filter({ $0 < own }) {
      let kept = Int((density * Double(weight.count)).rounded(.up))
      for bits in bits where 1 << bits < max(kept, 8) {
        let choice = Choice(bits: bits, density: density, bytes: 0)
        result.append(Choice(bits: bits, density: density, bytes: try entropyBytes(try made(weight, choice))))
      }
    }
    return result.isEmpty ? [Choice(bits: 32, density: own, bytes: Double(weight.byteCount))] : result
  }

  /// The weight as a choice stores it: the smallest go first.
  private static func made(_ weight: Tensor, _ choice: Choice) throws(PruneError) -> Tensor {
    guard choice.bits < 32 else { return weight }
    let sizes = try weight.array(of: Float.self).map(\.magnitude).sorted()
    let kept = Int((choice.density * Double(sizes.count)).rounded(.up))
    let threshold = kept < sizes.count && kept > 0 ? sizes[sizes.count - kept] : 0
    var sparse = weight
    try sparse.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices where span[place].magnitude < threshold { span[place] = 0 }
    }
    _ = try PaletteScheme.palettized(&sparse, rows: 1, bits: choice.bits, groupSize: 0, importance: nil)
    return sparse
  }

  /// Bytes of a coder that knows how often each value occurs, and of the values.
  private static func entropyBytes(_ tensor: Tensor) throws(PruneError) -> Double {
    var counts: [Float: Int] = [:]
    for value in try tensor.array(of: Float.self) { counts[value, default: 0] += 1 }
    let total = Double(tensor.count)
    let bits = counts.values.reduce(0.0) { $0 - Double($1) * logarithm(Double($1) / total) / logarithm(2) }
    return bits / 8 + Double(counts.count) * 4
  }
}
