import PruneTensor

/// A weight that changes between runs, shared by the programs that read or train it.
///
/// Programs read its tensor when they start to run; update operators (`SGDUpdate`, `AdamUpdate`) write it in place. A
/// copy of `tensor` taken between runs keeps its values: a shared tensor is copied before it is written.
package final class Variable {
  package let name: String
  package var tensor: Tensor

  package init(name: String, tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}

/// How a program multiplies with constant weights of which many are zeros.
package enum SparsePolicy: Sendable {
  /// Sparse kernels where measurements show that they are faster.
  case measured
  /// Dense kernels.
  case never
  /// Sparse kernels wherever they exist, at any weights.
  case always
}

/// What a program is compiled for.
package struct ProgramOptions {
  /// Shapes of graph inputs; needed for those whose declared type leaves an extent open.
  package var inputShapes: [String: Shape]
  /// Values to return, inner ones too; nil means the graph's outputs.
  package var outputs: [String]?
  /// Values to show while a run makes them, which need not outlive what reads them, and whether their elements are to
  /// be in order.
  package var watched: [(name: String, isOrdered: Bool)] = []
  /// Values that are variables rather than constants or inputs, by name.
  package var variables: [String: Variable]
  /// False runs every node by its reference kernel, unfused: the oracle to compare against.
  package var optimizes: Bool
  /// Which constant weights that are mostly zeros are multiplied without them.
  package var sparse: SparsePolicy = .measured
  /// Inputs whose shape differs from run to run: what depends on them is decided while running.
  var openInputs: Set<String> = []
  /// Whether NaN is kept at the cost of speed, where the kernels that are fastest take it for a number.
  var keepsNaN = false
  /// How many graphs this one is a body of.
  var depth = 0

  package init(
    inputShapes: [String: Shape] = [:], outputs: [String]? = nil, variables: [String: Variable] = [:],
    optimizes: Bool = true
  ) {
    self.inputShapes = inputShapes
    self.outputs = outputs
    self.variables = variables
    self.optimizes = optimizes
  }
}
