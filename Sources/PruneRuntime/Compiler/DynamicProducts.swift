import PruneGraph
import PruneTensor

/// Makes one operation of what dynamic quantization writes for a matrix product: DynamicQuantizeLinear, MatMulInteger
/// with a constant int8 weight, Cast, Mul with both scales, and perhaps Add of a bias.
enum DynamicProducts {
  static let key = "ai.libprune.DynamicProduct"

  /// The nodes of one product.
  private struct Match {
    let integer: Int
    let inner: [Int]
    /// The last node, in whose place the product stands.
    let last: Int
    let node: Node
  }

  static func run(_ model: Model, _ options: ProgramOptions) -> Model {
    guard options.variables.isEmpty,
      model.graph.nodes.contains(where: { $0.isStandard && $0.opType == "MatMulInteger" })
    else { return model }
    let search = Search(
      model, roots: Set((options.outputs ?? model.graph.outputs.map(\.name)) + options.watched.map(\.name)))
    var result = model
    var replaced: [Int: Node] = [:], dropped: Set<Int> = []
    for place in model.graph.nodes.indices {
      guard let match = search.match(place) else { continue }
      replaced[match.last] = match.node
      dropped.formUnion(match.inner)
    }
    guard !replaced.isEmpty else { return model }
    result.graph.nodes = model.graph.nodes.enumerated().compactMap { place, node in
      replaced[place] ?? (dropped.contains(place) ? nil : node)
    }
    return result
  }

  private struct Search {
    let graph: Graph
    let producers: [String: Int]
    let consumers: [String: [Int]]
    /// Values that somebody outside wants to see.
    let roots: Set<String>

    init(_ model: Model, roots: Set<String>) {
      (graph, producers, consumers, self.roots) = (model.graph, model.graph.producers, model.graph.consumers, roots)
    }

    /// The node that alone reads a value.
    private func reader(of value: String?, _ opType: String) -> Int? {
      guard let value, !roots.contains(value), let readers = consumers[value], readers.count == 1,
        let place = readers.first,
        graph.nodes[place].isStandard, graph.nodes[place].opType == opType
      else { return nil }
      return place
    }

    private func floats(_ name: String?, count: Int) -> Bool {
      guard let tensor = name.flatMap({ graph.initializer($0) }), tensor.dtype == .float32 else { return false }
      return tensor.count == count && tensor.shape.rank <= 1
    }

    func match(_ place: Int) -> Match? {
      let integer = graph.nodes[place]
      guard integer.isStandard, integer.opType == "MatMulInteger", let codes = integer.input(0),
        let producer = producers[codes],
        let name = integer.input(1), let weight = graph.initializer(name), weight.dtype == .int8,
        weight.shape.rank == 2,
        weight.count > 0, hasNoZeroPoint(integer)
      else { return nil }
      let quantize = graph.nodes[producer]
      guard quantize.isStandard, quantize.opType == "DynamicQuantizeLinear", let x = quantize.input(0),
        quantize.output(0) == codes,
        let step = quantize.output(1), quantize.output(2) == integer.input(2),
        let cast = reader(of: integer.output(0), "Cast"), graph.nodes[cast].int("to", default: 0) == 1,
        let floats = graph.nodes[cast].output(0), let scaling = reader(of: floats, "Mul")
      else { return nil }
      let columns = weight.shape[1]
      guard let both = graph.nodes[scaling].inputs.first(where: { $0 != floats }), let product = producers[both],
        reader(of: both, "Mul") == scaling, graph.nodes[product].isStandard, graph.nodes[product].opType == "Mul",
        let scale = graph.nodes[product].inputs.first(where: { $0 != step }),
        graph.nodes[product].inputs.contains(step),
        self.floats(scale, count: columns) || self.floats(scale, count: 1), let scaled = graph.nodes[scaling].output(0)
      else { return nil }
      var inner = [place, cast, product], last = scaling, inputs = [x, name, scale], output = scaled
      if let add = reader(of: scaled, "Add"), let sum = graph.nodes[add].output(0),
        let bias = graph.nodes[add].inputs.first(where: { $0 != scaled }), self.floats(bias, count: columns)
      {
        inner.append(scaling)
        (last, output) = (add, sum)
        inputs.append(bias)
      }
      return Match(
        integer: place, inner: inner, last: last,
        node: Node(
          "DynamicProduct", domain: TrainingKernels.domain, name: integer.name, inputs: inputs, outputs: [output]))
    }

    private func hasNoZeroPoint(_ node: Node) -> Bool {
      guard let name = node.input(3) else { return true }
      return (try? graph.initializer(name)?.integers())?.allSatisfy { $0 == 0 } ?? false
    }
  }
}
