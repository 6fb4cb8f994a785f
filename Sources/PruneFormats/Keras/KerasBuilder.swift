import PruneGraph
import PruneTensor

/// Builds the graph of a Keras model, layer by layer.
struct KerasBuilder {
  /// Where weights come from.
  enum Source {
    /// The tensors of the file, by key.
    case file([String: Tensor])
    /// A graph that was built before: its initializers are read back into Keras's layout.
    case graph(Graph)
  }

  private(set) var graph = Graph()
  /// Weights as Keras lays them out, by key: those that a graph was asked for.
  private(set) var collected: [String: Tensor] = [:]
  /// Before Keras 3: some functions of the same name were others.
  let isBeforeKeras3: Bool
  private let source: Source
  /// Arguments of layers as the graph says them now: what pruning changed that no weight's shape shows. By path.
  private(set) var refitted: [String: [(key: String, value: JSON)]] = [:]
  private var usedNames: Set<String> = []
  /// Transposed values, by name and order.
  private var reordered: [String: KerasValue] = [:]

  init(_ source: Source, version: String, backend: String = "") {
    self.source = source
    isBeforeKeras3 = !(version.hasPrefix("3") || version.hasPrefix("4"))
  }

  /// Whether shapes are those of the configuration, and not what pruning left of them.
  var isExact: Bool {
    if case .file = source { return true }
    return false
  }

  // MARK: - Weights

  /// The initializer of a weight, and its shape in Keras's layout.
  /// - Parameters:
  ///   - name: with the path inside the layer: `forward_layer/cell/kernel`.
  ///   - expected: the extents by the configuration; nil where it names none.
  mutating func weight(
    _ layer: KerasLayer, _ name: String, _ form: KerasForm = .same, expected: [Int?]? = nil
  ) throws(PruneError) -> (name: String, shape: Shape) {
    let key = "\(layer.path)/\(name)"
    do throws(PruneError) {
      switch source {
      case .file(let weights):
        guard let tensor = weights[key] else {
          throw PruneError(.badFormat, "the file has no weights '\(name)' for it")
        }
        if let expected, !Self.fits(tensor.shape, expected) {
          let text = expected.map { $0.map(String.init) ?? "?" }.joined(separator: ",")
          throw PruneError(.mismatch, "'\(name)' is \(tensor.shape), its configuration wants [\(text)]")
        }
        if !graph.hasInitializer(key) { graph.setInitializer(key, try form.forward(tensor)) }
        usedNames.insert(key)
        return (key, tensor.shape)
      case .graph(let built):
        guard let tensor = built.initializer(key) else {
          throw PruneError(.unsupported, "the graph no longer has its weight '\(name)'")
        }
        let layerTensor = try form.inverse(tensor)
        collected[key] = layerTensor
        graph.setInitializer(key, tensor)
        usedNames.insert(key)
        return (key, layerTensor.shape)
      }
    } catch {
      var located = error
      located.message = "\(layer.label): \(error.message)"
      throw located
    }
  }

  /// A weight that no node reads. Where the graph lost it, this one is written.
  mutating func unread(_ layer: KerasLayer, _ name: String, otherwise tensor: Tensor) throws(PruneError) {
    let key = "\(layer.path)/\(name)"
    if case .graph(let built) = source, built.initializer(key) == nil {
      collected[key] = tensor
      return
    }
    _ = try weight(layer, name)
  }

  private static func fits(_ shape: Shape, _ expected: [Int?]) -> Bool {
    shape.rank == expected.count && zip(shape.dims, expected).allSatisfy { $1 == nil || $0 == $1 }
  }

  /// The constant that an input of a node is in the graph that was built before; nil where it is read from a file.
  func built(_ node: String, input: Int) -> Tensor? {
    guard case .graph(let graph) = source, let producer = graph.nodes.first(where: { $0.name == node }),
      let name = producer.input(input)
    else { return nil }
    if let tensor = graph.initializer(name) { return tensor }
    return graph.nodes.first { $0.opType == "Constant" && $0.outputs.first == name }?.tensor("value")
  }

  /// Notes an argument that the graph has another value of.
  mutating func refit(_ layer: KerasLayer, _ key: String, _ value: JSON) {
    if !isExact, layer.config[key]?.text != value.text { refitted[layer.path, default: []].append((key, value)) }
  }

  /// A tensor of our own as an initializer.
  mutating func constant(_ tensor: Tensor, _ name: String) -> String {
    let unique = Graph.uniqueName(name, &usedNames)
    graph.setInitializer(unique, tensor)
    return unique
  }
  mutating func constant(_ values: [Int], _ name: String) throws(PruneError) -> String {
    constant(try Tensor(values.map(Int64.init)), name)
  }
  mutating func constant(_ value: Double, _ name: String) throws(PruneError) -> String {
    constant(try Tensor(scalar: Float(value)), name)
  }

  // MARK: - Nodes

