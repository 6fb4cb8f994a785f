import PruneGraph
import PruneTensor

/// What a Keras file holds besides weights; kept in the model's metadata, so that it can be written again.
package struct KerasFile {
  /// `{"class_name": …, "config": …}`, and the further keys of Keras 3.
  package var config: JSON
  /// How the model was compiled, as `.h5` files say it; "" for none.
  var training = ""
  var version = ""
  var backend = ""

  private enum Key {
    static let config = "keras.config", training = "keras.training_config", version = "keras.version",
      backend = "keras.backend"
  }

  init(config: JSON) { self.config = config }

  /// What an earlier reading left in a model; nil when it did not come from Keras.
  init?(_ model: Model) {
    func value(_ key: String) -> String? { model.metadata.first { $0.key == key }?.value }
    guard let text = value(Key.config), let config = try? JSON(text: Array(text.utf8)) else { return nil }
    self.config = config
    (training, version, backend) = (value(Key.training) ?? "", value(Key.version) ?? "", value(Key.backend) ?? "")
  }

  func store(in model: inout Model) {
    for (key, value) in [
      (Key.config, config.text), (Key.training, training), (Key.version, version), (Key.backend, backend),
    ] where !value.isEmpty {
      model.metadata.removeAll { $0.key == key }
      model.metadata.append(MetadataEntry(key: key, value: value))
    }
  }

  /// The model as a layer.
  func layer() throws(PruneError) -> KerasLayer { try KerasLayer(config, scope: "") }
}

/// Reads the models of Keras 1 to 3: `.h5`, and the `.keras` archives of Keras 3.
package enum Keras {
  /// The model of an HDF5 file.
  static func read(hdf5 bytes: Bytes) throws(PruneError) -> Model {
    let root = try HDF5File(bytes).root
    guard let text = try root.attribute("model_config")?.text else {
      throw PruneError(
        .unsupported, "the HDF5 file holds no Keras model: it has no attribute 'model_config'",
        hint: "save the whole model from Keras, not its weights: model.save(\"model.keras\")")
    }
    var file = KerasFile(config: try parsed(Array(text.utf8), "model_config"))
    file.training = try root.attribute("training_config")?.text ?? ""
    file.version = try root.attribute("keras_version")?.text ?? "1"
    file.backend = try root.attribute("backend")?.text ?? ""
    guard let group = try root.child("model_weights") else {
      throw PruneError(.badFormat, "the HDF5 file has no 'model_weights'")
    }
    var model = try model(file, try KerasLegacyWeights.read(group, of: try file.layer()))
    if let masked = try root.attribute(Model.maskedKey)?.text {
      model.maskZeros(of: masked.split(separator: "\n").map(String.init))
    }
    return model
  }

  /// The model of a `.keras` archive.
  static func read(archive bytes: Bytes) throws(PruneError) -> Model {
    let archive = try ZipArchive(bytes)
    var file = KerasFile(config: try parsed(try archive.read("config.json").array, "config.json"))
    let about = try parsed(try archive.read("metadata.json").array, "metadata.json")
    file.version = about["keras_version"]?.string ?? "3"
    let root = try HDF5File(try archive.read("model.weights.h5")).root
    var weights: [String: Tensor] = [:]
    let layer = try file.layer()
    var groups: [String: HDF5Object] = [:]
    for weight in try KerasWeights.all(of: outermost(layer), scope: "") {
      let path = weight.path + "vars"
      if groups[path] == nil { groups[path] = try variables(root, path) }
      guard let group = groups[path], let child = try group.child(String(weight.index)) else {
        throw PruneError(
          .badFormat, "model.weights.h5 has no '\(path)/\(weight.index)', the \(weight.name) of '\(weight.key)'",
          hint: "the file is damaged")
      }
      weights[weight.key] = try child.tensor()
    }
    var model = try model(file, weights)
    model.maskZeros(of: (about[Model.maskedKey]?.array ?? []).compactMap(\.string))
    return model
  }

  /// The variables of an object; early files of Keras 2.13 name the layers otherwise.
  private static func variables(_ root: HDF5Object, _ path: String) throws(PruneError) -> HDF5Object? {
    if let object = try root.descendant(path) { return object }
    guard path.hasPrefix("layers/") else { return nil }
    return try root.descendant("_layer_checkpoint_dependencies/" + path.dropFirst(7))
  }

  /// The outermost model's layers are in no group of their own, and their keys in no scope.
  static func outermost(_ model: KerasLayer) throws(PruneError) -> KerasLayer {
    guard KerasNetwork.classes.contains(model.className) else {
      throw model.unsupported(
        "it is a class of its own, defined by code that a file does not hold",
        hint: "make it a Sequential or functional model, or export it to ONNX")
    }
    return model
  }

  private static func parsed(_ text: [UInt8], _ name: String) throws(PruneError) -> JSON {
    do throws(PruneError) { return try JSON(text: text) } catch { throw error.located(at: name) }
  }

  /// The graph of a configuration with these weights.
  package static func model(_ file: KerasFile, _ weights: [String: Tensor]) throws(PruneError) -> Model {
    let builder = try KerasBuilder.build(try file.layer(), .file(weights), version: file.version, backend: file.backend)
    var model = Model(graph: builder.graph)
    file.store(in: &model)
    try ONNX.validate(model)
    return model
  }
}

/// Weights in `.h5` files: lists by layer, in the order that Keras makes them.
enum KerasLegacyWeights {
  static func read(_ group: HDF5Object, of model: KerasLayer) throws(PruneError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for entry in try KerasNetwork(try Keras.outermost(model), scope: "").entries {
      var expected = try KerasWeights.legacy(of: entry.layer, adapters: true)
      if expected.isEmpty { continue }
      guard let layerGroup = try group.child(entry.layer.name) else {
        throw PruneError(.badFormat, "\(entry.layer.label) has no weights in the file")
      }
      let names = try texts(layerGroup, "weight_names")
      if names.count != expected.count { expected = try KerasWeights.legacy(of: entry.layer) }
      guard names.count == expected.count else {
        throw PruneError(
          .mismatch,
          "\(entry.layer.label) has \(names.count) weights in the file, its configuration wants \(expected.count)")
      }
      for (weight, name) in zip(expected, names) {
        guard let child = try layerGroup.descendant(name) else {
          throw PruneError(.badFormat, "\(entry.layer.label): the file has no '\(name)'")
        }
        result[weight.key] = try child.tensor()
      }
      try KerasAdapter.merge(expected, &result)
    }
    return result
  }

  /// A list of texts, which goes over several attributes when it is long: `weight_names0`, `weight_names1`, …
  static func texts(_ object: HDF5Object, _ name: String) throws(PruneError) -> [String] {
    if let value = try object.attribute(name) { return value.texts ?? [] }
    var result: [String] = []
    var part = 0
    while let value = try object.attribute("\(name)\(part)") {
      (result, part) = (result + (value.texts ?? []), part + 1)
    }
    return result
  }

  /// Bytes of texts that Keras puts into one attribute.
  private static let limit = 64512

  static func write(_ texts: [String], _ name: String, to tree: inout HDF5Tree) {
    let size = max(texts.map(\.utf8.count).max() ?? 0, 1)
    let most = max(limit / size, 1)
    if texts.count <= most { return tree.set(name, .texts(texts)) }
    for (part, first) in stride(from: 0, to: texts.count, by: most).enumerated() {
      tree.set("\(name)\(part)", .texts(Array(texts[first..<min(first + most, texts.count)])))
    }
  }
}
