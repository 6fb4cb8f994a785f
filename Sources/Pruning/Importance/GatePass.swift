import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining

/// Gradients of the loss by gates, which are factors of 1 that channels are multiplied by, sample by sample.
///
/// The gradient by a gate is the sum of activation times gradient over all positions of its channel. A batch has a gate
/// for each of its samples, so one run gives what as many runs of one sample would.
struct GatePass {
  /// Where a gate is, along an axis of a value.
  struct Place: Hashable {
    /// The first output of a node.
    let node: String
    /// Before this input of the node; nil is behind its first output.
    let input: Int?
    let axis: Int
  }

  let criterion: String
  let model: Model
  let places: [Place]
  let context: ScoringContext
  private let data: Dataset
  private let targets: DType

  /// How far the gradients of a sample may be from those of the sample alone, relative to the largest.
  private static let tolerance: Float = 1e-3

  init(criterion: String, _ model: Model, _ places: [Place], _ context: ScoringContext) throws(PruneError) {
    guard let data = context.data, let targets = data.y, data.count > 0 else {
      throw PruneError(
        .invalidArgument,
        "criterion '\(criterion)' takes the gradient of a loss, and the data has "
          + (context.data?.count == 0 ? "no samples" : "no targets"),
        hint: "give data with labels")
    }
    (self.criterion, self.model, self.places, self.context) = (criterion, model, places, context)
    (self.data, self.targets) = (data, targets.dtype)
  }

  /// Runs all data, or this rank's share of it.
  /// - Parameter body: is given, for each batch, its count of samples and for each place [samples, channels]: the
  ///   gradients of each sample's own loss.
  func run(_ body: (Int, [[Float]]) throws(PruneError) -> Void) throws(PruneError) {
    guard !places.isEmpty else { return }
    let inputBinding = try InputBinding(data, model), fixed = inputBinding.fixedBatch, copies = fixed ?? 1
    guard !inputBinding.isJoint else {
      throw PruneError(
        .unsupported,
        "criterion '\(criterion)' looks at each sample by itself, and the samples of a batch belong together here",
        hint: "use criterion = \"taylor\"")
    }
    var size = max(min(fixed ?? context.batchSize, data.count), 1)
    var sources: [Int: Gated] = [:]
    if let fixed, size < fixed {
      size = 1
    } else if try !isSeparable(size, copies, inputBinding, &sources) {
      size = 1
      sources = [:]
    }
    try context.agree(criterion)
    try context.communicator.each { () throws(PruneError) in
      for (index, first) in stride(from: 0, to: data.count, by: size).enumerated()
      where context.communicator.owns(index) {
        try context.cancel?.check()
        let last = min(first + size, data.count)
        // Alone in a model of one batch size, a sample fills the batch.
        let isTogether = size > 1 && (fixed == nil || last - first == size)
        let batches =
          isTogether ? [Array(first..<last)] : (first..<last).map { [Int](repeating: $0, count: copies) }
        for samples in batches {
          guard let gradients = try gradients(samples, inputBinding, &sources) else {
            throw PruneError(
              .unsupported, "criterion '\(criterion)' finds no axis of samples in what it looks at",
              hint: "use criterion = \"taylor\"")
          }
          if isTogether {
            try body(samples.count, gradients)
          } else {
            try body(1, gradients.map { Array($0.prefix($0.count / copies)) })
          }
        }
      }
    }
  }

  /// Whether the samples of a batch have nothing to do with each other, and can be told apart where the gates are.
  private func isSeparable(
    _ size: Int, _ copies: Int, _ inputBinding: InputBinding, _ sources: inout [Int: Gated]
  ) throws(PruneError) -> Bool {
    guard size > 1 else { return true }
    guard let all = try gradients(Array(0..<size), inputBinding, &sources),
      let one = try gradients([Int](repeating: 0, count: copies), inputBinding, &sources)
    else {
      return false
    }
    return zip(all, one).allSatisfy { all, one in
      let one = one.prefix(one.count / copies), most = one.reduce(0) { max($0, abs($1)) }
      return zip(all, one).allSatisfy { abs($0 - $1) <= Self.tolerance * max(most, 1e-6) }
    }
  }

