import PruneGraph
import PruneTensor

/// A model compiled for given input shapes, ready to run many times.
package final class Program {
  package let inputTypes: [String: TensorType]
  package let outputTypes: [String: TensorType]
  /// Bytes of working memory a run uses besides weights, inputs and outputs.
  package let arenaByteCount: Int

  private let model: Model
  private let outputs: [String]
  private let variables: [String: Variable]

  /// - Throws: `.unsupported` for a node that no kernel can run; `.mismatch` where shapes contradict each other.
  package init(_ model: Model, _ options: ProgramOptions) throws(PruneError) {
    self.model = model
    outputs = options.outputs ?? model.graph.outputs.map(\.name)
    variables = options.variables
    var types: [String: TensorType] = [:]
    for input in model.graph.trueInputs where options.variables[input.name] == nil {
      let declared = input.type ?? TensorType(nil, nil)
      let dims = options.inputShapes[input.name].map { $0.dims.map(Dim.fixed) } ?? declared.dims
      types[input.name] = TensorType(declared.dtype, dims)
    }
    inputTypes = types
    outputTypes = Dictionary(
      model.graph.outputs.map { ($0.name, $0.type ?? TensorType(nil, nil)) }, uniquingKeysWith: { first, _ in first })
    arenaByteCount = 0
    for node in model.graph.nodes {
      guard ReferenceKernels.kernel(for: node, opset: model.opset(node.domain) ?? 1) != nil else {
        throw PruneError(.unsupported, "no kernel runs this operator", at: node.label)
      }
    }
  }

  /// Runs once. Returns fresh tensors by output name.
  /// - Throws: `.invalidArgument` or `.mismatch` naming the input that is missing, unknown or of another type or shape;
  ///   `.cancelled`.
  package func run(_ inputs: [String: Tensor], cancel: CancelFlag? = nil) throws(PruneError) -> [String: Tensor] {
    var values: [String: Tensor] = inputs
    for weight in model.graph.initializers where values[weight.name] == nil { values[weight.name] = weight.tensor }
    for (name, variable) in variables { values[name] = variable.tensor }
    for node in model.graph.nodes {
      try cancel?.check()
      let opset = model.opset(node.domain) ?? 1
      guard let kernel = ReferenceKernels.kernel(for: node, opset: opset) else {
        throw PruneError(.unsupported, "no kernel runs this operator", at: node.label)
      }
      let arguments = node.inputs.map { $0.isEmpty ? nil : values[$0] }
      let results: [Tensor]
      do { results = try kernel(node, arguments, opset) } catch { throw error.located(at: node.label) }
      if node.opType == "SGDUpdate" || node.opType == "AdamUpdate" {
        let targets = node.opType == "SGDUpdate" ? [0, 2] : [0, 2, 3]
        for (target, tensor) in zip(targets, results) {
          if let name = node.input(target), let variable = variables[name] { variable.tensor = tensor }
        }
      } else {
        for (name, tensor) in zip(node.outputs, results) where !name.isEmpty { values[name] = tensor }
      }
    }
    var result: [String: Tensor] = [:]
    for name in outputs {
      guard let tensor = values[name] else { throw PruneError(.notFound, "the model has no value '\(name)'") }
      result[name] = tensor
    }
    return result
  }
}
