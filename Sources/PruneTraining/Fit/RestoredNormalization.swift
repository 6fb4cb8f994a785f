import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// A model whose batch normalizations were folded into its convolutions, as exporters do, with normalizations there
/// again while it is trained.
///
/// Each begins as nothing at all: its mean and variance are those of the convolution's outputs on a few batches, its
/// scale and shift undo them. Trained as networks with batch normalization are, by the statistics of each batch, it
/// bears the learning rates that those bear. Afterwards it is folded again, and the graph is the one that was given.
struct RestoredNormalization {
  /// The model with the restored normalizations.
  private(set) var model: Model
  private let source: Model
  private var places: [Place] = []

  /// Normalizations put in.
  var count: Int { places.count }

  private struct Place {
    /// Position of the convolution in the source.
    let position: Int
    let weight: String
    let channels: Int
    /// The convolution's own, and the one that it has afterwards. Meanwhile it has none: the normalization shifts.
    let bias: String?
    let result: String
    let output: String
    /// Scale, shift, mean and variance.
    let norm: [String]
  }

  private static let epsilon: Float = 1e-5
  /// Enough for statistics that training renews.
  private static let measuredBatches = 8

  /// - Parameters:
  ///   - data: what the convolutions' outputs are measured on: its first batches.
  ///   - frozen: name patterns; a convolution whose weight or bias stays as it is gets no normalization.
  init(
    _ source: Model, _ data: Dataset, batchSize: Int, frozen: [String], cancel: CancelFlag?
  ) throws(PruneError) {
    (self.source, model) = (source, source)
    var names = source.graph.allNames
    places = try Self.places(source, frozen: frozen, &names)
    guard !places.isEmpty else { return }
    var probe = source
    var measured: [(mean: String, variance: String)] = []
    for place in places {
      for name in place.norm {
        probe.graph.setInitializer(name, try Tensor([Float](repeating: 1, count: place.channels)))
      }
      let unused = Graph.uniqueName("\(place.output).normalized", &names)
      let (node, mean, variance) = NormStatistics.node([place.output] + place.norm, output: unused, [], &names)
      probe.graph.nodes.append(node)
      measured.append((mean, variance))
    }
    let inputBinding = try InputBinding(data, source), size = inputBinding.fixedBatch ?? max(batchSize, 1)
    var batches: [[String: Tensor]] = []
    for first in stride(from: 0, to: data.count, by: size).prefix(Self.measuredBatches) {
      batches.append(
        try inputBinding.inputs(of: data.rows(first, min(first + size, data.count)), filling: inputBinding.fixedBatch))
    }
    let means = try NormStatistics(batches, cancel: cancel).averages(
      probe, of: measured.flatMap { [$0.mean, $0.variance] })
    var nodes: [Node] = []
    var place = places.startIndex
    for (position, node) in source.graph.nodes.enumerated() {
      nodes.append(node)
      guard place < places.endIndex, places[place].position == position else { continue }
      if let mean = means[measured[place].mean], let variance = means[measured[place].variance] {
        let raw = Graph.uniqueName("\(places[place].output).convolved", &names)
        nodes[nodes.count - 1].inputs = Array(node.inputs.prefix(2))
        nodes[nodes.count - 1].outputs = [raw]
        nodes.append(try insert(places[place], raw, mean: mean, variance: variance))
      }
      place += 1
    }
    model.graph.nodes = nodes
    let biases = Set(places.compactMap { $0.bias == $0.result ? $0.bias : nil })
    model.graph.removeInitializers { biases.contains($0.name) }
    model.graph.inputs.removeAll { biases.contains($0.name) }
  }

  private static func places(
    _ source: Model, frozen: [String], _ names: inout Set<String>
  ) throws(PruneError) -> [Place] {
    let trained = Set(try TrainableParameters.names(in: source, frozen: frozen))
    let types = try ShapeInference.run(source), readers = source.graph.consumers,
      outputs = Set(source.graph.outputs.map(\.name))
    var result: [Place] = []
    for (position, node) in source.graph.nodes.enumerated() {
      guard node.isStandard, node.opType == "Conv", let output = node.output(0), let weight = node.input(1),
        trained.contains(weight), readers[weight]?.count == 1,
        let channels = source.graph.initializer(weight)?.shape.dims.first,
        channels > 0, isBias(node.input(2), source, trained, channels: channels), !outputs.contains(output),
        let next = readers[output], !next.allSatisfy({ source.graph.nodes[$0].operation?.kind == .normalization }),
        // One value a sample, as in a squeeze-and-excitation block, is not normalized.
        types.types[output]?.dims?.dropFirst(2).contains(where: { $0.value != 1 }) ?? true
      else { continue }
      let isOwn = node.input(2).map { readers[$0]?.count == 1 } ?? false
      result.append(
        Place(
          position: position, weight: weight, channels: channels, bias: node.input(2),
          result: isOwn ? node.inputs[2] : Graph.uniqueName("\(weight).bias", &names), output: output,
          norm: ["scale", "shift", "mean", "variance"].map { Graph.uniqueName("\(weight).norm_\($0)", &names) }))
    }
    return result
  }

  private static func isBias(_ name: String?, _ model: Model, _ trained: Set<String>, channels: Int) -> Bool {
    guard let name else { return true }
    guard trained.contains(name) else { return false }
    let tensor = model.graph.initializer(name)
    return tensor?.dtype == .float32 && tensor?.count == channels
  }

  /// A normalization that changes nothing as long as its statistics are those that were measured.
  private mutating func insert(
    _ place: Place, _ raw: String, mean: [Double], variance: [Double]
  ) throws(PruneError) -> Node {
    // The measured statistics include the bias; the normalized values do not.
    let bias = try place.bias.flatMap { source.graph.initializer($0) }.map { tensor throws(PruneError) in
      try tensor.doubles()
    }
    let epsilon = Double(Self.epsilon)
    let values = [
      variance.map { ($0 + epsilon).squareRoot() }, mean, bias.map { zip(mean, $0).map { $0 - $1 } } ?? mean, variance,
    ]
    for (name, list) in zip(place.norm, values) { model.graph.setInitializer(name, try Tensor(list.map { Float($0) })) }
    return Node(
      "BatchNormalization", name: "\(place.output).norm", inputs: [raw] + place.norm, outputs: [place.output],
      attributes: [Attribute("epsilon", .float(Self.epsilon))])
  }

  /// The graph that was given, with what training made of its weights and of the normalizations.
  ///
  /// The optimizer's state is that of other weights, and is left out.
  func folded(_ trained: Model) throws(PruneError) -> Model {
    var result = trained
    result.optimizerState = nil
    result.graph.nodes = source.graph.nodes
    result.graph.inputs = source.graph.inputs
    result.graph.removeInitializers { !source.graph.hasInitializer($0.name) }
    for place in places {
      guard let weight = trained.graph.initializer(place.weight),
        let folded = try BatchNormFold.folded(
          weight: weight, bias: nil, norm: place.norm.compactMap { trained.graph.initializer($0) },
          epsilon: Double(Self.epsilon))
      else { throw PruneError(.numeric, "the normalization of its outputs has no finite factors", at: place.weight) }
      result.graph.setInitializer(place.weight, folded.weight)
      result.graph.setInitializer(place.result, folded.bias)
      result.graph.nodes[place.position].inputs =
        Array(result.graph.nodes[place.position].inputs.prefix(2)) + [place.result]
    }
    return result
  }
}
