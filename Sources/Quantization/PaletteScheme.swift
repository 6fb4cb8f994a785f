import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// Weights that take few different values each. The model stays a float32 model with the same graph; what is small is
/// its packed file, which stores the palette and an index a weight. Zeros stay zero and count as a value.
enum PaletteScheme {
  static func apply(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let index = GraphIndex(model.graph)
    let plan = try WeightPlan(
      index, ignore: scheme.ignore, operators: WeightPlan.storable)
    let names = Set(plan.layers.map(\.weight)).sorted()
    let importance = options.fisher ? try fisher(model, names, options, scheme) : [:]
    var result = model
    var layers: [QuantizedLayer] = []
    var done: Set<String> = []
    var grouping = OptionOutcome("group_size", step: "grouped_weights")
    for layer in plan.layers {
      guard done.insert(layer.weight).inserted, var weight = try index.weight(layer.weight) else { continue }
      let node = model.graph.nodes[layer.node]
      try options.cancel?.check()
      defer { index.constant(layer.weight)?.forgetPages() }
      do throws(PruneError) {
        let rows = layer.channelAxis == 0 ? weight.shape[0] : 1
        if scheme.groupSize > 0 {
          if scheme.groupSize < rows {
            grouping.serve()
          } else {
            grouping.leave(
              node,
              rows == 1
                ? "its output channels do not lie together" : "it has \(rows) output channels, one palette serves them")
          }
        }
        let made = try palettized(
          &weight, rows: rows, bits: scheme.bits, groupSize: scheme.groupSize,
          importance: importance[layer.weight])
        result.graph.setInitializer(layer.weight, weight)
        layers.append(
          QuantizedLayer(
            name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count,
            bits: scheme.bits,
            channels: made.groups, largestScale: 0,
            decibels: QuantizedLayer.decibels(signal: made.signal, noise: made.noise),
            bytesBefore: weight.byteCount,
            bytesAfter: (weight.count * scheme.bits + 7) / 8 + made.groups * 4 << scheme.bits))
      } catch { throw error.located(at: node.label) }
    }
    let samples = options.fisher ? options.calibration?.count ?? 0 : 0
    return QuantizedModel(
      model: result, layers: layers, kept: plan.kept, samples: samples,
      outcomes: scheme.groupSize > 0 ? [try grouping.checked()] : [],
      provenance: "palette \(scheme.bits) bits" + (samples > 0 ? " fisher \(samples) samples" : ""))
  }

  /// Brings a weight to few values, in place where it has its memory to itself.
  /// - Parameter rows: channels that lie together; of other layouts the whole tensor, one row, shares a palette.
  static func palettized(
    _ weight: inout Tensor, rows: Int, bits: Int, groupSize: Int, importance: Tensor?
  ) throws(PruneError) -> (groups: Int, signal: Double, noise: Double) {
    var signal = 0.0, noise = 0.0
    let grouped = groupSize > 0 ? min(groupSize, rows) : rows
    let groups = (rows + grouped - 1) / max(grouped, 1), inner = weight.count / max(rows, 1)
    func fill(_ weights: Span<Float>?) throws(PruneError) {
      try weight.withMutableSpan(of: Float.self) { values throws(PruneError) in
        for group in 0..<groups {
          let places = group * grouped * inner..<min((group + 1) * grouped, rows) * inner
          let hasZeros = places.contains { values[$0] == 0 }
          let size = (1 << bits) - (hasZeros ? 1 : 0)
          let codebook = Codebook(values.span, places, weights: weights, size: size, skipsZeros: hasZeros)
          for place in places where values[place] != 0 {
            let value = values[place]
            var nearest = codebook.nearest(value)
            // A palette has one zero, and it means pruned.
            if nearest == 0 { nearest = .leastNormalMagnitude }
            values[place] = nearest
            signal += Double(value) * Double(value)
            noise += Double(value - nearest) * Double(value - nearest)
          }
        }
      }
    }
    if let importance {
      try importance.withSpan(of: Float.self) { weights throws(PruneError) in try fill(weights) }
    } else {
      try fill(nil)
    }
    return (groups, signal, noise)
  }

  /// The diagonal of the empirical Fisher information: means over batches of squared gradients, and a little for all.
  private static func fisher(
    _ model: Model, _ names: [String], _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> [String: Tensor] {
    guard let data = options.calibration, let targets = data.y, data.count > 0 else {
      throw PruneError(
        .invalidArgument, "fisher takes the gradient of a loss, and there is no calibration data with targets",
        hint: "give calibration = data with labels, or leave fisher out")
    }
    let source = try LossGradients(model, targets: targets.dtype, form: data.targetForm, parameters: names)
    try source.checkLabels(of: data)
    var sums: [String: Tensor] = [:]
    let inputBinding = try InputBinding(data, model), batchSize = inputBinding.fixedBatch ?? min(scheme.batchSize, 16)
    for first in stride(from: 0, to: data.count, by: batchSize) {
      try options.cancel?.check()
      let batch = try data.rows(first, min(first + batchSize, data.count))
      guard let y = batch.y else { continue }
      for (name, gradient) in try source.run(inputBinding.inputs(of: batch), y, cancel: options.cancel).gradients {
        var sum: Tensor
        if let known = sums[name] { sum = known } else { sum = try Tensor(zeros: .float32, gradient.shape) }
        sums[name] = nil
        try gradient.withSpan(of: Float.self) { values throws(PruneError) in
          try sum.withMutableSpan(of: Float.self) { target throws(PruneError) in
            for place in values.indices { target[place] += values[place] * values[place] }
          }
        }
        sums[name] = sum
      }
    }
    for (name, sum) in sums {
      var sum = sum
      sums[name] = nil
      try sum.withMutableSpan(of: Float.self) { values throws(PruneError) in
        var total: Float = 0
        for place in values.indices { total += values[place] }
        guard total.isFinite else { throw PruneError(.numeric, "the gradient of '\(name)' is NaN or infinite") }
        let least = total > 0 ? total / Float(values.count) * 0.1 : 1
        for place in values.indices { values[place] += least }
      }
      sums[name] = sum
    }
    return sums
  }
}
