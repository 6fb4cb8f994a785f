import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining

/// What mends a shrunk network before any training: its layers are fitted to what they gave before, then its batch
/// normalizations measure their statistics anew.
struct Repair {
  let context: PruneContext

  private var options: PruneOptions { context.options }
  private var batchSize: Int { context.batchSize }

  /// What was done, for the report.
  /// - Parameter origin: what layers are fitted to where steps went before.
  func run(
    _ model: inout Model, _ dependencies: Dependencies, _ cut: Cut, origin: FitOrigin? = nil
  ) throws(PruneError) -> [String] {
    guard context.plan.fitsLayers || options.reestimates else { return [] }
    guard let data = options.data ?? options.recoverData, data.count > 0 else {
      throw PruneError(
        .invalidArgument, "reconstruct and reestimate look at data, and there is none", hint: "give data = …")
    }
    let batches = try RepairSamples.batches(of: data, for: model, batchSize: batchSize)
    guard !batches.isEmpty else { return ["nothing was fitted: the data has fewer samples than a batch of the model"] }
    var notes: [String] = []
    if context.plan.fitsLayers {
      let fitted = try ConsumerFit(
        dependencies, cut, batches, origin: origin, seed: options.seed, cancel: options.cancel
      ).run(&model)
      notes.append(
        "\(fitted.layers) layers were fitted to what they gave before, by least squares over \(min(batches.count * batchSize, data.count)) samples"
      )
      if !fitted.skipped.isEmpty { notes.append("not fitted: \(fitted.skipped.joined(separator: ", "))") }
    }
    if options.reestimates {
      let count = try NormStatistics(batches, cancel: options.cancel).run(&model)
      try Self.checkStatistics(of: model)
      notes.append("the statistics of \(count) batch normalizations were measured anew")
    }
    return notes
  }

  /// - Throws: `.numeric` naming a batch normalization whose mean or variance is NaN or infinite.
  private static func checkStatistics(of model: Model) throws(PruneError) {
    for node in model.graph.nodes where node.isStandard && node.opType == "BatchNormalization" {
      for name in [node.input(3), node.input(4)].compactMap({ $0 }) {
        guard let numbers = try model.graph.initializer(name)?.doubles(), !numbers.allSatisfy(\.isFinite) else {
          continue
        }
        throw PruneError(
          .numeric, "the statistics of a batch normalization are NaN or infinite on this data", at: node.label,
          hint: "look for NaN, infinity and huge numbers in the data")
      }
    }
  }
}

/// What a repair looks at.
enum RepairSamples {
  /// What comes of more samples is not worth the time.
  private static let limit = 512
  /// Samples of tokens have rows enough.
  private static let sequenceLimit = 64

  /// Inputs of a model, batch by batch, evenly spread over the data.
  static func batches(of data: Dataset, for model: Model, batchSize: Int) throws(PruneError) -> [[String: Tensor]] {
    let data = try data.spread(over: data.isOfTokens ? sequenceLimit : limit)
    let inputBinding = try InputBinding(data, model), size = inputBinding.fixedBatch ?? min(batchSize, data.count)
    guard size > 0 else { return [] }
    return try stride(from: 0, through: data.count - size, by: size).map { first throws(PruneError) in
      try inputBinding.inputs(of: data.rows(first, first + size))
    }
  }
}
