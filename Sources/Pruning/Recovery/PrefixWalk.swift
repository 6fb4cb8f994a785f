import PruneGraph
import PruneRuntime
import PruneTensor

/// Shows values of a network, layer after layer, while its layers change in the order of the graph: what arrives at the
/// last cut before a layer is kept, so that the whole walk costs about one run.
struct PrefixWalk {
  private let cuts: ModelCuts?
  private let producers: [String: Int]
  /// The position in the graph where the kept values are read, and their tensors for each batch.
  private var position = 0
  private var arrived: [[String: Tensor]]

  /// Values are kept up to this size; a cut that needs more is passed over.
  private static let byteLimit = 512 << 20

  init(_ model: Model, _ batches: [[String: Tensor]]) {
    cuts = ModelCuts(model)
    producers = model.graph.producers
    arrived = batches
  }

  /// Gives the values that are asked for, batch by batch. Layers before `node` do not change any more, and the values
  /// depend on no other.
  mutating func visit(
    _ names: Set<String>, before node: Int, of model: Model, _ cancel: CancelFlag?,
    _ body: (Int, [String: Tensor]) throws(PruneError) -> Void
  ) throws(PruneError) {
    try advance(to: node, for: names, model, cancel)
    let missing = names.filter { arrived.first?[$0] == nil }
    // The other operand of a sum may be computed after the layer, in a branch that does not read it.
    let end = missing.reduce(node) { max($0, (producers[$1] ?? -1) + 1) }
    let session = missing.isEmpty ? nil : self.session(model, to: end, missing.sorted())
    for (number, values) in arrived.enumerated() {
      try cancel?.check()
      try body(number, try session?.run(values, cancel: cancel).merging(values) { $1 } ?? values)
    }
  }

  /// Moves on to the last cut from which the values can be made.
  private mutating func advance(
    to node: Int, for names: Set<String>, _ model: Model, _ cancel: CancelFlag?
  ) throws(PruneError) {
    guard
      let cut = cuts?.cuts.last(where: { cut in
        cut.position <= node && names.allSatisfy { cut.values.contains($0) || (producers[$0] ?? -1) >= cut.position }
      }), cut.position > position, let first = arrived.first
    else { return }
    let computed = cut.values.filter { first[$0] == nil }
    let session = session(model, to: cut.position, computed)
    var next: [[String: Tensor]] = [], bytes = 0
    for values in arrived {
      try cancel?.check()
      let results = try computed.isEmpty ? [:] : session.run(values, cancel: cancel)
      let kept = results.merging(values) { $1 }.filter { cut.values.contains($0.key) }
      bytes += kept.values.reduce(0) { $0 + $1.count * 4 }
      guard bytes <= Self.byteLimit, kept.count == cut.values.count else { return }
      next.append(kept)
    }
    (position, arrived) = (cut.position, next)
  }

  /// The nodes from where the kept values arrive.
  private func session(_ model: Model, to node: Int, _ outputs: [String]) -> Session {
    guard position > 0, let cuts, let values = arrived.first else { return Session(model, outputs: outputs) }
    let inputs = values.keys.sorted().map { name in
      ValueInfo(
        name: name, type: values[name].map { TensorType($0.dtype, $0.shape) })
    }
    return Session(cuts.part(of: model, from: position, to: node, inputs: inputs, outputs: outputs))
  }
}
