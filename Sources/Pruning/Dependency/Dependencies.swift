import PruneEvaluation
import PruneGraph
import PruneTensor

/// Which units of a network go together, where they are, and which must stay.
package struct Dependencies: Sendable {
  /// The model that the rest speaks of: as given, with constants that several layers merely share apart.
  package let model: Model
  /// Every space of units that a stored tensor has, in the order that the graph uses them.
  package private(set) var groups: [UnitGroup] = []
  let forest: SpaceForest
  /// The spaces of the axes of values and stored tensors.
  let axes: [String: [SpaceForest.ID]]
  let contractions: [AxisSolver.Contraction]
  let edits: [NodeEdit]
  let stored: [String: Tensor]
  let symbolic: GraphTypes

  /// Solves a model.
  /// - Parameters:
  ///   - rules: for operators of other domains, by `domain.name`.
  ///   - output: an output whose last axis may lose units.
  /// - Throws: `.mismatch` when shapes in the model contradict each other.
  package init(of model: Model, rules: [String: CustomRule] = [:], opening output: String? = nil) throws(PruneError) {
    let apart = SharedConstants.separated(model)
    let plain = ShapeConstants.folded(apart)
    let symbolic = try ShapeInference.run(plain)
    var solver = AxisSolver(apart, types: Self.bound(plain, symbolic) ?? symbolic, symbolic: symbolic)
    solver.solve(custom: rules.mapValues(\.axisRule), opening: output)
    self.model = apart
    self.symbolic = symbolic
    forest = solver.forest
    axes = solver.axes
    contractions = solver.contractions
    edits = solver.edits
    stored = solver.stored.filter { solver.axes[$0.key] != nil }
    groups = UnitGroups(self).list
  }

  /// Types with every open extent of the inputs bound to a number of its own: large primes, so that they are told apart in
  /// products; where windows or joins do not allow that, ones that halve well, then the smallest.
  private static func bound(_ model: Model, _ symbolic: GraphTypes) -> GraphTypes? {
    let primes = [1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069]
    let attempts: [(Int) -> Int] = [
      { primes[$0 % primes.count] }, { $0 == 0 ? 1009 : 256 * (2 + $0) }, { $0 == 0 ? 1009 : 224 }, { _ in 1 },
    ]
    for attempt in attempts {
      var extents: [Dim: Int] = [:]
      var next = 0
      func extent(_ dim: Dim) -> Int {
        if dim != .unknown, let known = extents[dim] { return known }
        extents[dim] = attempt(next)
        next += 1
        return extents[dim] ?? 1
      }
      var inputs: [String: TensorType] = [:]
      for input in model.graph.trueInputs {
        guard var type = input.type, let dims = type.dims else { continue }
        type.dims = dims.map { $0.value == nil ? .fixed(extent($0)) : $0 }
        inputs[input.name] = type
      }
      guard var types = try? ShapeInference.run(model, inputs: inputs) else { continue }
      // Behind operators that inference does not know: what the file declares.
      for (name, declared) in symbolic.types where types.types[name]?.dims == nil {
        guard let dims = declared.dims else { continue }
        let bound = dims.map { dim in dim.value == nil ? extents[dim].map(Dim.fixed) ?? .unknown : dim }
        types.types[name] = TensorType(declared.dtype, bound)
      }
      return types
    }
    return nil
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
