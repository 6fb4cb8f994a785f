import PruneGraph
import PruneTensor

/// One layer of a Keras configuration.
struct KerasLayer {
  /// Without the package a class is registered under: `Conv2D`.
  let className: String
  let name: String
  var config: JSON
  /// The models around it: `encoder/`, "" in the outermost one.
  let scope: String
  /// Whether it is a function of `keras.ops` that was called on a layer's output: it passes no mask on.
  let isOperation: Bool

  /// - Parameter json: `{"class_name": …, "config": {…}}`, as every version of Keras writes.
  init(_ json: JSON, scope: String) throws(PruneError) {
    guard let className = json["class_name"]?.string, let config = json["config"] else {
      throw PruneError(.badFormat, "a layer of the Keras configuration has no class_name or no config")
    }
    self.className = className.split(separator: ">").last.map(String.init) ?? className
    self.config = config
    name = json["name"]?.string ?? config["name"]?.string ?? className
    self.scope = scope
    isOperation = ["keras.src.ops", "keras.ops"].contains { json["module"]?.string?.hasPrefix($0) ?? false }
  }

  /// A layer inside another: what a wrapper applies.
  init(wrapped json: JSON?, as name: String, in outer: KerasLayer) throws(PruneError) {
    guard let json else { throw PruneError(.badFormat, "\(outer.label) says no layer that it wraps") }
    let inner = try KerasLayer(json, scope: outer.scope)
    (className, config, scope) = (inner.className, inner.config, outer.scope)
    isOperation = inner.isOperation
    self.name = "\(outer.name)/\(name)"
  }

  /// How errors call it: `Conv2D 'conv2d_1'`.
  var label: String { "\(className) '\(scope)\(name)'" }
  /// What its nodes and weights are named after.
  var path: String { scope + name }
  var isTrainable: Bool { config["trainable"]?.bool ?? true }

  func unsupported(_ what: String, hint: String = "") -> PruneError {
    PruneError(.unsupported, "\(label): \(what)", hint: hint)
  }

  // MARK: - Arguments

  func flag(_ key: String, default value: Bool) -> Bool { config[key]?.bool ?? value }
  func int(_ key: String, default value: Int) -> Int { config[key]?.int ?? value }
  func float(_ key: String, default value: Double) -> Double {
    config[key]?.double ?? config[key]?["config"]?["value"]?.double ?? value
  }
  func text(_ key: String, default value: String) -> String { config[key]?.string ?? value }

  func required(_ key: String) throws(PruneError) -> Int {
    guard let value = config[key]?.int, value > 0, value < 1 << 40 else {
      throw PruneError(.badFormat, "\(label) has no '\(key)' that is a positive whole number")
    }
    return value
  }

  /// One number for every spatial axis, where one number stands for all.
  func extents(_ key: String, rank: Int, default value: Int) throws(PruneError) -> [Int] {
    let extents: [Int]
    switch config[key] {
    case nil, .null?: extents = [Int](repeating: value, count: rank)
    case let json?: extents = json.ints ?? json.int.map { [Int](repeating: $0, count: rank) } ?? []
    }
    guard extents.count == rank, extents.allSatisfy({ $0 >= 1 && $0 < 1 << 30 }) else {
      throw PruneError(
        .badFormat, "\(label) has '\(key)' \(config[key]?.text ?? "null"), \(rank) positive whole numbers were wanted")
    }
    return extents
  }

  /// Whether channels come last; Keras's own default where nothing is said.
  var isChannelsLast: Bool { text("data_format", default: "channels_last") != "channels_first" }

  /// The extents of `batch_shape` or `batch_input_shape`, the batch first.
  var batchShape: [Int?]? {
    (config["batch_shape"] ?? config["batch_input_shape"])?.array?.map { $0.int }
  }
}

