import PruneGraph
import PruneTensor

/// Model to plan, stage by stage.
enum Compiler {
  /// - Parameter packed: where programs of the model share their packed weights.
  static func compile(_ model: Model, _ options: ProgramOptions, sharing packed: PackedWeights) throws(PruneError) -> Plan {
    var expanded = try BlockProducts.run(try FunctionInlining.run(model))
    if options.optimizes { expanded = try CodeOperators.run(try IntegerProducts.run(try HalfWidening.run(expanded, options))) }
    var flow = try DataflowBuilder.build(expanded, options)
    flow.removeDeadOps()
    if options.optimizes { try QuantizedFusion.run(&flow) }
    try ConstantDequantization.run(&flow)
    if options.optimizes {
      try BatchNormFolding.run(&flow)
      try NormalizationRecognition.run(&flow)
      ActivationRecognition.run(&flow)
      AttentionRecognition.run(&flow)
      ProductRecognition.run(&flow)
      MatrixFusion.run(&flow)
      Fusion.run(&flow)
      flow.removeDeadOps()
    }
    flow.delayUpdates()
    return try Lowering.run(consume flow, optimizes: options.optimizes, packed: packed)
  }
}
