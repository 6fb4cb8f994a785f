import PruneGraph
import PruneRuntime
import PruneTensor

/// The proof that a shrunk network does what the masked one does: the given network, with removed units counting as
/// zero wherever something is summed over them, and left out of means and variances, against the one without them.
struct StructuralCertificate {
  /// Outputs may differ by so much of the largest; by more where rounding alone makes as much.
  static let tolerance = 1e-4

  let dependencies: Dependencies
  let cut: Cut

  /// What a comparison found.
  struct Result: Sendable {
    /// The largest difference of any output, relative to the largest value of that output.
    var difference: Double
    /// What rounding alone makes of the masked network's outputs, where that had to be asked.
    var rounding: Double?
  }

  /// Compares a network with the masked one on inputs that that one runs with.
  /// - Returns: nil, and why, when it runs with none.
  /// - Throws: `.refused` for a network that does not run, or differs by more than rounding does.
  func compare(
    _ candidate: Model, isShrunk: Bool, _ samples: SampleInputs
  ) throws(PruneError) -> (result: Result?, missing: String?) {
    var masked = try masked(), original = dependencies.model, candidate = candidate
    if original.hasOtherFloatWeights, original.functions.isEmpty {
      // Half precision rounds by more than a wrong cut may show: all three are compared in float32.
      masked = try masked.float32Form(keepsInterface: false)
      original = try original.float32Form(keepsInterface: false)
      candidate = try candidate.float32Form(keepsInterface: false)
    }
    // What the given model cannot do tells nothing about the shrunk one.
    let outcome = try samples.first(original) { inputs throws(PruneError) in
      try Program(masked, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
    }
    guard case .ran(let inputs, let reference) = outcome else {
      if case .missing(let reason) = outcome { return (nil, reason) }
      return (nil, nil)
    }
    let noise = RoundingNoise(model: masked, inputs: inputs, outputs: reference, seed: 1)
    let result = try Self.checked(candidate, noise, "the masked model's") { actual, expected throws(PruneError) in
      try difference(actual, expected, isShrunk: isShrunk)
    }
    return (result, nil)
  }

  /// Checks that a network gives the outputs of another.
  /// - Parameters:
  ///   - noise: the other network, with its inputs and outputs.
  ///   - owner: the name of that network in the error text.
  ///   - compare: the difference of the outputs from the expected ones.
  static func checked(
    _ candidate: Model, _ noise: RoundingNoise, _ owner: String,
    _ compare: ([String: Tensor], [String: Tensor]) throws(PruneError) -> Double = {
      actual, expected throws(PruneError) in try StructuralCertificate.difference(actual, expected)
    }
  ) throws(PruneError) -> Result {
    let settings = ProgramOptions(inputShapes: noise.inputs.mapValues(\.shape))
    let results: [String: Tensor]
    do { results = try Program(candidate, settings).run(noise.inputs) } catch {
      throw PruneError(
        .refused, "the pruned model does not run: \(error.message)", at: error.place,
        hint: "the model is left as it was")
    }
    let difference = try compare(results, noise.outputs)
    guard difference > tolerance else { return Result(difference: difference) }
    var isSeen = false
    if let plain = QuantizedActivations.removed(from: noise.model),
      let smooth = QuantizedActivations.removed(from: candidate)
    {
      // What no step hides must agree as that of any other network.
      let outputs = try Program(plain, settings).run(noise.inputs)
      _ = try checked(
        smooth, RoundingNoise(model: plain, inputs: noise.inputs, outputs: outputs, seed: noise.seed), owner, compare)
      isSeen = true
    }
    let bound = try noise.bound(isSeen: isSeen)
    guard difference <= bound.allowed else { throw failure(difference, owner, bound) }
    return Result(difference: difference, rounding: bound.noise)
  }

  private static func failure(_ difference: Double, _ owner: String, _ bound: RoundingNoise.Bound) -> PruneError {
    func text(_ value: Double) -> String { formatted(value, digits: 3, style: "g") }
    return PruneError(
      .refused,
      "the certificate failed: outputs differ by \(text(difference)) from \(owner), "
        + "at most \(text(bound.allowed)) is allowed, and rounding makes \(text(bound.noise))",
      hint: "the model is left as it was; leave layers out with ignore to find what cannot be pruned")
  }

  /// The largest difference of any output from the masked model's, less the units that went from it.
  private func difference(
    _ actual: [String: Tensor], _ reference: [String: Tensor], isShrunk: Bool
  ) throws(PruneError) -> Double {
    guard isShrunk else { return try Self.difference(actual, reference) }
    var expected = reference
    for (name, tensor) in reference {
      let masks = (dependencies.axes[name] ?? []).map { dependencies.forest.mask($0, cut.kept) }
      guard masks.count == tensor.shape.rank, masks.contains(where: { $0 != nil }) else { continue }
      expected[name] = try tensor.keeping(masks.map { mask in mask.map { mask in mask.indices.filter { mask[$0] } } })
    }
    return try Self.difference(actual, expected)
  }

  /// The largest difference of any output that both have, relative to the largest value of that output.
  static func difference(_ actual: [String: Tensor], _ expected: [String: Tensor]) throws(PruneError) -> Double {
    var largest = 0.0
    for (name, tensor) in expected {
      if let other = actual[name] { largest = max(largest, try difference(other, tensor)) }
    }
    return largest
  }

  /// The given model with masks on what nodes sum over.
  func masked() throws(PruneError) -> Model {
    let graph = dependencies.model.graph
    var model = dependencies.model
    var names = model.graph.allNames
    var added = [[Node]](repeating: [], count: graph.nodes.count)
    for contraction in dependencies.contractions {
      let node = graph.nodes[contraction.node]
      guard let operand = node.input(contraction.input), let spaces = dependencies.axes[operand],
        contraction.axis < spaces.count,
        let mask = dependencies.forest.mask(spaces[contraction.axis], cut.kept)
      else { continue }
      let current = model.graph.nodes[contraction.node].inputs[contraction.input]
      let name = Graph.uniqueName(operand + "_masked", &names)
      if let tensor = model.graph.initializer(current), tensor.dtype == .float32 {
        SharedConstants.store(name, try tensor.zeroing(mask, axis: contraction.axis), &model)
      } else {
        let factor = try store(mask, axis: contraction.axis, like: operand, &model, &names)
        added[contraction.node].append(Node("Mul", name: name, inputs: [current, factor], outputs: [name]))
      }
      model.graph.nodes[contraction.node].inputs[contraction.input] = name
    }
    var replaced: [Int: [Node]] = [:]
    for statistic in dependencies.statistics {
      guard let operand = graph.nodes[statistic.node].input(0), let spaces = dependencies.axes[operand],
        statistic.axis < spaces.count,
        let mask = dependencies.forest.mask(spaces[statistic.axis], cut.kept)
      else { continue }
      let factor = try store(mask, axis: statistic.axis, like: operand, &model, &names)
      var masked = MaskedStatistics(
        axis: statistic.axis, mask: factor, dtype: dependencies.symbolic.types[operand]?.dtype ?? .float32,
        share: Float(mask.count) / Float(max(mask.count { $0 }, 1)))
      replaced[statistic.node] = try masked.nodes(for: model.graph.nodes[statistic.node], &model, &names)
    }
    model.graph.nodes = model.graph.nodes.enumerated().flatMap { index, node in
      added[index] + (replaced[index] ?? [node])
    }
    return model
  }

  /// A mask as a tensor of zeros and ones that an operand is multiplied by.
  private func store(
    _ mask: [Bool], axis: Int, like operand: String, _ model: inout Model, _ names: inout Set<String>
  ) throws(PruneError) -> String {
    var extents = [Int](repeating: 1, count: dependencies.axes[operand]?.count ?? 1)
    extents[axis] = mask.count
    let dtype = dependencies.symbolic.types[operand]?.dtype ?? .float32
    let name = Graph.uniqueName(operand + "_mask", &names)
    SharedConstants.store(name, try Tensor(mask.map { Float($0 ? 1 : 0) }, try Shape(extents)).cast(to: dtype), &model)
    return name
  }

  static func difference(_ a: Tensor, _ b: Tensor) throws(PruneError) -> Double {
    guard a.shape == b.shape else { return .infinity }
    guard a.dtype.isFloatingPoint else {
      let isEqual = a.dtype == b.dtype && a.bytes.isEqual(to: b.bytes)
      return isEqual ? 0 : .infinity
    }
    let left = try a.doubles(), right = try b.doubles()
    var largest = 0.0, scale = Double(Float.leastNormalMagnitude)
    for (x, y) in zip(left, right) {
      if x == y || (x.isNaN && y.isNaN) { continue }
      largest = max(largest, (x - y).magnitude)
      if !(x - y).isFinite { return .infinity }
    }
    for y in right where y.isFinite { scale = max(scale, y.magnitude) }
    return largest / scale
  }
}

extension Tensor {
  /// A tensor of floating-point numbers with zeros in the slices along an axis that a mask leaves out.
  func zeroing(_ mask: [Bool], axis: Int) throws(PruneError) -> Tensor {
    guard axis < shape.rank, mask.count == shape[axis] else {
      throw PruneError(.internal, "a mask of \(mask.count) does not fit axis \(axis) of \(shape)")
    }
    switch dtype {
    case .float32: return try zeroing(Float.self, mask, axis)
    case .float64: return try zeroing(Double.self, mask, axis)
    default: return try cast(to: .float32).zeroing(Float.self, mask, axis).cast(to: dtype)
    }
  }

  private func zeroing<T: TensorElement>(_ type: T.Type, _ mask: [Bool], _ axis: Int) throws(PruneError) -> Tensor {
    var result = self
    let inner = shape.dims[(axis + 1)...].reduce(1, *), outer = shape.dims[..<axis].reduce(1, *)
    try result.withMutableSpan(of: type) { span throws(PruneError) in
      for block in 0..<outer {
        for (place, isKept) in mask.enumerated() where !isKept {
          let start = (block * mask.count + place) * inner
          for index in start..<(start + inner) { span[index] = .zero }
        }
      }
    }
    return result
  }
}
