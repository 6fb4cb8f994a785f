import PruneGraph
import PruneTensor

/// Merges every BatchNormalization that follows a convolution into the convolution's weight and bias; see
/// `BatchNormFold`.
package enum FoldBatchNormalization {
  package static func apply(_ model: Model) throws(PruneError) -> Model {
    var model = model
    var names: Set<String>?
    let index = GraphIndex(model.graph)
    var removed: Set<Int> = []
    var unused: Set<String> = []
    for (place, norm) in model.graph.nodes.enumerated() {
      guard norm.opType == "BatchNormalization", norm.isStandard, norm.int("training_mode", default: 0) == 0,
        let input = norm.input(0), let output = norm.output(0), norm.outputs.dropFirst().allSatisfy(\.isEmpty),
        let position = index.producers[input], index.onlyConsumer(of: input) != nil
      else { continue }
      let conv = model.graph.nodes[position]
      guard conv.opType == "Conv", conv.isStandard, let weightName = conv.input(1),
        let weight = index.constant(weightName), weight.shape.rank > 2,
        conv.input(2) == nil || index.constant(conv.input(2)) != nil,
        let folded = try BatchNormFold.folded(
          weight: weight, bias: index.constant(conv.input(2)),
          norm: (1...4).compactMap { index.constant(norm.input($0)) },
          epsilon: Double(norm.float("epsilon", default: 1e-5)))
      else { continue }
      var taken = names ?? model.graph.allNames
      // A weight that others read too stays as it is for them.
      let isShared = !index.isOwned(weightName)
      let newWeight = isShared ? Graph.uniqueName(weightName + "_folded", &taken) : weightName
      let newBias = Graph.uniqueName((norm.input(2) ?? output) + "_folded", &taken)
      names = taken
      model.graph.setInitializer(newWeight, folded.weight)
      model.graph.setInitializer(newBias, folded.bias)
      if newWeight != weightName, model.maskedParameters.contains(weightName) {
        model.maskedParameters.append(newWeight)
      }
      unused.formUnion(conv.inputs.dropFirst())
      unused.formUnion(norm.inputs.dropFirst())
      model.graph.nodes[position].inputs = [conv.inputs[0], newWeight, newBias]
      model.graph.nodes[position].outputs = [output]
      removed.insert(place)
    }
    guard !removed.isEmpty else { return model }
    model.graph.nodes = model.graph.nodes.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
    model.graph.removeUnused(unused)
    return model
  }
}
