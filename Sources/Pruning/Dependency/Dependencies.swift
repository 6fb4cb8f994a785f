import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Which units of a network go together, where they are, and which must stay.
package struct Dependencies: Sendable {
  /// The model that the rest speaks of: as given, with constants that several layers merely share apart, and weights
  /// behind a Reshape as their layers read them.
  package let model: Model
  /// Every space of units that a stored tensor has, in the order that the graph uses them.
  package private(set) var groups: [UnitGroup] = []
  let forest: SpaceForest
  /// The spaces of the axes of values and stored tensors.
  let axes: [String: [SpaceForest.ID]]
  let contractions: [AxisSolver.Contraction]
  let statistics: [AxisSolver.Statistic]
  let edits: [NodeEdit]
  let stored: [String: Tensor]
  let symbolic: GraphTypes

  /// Solves a model.
  /// - Parameters:
  ///   - rules: for operators of other domains, by `domain.name`.
  ///   - output: an output whose last axis may lose units.
  ///   - width: whether units that layer normalizations take statistics over may go.
  ///   - shapes: extents that the inputs leave open, where the model is for these extents only.
  ///   - samples: extents of a sample of inputs that do not declare how many axes they have.
  /// - Throws: `.mismatch` when shapes in the model contradict each other.
  package init(
    of model: Model, rules: [String: CustomRule] = [:], opening output: String? = nil, width: Bool = false,
    shapes: ShapeBinding = .init(), samples: [String: [Int]] = [:]
  ) throws(PruneError) {
    // A weight that is reshaped has no axis of its layer's units.
    let direct = try DirectWeights.apply(model, keepsShared: true, keepsTypes: true, reshapedOnly: true)
    let apart = SharedConstants.separated(direct)
    let plain = try shapes.bound(ShapeConstants.folded(apart)).withImpliedInputs(samples: samples)
    let bound = BoundTypes(plain, try ShapeInference.run(plain))
    var solver = AxisSolver(apart, types: bound.types, symbolic: bound.symbolic, followsWidth: width)
    solver.solve(custom: rules.mapValues(\.axisRule), opening: output)
    self.model = apart
    symbolic = bound.symbolic
    forest = solver.forest
    axes = solver.axes
    contractions = solver.contractions
    statistics = solver.statistics
    edits = solver.edits
    stored = solver.stored.filter { solver.axes[$0.key] != nil }
    groups = UnitGroups(self).list
  }
}

/// Units that go together: removing one takes it from every member.
package struct UnitGroup: Sendable {
  let space: SpaceForest.ID
  /// The first layer that makes these units, and which of its units they are.
  package let name: String
  package let size: Int
  package let roles: UnitRole
  /// Why none of them may go; empty when they may.
  package let pins: [Pin]
  package let members: [Member]

  /// An axis of a stored tensor that has these units.
  package struct Member: Sendable {
    /// The initializer, or the output of the Constant node.
    package let tensor: String
    package let axis: Int
    /// The layer that reads the tensor.
    package let layer: String
    package let operation: String
    /// Whether the layer sums over this axis, rather than making it.
    package let isInput: Bool
    /// The unit at each position of the axis, -1 for none of these.
    package let positions: [Int]
  }

  package var isPinned: Bool { !pins.isEmpty }
  /// Whether units can be removed at all.
  package var isPrunable: Bool { pins.isEmpty && size > 1 }
}
