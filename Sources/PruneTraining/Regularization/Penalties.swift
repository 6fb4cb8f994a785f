import PruneGraph
import PruneTensor

/// The regularizers of a fit, settled for its parameters.
struct Penalties {
  /// A strength for each channel of one parameter, or one for all; it grows during the fit.
  struct Growth {
    let regularizer: Regularizer
    let parameter: String
    let axis: Int
    /// The input that the strengths are fed to.
    let input: String
    var strengths: [Float]
  }

  private struct Entry {
    let regularizer: Regularizer
    let parameter: String
    let axis: Int
    /// sign: that of each weight before the fit.
    var signs: Tensor?
    /// growing: the input of its strengths.
    var input: String?
  }

  private var entries: [Entry] = []
  private(set) var growths: [Growth] = []

  init(_ regularizers: [Regularizer], model: Model, parameters: [String]) throws(PruneError) {
    for (number, regularizer) in regularizers.enumerated() {
      try regularizer.check()
      for name in try regularizer.parameters(of: model, among: parameters) {
        guard let tensor = model.graph.initializer(name), tensor.shape.rank > 0 else { continue }
        var entry = Entry(regularizer: regularizer, parameter: name, axis: OutputChannels.axis(of: name, in: model))
        switch regularizer.kind {
        case .sign, .signConstraint: entry.signs = try Self.signs(of: tensor)
        case .growing, .greg1, .greg2:
          let input = "strength/\(number)/\(name)"
          entry.input = input
          let start = Float(min(regularizer.strength, regularizer.limit))
          growths.append(
            Growth(
              regularizer: regularizer, parameter: name, axis: entry.axis, input: input,
              strengths: [Float](repeating: start, count: regularizer.kind == .growing ? tensor.shape[entry.axis] : 1)))
        default: break
        }
        entries.append(entry)
      }
    }
  }

  private static func signs(of tensor: Tensor) throws(PruneError) -> Tensor {
    let values = try tensor.array(of: Float.self)
    return try Tensor(values.map { Int8($0 > 0 ? 1 : $0 < 0 ? -1 : 0) }, tensor.shape)
  }

  /// Appends what the penalties add to a parameter's gradient; returns the value that holds the sum.
  func gradient(_ gradient: String, of parameter: String, in graph: inout Graph, _ usedNames: inout Set<String>)
    throws(PruneError) -> String
  {
    var result = gradient
    for entry in entries where entry.parameter == parameter && !entry.regularizer.isProjection {
      func constant(_ tensor: Tensor, _ base: String) -> String {
        let name = Graph.uniqueName("\(parameter).\(base)", &usedNames)
        graph.setInitializer(name, tensor)
        return name
      }
      // What was selected is pulled alone: weights of zero are not.
      let pulled: String
      if let selected = entry.regularizer.selection[parameter] {
        pulled = Graph.uniqueName("\(parameter).selected", &usedNames)
        graph.nodes.append(
          Node(
            "Mul", name: "select/\(parameter)", inputs: [parameter, constant(selected, "selection")], outputs: [pulled])
        )
      } else {
        pulled = parameter
      }
      let kind: String =
        switch entry.regularizer.kind {
        case .l1, .scales: "l1"
        case .l2, .maxNorm, .maxNormL1, .signConstraint, .greg1, .greg2: "l2"
        case .groupLasso: "groups"
        case .growing: "channels"
        case .sign: "sign"
        }
      var inputs = [pulled, result]
      if let input = entry.input {
        inputs.append(input)
      } else {
        inputs.append(constant(try Tensor(scalar: Float(entry.regularizer.strength)), "strength"))
      }
      if let signs = entry.signs { inputs.append(constant(signs, "signs")) }
      let output = Graph.uniqueName("\(parameter).penalized", &usedNames)
      graph.nodes.append(
        Node(
          "PenaltyGrad", domain: GradientRules.trainingDomain, name: "penalty/\(parameter)", inputs: inputs,
          outputs: [output],
          attributes: [Attribute("kind", .text(kind)), Attribute("axis", .int(Int64(entry.axis)))]))
      result = output
    }
    return result
  }

  /// Nodes that bring the norms of channels, or the signs of weights, back within their bounds, for behind the updates.
  func projections(of parameters: [String], in graph: inout Graph, _ usedNames: inout Set<String>) -> [Node] {
    entries.filter { $0.regularizer.isProjection && parameters.contains($0.parameter) }.map { entry in
      var inputs = [entry.parameter]
      if let signs = entry.signs {
        let name = Graph.uniqueName("\(entry.parameter).signs", &usedNames)
        graph.setInitializer(name, signs)
        inputs.append(name)
      }
      return Node(
        "ProjectUpdate", domain: GradientRules.trainingDomain, name: "project/\(entry.parameter)", inputs: inputs,
        outputs: [Graph.uniqueName("\(entry.parameter).projected", &usedNames)],
        attributes: [
          Attribute("bound", .float(Float(entry.regularizer.strength))), Attribute("axis", .int(Int64(entry.axis))),
          Attribute("norm", .int(entry.regularizer.kind == .maxNormL1 ? 1 : 2)),
        ])
    }
  }

  /// Raises the strengths that grow, by as much as a channel is smaller than the largest, every `interval` steps.
  mutating func grow(step: Int, _ weight: (String) -> Tensor?) throws(PruneError) {
    for index in growths.indices where step % growths[index].regularizer.interval == 0 {
      let growth = growths[index]
      if growth.regularizer.kind != .growing {
        let next = Double(growth.strengths.first ?? 0) + growth.regularizer.growth
        growths[index].strengths = [Float(min(next, growth.regularizer.limit))]
        continue
      }
      guard let tensor = weight(growth.parameter) else { continue }
      let norms = try Self.norms(of: tensor, axis: growth.axis)
      guard let least = norms.min(), let most = norms.max() else { continue }
      for (channel, norm) in norms.enumerated() {
        let share = most > least ? (most - norm) / (most - least) : 1
        let next = Double(growth.strengths[channel]) + growth.regularizer.growth * share
        growths[index].strengths[channel] = Float(min(next, growth.regularizer.limit))
      }
    }
  }

  private static func norms(of tensor: Tensor, axis: Int) throws(PruneError) -> [Double] {
    let extent = tensor.shape[axis]
    let inner = max(tensor.shape.dims[(axis + 1)...].reduce(1, *), 1)
    var sums = [Double](repeating: 0, count: extent)
    try tensor.withSpan(of: Float.self) { values throws(PruneError) in
      for row in 0..<values.count / inner {
        var sum = 0.0
        for index in row * inner..<(row + 1) * inner { sum += Double(values[index]) * Double(values[index]) }
        sums[row % extent] += sum
      }
    }
    return sums.map { $0.squareRoot() }
  }
}