  /// Adds a node; its first output is named as the node is.
  mutating func node(
    _ op: String, _ inputs: [String], _ name: String, _ attributes: [(String, AttributeValue)] = [], outputs: Int = 1
  ) -> [String] {
    let unique = Graph.uniqueName(name, &usedNames)
    var names = [unique]
    for index in 1..<max(outputs, 1) { names.append(Graph.uniqueName("\(unique)_out\(index)", &usedNames)) }
    graph.nodes.append(
      Node(op, name: unique, inputs: inputs, outputs: names, attributes: attributes.map { Attribute($0, $1) }))
    return names
  }

  /// A node with one output.
  mutating func single(
    _ op: String, _ inputs: [String], _ name: String, _ attributes: [(String, AttributeValue)] = []
  ) -> String {
    node(op, inputs, name, attributes)[0]
  }

  /// A node that changes elements and no axis.
  mutating func map(
    _ op: String, _ value: KerasValue, _ name: String, _ more: [String] = [],
    _ attributes: [(String, AttributeValue)] = []
  ) -> KerasValue {
    var result = value
    result.name = single(op, [value.name] + more, name, attributes)
    return result
  }

  /// The value with its axes in this order.
  mutating func ordered(_ value: KerasValue, _ order: [Int]) -> KerasValue {
    if value.order == order { return value }
    let key = "\(value.name) \(value.order) \(order)"
    if let cached = reordered[key] { return cached }
    // Axis j of the result is Keras's axis i with order[i] == j, which lies at value.order[i].
    var axes = [Int](repeating: 0, count: order.count)
    for (index, place) in order.enumerated() { axes[place] = value.order[index] }
    var result = value
    result.name = single("Transpose", [value.name], "\(value.name)/transpose", [("perm", .integers(axes))])
    result.order = order
    reordered[key] = result
    return result
  }

  /// The value with its axes in the order of Keras.
  mutating func plain(_ value: KerasValue) -> KerasValue { ordered(value, Array(0..<value.rank)) }

  /// The value with the channels after the batch, as ONNX convolutions need it.
  /// - Parameter channel: which of Keras's axes they are.
  mutating func channelsFirst(_ value: KerasValue, channel: Int) -> KerasValue {
    var order = [Int](repeating: 0, count: value.rank)
    var next = 2
    for axis in 1..<max(value.rank, 1) where axis != channel { (order[axis], next) = (next, next + 1) }
    if order.indices.contains(channel) { order[channel] = 1 }
    return ordered(value, order)
  }

  /// Adds an input; the values it stands for.
  mutating func input(_ layer: KerasLayer, name: String) throws(PruneError) -> KerasValue {
    guard let shape = layer.batchShape, !shape.isEmpty, shape.count <= 16 else {
      throw PruneError(.badFormat, "\(layer.label) has no batch_shape")
    }
    try Self.check(shape, of: layer)
    let dtype = try Self.dtype(layer)
    let unique = Graph.uniqueName(name, &usedNames)
    let dims = shape.enumerated().map { index, extent -> Dim in
      extent.map(Dim.fixed) ?? .named(index == 0 ? "N" : "\(unique)_\(index)")
    }
    graph.inputs.append(ValueInfo(name: unique, type: TensorType(dtype, dims)))
    return KerasValue(unique, shape, dtype)
  }

  /// Extents that arithmetic on them cannot overflow: every layer starts from such.
  static func check(_ dims: [Int?], of layer: KerasLayer) throws(PruneError) {
    guard dims.allSatisfy({ ($0 ?? 0) >= 0 && ($0 ?? 0) < 1 << 31 }) else {
      throw PruneError(
        .badFormat,
        "\(layer.label) has the extents \(dims.map { $0.map(String.init) ?? "?" }.joined(separator: ",")), which are not possible"
      )
    }
  }

  private static func dtype(_ layer: KerasLayer) throws(PruneError) -> DType {
    let name = layer.config["dtype"]?.string ?? "float32"
    guard let dtype = DType(name: name), dtype != .string else { throw layer.unsupported("its dtype is '\(name)'") }
    // Half precision is how weights are kept, not what is computed in.
    return dtype.isFloatingPoint ? .float32 : dtype
  }

  /// Names the values as the graph's outputs.
  mutating func finish(_ values: [(name: String, value: KerasValue)]) {
    for (name, value) in values {
      let result = plain(value)
      let isFree =
        graph.nodes.contains { $0.outputs.contains(result.name) } && !graph.outputs.contains { $0.name == result.name }
      let output = isFree ? result.name : single("Identity", [result.name], "\(name)/output")
      let dims = value.dims.enumerated().map { index, extent -> Dim in
        extent.map(Dim.fixed) ?? (index == 0 ? .named("N") : .unknown)
      }
      graph.outputs.append(ValueInfo(name: output, type: TensorType(value.dtype, dims)))
    }
  }

  mutating func name(_ name: String) { graph.name = name }
}
