import PruneGraph
import PruneTensor

/// How weights from a file are put into a model.
package struct WeightsOptions: Sendable {
  /// Names or patterns of the file's tensors, and what the model calls them; "" leaves a tensor out.
  package var mapFrom: [String] = []
  package var mapTo: [String] = []
  /// Whether anything that does not fit is an error.
  package var strict = true
  package init() {}
}

/// What of a file's weights went into a model.
package struct LoadedWeights: Sendable {
  /// A weight whose shape or type is another in the file.
  package struct Difference: Sendable {
    package let name: String
    package let expected: (dtype: DType, shape: Shape)
    package let actual: (dtype: DType, shape: Shape)
    /// The order of the file's axes that would fit.
    package let transposition: [Int]?
  }

  package private(set) var model: Model
  /// The model's names.
  package private(set) var matched: [String] = []
  /// Weights of the model that the file does not have.
  package private(set) var missing: [String] = []
  /// Tensors of the file that the model does not have.
  package private(set) var unexpected: [String] = []
  package private(set) var differing: [Difference] = []
  /// Tensors that were left out: by the map, and counters of batches.
  package private(set) var ignored: [String] = []
  /// Weights that were one with an equal one, and have a tensor of their own now.
  package private(set) var separated: [String] = []

  /// Puts tensors into the model's weights of the same names.
  /// - Throws: `.mismatch` when the options are strict and something does not fit; `.invalidArgument` for the map; what
  ///   reading a tensor throws.
  package init(_ entries: [WeightEntry], into model: Model, _ options: WeightsOptions) throws(PruneError) {
    let map = try WeightMap(options.mapFrom, options.mapTo)
    var model = model
    separated = Self.separate(Set(entries.compactMap { map.name(of: $0.name) }), in: &model.graph)
    self.model = model
    let names = WeightNames(model.graph)
    var chosen: [String: (entry: WeightEntry, isTransposed: Bool)] = [:]
    var aliased: [(target: String, entry: WeightEntry, alias: WeightNames.Alias)] = []
    for entry in entries {
      guard let name = map.name(of: entry.name) else {
        ignored.append(entry.name)
        continue
      }
      if model.graph.initializer(name) != nil {
        guard chosen.updateValue((entry, false), forKey: name) == nil else {
          throw PruneError(.invalidArgument, "two tensors of the file are mapped to '\(name)'")
        }
      } else if let alias = names.aliases[name] {
        aliased.append((name, entry, alias))
      } else if name.hasSuffix("num_batches_tracked") {
        ignored.append(entry.name)
      } else {
        unexpected.append(name)
      }
    }
    for (name, entry, alias) in aliased {
      if chosen[alias.initializer] == nil {
        chosen[alias.initializer] = (entry, alias.isTransposed)
      } else {
        unexpected.append(name)
      }
    }
    missing = names.trained.filter { chosen[$0] == nil }
    let order = model.graph.initializers.map(\.name).filter { chosen[$0] != nil }
    for name in order {
      guard let (entry, isTransposed) = chosen[name], let target = model.graph.initializer(name) else { continue }
      if let difference = Self.difference(name, target, entry, isTransposed) {
        differing.append(difference)
      } else {
        matched.append(name)
      }
    }
    if options.strict { try requireAll() }
    for name in matched {
      guard let (entry, isTransposed) = chosen[name], let target = model.graph.initializer(name) else { continue }
      let tensor = try entry.tensor()
      let oriented = isTransposed ? try tensor.transposed() : tensor
      self.model.graph.setInitializer(name, try oriented.cast(to: target.dtype).reshaped(target.shape))
    }
  }

  /// Exporters store equal tensors once, and let an Identity give the others' names: `bn.running_mean` of a network that
  /// was never trained is `bn.bias`. Each name that the file has gets a tensor of its own.
  private static func separate(_ names: Set<String>, in graph: inout Graph) -> [String] {
    var tensors: [String: Tensor] = [:]
    for initializer in graph.initializers { tensors[initializer.name] = initializer.tensor }
    var done: [String] = []
    for node in graph.nodes where node.opType == "Identity" && node.isStandard {
      guard let output = node.output(0), let source = node.input(0), let tensor = tensors[source] else { continue }
      tensors[output] = tensor
      if names.contains(output), !graph.outputs.contains(where: { $0.name == output }) { done.append(output) }
    }
    let removed = Set(done)
    graph.nodes.removeAll { $0.opType == "Identity" && $0.isStandard && ($0.output(0).map(removed.contains) ?? false) }
    for name in done {
      if let tensor = tensors[name] { graph.setInitializer(name, tensor) }
    }
    return done
  }

  private static func difference(_ name: String, _ target: Tensor, _ entry: WeightEntry, _ isTransposed: Bool)
    -> Difference?
  {
    let dims = isTransposed ? entry.shape.dims.reversed() : entry.shape.dims
    // Extents of 1 change no order: slopes [C] are [C, 1, 1] in ONNX.
    let fits = dims == target.shape.dims || dims.filter { $0 != 1 } == target.shape.dims.filter { $0 != 1 }
    let converts =
      entry.dtype == target.dtype || entry.dtype.isFloatingPoint && target.dtype.isFloatingPoint
      || entry.dtype.isInteger && target.dtype.isInteger && entry.dtype.bitWidth <= target.dtype.bitWidth
        && target.dtype == .int64
    if fits && converts { return nil }
    return Difference(
      name: name, expected: (target.dtype, target.shape), actual: (entry.dtype, entry.shape),
      transposition: fits ? nil : transposition(of: dims, to: target.shape.dims))
  }

  /// The axes of `dims` in an order that gives `expected`: those of the layouts that frameworks have before any other.
  package static func transposition(of dims: [Int], to expected: [Int]) -> [Int]? {
    guard dims.count == expected.count, dims.count > 1, dims.count <= 6, dims.sorted() == expected.sorted() else {
      return nil
    }
    // Orders of axes: matrices, kernels [width…, inputs, outputs] to [outputs, inputs, width…], depthwise kernels.
    let usual = [[1, 0], [2, 1, 0], [3, 2, 0, 1], [4, 3, 0, 1, 2], [2, 3, 0, 1], [0, 3, 1, 2]]
    func fits(_ order: [Int]) -> Bool { order.count == dims.count && order.map { dims[$0] } == expected }
    if let order = usual.first(where: fits) { return order }
    var order: [Int] = []
    func complete() -> Bool {
      guard order.count < dims.count else { return true }
      for axis in dims.indices where !order.contains(axis) && dims[axis] == expected[order.count] {
        order.append(axis)
        if complete() { return true }
        order.removeLast()
      }
      return false
    }
    return complete() ? order : nil
  }

  private func requireAll() throws(PruneError) {
    var parts: [String] = []
    func list(_ names: [String]) -> String {
      names.prefix(3).map { "'\($0)'" }.joined(separator: ", ") + (names.count > 3 ? ", …" : "")
    }
    if !missing.isEmpty { parts.append("\(missing.count) weights of the model are not in the file (\(list(missing)))") }
    if !unexpected.isEmpty {
      parts.append("\(unexpected.count) tensors of the file are not in the model (\(list(unexpected)))")
    }
    for one in differing.prefix(3) {
      let order = one.transposition.map { ", which axes \($0) would make fit" } ?? ""
      parts.append(
        "'\(one.name)' is \(one.expected.dtype.name) \(one.expected.shape), in the file \(one.actual.dtype.name) \(one.actual.shape)\(order)"
      )
    }
    if differing.count > 3 { parts.append("\(differing.count - 3) more differ in shape or type") }
    guard !parts.isEmpty else { return }
    throw PruneError(
      .mismatch, parts.joined(separator: "; "),
      hint: (prefixHint() ?? foldedHint() ?? "map renames tensors") + "; strict = false loads what fits")
  }

  /// What to do where batch normalizations of the file went into convolutions of the model.
  private func foldedHint() -> String? {
    guard missing.contains(where: { $0.hasPrefix("onnx::") }),
      unexpected.contains(where: { $0.hasSuffix("running_mean") || $0.hasSuffix("running_var") })
    else { return nil }
    return
      "the exporter folded batch normalizations into the layers before them, so their weights have no names: export "
      + "with training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False"
  }

  /// The map that would help where names differ by something in front.
  private func prefixHint() -> String? {
    guard let lacking = missing.first else { return nil }
    if let name = unexpected.first(where: { $0.hasSuffix("." + lacking) }) {
      return "map = {[\"\(name.dropLast(lacking.count))*\"] = \"*\"} would match '\(name)'"
    }
    for name in unexpected where lacking.hasSuffix("." + name) {
      return "map = {[\"*\"] = \"\(lacking.dropLast(name.count))*\"} would match '\(name)'"
    }
    return nil
  }
}

extension Model {
  /// The weights as `WeightFormats.save` writes them: every initializer that was trained.
  package var weights: [(name: String, tensor: Tensor)] {
    let trained = Set(WeightNames(graph).trained)
    return graph.initializers.filter { trained.contains($0.name) }.map { (name: $0.name, tensor: $0.tensor) }
  }
}
