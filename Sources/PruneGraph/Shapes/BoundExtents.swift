import PruneTensor

/// The open extents of a model with numbers in their place: one binding for everything that a call measures, times and
/// proves.
///
/// In this order an extent is what the caller gave, what the data's samples have, what the model's metadata or
/// constants imply, or, where `assumes` allows it, an assumption that reports state.
package struct BoundExtents: Sendable {
  package private(set) var extents: [OpenExtent: Int] = [:]
  /// Extents without a number; never those of the batch.
  package private(set) var open: [String] = []
  package private(set) var assumed: [OpenExtent] = []
  /// Extents that the model itself says.
  package private(set) var implied: [OpenExtent] = []
  private let layout: OpenExtents

  /// - Parameter samples: extents of a sample, without the batch, by input.
  /// - Throws: what `ShapeBinding.extents` throws.
  package init(
    _ model: Model, shapes: ShapeBinding = .init(), samples: [String: [Int]] = [:], assumes: Bool
  ) throws(PruneError) {
    self = try Self.attempts(model, shapes: shapes, samples: samples, assumes: assumes, limit: 1)[0]
  }

  /// Bindings to try one after the other where the first does not run: at least one, and one alone where nothing is
  /// assumed.
  package static func attempts(
    _ model: Model, shapes: ShapeBinding = .init(), samples: [String: [Int]] = [:], assumes: Bool = true, limit: Int = 3
  ) throws(PruneError) -> [BoundExtents] {
    var base = BoundExtents(layout: OpenExtents(model, samples: samples))
    base.extents = try shapes.extents(of: model)
    for input in model.graph.trueInputs {
      guard let sample = samples[input.name], let dims = base.layout.dims(of: input), dims.count == sample.count + 1
      else {
        continue
      }
      for (axis, value) in sample.enumerated() {
        guard let extent = OpenExtent(dims[axis + 1], input: input.name, axis: axis + 1), base.extents[extent] == nil
        else { continue }
        base.extents[extent] = value
      }
    }
    for (extent, value) in ImpliedExtents.of(model)
    where base.extents[extent] == nil && !base.layout.batch.contains(extent) {
      base.extents[extent] = value
      base.implied.append(extent)
    }
    let missing = base.layout.others.filter { base.extents[$0] == nil }
    base.open =
      missing.map(\.description)
      + base.layout.rankless.filter { name in
        !shapes.entries.contains { $0.name == name }
      }.map { "the shape of '\($0)'" }
    guard assumes, base.open.count == missing.count, !missing.isEmpty else { return [base] }
    var attempts: [BoundExtents] = []
    for values in assumptions(missing) {
      var attempt = base
      for (extent, value) in zip(missing, values) { attempt.extents[extent] = value }
      (attempt.open, attempt.assumed) = ([], missing)
      guard (try? ShapeInference.run(model, inputs: attempt.types(of: model))) != nil else { continue }
      attempts.append(attempt)
      if attempts.count == limit { break }
    }
    return attempts.isEmpty ? [base] : attempts
  }

  private init(layout: OpenExtents) { self.layout = layout }

  /// Short sequences and small images first, then sizes that networks are made for, then one extent apart from the
  /// others: the length of a cache and its sum with the new tokens, an axis that is always 1.
  private static func assumptions(_ missing: [OpenExtent]) -> [[Int]] {
    let common = [64, 224, 256, 320, 640, 128, 512, 384, 32, 28, 16, 8, 4, 2, 1]
    var result = common.map { value in missing.map { _ in value } }
    guard missing.count > 1, missing.count <= 8 else { return result }
    for place in missing.indices {
      for other in [128, 1, 2, 32] { result.append(missing.indices.map { $0 == place ? other : 64 }) }
    }
    return result
  }

  // MARK: - Shapes

  /// The types of the inputs for `count` samples. A batch size that the caller gave stays unless `overrides`.
  package func types(of model: Model, batch: Int = 1, overrides: Bool = false) -> [String: TensorType] {
    var result: [String: TensorType] = [:]
    for input in model.graph.trueInputs {
      var type = input.type ?? TensorType(nil, nil)
      guard let dims = layout.dims(of: input), dims.contains(where: { $0.value == nil }) else {
        if let dims = rank(of: input.name) { result[input.name] = TensorType(input.type?.dtype, dims.map(Dim.fixed)) }
        continue
      }
      type.dims = dims.enumerated().map { axis, dim in
        guard let extent = OpenExtent(dim, input: input.name, axis: axis) else { return dim }
        return value(extent, batch, overrides).map(Dim.fixed) ?? dim
      }
      result[input.name] = type
    }
    return result
  }

  /// The shapes of all inputs for a number of samples; nil while an extent is open.
  package func shapes(of model: Model, batch: Int = 1, overrides: Bool = false) -> [String: Shape]? {
    let bound = types(of: model, batch: batch, overrides: overrides)
    var result: [String: Shape] = [:]
    for input in model.graph.trueInputs {
      guard let shape = bound[input.name]?.shape ?? input.type?.shape else { return nil }
      result[input.name] = shape
    }
    return result
  }

  /// The given shape of an input that does not tell its rank.
  private func rank(of input: String) -> [Int]? {
    var dims: [Int] = []
    while let next = extents[.axis(input: input, index: dims.count)] { dims.append(next) }
    return dims.isEmpty || !layout.rankless.contains(input) ? nil : dims
  }

  private func value(_ extent: OpenExtent, _ batch: Int, _ overrides: Bool) -> Int? {
    if layout.batch.contains(extent) { return overrides ? batch : extents[extent] ?? batch }
    if let value = extents[extent] { return value }
    guard case .named(let name) = extent, let expression = layout.derived[name] else { return nil }
    return expression.value { value(.named($0), batch, overrides) }
  }

  // MARK: - In words

  /// The assumed extents as `H = 64, W = 64`; nil where none is assumed.
  package var assumption: String? { assumed.isEmpty ? nil : text(assumed) }
  /// The same of what the model itself says.
  package var implication: String? { implied.isEmpty ? nil : text(implied) }

  private func text(_ list: [OpenExtent]) -> String {
    list.map { "\($0) = \(extents[$0] ?? 0)" }.joined(separator: ", ")
  }

  /// What an extent that must be known is refused with.
  package static func refusal(_ what: String, _ open: [String]) -> PruneError {
    PruneError(
      .invalidArgument, "\(what) is not known: the model leaves \(open.joined(separator: ", ")) open",
      hint:
        "give data of the shape that is meant, or write the extents in first: m:fix_shapes{…}, prune_model_fix_shapes")
  }
}
