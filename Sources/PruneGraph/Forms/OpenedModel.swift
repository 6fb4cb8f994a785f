import PruneTensor

/// The form that transforms work on.
extension Model {
  /// The model with its weights in the open: functions of its own are inlined, and parameters that Constant nodes hold
  /// are initializers of the same name. The same model where there is nothing to open.
  ///
  /// A model whose functions import other versions of an operator set keeps them: inlined, they would mean something
  /// else.
  /// - Throws: `.invalidModel` for functions that call themselves or stand for too many nodes.
  package func opened() throws(PruneError) -> Model {
    var result = self
    if !functions.isEmpty, functions.allSatisfy({ $0.opsets.allSatisfy(agrees) }) {
      result = try FunctionInlining.run(self, contributed: false)
    }
    result.liftConstants()
    return result
  }

  private func agrees(_ imported: OpsetImport) -> Bool {
    guard let version = opset(imported.domain) else { return true }
    return version == imported.version
  }

  /// Makes initializers of the Constant nodes that hold what layers are trained with.
  private mutating func liftConstants() {
    var constants: [String: Tensor] = [:]
    for node in graph.nodes {
      if let tensor = node.constant, tensor.dtype.isFloatingPoint, tensor.shape.rank > 0, let output = node.output(0) {
        constants[output] = tensor
      }
    }
    guard !constants.isEmpty else { return }
    let sources = WeightSources(graph)
    let outputs = Set(graph.outputs.map(\.name))
    var lifted: Set<String> = []
    func lift(_ name: String) {
      guard constants[name] == nil else { return _ = lifted.insert(name) }
      if let source = sources.source(of: name, through: { $0.isMovement || $0.opType == "Cast" }),
        constants[source.name] != nil
      {
        lifted.insert(source.name)
      }
    }
    for node in graph.nodes {
      for place in node.parameterOperands { if let name = node.input(place) { lift(name) } }
      // Biases and scales that exporters write as arithmetic. Larger constants there are grids, masks and tables.
      if node.isStandard, node.opType == "Add" || node.opType == "Mul" {
        for name in node.inputs where constants[name].map(Self.isVector) ?? false { lifted.insert(name) }
      }
    }
    lifted.subtract(outputs)
    guard !lifted.isEmpty else { return }
    graph.nodes.removeAll { node in
      node.isStandard && node.opType == "Constant" && node.output(0).map(lifted.contains) ?? false
    }
    for name in lifted.sorted() {
      guard let tensor = constants[name] else { continue }
      graph.setInitializer(name, tensor)
      // Before IR version 4 every initializer is also an input.
      if irVersion < 4 { graph.inputs.append(ValueInfo(name: name, type: TensorType(tensor.dtype, tensor.shape))) }
    }
  }

  private static func isVector(_ tensor: Tensor) -> Bool {
    tensor.count > 1 && tensor.shape.dims.count { $0 != 1 } == 1
  }
}