/// A weight of a layer: how the file addresses it, in the order that Keras makes it.
struct KerasWeight {
  /// Objects inside the layer, with a slash behind each: `forward_layer/cell/`, "" for the layer itself.
  var path = ""
  let name: String
  var isTrainable = true
  /// Its place among the variables of the object at `path`.
  var index = 0
  /// What the initializer is called.
  var key = ""
  /// For a factor of a low-rank adapter: the key of the weight it adds to, and by how much.
  var adapts: (key: String, scale: Double)?
}

/// A kind of layer: one row of the table in `KerasLayers`.
protocol KerasLayerKind: Sendable {
  var names: [String] { get }
  /// Arguments of a call that it reads, besides the tensors given by place.
  var arguments: Set<String> { get }
  /// Whether it reads numbers given by place.
  var takesConstants: Bool { get }
  /// What it does with the mask that an Embedding of mask_zero sends along.
  func masking(of layer: KerasLayer) -> KerasMasking
  /// The weights that a layer of this configuration has.
  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight]
  /// Adds the nodes of a call.
  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue]
  /// The configuration for weights of these shapes, by name with path: what pruning made smaller.
  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON
}

/// What a kind of layer does with a mask of steps.
enum KerasMasking {
  /// Nothing, and nothing behind it sees the mask: Keras's layers without `supports_masking`.
  case drops
  /// Nothing, and the layers behind it see it too.
  case passes
  /// It computes with it.
  case reads
  /// It would compute with it, which is not read.
  case lacks
}

extension KerasLayerKind {
  var arguments: Set<String> { [] }
  var takesConstants: Bool { false }
  func masking(of layer: KerasLayer) -> KerasMasking { .drops }
  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] { [] }
  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON { layer.config }
}

/// What a layer is called with.
struct KerasCall {
  var inputs: [KerasValue] = []
  /// Tensors given by name; those of a list as `initial_state/0`, `initial_state/1`.
  var named: [String: KerasValue] = [:]
  /// What is given by place and is no tensor.
  var constants: [(place: Int, value: JSON)] = []
  /// What is given by name and is no tensor.
  var options: [(name: String, value: JSON)] = []

  /// Whether an option is given and true.
  func flag(_ name: String) -> Bool { options.contains { $0.name == name && $0.value.bool == true } }
  /// The mask of what the layer is called with.
  var mask: String? { inputs.lazy.compactMap(\.mask).first ?? named.values.lazy.compactMap(\.mask).first }

  /// The one input of a layer that takes one.
  func input(of layer: KerasLayer) throws(PruneError) -> KerasValue {
    guard let first = inputs.first, inputs.count == 1 else {
      throw PruneError(.badFormat, "\(layer.label) is called with \(inputs.count) inputs, it takes one")
    }
    return first
  }
}

/// A value as Keras sees it. The tensor behind it may have its axes in another order: convolutions run with channels
/// first, and nothing is transposed until something needs the order that Keras sees.
struct KerasValue {
  var name: String
  /// Extents in Keras's order, nil where open; the batch first.
  var dims: [Int?]
  /// The axis of the tensor that each of Keras's axes is.
  var order: [Int]
  var dtype = DType.float32
  /// A boolean value [batch, steps]: which steps count; nil for all.
  var mask: String?

  init(_ name: String, _ dims: [Int?], order: [Int]? = nil, _ dtype: DType = .float32) {
    (self.name, self.dims, self.dtype) = (name, dims, dtype)
    self.order = order ?? Array(dims.indices)
  }

  var rank: Int { dims.count }
  var isPlain: Bool { order == Array(0..<order.count) }

  /// The axis that an argument means; negative counts from the end.
  func axis(_ axis: Int, of layer: KerasLayer) throws(PruneError) -> Int {
    let index = axis < 0 ? axis + rank : axis
    guard axis >= -rank, axis < rank else {
      throw PruneError(.badFormat, "\(layer.label) wants axis \(axis) of a value of \(rank) axes")
    }
    return index
  }
}
