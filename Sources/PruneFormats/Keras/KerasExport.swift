import PruneGraph
import PruneTensor

/// Says a graph that did not come from Keras as a functional model: one layer or two for every node.
///
/// Keras wants channels last, and ONNX has them behind the batch: the model keeps the graph's inputs and outputs, and a
/// Permute stands where the order changes.
struct KerasExport {
  /// What a layer gives out.
  struct Value {
    var layer: String
    /// Extents in the graph's order, nil where open.
    var dims: [Int?]
    /// Whether the layer gives the channels last.
    var isLast = false
    /// Whether no element is below zero.
    var isPositive = false

    var rank: Int { dims.count }
  }

  let graph: Graph
  let consumers: [String: [Int]]
  private var layers: [JSON] = []
  /// The layers that each layer takes.
  private var sources: [String: [String]] = [:]
  private(set) var weights: [String: Tensor] = [:]
  var values: [String: Value] = [:]
  private var names: Set<String> = []
  /// Values by layer and order, so that each is turned once.
  private var reordered: [String: Value] = [:]
  /// Nodes that an earlier node's layer already computes.
  var done: Set<Int> = []

  /// - Throws: `.unsupported` naming the node that no layer of Keras computes.
  static func content(of graph: Graph) throws(PruneError) -> KerasContent {
    var export = KerasExport(graph)
    try export.run()
    let references = { (names: [String]) in JSON.array(names.map { .array([.string($0), JSON(0), JSON(0)]) }) }
    var outputs: [String] = []
    for output in graph.outputs {
      guard let value = export.values[output.name] else {
        throw PruneError(.unsupported, "the output '\(output.name)' is computed by no layer")
      }
      outputs.append(export.first(value).layer)
    }
    let inputs = graph.trueInputs.map { export.values[$0.name]?.layer ?? "" }
    export.order(outputs: outputs)
    let config: JSON = .object([
      ("name", .string(sanitized(graph.name.isEmpty ? "model" : graph.name))), ("trainable", .bool(true)),
      ("layers", .array(export.layers)),
      ("input_layers", references(inputs)), ("output_layers", references(outputs)),
    ])
    var file = KerasFile(config: .object([("class_name", .string("Functional")), ("config", config)]))
    file.version = "2.15.0"
    file.backend = "tensorflow"
    return KerasContent(file: file, weights: export.weights)
  }

  private init(_ graph: Graph) {
    self.graph = graph
    consumers = graph.consumers
  }

  private mutating func run() throws(PruneError) {
    for input in graph.trueInputs {
      guard let type = input.type, let dims = type.dims, let dtype = type.dtype else {
        throw PruneError(.unsupported, "the input '\(input.name)' has no shape, which Keras wants")
      }
      let extents = dims.map(\.value)
      try check(extents)
      let shape = JSON.array([.null] + extents.dropFirst().map { $0.map { JSON($0) } ?? .null })
      let name = add(
        "InputLayer", input.name,
        [("batch_input_shape", shape), ("dtype", .string(dtype.name)), ("sparse", .bool(false))], from: [], named: true)
      values[input.name] = Value(layer: name, dims: [nil] + extents.dropFirst())
    }
    for (index, node) in graph.nodes.enumerated() where !done.contains(index) {
      do throws(PruneError) {
        try emit(node, index)
        for output in node.outputs { try check(values[output]?.dims ?? []) }
      } catch {
        var located = error
        if !error.message.hasPrefix(node.label) { located.message = "\(node.label): \(error.message)" }
        located.hint = error.hint.isEmpty ? "save it as .onnx" : error.hint
        throw located
      }
    }
  }

  /// Extents that arithmetic on them cannot overflow: every node starts from such.
  private func check(_ dims: [Int?]) throws(PruneError) {
    guard dims.allSatisfy({ ($0 ?? 0) >= 0 && ($0 ?? 0) < 1 << 31 }) else {
      throw PruneError(.unsupported, "extents of 2^31 or more, or below zero, are not written")
    }
  }

  // MARK: - Layers

