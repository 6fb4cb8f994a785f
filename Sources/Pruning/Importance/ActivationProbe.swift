import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What flows through a model, measured inside its own graph: nodes that reduce activations to small statistics are
/// added to it, and only those leave a run.
struct ActivationProbe {
  private(set) var model: Model
  private var taken: Set<String>
  private var outputs: [String] = []

  init(_ model: Model) {
    self.model = model
    taken = model.graph.allNames
  }

  /// Wants a value of the graph.
  mutating func want(_ value: String) { outputs.append(value) }

  /// Appends a node and returns its output.
  mutating func emit(_ opType: String, _ inputs: [String], _ attributes: [Attribute] = []) -> String {
    let output = Graph.uniqueName("probe.\(opType)", &taken)
    model.graph.nodes.append(Node(opType, name: output, inputs: inputs, outputs: [output], attributes: attributes))
    return output
  }

  mutating func integers(_ values: [Int]) throws(PruneError) -> String {
    let name = Graph.uniqueName("probe.integers", &taken)
    model.graph.setInitializer(name, try Tensor(values.map(Int64.init)))
    return name
  }

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
        // A model of one batch size leaves out what does not fill the last batch.
        if last - first < size, inputBinding.fixedBatch != nil, first > 0 { break }
        try body(try session.run(inputBinding.inputs(of: data.rows(first, last)), cancel: cancel), last - first)
      }
    }
  }
}

/// The inputs of a layer as the columns of its `LayerMatrix` see them.
struct LayerInputs {
  let use: WeightUse
  /// Of the weight.
  let shape: Shape

  /// Sums of squares, [groups, columns], summed over a batch: the value to want.
  func squares(_ probe: inout ActivationProbe) throws(PruneError) -> String {
    let value = probe.emit("Mul", [use.input, use.input])
    guard use.node.opType == "Conv" else {
      return try probe.sum(try rows(value, &probe), [0])
    }
    let rank = shape.rank
    let patches = try self.patches(value, &probe).map { patch throws(PruneError) in
      try probe.sum(patch, [0] + Array(2..<rank))
    }
    // [taps][groups * inputs]: turned to [groups, taps, inputs].
    let joined = patches.count == 1 ? patches[0] : probe.emit("Concat", patches, [Attribute("axis", .int(0))])
    let split = try probe.reshape(joined, [use.matrix.taps, use.matrix.groups, use.matrix.inputs])
    return probe.emit("Transpose", [split], [Attribute("perm", .integers([1, 0, 2]))])
  }

  /// Sums of products of all pairs of columns, [groups, columns, columns].
  func products(_ probe: inout ActivationProbe) throws(PruneError) -> String {
    let matrix = use.matrix
    var table: String
    if use.node.opType == "Conv" {
      let patches = try self.patches(use.input, &probe)
      let joined = patches.count == 1 ? patches[0] : probe.emit("Concat", patches, [Attribute("axis", .int(1))])
      // [N, taps * groups * inputs, …] to [groups, N, positions, taps, inputs].
      var dims = [0, matrix.taps, matrix.groups, matrix.inputs, -1]
      dims[0] = 0
      let split = try probe.reshape(joined, dims)
      let turned = probe.emit("Transpose", [split], [Attribute("perm", .integers([2, 0, 4, 1, 3]))])
      table = try probe.reshape(turned, [matrix.groups, -1, matrix.columns])
    } else {
      table = try probe.reshape(try rows(use.input, &probe), [1, -1, matrix.columns])
    }
    let turned = probe.emit("Transpose", [table], [Attribute("perm", .integers([0, 2, 1]))])
    table = probe.emit("MatMul", [turned, table])
    return table
  }

  /// [-1, inputs] of what a matrix is multiplied by.
  private func rows(_ value: String, _ probe: inout ActivationProbe) throws(PruneError) -> String {
    guard use.operand == 1, use.matrix.groups == 1, use.node.int("transA", default: 0) == 0,
      use.node.opType == "MatMul" || use.node.opType == "Gemm"
    else { throw unsupported("it is \(use.node.opType) input \(use.operand) of \(use.matrix.groups) parts") }
    return try probe.reshape(value, [-1, use.matrix.inputs])
  }

  /// What each tap of a convolution's kernel sees, [N, channels, positions …].
  private func patches(_ value: String, _ probe: inout ActivationProbe) throws(PruneError) -> [String] {
    let node = use.node, kernel = Array(shape.dims.dropFirst(2)), axes = kernel.count
    guard use.operand == 1, node.opType == "Conv" else { throw unsupported("its operator is \(node.opType)") }
    let opset = probe.model.opset() ?? Model.defaultOpset
    guard opset >= 11 else { throw unsupported("the model is of opset \(opset), wanted 11 or later") }
    let mode = node.string("auto_pad", default: "NOTSET")
    guard mode == "NOTSET" || mode == "VALID" else { throw unsupported("auto_pad is \(mode)") }
    let pads = mode == "VALID" ? [] : node.ints("pads") ?? []
    let strides = node.ints("strides") ?? [Int](repeating: 1, count: axes)
    let dilations = node.ints("dilations") ?? [Int](repeating: 1, count: axes)
    guard strides.count == axes, dilations.count == axes, pads.isEmpty || pads.count == 2 * axes,
      (strides + dilations).allSatisfy({ (1...1 << 20).contains($0) })
    else { throw unsupported("its attributes do not fit a kernel \(shape)") }
    var padded = value
    if pads.contains(where: { $0 != 0 }) {
      let amounts = [0, 0] + pads.prefix(axes) + [0, 0] + pads.suffix(axes)
      padded = probe.emit("Pad", [value, try probe.integers(amounts)])
    }
    if use.matrix.taps == 1, strides.allSatisfy({ $0 == 1 }) { return [padded] }
    var result: [String] = []
    for tap in 0..<use.matrix.taps {
      var rest = tap
      var starts = [Int](repeating: 0, count: axes), ends = starts
      for axis in stride(from: axes - 1, through: 0, by: -1) {
        let place = rest % kernel[axis]
        rest /= kernel[axis]
        starts[axis] = place * dilations[axis]
        let behind = (kernel[axis] - 1 - place) * dilations[axis]
        ends[axis] = behind == 0 ? Int(Int32.max) : -behind
      }
      result.append(
        probe.emit(
          "Slice",
          [
            padded, try probe.integers(starts), try probe.integers(ends), try probe.integers(Array(2..<2 + axes)),
            try probe.integers(strides),
          ]))
    }
    return result
  }

  private func unsupported(_ reason: String) -> PruneError {
    PruneError(
      .unsupported, "the inputs of the layer cannot be listed column by column: \(reason)", at: use.node.label,
      hint: "leave the layer out with ignore = …")
  }
}
