import PruneGraph
import PruneTensor

/// Rewrites a model for a newer opset: the operators whose form changed between 7 and 21 are put into the new one.
enum RaiseOpset {
  /// - Throws: `.unsupported` naming what cannot be said in the new opset without a change of meaning.
  static func apply(_ model: Model, to wanted: Int64) throws(PruneError) -> Model {
    guard let opset = model.opset() else { throw PruneError(.unsupported, "the model imports no standard opset") }
    guard opset < wanted else { return model }
    guard opset >= 7, model.functions.isEmpty else {
      throw PruneError(
        .unsupported,
        opset < 7
          ? "opset is \(opset): only models of 7 or later can be raised to \(wanted)"
          : "the model has functions of its own, whose opset differs from the model's, and cannot be raised to \(wanted)",
        hint: "export the model at opset \(wanted)")
    }
    var result = model
    var names = model.graph.allNames
    if opset < 13 {
      result.graph = try EarlyOpsets.raise(result.graph, from: opset, &names, types: try? ShapeInference.run(model))
    }
    if wanted > 13 { result.graph = try raise(result.graph, from: max(opset, 13), &names) }
    for index in result.opsets.indices where ["", "ai.onnx"].contains(result.opsets[index].domain) {
      result.opsets[index].version = wanted
    }
    result.irVersion = max(result.irVersion, wanted > 20 ? 10 : 7)
    return result
  }

  /// Reductions that took their axes as an attribute before opset 18. (ReduceSum changed with 13.)
  private static let reductions: Set<String> = [
    "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceSumSquare",
  ]

  private static func raise(_ graph: Graph, from opset: Int64, _ names: inout Set<String>) throws(PruneError) -> Graph {
    var graph = graph
    for index in graph.nodes.indices where graph.nodes[index].isStandard {
      for place in graph.nodes[index].attributes.indices {
        guard case .graph(let inner) = graph.nodes[index].attributes[place].value else { continue }
        graph.nodes[index].attributes[place].value = .graph(try raise(inner, from: opset, &names))
      }
      let node = graph.nodes[index]
      switch node.opType {
      case _ where opset < 18 && reductions.contains(node.opType):
        guard let axes = node.ints("axes") else { continue }
        let name = Graph.uniqueName("\(node.outputs.first ?? node.name)_axes", &names)
        graph.setInitializer(name, try Tensor(axes.map(Int64.init)))
        graph.nodes[index].inputs = [node.inputs.first ?? "", name]
        graph.nodes[index].set("axes", nil)
      case "Split" where opset < 18 && node.input(1) == nil && node.attribute("num_outputs") == nil:
        graph.nodes[index].set("num_outputs", .int(Int64(node.outputs.count)))
      case "GridSample" where opset < 20:
        let mode = node.string("mode", default: "bilinear")
        graph.nodes[index].set("mode", .text(["bilinear": "linear", "bicubic": "cubic"][mode] ?? mode))
      case "DFT" where opset < 20, "GroupNormalization" where opset < 21:
        throw PruneError(
          .unsupported, "the operator means something else in the opset that is needed", at: node.label,
          hint: "export the model at opset 21")
      default: continue
      }
    }
    return graph
  }
}
