import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// Where a graph can be cut in two so that one value, beside constants, crosses: what lies before need not run again when
/// only weights behind it change.
struct ModelCuts {
  /// Node positions before which a cut is possible, with the value that crosses, in order. The first is 0 with the input.
  private(set) var cuts: [(position: Int, value: String)] = []
  private let isConstant: [Bool]

  /// Nil for a model of no input or several.
  init?(_ model: Model) {
    let graph = model.graph, inputs = graph.trueInputs
    guard inputs.count == 1 else { return nil }
    var constants = Set(graph.initializers.map(\.name))
    var isConstant: [Bool] = []
    for node in graph.nodes {
      let found = node.allReads.allSatisfy(constants.contains)
      if found { constants.formUnion(node.outputs) }
      isConstant.append(found)
    }
    self.isConstant = isConstant
    // The last position that reads each value; outputs of the graph are read at its end.
    var last: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() { for name in node.allReads { last[name] = index } }
    for output in graph.outputs { last[output.name] = graph.nodes.count }
    var live: Set<String> = [inputs[0].name]
    cuts.append((0, inputs[0].name))
    for (index, node) in graph.nodes.enumerated() {
      if !isConstant[index] { live.formUnion(node.outputs.filter { (last[$0] ?? -1) > index }) }
      live = live.filter { (last[$0] ?? -1) > index }
      if live.count == 1, let value = live.first, index + 1 < graph.nodes.count { cuts.append((index + 1, value)) }
    }
  }

  /// The nodes first..<last of a model that reads `input` and gives `output` (nil: the model's own outputs), with the
  /// constants that they need.
  func part(
    of model: Model, from first: Int, to last: Int, input: ValueInfo, output: String?
  ) -> Model {
    var part = model
    part.graph.nodes = model.graph.nodes.enumerated().compactMap { index, node in
      (index < first && isConstant[index]) || (first..<last).contains(index) ? node : nil
    }
    part.graph.inputs = model.graph.inputs.filter { model.graph.hasInitializer($0.name) } + [input]
    part.graph.valueInfo = []
    if let output { part.graph.outputs = [ValueInfo(name: output, type: nil)] }
    return part
  }
}

/// The part of a model behind a cut, and the data set's samples as they arrive there.
struct ModelTail {
  private let whole: Model
  private let cuts: ModelCuts?
  private(set) var model: Model
  private(set) var data: Dataset
  /// Where the tail begins.
  private(set) var position = 0

  /// Activations are kept up to this size; a cut that needs more is passed over.
  private static let byteLimit = 512 << 20

  init(_ model: Model, _ data: Dataset) {
    whole = model
    self.model = model
    self.data = data
    cuts = ModelCuts(model)
  }

  /// Moves on to the last cut at or before a node of the whole model.
  mutating func advance(to node: Int, batchSize: Int, cancel: CancelFlag?) throws(PruneError) {
    guard let cuts, let cut = cuts.cuts.last(where: { $0.position <= node }), cut.position > position else { return }
    let here = model.graph.trueInputs[0]
    let head = cuts.part(of: whole, from: position, to: cut.position, input: here, output: cut.value)
    guard let arrived = try Self.run(head, data, cut.value, batchSize, cancel) else { return }
    let type = TensorType(.float32, [.named("N")] + arrived.shape.dims.dropFirst().map(Dim.fixed))
    data = try Dataset.tensors(arrived, data.y, name: data.name)
    model = cuts.part(
      of: whole, from: cut.position, to: whole.graph.nodes.count, input: ValueInfo(name: cut.value, type: type), output: nil)
    position = cut.position
  }

  /// The value for all samples, nil when it does not have a row for each or takes too much memory.
  private static func run(
    _ head: Model, _ data: Dataset, _ value: String, _ batchSize: Int, _ cancel: CancelFlag?
  ) throws(PruneError) -> Tensor? {
    let session = Session(head), input = head.graph.trueInputs[0]
    if let fixed = input.type?.dims?.first?.value, fixed != 1 || data.count != 1 { return nil }
    var values: [Float] = []
    var sample: [Int]?
    for first in stride(from: 0, to: data.count, by: batchSize) {
      try cancel?.check()
      let last = min(first + batchSize, data.count)
      var x = try data.rows(first, last).x
      if let dtype = input.type?.dtype, dtype != x.dtype { x = try x.cast(to: dtype) }
      guard let result = try session.run([input.name: x], cancel: cancel)[value], result.dtype == .float32,
        result.shape.rank > 1, result.shape[0] == last - first
      else { return nil }
      let dims = Array(result.shape.dims.dropFirst())
      if let sample, sample != dims { return nil }
      if sample == nil {
        guard result.count / (last - first) <= byteLimit / 4 / data.count else { return nil }
        values.reserveCapacity(result.count / (last - first) * data.count)
        sample = dims
      }
      values += try result.array(of: Float.self)
    }
    guard let sample else { return nil }
    return try Tensor(values, try Shape([data.count] + sample))
  }
}