  /// A model with its gates.
  private struct Gated {
    let source: LossGradients
    let gates: [String]
  }

  /// The sums by place; nil where the samples of a batch cannot be separated.
  private func gradients(
    _ samples: [Int], _ inputBinding: InputBinding, _ sources: inout [Int: Gated]
  ) throws(PruneError) -> [[Float]]? {
    let batch = try data.subset(samples), inputs = try inputBinding.inputs(of: batch), count = samples.count
    guard let y = batch.y else { return [] }
    if sources[count] == nil { sources[count] = try gated(inputs.mapValues(\.shape), count) }
    guard let gated = sources[count] else { return nil }
    let gradients = try gated.source.run(inputs, y, cancel: context.cancel).gradients
    var result: [[Float]] = []
    for (gate, place) in zip(gated.gates, places) {
      guard let gradient = gradients[gate] else {
        // What the loss does not depend on has a gradient of zero; what a node cuts off has none.
        if let block = gated.source.blocked.first(where: { $0.parameters.contains(gate) }) {
          throw PruneError(
            .unsupported, "criterion '\(criterion)' cannot look at '\(place.node)': \(block.node) \(block.reason)",
            hint: "use criterion = \"l2\"")
        }
        let width = gated.source.model.graph.initializer(gate)?.shape.dims[place.axis] ?? 0
        result.append([Float](repeating: 0, count: width * count))
        continue
      }
      result.append(try Self.samples(gradient, count, place.axis))
    }
    return result
  }

  /// [samples, channels] of a gate's gradient, of which an axis of rows counts samples first.
  private static func samples(_ gradient: Tensor, _ count: Int, _ axis: Int) throws(PruneError) -> [Float] {
    let width = gradient.shape.dims[axis], rows = gradient.count / max(width * count, 1)
    return try gradient.withSpan(of: Float.self) { span throws(PruneError) in
      var result = [Float](repeating: 0, count: count * width)
      for sample in 0..<count {
        for row in 0..<rows {
          let first = (sample * rows + row) * width
          // The loss is the mean over the batch.
          for channel in 0..<width { result[sample * width + channel] += span[first + channel] * Float(count) }
        }
      }
      return result
    }
  }

  private func gated(_ shapes: [String: Shape], _ count: Int) throws(PruneError) -> Gated? {
    let types = try Specialization(model, inputs: shapes, variables: []).types
    var gated = model, usedNames = model.graph.allNames, gates: [String] = []
    for place in places {
      guard let index = gated.graph.nodes.firstIndex(where: { $0.outputs.first == place.node }) else { return nil }
      let original = place.input.flatMap { gated.graph.nodes[index].input($0) } ?? place.node
      // An input of which an earlier place took hold has the shape that it had.
      guard let shape = types.shape(original), place.axis < shape.rank else { return nil }
      var dims = [Int](repeating: 1, count: shape.rank)
      dims[place.axis] = shape.dims[place.axis]
      if place.axis > 0, shape.dims[0] % count == 0 { dims[0] = shape.dims[0] } else if count > 1 { return nil }
      let gate = Graph.uniqueName("gate", &usedNames), inner = Graph.uniqueName("\(original).gated", &usedNames)
      var ones = try Tensor(zeros: .float32, try Shape(dims))
      try ones.withMutableSpan(of: Float.self) { span throws(PruneError) in for i in span.indices { span[i] = 1 } }
      gated.graph.setInitializer(gate, ones)
      if let input = place.input {
        gated.graph.nodes[index].inputs[input] = inner
        gated.graph.nodes.insert(Node("Mul", name: gate, inputs: [original, gate], outputs: [inner]), at: index)
      } else {
        gated.graph.nodes[index].outputs[0] = inner
        gated.graph.nodes.insert(Node("Mul", name: gate, inputs: [inner, gate], outputs: [original]), at: index + 1)
      }
      gates.append(gate)
    }
    let source = try LossGradients(
      gated, targets: targets, form: data.targetForm, output: context.output, parameters: gates)
    try source.checkLabels(of: data)
    return Gated(source: source, gates: gates)
  }
}
