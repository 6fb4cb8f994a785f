import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What flows through a model, measured inside its own graph: nodes that reduce activations to small statistics are
/// added to it, and only those leave a run.
struct ActivationProbe {
  private(set) var model: Model
  private var usedNames: Set<String>
  private var outputs: [String] = []
  /// Of the given model's values.
  private lazy var types = (try? ShapeInference.run(model).types) ?? [:]

  init(_ model: Model) {
    self.model = model
    usedNames = model.graph.allNames
  }

  /// Makes a value of the graph an output.
  mutating func observe(_ value: String) { outputs.append(value) }

  /// Appends a node and returns its output.
  mutating func emit(_ opType: String, _ inputs: [String], _ attributes: [Attribute] = []) -> String {
    let output = Graph.uniqueName("probe.\(opType)", &usedNames)
    model.graph.nodes.append(Node(opType, name: output, inputs: inputs, outputs: [output], attributes: attributes))
    return output
  }

  mutating func integers(_ values: [Int]) throws(PruneError) -> String {
    let name = Graph.uniqueName("probe.integers", &usedNames)
    model.graph.setInitializer(name, try Tensor(values.map(Int64.init)))
    return name
  }

  /// A constant of the probe's own.
  mutating func constant(_ tensor: Tensor) -> String {
    let name = Graph.uniqueName("probe.constant", &usedNames)
    model.graph.setInitializer(name, tensor)
    return name
  }

  /// What is known of the extents of a value of the given model.
  mutating func dims(of value: String) -> [Dim]? { types[value]?.dims }

  mutating func reshape(_ value: String, _ dims: [Int]) throws(PruneError) -> String {
    emit("Reshape", [value, try integers(dims)])
  }

  /// The sum over axes, which go.
  mutating func sum(_ value: String, _ axes: [Int]) throws(PruneError) -> String {
    let flag = Attribute("keepdims", .int(0))
    return (model.opset() ?? Model.defaultOpset) >= 13
      ? emit("ReduceSum", [value, try integers(axes)], [flag])
      : emit("ReduceSum", [value], [flag, Attribute("axes", .integers(axes))])
  }

  /// Runs all data through the model.
  /// - Parameters:
  ///   - communicator: the ranks that share the batches out; what `body` sums up is each rank's own part then.
  ///   - body: is given the wanted values of each batch, and the number of its samples.
  func run(
    _ data: Dataset, batchSize: Int, cancel: CancelFlag?, communicator: Communicator? = nil,
    _ body: ([String: Tensor], Int) throws(PruneError) -> Void
  ) throws(PruneError) {
    let inputBinding = try InputBinding(data, model), size = inputBinding.fixedBatch ?? max(batchSize, 1)
    let session = Session(model, outputs: outputs)
    try communicator.each { () throws(PruneError) in
      for (index, first) in stride(from: 0, to: data.count, by: size).enumerated() where communicator.owns(index) {
        try cancel?.check()
        let last = min(first + size, data.count)
        // A model of one batch size leaves out what does not fill the last batch, and repeats what does not fill the
        // first.
        if last - first < size, inputBinding.fixedBatch != nil, first > 0 { break }
        let inputs = try inputBinding.inputs(of: data.rows(first, last), filling: inputBinding.fixedBatch)
        try body(try session.run(inputs, cancel: cancel), last - first)
      }
    }
  }
}
