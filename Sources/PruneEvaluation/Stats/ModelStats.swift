import PruneGraph
import PruneTensor

/// What a model stores and computes, in all and layer by layer.
package struct ModelStats: Sendable {
  /// Every node, subgraphs included, in order. The branches of an If all count.
  package var layers: [LayerStats]
  /// Trained numbers: float tensors of rank 1 and more, and quantized ones, each counted once however many nodes share it.
  /// The running statistics of batch normalization count as well; scales, zero points, bounds and shapes do not.
  package var params: Int
  package var nonzero: Int
  package var macs: Int
  package var effectiveMacs: Int
  /// Bytes of all stored tensors, int8 being one a number.
  package var bytes: Int

  /// The share of parameters that are zero.
  package var sparsity: Double { params == 0 ? 0 : 1 - Double(nonzero) / Double(params) }

  /// Measures a model.
  /// - Parameter inputs: shapes of inputs that leave more than the batch open; MACs that depend on an unknown extent count 0.
  /// - Throws: `.mismatch` when shapes in the model contradict each other.
  package static func of(_ model: Model, inputs: [String: Shape] = [:]) throws(PruneError) -> ModelStats {
    let plain = ShapeConstants.folded(model)
    let symbolic = try ShapeInference.run(plain)
    let concrete = try ShapeInference.run(plain, inputs: try singleSample(model, inputs))
    var walk = StatsWalk(model, symbolic: symbolic, concrete: concrete, batch: fixedBatch(model))
    walk.add(model.graph, ParameterTracing(model.graph), scope: "")
    return walk.stats
  }

  /// The totals, and a list "layers" of those that have parameters or compute with them.
  package var report: Report {
    let rows = layers.filter { $0.params > 0 || $0.macs > 0 }.map { ReportValue.report($0.report) }
    return Report(
      title: "stats",
      entries: [
        ("params", .integer(params)), ("nonzero", .integer(nonzero)), ("sparsity", .number(sparsity)),
        ("macs", .integer(macs)), ("effective_macs", .integer(effectiveMacs)), ("bytes", .integer(bytes)),
        ("layers", .list(rows)),
      ])
  }

  // MARK: - One sample

  /// Input types with an open batch extent fixed at 1.
  private static func singleSample(_ model: Model, _ shapes: [String: Shape]) throws(PruneError) -> [String: TensorType] {
    var result: [String: TensorType] = [:]
    for input in model.graph.trueInputs {
      if let shape = shapes[input.name] {
        result[input.name] = TensorType(input.type?.dtype, shape.dims.map(Dim.fixed))
      } else if var type = input.type, let first = type.dims?.first, first.value == nil {
        type.dims?[0] = .fixed(1)
        result[input.name] = type
      }
    }
    return result
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
