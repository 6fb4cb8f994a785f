import PruneGraph
import PruneTensor

/// A configuration without the layers that pruning by layer took away: what an Add joined is the branch that is left,
/// and a layer without nodes is its input. `GraphComparison` says afterwards whether that is what the graph computes.
struct KerasShortening {
  /// The shorter configuration; nil when no layer is gone, or what is left is not known.
  let config: JSON?

  init(_ config: JSON, _ graph: Graph) {
    var scopes: Set<String> = []
    // A value's axes in another order are named after the layer that gave it, which may be gone.
    for node in graph.nodes where !node.name.hasSuffix("/transpose") {
      var path = Substring(node.name)
      scopes.insert(String(path))
      while let slash = path.lastIndex(of: "/") {
        path = path[..<slash]
        scopes.insert(String(path))
      }
    }
    var result = config
    var layers = config["config"]?["layers"]?.array ?? []
    guard config["class_name"]?.string != "Sequential" else {
      layers.removeAll { layer in
        guard let layer = try? KerasLayer(layer, scope: "") else { return false }
        return Self.isGone(layer, scopes)
      }
      result["config"]?["layers"] = .array(layers)
      self.config = layers.count < (config["config"]?["layers"]?.array?.count ?? 0) ? result : nil
      return
    }
    // In order from the inputs: a layer after a removed layer reads the inputs of the removed layer.
    guard let model = try? KerasLayer(config, scope: ""), let network = try? KerasNetwork(model, scope: "") else {
      self.config = nil
      return
    }
    var removed: [String: KerasNetwork.Reference] = [:]
    func source(_ reference: KerasNetwork.Reference) -> KerasNetwork.Reference {
      var origin = reference
      var steps = 0
      while let next = removed[origin.layer], steps < removed.count + 1 { (origin, steps) = (next, steps + 1) }
      return origin
    }
    var changed = true
    while changed {
      changed = false
      for entry in network.entries where removed[entry.layer.name] == nil && Self.isGone(entry.layer, scopes) {
        guard entry.calls.count == 1, let call = entry.calls.first else { continue }
        // A branch is gone when it comes from a layer that is gone, and so does all that it computed.
        let alive = call.inputs.filter { input in
          network.entries.contains { $0.layer.name == input.layer && !Self.isGone($0.layer, scopes) }
            || removed[input.layer] != nil && call.inputs.count == 1
        }
        let candidates = alive.isEmpty ? call.inputs.filter { removed[$0.layer] != nil } : alive
        guard let one = Set(candidates.map(source)).count == 1 ? candidates.first : nil else { continue }
        removed[entry.layer.name] = source(one)
        changed = true
      }
    }
    guard !removed.isEmpty else {
      self.config = nil
      return
    }
    func renamed(_ json: JSON, _ depth: Int) -> JSON {
      guard depth < 32 else { return json }
      if let parts = json.array {
        if parts.count >= 3, let name = parts[0].string, removed[name] != nil, let call = parts[1].int,
          let tensor = parts[2].int
        {
          let origin = source(.init(layer: name, call: call, tensor: tensor))
          return .array([.string(origin.layer), JSON(origin.call), JSON(origin.tensor)] + parts.dropFirst(3))
        }
        return .array(parts.map { renamed($0, depth + 1) })
      }
      if let fields = json.fields { return .object(fields.map { ($0.key, renamed($0.value, depth + 1)) }) }
      return json
    }
    for index in layers.indices {
      layers[index]["inbound_nodes"] = layers[index]["inbound_nodes"].map { renamed($0, 0) }
    }
    let outputs = result["config"]?["output_layers"].map { renamed($0, 0) }
    result["config"]?["output_layers"] = outputs
    result["config"]?["layers"] = .array(layers)
    self.config = Self.reached(result, layers)
  }

  /// The configuration with the layers alone that an output needs, and the inputs.
  private static func reached(_ config: JSON, _ layers: [JSON]) -> JSON? {
    guard let model = try? KerasLayer(config, scope: ""), let network = try? KerasNetwork(model, scope: "") else {
      return nil
    }
    var open = network.outputs.map(\.layer) + network.inputs.map(\.layer)
    var needed = Set(open)
    while let name = open.popLast() {
      for entry in network.entries where entry.layer.name == name {
        for call in entry.calls {
          for reference in call.inputs + call.named.map(\.reference) where needed.insert(reference.layer).inserted {
            open.append(reference.layer)
          }
        }
      }
    }
    var result = config
    result["config"]?["layers"] = .array(
      layers.filter { layer in
        needed.contains(layer["name"]?.string ?? layer["config"]?["name"]?.string ?? "")
      })
    return result
  }

  /// Whether a layer that has nodes has none any more.
  private static func isGone(_ layer: KerasLayer, _ scopes: Set<String>) -> Bool {
    guard !scopes.contains(layer.path), let kind = try? KerasLayers.kind(of: layer) else { return false }
    let isMerge = kind is KerasMerge
    return isMerge || kind is KerasActivationLayer && layer.text("activation", default: "") != "linear"
      || !((try? kind.weights(of: layer)) ?? []).isEmpty
  }
}
