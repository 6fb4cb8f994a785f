import PruneGraph
import PruneTensor

/// A model as Keras says it: a configuration, and weights in Keras's layout by key.
package struct KerasContent {
  package var file: KerasFile
  package var weights: [String: Tensor]
  /// Weights whose zeros are pruned ones.
  var masked: [String] = []
}

/// Turns a model into what Keras files hold.
package enum KerasWriter {
  /// - Throws: `.unsupported` naming the node that Keras has no layer for.
  package static func content(of model: Model) throws(PruneError) -> KerasContent {
    let graph = try model.opened().graph
    guard let file = KerasFile(model) else { return try KerasExport.content(of: graph) }
    let reason: PruneError
    do throws(PruneError) {
      var content: KerasContent
      do throws(PruneError) { content = try layerContent(file, graph) } catch {
        // Pruning by layer took layers away.
        guard let shorter = KerasShortening(file.config, graph).config else { throw error }
        var rest = file
        rest.config = shorter
        content = try layerContent(rest, graph)
      }
      content.masked = model.maskedParameters.filter { content.weights[$0] != nil }
      return content
    } catch { reason = error }
    do throws(PruneError) { return try KerasExport.content(of: graph) } catch {
      var both = error
      both.hint = "the configuration that the model was read with does not fit: \(reason.message); save it as .onnx"
      throw both
    }
  }

  /// The configuration that the model was read with, made to fit its weights as they are now.
  /// - Throws: `.unsupported` when the graph is no longer what such a configuration means.
  static func layerContent(_ file: KerasFile, _ original: Graph) throws(PruneError) -> KerasContent {
    let graph = try KerasMultiHeadAttention.rescaled(original)
    let built = try KerasBuilder.build(try file.layer(), .graph(graph), version: file.version, backend: file.backend)
    var content = KerasContent(file: file, weights: built.collected)
    content.file.config = try fitted(file.config, built, scope: "", depth: 0, isOutermost: true)
    let reloaded = try Keras.model(content.file, content.weights)
    if let place = GraphComparison(graph, reloaded.graph).difference {
      throw PruneError(.unsupported, "\(place) is not what the Keras configuration of this model computes")
    }
    return content
  }

  /// The configuration with the extents of weights; shapes that Keras noted when it built a layer are left out.
  private static func fitted(
    _ json: JSON, _ built: KerasBuilder, scope: String, depth: Int, isOutermost: Bool
  ) throws(PruneError) -> JSON {
    var result = json
    result["build_config"] = nil
    let layer = try KerasLayer(json, scope: scope)
    guard KerasNetwork.classes.contains(layer.className) else {
      var shapes: [String: Shape] = [:]
      let prefix = layer.path + "/"
      for (key, tensor) in built.collected where key.hasPrefix(prefix) {
        shapes[String(key.dropFirst(prefix.count))] = tensor.shape
      }
      var config = try KerasLayers.kind(of: layer).resized(layer, shapes)
      for (key, value) in built.refitted[layer.path] ?? [] { config[key] = value }
      result["config"] = config
      return result
    }
    guard depth < 16 else { throw layer.unsupported("models are nested more than 16 deep") }
    var layers: [JSON] = []
    for inner in layer.config["layers"]?.array ?? layer.config.array ?? [] {
      layers.append(
        try fitted(inner, built, scope: isOutermost ? "" : layer.path + "/", depth: depth + 1, isOutermost: false))
    }
    var config = layer.config
    if config.array != nil { config = .array(layers) } else { config["layers"] = .array(layers) }
    result["config"] = config
    return result
  }

  // MARK: - Files

  /// The groups of an `.h5` file.
  static func hdf5(_ content: KerasContent) throws(PruneError) -> HDF5Tree {
    var tree = HDF5Tree()
    let version = content.file.version.isEmpty ? writtenVersion : content.file.version
    let backend = content.file.backend.isEmpty ? "tensorflow" : content.file.backend
    tree.set("keras_version", .text(version))
    tree.set("backend", .text(backend))
    // The weights of `.h5` files would be more for a layer with an adapter: it is in the kernel.
    tree.set("model_config", .text(KerasAdapter.merged(content.file.config).text))
    if !content.file.training.isEmpty { tree.set("training_config", .text(content.file.training)) }
    if !content.masked.isEmpty { tree.set(Model.maskedKey, .text(content.masked.joined(separator: "\n"))) }
    let entries = try KerasNetwork(try content.file.layer(), scope: "").entries.filter { $0.layer.scope.isEmpty }
    var group = HDF5Tree()
    KerasLegacyWeights.write(entries.map(\.layer.name), "layer_names", to: &group)
    group.set("backend", .text(backend))
    group.set("keras_version", .text(version))
    for entry in entries {
      var tree = HDF5Tree()
      var names: [String] = []
      for weight in try KerasWeights.legacy(of: entry.layer) {
        let name = weight.key + ":0"
        names.append(name)
        try tree.set(name, try tensor(weight, content))
      }
      KerasLegacyWeights.write(names, "weight_names", to: &tree)
      group.group([Substring(entry.layer.name)]) { $0 = tree }
    }
    // Keras 3 looks for the model's own variables, of which there are none.
    group.group(["top_level_model_weights"]) { $0.set("weight_names", .texts([])) }
    tree.group(["model_weights"]) { $0 = group }
    return tree
  }

  /// The groups of the `model.weights.h5` in a `.keras` archive.
  static func variables(_ content: KerasContent) throws(PruneError) -> HDF5Tree {
    var tree = HDF5Tree()
    for weight in try KerasWeights.all(of: try content.file.layer(), scope: "") {
      try tree.set("\(weight.path)vars/\(weight.index)", try tensor(weight, content))
    }
    return tree
  }

  private static func tensor(_ weight: KerasWeight, _ content: KerasContent) throws(PruneError) -> Tensor {
    guard let tensor = content.weights[weight.key] else {
      throw PruneError(.unsupported, "the graph has no '\(weight.key)'")
    }
    return tensor
  }

  /// The version of Keras whose configurations are written for models that did not come from one.
  static let writtenVersion = "3.0.0"

  static func about(_ content: KerasContent) -> JSON {
    // Keras 3 alone has archives.
    let version = content.file.version.hasPrefix("3") ? content.file.version : writtenVersion
    // No clock is asked: the same model gives the same bytes.
    var about = JSON.object([("keras_version", .string(version)), ("date_saved", .string("1980-01-01@00:00:00"))])
    if !content.masked.isEmpty { about[Model.maskedKey] = .array(content.masked.map { .string($0) }) }
    return about
  }

  /// The configuration of an older Keras as Keras 3 wants it in an archive: with the module of every class.
  static func modern(_ json: JSON, depth: Int = 0) -> JSON {
    guard depth < 100 else { return json }
    if let values = json.array { return .array(values.map { modern($0, depth: depth + 1) }) }
    guard var fields = json.fields else { return json }
    for index in fields.indices { fields[index].value = modern(fields[index].value, depth: depth + 1) }
    var result = JSON.object(fields)
    // Keras 2 writes a list of one axis.
    if json["class_name"]?.string == "BatchNormalization", let axes = json["config"]?["axis"]?.ints, axes.count == 1 {
      result["config"]?["axis"] = JSON(axes[0])
    }
    guard let name = json["class_name"]?.string, json["config"] != nil, json["module"] == nil,
      let module = module(of: name)
    else { return result }
    result["module"] = .string(module)
    result["registered_name"] = .null
    return result
  }

  private static func module(of name: String) -> String? {
    if name == "Functional" || name == "Model" { return "keras.src.models.functional" }
    if name == "Sequential" { return "keras" }
    return name == "InputLayer" || KerasLayers.all.contains { $0.names.contains(name) } ? "keras.layers" : nil
  }
}
