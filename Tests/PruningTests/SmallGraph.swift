import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning

/// A graph of a few nodes between an input "x" and an output "y", with random weights, and what a prune of it gives.
enum SmallGraph {
  static func model(
    _ input: [Dim], weights: [(String, [Int])], constants: [(String, Tensor)] = [], _ nodes: [Node], opset: Int64 = 17
  ) throws -> Model {
    var graph = Graph(name: "small")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, input))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    for (index, entry) in weights.enumerated() {
      graph.setInitializer(entry.0, try weight(entry.1, seed: UInt64(index)))
    }
    for (name, tensor) in constants { graph.setInitializer(name, tensor) }
    graph.nodes = nodes
    var model = Model(graph: graph)
    model.opsets = [OpsetImport(domain: "", version: opset)]
    return model
  }

  static func weight(_ dims: [Int], seed: UInt64) throws -> Tensor {
    var random = RandomSource(seed: seed)
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Float(random.normal()) / 2 }, shape)
  }

  static func channels(_ amount: Double) -> PruneOptions {
    var options = PruneOptions()
    options.granularity = "channel"
    options.criterion = "l2"
    options.strategy = "local"
    options.amount = amount
    return options
  }

  static func shrunk(_ model: Model, _ amount: Double = 0.5) throws -> (model: Model, report: Report) {
    try prune(model, channels(amount))
  }
}
