import PruneGraph
import PruneTensor

/// Model to plan, stage by stage.
enum Compiler {
  /// - Parameter packed: where programs of the model share their packed weights.
  static func compile(_ model: Model, _ options: ProgramOptions, sharing packed: PackedWeights) throws(PruneError)
    -> Plan
  {
    var flow = try dataflow(model, options)
    var divisions = 1
    if options.optimizes, let division = BatchDivision(flow), let parted = division.applied(to: options) {
      let outputs = flow.outputs.map { [flow] in flow.values[$0.value].shape }
      // Two of them would hold what was computed from weights twice.
      flow = Dataflow()
      if let part = try? dataflow(model, parted), division.fits(part, outputs: outputs) {
        flow = part
        divisions = division.batch / division.part
      } else {
        flow = try dataflow(model, options)
      }
    }
    flow.delayUpdates()
    let uses = options.optimizes ? try SparseChoice.run(flow, options.sparse) : [:]
    var plan = try Lowering.run(consume flow, optimizes: options.optimizes, packed: packed, uses: uses)
    if divisions > 1 { try plan.divide(into: divisions) }
    return plan
  }

  private static func dataflow(_ model: Model, _ options: ProgramOptions) throws(PruneError) -> Dataflow {
    var expanded = try RecurrentCodes.run(
      try BlockProducts.run(try FunctionInlining.run(model), keepsPacked: options.optimizes))
    if options.optimizes {
      expanded = try IntegerProducts.run(DynamicProducts.run(try HalfWidening.run(expanded, options), options))
      expanded = try CodeOperators.run(expanded)
    }
    var flow = try DataflowBuilder.build(expanded, options)
    try BlockProducts.run(&flow)
    flow.keepsNaN = options.keepsNaN
    flow.removeDeadOps()
    if options.optimizes { try QuantizedFusion.run(&flow) }
    try ConstantDequantization.run(&flow)
    guard options.optimizes else { return flow }
    try BatchNormFolding.run(&flow)
    try NormalizationRecognition.run(&flow)
    ActivationRecognition.run(&flow)
    AttentionRecognition.run(&flow)
    ProductRecognition.run(&flow)
    MatrixFusion.run(&flow)
    Fusion.run(&flow)
    flow.removeDeadOps()
    return flow
  }
}
