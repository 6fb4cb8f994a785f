import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Where a graph can be cut in two so that no more values cross, constants aside, than the model has inputs: what lies
/// before need not run again when only weights behind it change.
struct ModelCuts {
  /// Node positions before which a cut is possible, with the values that cross, in order. The first is 0 with the
  /// inputs.
  private(set) var cuts: [(position: Int, values: [String])] = []
  private let isConstant: [Bool]

  /// Nil for a model without inputs.
  init?(_ model: Model) {
    let graph = model.graph, inputs = graph.trueInputs.map(\.name)
    guard !inputs.isEmpty else { return nil }
    var constants = Set(graph.initializers.map(\.name))
    var isConstant: [Bool] = []
    for node in graph.nodes {
      let isFixed = node.allReads.allSatisfy(constants.contains)
      if isFixed { constants.formUnion(node.outputs) }
      isConstant.append(isFixed)
    }
    self.isConstant = isConstant
    // The last position that reads each value; outputs of the graph are read at its end.
    var last: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() { for name in node.allReads { last[name] = index } }
    for output in graph.outputs { last[output.name] = graph.nodes.count }
    var live = Set(inputs)
    cuts.append((0, inputs))
    for (index, node) in graph.nodes.enumerated() {
      if !isConstant[index] { live.formUnion(node.outputs.filter { (last[$0] ?? -1) > index }) }
      live = live.filter { (last[$0] ?? -1) > index }
      guard !live.isEmpty, live.count <= inputs.count, index + 1 < graph.nodes.count else { continue }
      cuts.append((index + 1, live.sorted()))
    }
  }

  /// The nodes first..<last of a model that reads `inputs` and gives `outputs` (nil: the model's own outputs), with the
  /// constants that they need.
  func part(of model: Model, from first: Int, to last: Int, inputs: [ValueInfo], outputs: [String]?) -> Model {
    var part = model
    part.graph.nodes = model.graph.nodes.enumerated().compactMap { index, node in
      (index < first && isConstant[index]) || (first..<last).contains(index) ? node : nil
    }
    part.graph.inputs = model.graph.inputs.filter { model.graph.hasInitializer($0.name) } + inputs
    part.graph.valueInfo = []
    if let outputs { part.graph.outputs = outputs.map { ValueInfo(name: $0, type: nil) } }
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
    let graphInputs = model.graph.trueInputs, passed = Set(graphInputs.map(\.name))
    let head = cuts.part(
      of: whole, from: position, to: cut.position, inputs: graphInputs,
      outputs: cut.values.filter { !passed.contains($0) })
    guard let arrived = try Self.run(head, data, cut.values, batchSize, cancel) else { return }
    let types = arrived.map { name, tensor in
      ValueInfo(
        name: name, type: TensorType(tensor.dtype, [.named("N")] + tensor.shape.dims.dropFirst().map(Dim.fixed)))
    }
    data = try Dataset.tensors(inputs: arrived, data.y, name: data.name)
    model = cuts.part(
      of: whole, from: cut.position, to: whole.graph.nodes.count, inputs: types.sorted { $0.name < $1.name },
      outputs: nil)
    position = cut.position
  }

  /// The values for all samples, nil when one does not have a row for each or they take too much memory.
  private static func run(
    _ head: Model, _ data: Dataset, _ values: [String], _ batchSize: Int, _ cancel: CancelFlag?
  ) throws(PruneError) -> [String: Tensor]? {
    let session = Session(head), inputBinding = try InputBinding(data, head, ignoringOthers: true)
    if let fixed = inputBinding.fixedBatch, fixed != 1 || data.count != 1 { return nil }
    var rows: [String: [Float]] = [:]
    var samples: [String: [Int]] = [:]
    let inputNames = Set(inputBinding.names).intersection(values), computed = values.filter { !inputNames.contains($0) }
    var budget = byteLimit / 4 / data.count
    for first in stride(from: 0, to: data.count, by: batchSize) {
      try cancel?.check()
      let last = min(first + batchSize, data.count)
      let results = try session.run(inputBinding.inputs(of: data.rows(first, last)), cancel: cancel)
      for value in computed {
        guard let result = results[value], result.dtype == .float32, result.shape.rank > 1,
          result.shape[0] == last - first
        else { return nil }
        let dims = Array(result.shape.dims.dropFirst())
        if let sample = samples[value], sample != dims { return nil }
        if samples[value] == nil {
          budget -= result.count / (last - first)
          guard budget >= 0 else { return nil }
          rows[value, default: []].reserveCapacity(result.count / (last - first) * data.count)
          samples[value] = dims
        }
        rows[value, default: []] += try result.array(of: Float.self)
      }
    }
    var arrived = inputNames.isEmpty ? [:] : try inputBinding.inputs(of: data).filter { inputNames.contains($0.key) }
    for value in computed {
      guard let sample = samples[value], let numbers = rows[value] else { return nil }
      arrived[value] = try Tensor(numbers, try Shape([data.count] + sample))
    }
    return arrived
  }
}
