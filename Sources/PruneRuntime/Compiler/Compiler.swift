import PruneGraph
import PruneTensor

/// Model to plan, stage by stage.
enum Compiler {
  static func compile(_ model: Model, _ options: ProgramOptions) throws(PruneError) -> Plan {
    let inlined = try FunctionInlining.run(model)
    var flow = try DataflowBuilder.build(inlined, options)
    flow.removeDeadOps()
    if options.optimizes {
      try BatchNormFolding.run(&flow)
      Fusion.run(&flow)
      flow.removeDeadOps()
    }
    flow.delayUpdates()
    return try Lowering.run(flow, optimizes: options.optimizes)
  }
}
