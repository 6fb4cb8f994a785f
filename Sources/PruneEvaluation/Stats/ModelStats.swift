import PruneGraph
import PruneTensor

/// What a model's costs are stated at.
package struct StatsOptions: Sendable {
  /// Extents that the inputs leave open.
  package var shapes = ShapeBinding()
  package init() {}
}

/// What a model stores and computes, in all and layer by layer.
package struct ModelStats: Sendable {
  /// Every node, subgraphs included, in order. The branches of an If all count.
  package var layers: [LayerStats]
  /// Trained numbers: float tensors of rank 1 and more, and quantized ones, each counted once however many nodes share
  /// it. The running statistics of batch normalization count as well; scales, zero points, bounds and shapes do not.
  package var params: Int
  package var nonzero: Int
  /// For one sample; nil while those of a layer depend on an extent that is not known.
  package var macs: Int?
  package var effectiveMacs: Int?
  /// Bytes of all stored tensors, int8 being one a number.
  package var bytes: Int
  /// The unknowns that the MACs depend on: extents of the inputs, else layers whose shapes depend on the data.
  /// Empty while the MACs are known.
  package var open: [String] = []
  /// What was taken for extents that neither the caller nor data told: `H = 64 (assumed)`.
  package var assumedShapes: String?

  /// The share of parameters that are zero.
  package var sparsity: Double { params == 0 ? 0 : 1 - Double(nonzero) / Double(params) }

  /// Measures a model for one sample.
  /// - Parameter shapes: extents that the inputs leave open.
  /// - Throws: `.mismatch` when shapes in the model contradict each other, and what `ShapeBinding.extents` throws.
  package static func of(_ model: Model, shapes: ShapeBinding = .init()) throws(PruneError) -> ModelStats {
    try of(model, at: try BoundExtents(model, shapes: shapes, assumes: false))
  }

  /// The same with extents that were bound before.
  package static func of(_ model: Model, at extents: BoundExtents) throws(PruneError) -> ModelStats {
    let plain = ShapeConstants.folded(model)
    let symbolic = try ShapeInference.run(plain)
    let concrete = try ShapeInference.run(plain, inputs: extents.types(of: model, overrides: true))
    var walk = StatsWalk(model, symbolic: symbolic, concrete: concrete, batch: fixedBatch(model))
    walk.add(model.graph, ParameterTracing(model.graph), scope: "")
    var stats = walk.stats
    if stats.macs == nil {
      let layers = stats.layers.filter { $0.macs == nil }.prefix(8).map { "\($0.op) '\($0.name)'" }
      stats.open = extents.open.isEmpty ? layers : extents.open
    } else {
      let parts = [extents.implication.map { "\($0) (the model's own)" }, extents.assumption.map { "\($0) (assumed)" }]
      stats.assumedShapes = parts.contains { $0 != nil } ? parts.compactMap { $0 }.joined(separator: ", ") : nil
    }
    return stats
  }

  /// The totals, and a list "layers" of those that have parameters or compute with them.
  package var report: Report {
    let rows = layers.filter { $0.params > 0 || $0.macs != 0 }.map { ReportValue.report($0.report) }
    var report = Report(
      title: "stats",
      entries: [
        ("params", .integer(params)), ("nonzero", .integer(nonzero)), ("sparsity", .number(sparsity)),
        ("macs", .count(macs)),
        ("effective_macs", .count(effectiveMacs)), ("bytes", .integer(bytes)),
      ])
    if !open.isEmpty { report["open"] = .list(open.map { .text($0) }) }
    if let assumedShapes { report["shapes"] = .text(assumedShapes) }
    report["layers"] = .list(rows)
    return report
  }

  /// The batch a model is fixed to: what inputs and outputs all begin with. 1 when it is open.
  private static func fixedBatch(_ model: Model) -> Int {
    let types = (model.graph.trueInputs + model.graph.outputs).map(\.type)
    guard let batch = types.first??.dims?.first?.value, batch > 1,
      types.allSatisfy({ ($0?.dims?.count ?? 0) > 1 && $0?.dims?.first?.value == batch })
    else { return 1 }
    return batch
  }
}