  /// A name that Keras and TensorFlow take: no slashes, a letter or digit in front.
  private static func sanitized(_ name: String) -> String {
    let letters = name.unicodeScalars.map { scalar -> Character in
      let isPlain =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "_.-".unicodeScalars.contains(scalar))
      return isPlain ? Character(scalar) : "_"
    }
    let text = String(letters)
    return text.first.map { $0.isLetter || $0.isNumber } ?? false ? text : "n" + text
  }

  /// Adds a layer that takes the outputs of others; its name.
  mutating func add(
    _ className: String, _ baseName: String, _ config: [(key: String, value: JSON)], from: [Value], named: Bool = false
  ) -> String {
    let name = Graph.uniqueName(Self.sanitized(baseName.isEmpty ? className : baseName), &names)
    var all: [(key: String, value: JSON)] = [("name", .string(name))]
    if !named { all += [("trainable", .bool(true)), ("dtype", .string("float32"))] }
    sources[name] = from.map(\.layer)
    let inbound = from.map { JSON.array([.string($0.layer), JSON(0), JSON(0), .object([])]) }
    layers.append(
      .object([
        ("class_name", .string(className)), ("config", .object(all + config)), ("name", .string(name)),
        ("inbound_nodes", from.isEmpty ? .array([]) : .array([.array(inbound)])),
      ]))
    return name
  }

  /// Puts layers in the order in which Keras lists them: by how far they are from the outputs, and then as a walk from
  /// the outputs meets them. The weights of `.h5` files are found by that order.
  private mutating func order(outputs: [String]) {
    var met: [String: Int] = [:]
    var finished: [String] = []
    var isFinished: Set<String> = []
    var stack: [(layer: String, next: Int)] = []
    for output in outputs {
      stack.append((output, 0))
      while let (layer, next) = stack.popLast() {
        if isFinished.contains(layer) { continue }
        if met[layer] == nil { met[layer] = met.count }
        let inputs = sources[layer] ?? []
        if next < inputs.count {
          stack.append((layer, next + 1))
          stack.append((inputs[next], 0))
        } else {
          isFinished.insert(layer)
          finished.append(layer)
        }
      }
    }
    var depths: [String: Int] = [:]
    for layer in finished.reversed() {
      let depth = depths[layer, default: 0]
      depths[layer] = depth
      for source in sources[layer] ?? [] { depths[source] = max(depths[source, default: 0], depth + 1) }
    }
    // A layer that no output needs is none of the model, except for an input.
    var rows: [(depth: Int, met: Int, json: JSON)] = []
    for json in layers {
      let name = json["name"]?.string ?? ""
      if let place = met[name] {
        rows.append((depths[name, default: 0], place, json))
      } else if sources[name]?.isEmpty == true {
        rows.append((Int.max, rows.count, json))
      }
    }
    layers = rows.sorted { $0.depth != $1.depth ? $0.depth > $1.depth : $0.met < $1.met }.map(\.json)
  }

  mutating func set(_ layer: String, _ weight: String, _ tensor: Tensor) { weights["\(layer)/\(weight)"] = tensor }

  /// The value of an input of a node.
  func value(_ node: Node, _ index: Int) throws(PruneError) -> Value {
    guard let name = node.input(index) else { throw PruneError(.unsupported, "its input \(index) is missing") }
    guard let value = values[name] else {
      throw PruneError(.unsupported, "its input '\(name)' is a constant where Keras's layers take a value")
    }
    return value
  }

  /// The weight or constant that an input of a node is.
  func constant(_ node: Node, _ index: Int) -> Tensor? {
    guard let name = node.input(index) else { return nil }
    if let tensor = graph.initializer(name) { return tensor }
    return graph.nodes.first { $0.opType == "Constant" && $0.outputs.first == name }?.tensor("value")
  }

  /// The value with channels last.
  mutating func last(_ value: Value) -> Value {
    if value.isLast || value.rank < 3 { return value }
    return permuted(value, Array(2..<value.rank) + [1], isLast: true)
  }

  /// The value with axes as the graph has them.
  mutating func first(_ value: Value) -> Value {
    if !value.isLast || value.rank < 3 { return value }
    return permuted(value, [value.rank - 1] + Array(1..<value.rank - 1), isLast: false)
  }

  private mutating func permuted(_ value: Value, _ dims: [Int], isLast: Bool) -> Value {
    let key = "\(value.layer) \(isLast)"
    if let cached = reordered[key] { return cached }
    var result = value
    result.layer = add(
      "Permute", "\(value.layer)_\(isLast ? "channels_last" : "channels_first")", [("dims", JSON(dims))], from: [value])
    result.isLast = isLast
    reordered[key] = result
    return result
  }

  /// The layer's axis that an axis of the graph is.
  func axis(_ axis: Int, of value: Value) throws(PruneError) -> Int {
    let position = axis < 0 ? axis + value.rank : axis
    guard position > 0, position < value.rank else {
      throw PruneError(.unsupported, "axis \(axis) is the batch's or none")
    }
    guard value.isLast, value.rank >= 3 else { return position }
    return position == 1 ? value.rank - 1 : position - 1
  }
}
