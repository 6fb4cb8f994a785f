import PruneTensor

/// Finds the named tensors of what a checkpoint holds.
struct StateDict {
  private(set) var tensors: [(name: String, tensor: TorchTensor)] = []
  /// Objects that were passed over, by what made them.
  private(set) var refused: [String] = []
  private var visited = Set<ObjectIdentifier>()

  /// Where training scripts keep the weights of a checkpoint that also holds optimizer and epoch.
  private static let usualKeys = [
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "weights", "params",
  ]
  /// What modules that were saved whole keep their tensors under.
  private static let transparentKeys: Set<String> = ["_parameters", "_buffers", "_modules"]
  private static let deepest = 64

  init(_ root: PickleValue) throws(PruneError) {
    var value = root
    if case .container(let container) = root,
      !container.entries.contains(where: { if case .tensor = $0.value { true } else { false } })
    {
      for key in Self.usualKeys {
        if let entry = container.entries.last(where: { $0.key.text == key })?.value, entry.holdsValues {
          value = entry
          break
        }
      }
    }
    try collect(value, "", depth: 0)
    if tensors.isEmpty {
      if case .object(let object) = root {
        throw PruneError(
          .unsupported, "the file holds a '\(object.callee)', not a state dict",
          hint: "save the state dict: torch.save(model.state_dict(), path)")
      }
      let others = refused.isEmpty ? "" : "; it holds \(refused.prefix(4).map { "'\($0)'" }.joined(separator: ", "))"
      throw PruneError(
        .badFormat, "the file holds no tensors\(others)",
        hint: "save the state dict: torch.save(model.state_dict(), path)")
    }
  }

  private mutating func collect(_ value: PickleValue, _ name: String, depth: Int) throws(PruneError) {
    guard depth < Self.deepest else {
      throw PruneError(.unsupported, "'\(name.prefix(80))' is nested more than \(Self.deepest) deep")
    }
    switch value {
    case .tensor(let tensor): tensors.append((name, tensor))
    case .container(let container), .object(let container):
      guard visited.insert(ObjectIdentifier(container)).inserted else { return }
      if case .object = value, container.entries.isEmpty { refused.append(container.callee) }
      for (key, value) in container.entries {
        guard let part = key.text ?? key.integer.map(String.init) else { continue }
        let inner = Self.transparentKeys.contains(part) ? name : name.isEmpty ? part : "\(name).\(part)"
        try collect(value, inner, depth: depth + 1)
      }
      for (index, item) in container.items.enumerated() {
        try collect(item, name.isEmpty ? "\(index)" : "\(name).\(index)", depth: depth + 1)
      }
    default: break
    }
  }
}

extension PickleValue {
  /// Whether it is a container or an object with something in it.
  fileprivate var holdsValues: Bool {
    switch self {
    case .container(let container), .object(let container): !container.entries.isEmpty
    default: false
    }
  }
}
