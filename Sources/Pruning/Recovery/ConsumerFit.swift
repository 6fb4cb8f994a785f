import PruneGraph
import PruneTensor

/// Fits the weights of layers whose inputs lost units to what the layers gave before: ridge regression of the given
/// model's outputs on the shrunk model's inputs, layer by layer, each on what the layers before it now give.
///
/// A layer that ends a residual block is fitted to what the sum should be, less what the other operand now is: so each
/// block takes back the errors of those before it, as far as its inputs tell of them. Convolutions behind it that lost
/// nothing read what others changed, and are fitted as well.
struct ConsumerFit {
  private let dependencies: Dependencies
  private let cut: Cut
  private let batches: [[String: Tensor]]
  private let seed: UInt64
  private let cancel: CancelFlag?
  /// What layers are fitted to where steps went before: the network that they began with.
  private let origin: FitOrigin?

  /// More weights an output than this would take longer than training.
  private static let featureLimit = 2400

  init(
    _ dependencies: Dependencies, _ cut: Cut, _ batches: [[String: Tensor]], origin: FitOrigin? = nil, seed: UInt64,
    cancel: CancelFlag?
  ) {
    self.origin = origin
    self.dependencies = dependencies
    self.cut = cut
    self.batches = batches
    self.seed = seed
    self.cancel = cancel
  }

  func run(_ model: inout Model) throws(PruneError) -> (layers: Int, skipped: [String]) {
    let (jobs, skipped) = jobs(model)
    // What the first model gives is asked once, for all layers.
    let fit = LayerFit(original: origin?.model ?? dependencies.model, batches: batches, seed: seed, cancel: cancel)
    try fit.run(jobs, &model)
    return (jobs.count, skipped)
  }

  /// In the order of the graph: layers that lost inputs, and layers that read what those change.
  private func jobs(_ model: Model) -> ([LayerFit.Job], [String]) {
    let graph = dependencies.model.graph, shared = graph.consumers
    let consumers = model.graph.consumers, producers = model.graph.producers
    var lost: [Int: String] = [:]
    for contraction in dependencies.contractions {
      let node = graph.nodes[contraction.node]
      guard let weight = node.input(contraction.input), let spaces = dependencies.axes[weight],
        contraction.axis < spaces.count, dependencies.forest.mask(spaces[contraction.axis], cut.kept) != nil
      else { continue }
      lost[contraction.node] = weight
    }
    // Surgery of earlier steps may have brought in values that the first model does not have.
    let first = origin.map { origin in origin.model.graph.producers }
    func isKnown(_ value: String) -> Bool { first.map { $0[value] != nil } ?? true }
    var jobs: [LayerFit.Job] = [], skipped: [String] = [], changed: Set<String> = []
    for (place, node) in graph.nodes.enumerated() {
      let isReached = node.inputs.contains(where: changed.contains)
      if isReached { changed.formUnion(node.outputs) }
      // Every layer costs a run of those before it: matrices, of which transformers have hundreds, are left as they
      // are.
      guard lost[place] != nil || isReached && node.opType == "Conv", node.isStandard,
        node.has(.hasIntegerForm),
        let weight = lost[place] ?? node.input(1), let output = node.output(0), model.graph.hasInitializer(weight),
        let now = model.graph.nodes.firstIndex(where: { $0.outputs.first == output })
      else { continue }
      changed.formUnion(node.outputs)
      guard let layer = FittedLayer(model.graph.nodes[now], model.graph), (shared[weight]?.count ?? 0) == 1,
        layer.features <= Self.featureLimit, isKnown(output)
      else {
        if lost[place] != nil { skipped.append(node.layerName) }
        continue
      }
      jobs.append(
        LayerFit.Job(
          layer: layer, output: output, position: now,
          kept: FitOrigin.kept(output, dependencies, cut, of: origin),
          sum: ResidualSum(behind: output, model.graph, consumers, producers).flatMap { isKnown($0.other) ? $0 : nil }))
    }
    return (jobs, skipped)
  }
}
