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
    package let found: (dtype: DType, shape: Shape)
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

  /// Puts tensors into the model's weights of the same names.
  /// - Throws: `.mismatch` when the options are strict and something does not fit; `.invalidArgument` for the map; what
  ///   reading a tensor throws.
  package init(_ entries: [WeightEntry], into model: Model, _ options: WeightsOptions) throws(PruneError) {
    let map = try WeightMap(options.mapFrom, options.mapTo)
    let model = Self.apart(model, Set(entries.compactMap { map.name(of: $0.name) }))
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
      guard let (entry, isTransposed) = chosen[name], let own = model.graph.initializer(name) else { continue }
      if let difference = Self.difference(name, own, entry, isTransposed) {
        differing.append(difference)
      } else {
        matched.append(name)
      }
    }
    if options.strict { try requireAll() }
    for name in matched {
      guard let (entry, isTransposed) = chosen[name], let own = model.graph.initializer(name) else { continue }
      let tensor = try entry.tensor()
      let turned = isTransposed ? try tensor.transposed() : tensor
      self.model.graph.setInitializer(name, try turned.cast(to: own.dtype).reshaped(own.shape))
    }
  }

  /// The model with weights apart that exporters made one because they were equal when they were written, as those of a
  /// network that was never trained are: `b1.running_mean = Identity(b1.bias)`.
  private static func apart(_ model: Model, _ wanted: Set<String>) -> Model {
    func stored(_ node: Node) -> (name: String, tensor: Tensor)? {
      guard node.isStandard, node.opType == "Identity", let output = node.output(0), wanted.contains(output),
        let input = node.input(0), let tensor = model.graph.initializer(input)
      else { return nil }
      return (output, tensor)
    }
    let copies = model.graph.nodes.compactMap(stored)
    guard !copies.isEmpty else { return model }
    var result = model
    result.graph.nodes.removeAll { stored($0) != nil }
    for copy in copies { result.graph.setInitializer(copy.name, copy.tensor) }
    result.irVersion = max(result.irVersion, 4)
    return result
  }

  private static func difference(_ name: String, _ own: Tensor, _ entry: WeightEntry, _ isTransposed: Bool)
    -> Difference?
  {
    let dims = isTransposed ? entry.shape.dims.reversed() : entry.shape.dims
    // Extents of 1 change no order: slopes [C] are [C, 1, 1] in ONNX.
    let fits = dims == own.shape.dims || dims.filter { $0 != 1 } == own.shape.dims.filter { $0 != 1 }
    let converts =
      entry.dtype == own.dtype || entry.dtype.isFloatingPoint && own.dtype.isFloatingPoint
      || entry.dtype.isInteger && own.dtype.isInteger && entry.dtype.bitWidth <= own.dtype.bitWidth
        && own.dtype == .int64
    if fits && converts { return nil }
    return Difference(
      name: name, expected: (own.dtype, own.shape), found: (entry.dtype, entry.shape),
      transposition: fits ? nil : transposition(of: dims, to: own.shape.dims))
  }

  /// The axes of `dims` in an order that gives `expected`: those of the layouts that frameworks have before any other.
  package static func transposition(of dims: [Int], to expected: [Int]) -> [Int]? {
    guard dims.count == expected.count, dims.count > 1, dims.count <= 6, dims.sorted() == expected.sorted() else {
      return nil
    }
    // Of matrices; kernels [width…, inputs, outputs] as [outputs, inputs, width…], and depthwise ones.
    let usual = [[1, 0], [2, 1, 0], [3, 2, 0, 1], [4, 3, 0, 1, 2], [2, 3, 0, 1], [0, 3, 1, 2]]
    func fits(_ order: [Int]) -> Bool { order.count == dims.count && order.map { dims[$0] } == expected }
    if let known = usual.first(where: fits) { return known }
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
        "'\(one.name)' is \(one.expected.dtype.name) \(one.expected.shape), in the file \(one.found.dtype.name) \(one.found.shape)\(order)"
      )
    }
    if differing.count > 3 { parts.append("\(differing.count - 3) more differ in shape or type") }
    guard !parts.isEmpty else { return }
    throw PruneError(
      .mismatch, parts.joined(separator: "; "),
      hint: (prefixHint() ?? "map renames tensors") + "; strict = false loads what fits")
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
