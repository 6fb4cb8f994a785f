import PruneGraph
import PruneTensor

/// mode = "mask" for units: every weight of a removed unit becomes zero and stays in place.
enum UnitMasks {
  static func masked(_ dependencies: Dependencies, _ cut: Cut) throws(PruneError) -> Model {
    var model = dependencies.model
    let kept = statistics(model.graph)
    var listed = model.maskedParameters
    var names = Set(listed)
    for (name, spaces) in dependencies.axes.sorted(by: { $0.key < $1.key }) {
      guard let tensor = dependencies.stored[name], tensor.dtype.isFloatingPoint, tensor.dtype.bitWidth >= 16,
        !kept.contains(name)
      else { continue }
      var result = tensor
      var isChanged = false
      for (axis, space) in spaces.enumerated() {
        guard let mask = dependencies.forest.mask(space, cut.kept) else { continue }
        result = try result.zeroing(mask, axis: axis)
        isChanged = true
      }
      guard isChanged else { continue }
      if !model.graph.hasInitializer(name) {
        model.graph.nodes.removeAll { $0.opType == "Constant" && $0.outputs.first == name }
        SharedConstants.store(name, result, &model)
      } else {
        model.graph.setInitializer(name, result)
      }
      if names.insert(name).inserted { listed.append(name) }
    }
    model.maskedParameters = listed
    return model
  }

  /// Tensors that a zero would break: means and variances, scales and divisors.
  private static func statistics(_ graph: Graph) -> Set<String> {
    var result: Set<String> = []
    for node in graph.nodes where node.isStandard {
      let inputs: [Int]
      switch node.opType {
      case "BatchNormalization": inputs = [3, 4]
      case "QuantizeLinear", "DequantizeLinear": inputs = [1, 2]
      case "Div", "Pow": inputs = [1]
      default: inputs = []
      }
      for index in inputs { if let name = node.input(index) { result.insert(name) } }
    }
    return result
  }
}
