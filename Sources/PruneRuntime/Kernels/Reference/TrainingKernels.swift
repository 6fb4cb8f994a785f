import PruneGraph
import PruneTensor

/// Reference kernels of the training operators: domain "ai.libprune", version 1.
///
/// They are what autodiff emits where no standard operator says it, and what the compiler makes of several nodes before
/// it knows shapes. Clear before fast: each is the oracle that the
/// fast kernels are tested against, and what runs where there is none.
package enum TrainingKernels {
  /// The domain of training operators.
  package static let domain = "ai.libprune"

  /// Every kernel, keyed as `ReferenceKernels` wants: "ai.libprune.ReluGrad".
  package static let table: [String: ReferenceKernel] = {
    var table: [String: ReferenceKernel] = [:]
    for (names, run) in families {
      for name in names { table["\(domain).\(name)"] = kernel(run) }
    }
    return table
  }()

  private static func kernel(_ run: @escaping Kernel) -> ReferenceKernel {
    { (node: Node, inputs: [Tensor?], opset: Int64) throws(PruneError) -> [Tensor] in
      try run(TrainingCall(node: node, inputs: inputs))
    }
  }

  private typealias Kernel = @Sendable (TrainingCall) throws(PruneError) -> [Tensor]

  private static let families: [([String], Kernel)] = [
    (Array(ActivationGradients.fromOutput.keys) + ActivationGradients.fromInput.keys, ActivationGradients.run),
    (["SoftmaxGrad", "LogSoftmaxGrad"], ActivationGradients.softmax),
    (["ConvGradInput"], ConvolutionGradients.input),
    (["ConvGradWeight"], ConvolutionGradients.weight),
    (["MaxPoolGrad"], PoolingGradients.max),
    (["AveragePoolGrad"], PoolingGradients.average),
    (["SumToShape"], ShapeGradients.sumToShape),
    (["SliceGrad"], ShapeGradients.slice),
    (["GatherGrad"], ShapeGradients.gather),
    (["GatherElementsGrad"], GatheringGradients.elements),
    (["GatherNDGrad"], GatheringGradients.nd),
    (["BatchNormTrain"], NormalizationGradients.batchNormTrain),
    (["BatchNormGrad"], NormalizationGradients.batchNorm),
    (["LayerNormGrad"], NormalizationGradients.layerNorm),
    (["SoftmaxCrossEntropy"], LossKernels.softmaxCrossEntropy),
    (["CrossEntropy"], LossKernels.crossEntropy),
    (["MeanSquaredError"], LossKernels.meanSquaredError),
    (["SGDUpdate"], UpdateKernels.sgd),
    (["AdamUpdate"], UpdateKernels.adam),
    (["RMSpropUpdate"], UpdateKernels.rmsprop),
    (["GradientGate"], UpdateKernels.gate),
    (["DropoutTrain"], RegularizationKernels.dropout),
    (["PenaltyGrad"], RegularizationKernels.penalty),
    (["ProjectUpdate"], RegularizationKernels.project),
    (["DynamicProduct"], DynamicProduct.run),
  ]
}

/// A node with its inputs, and the checks every kernel makes on them.
struct TrainingCall {
  let node: Node
  let inputs: [Tensor?]

  func error(_ message: String) -> PruneError { PruneError(.mismatch, message, at: node.label) }

  func optional(_ index: Int) -> Tensor? { index < inputs.count ? inputs[index] : nil }

  func tensor(_ index: Int) throws(PruneError) -> Tensor {
    guard let tensor = optional(index) else {
      throw PruneError(.invalidModel, "input \(index) is absent", at: node.label)
    }
    return tensor
  }

  /// The elements of a float32 input.
  func floats(_ index: Int) throws(PruneError) -> [Float] { try floats(tensor(index)) }

  func floats(_ tensor: Tensor) throws(PruneError) -> [Float] {
    do { return try tensor.array(of: Float.self) } catch { throw error.located(at: node.label) }
  }

  /// The one element of a float32 input.
  func scalar(_ index: Int) throws(PruneError) -> Float {
    let values = try floats(index)
    guard values.count == 1 else { throw error("input \(index) has \(values.count) elements, wanted 1") }
    return values[0]
  }

  /// An input that must have the shape given.
  func floats(_ index: Int, shaped shape: Shape) throws(PruneError) -> [Float] {
    let values = try tensor(index)
    guard values.shape == shape else { throw error("input \(index) is \(values.shape), wanted \(shape)") }
    return try floats(values)
  }

  /// An attribute that holds a shape.
  func shape(_ attribute: String) throws(PruneError) -> Shape {
    guard let dims = node.ints(attribute) else {
      throw PruneError(.invalidModel, "attribute '\(attribute)' is missing", at: node.label)
    }
    do { return try Shape(dims) } catch { throw error.located(at: node.label) }
  }

  /// Extents around an axis: the product before it, the axis, the product after it.
  func split(_ shape: Shape, at axis: Int) throws(PruneError) -> (outer: Int, extent: Int, inner: Int) {
    guard let axis = shape.axis(axis) else { throw error("axis \(axis) is outside \(shape)") }
    return (
      shape.dims[..<axis].reduce(1, *), shape[axis], shape.dims[(axis + 1)...].reduce(1, *)
    )
  }
}
