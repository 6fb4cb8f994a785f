import PruneGraph
import PruneTensor

/// An initializer where a weight would be that no step may change: one step makes NaN of its infinities, and a mask
/// that is added to scores would open.
struct UntrainableWeight {
  let name: String
  let reason: String
  private let layer: String

  /// Beyond this nothing is a weight: the lowest float stands for minus infinity in masks.
  private static let largest: Float = 1e30
  /// The number that attention masks add at masked positions; lower numbers count too.
  private static let shut: Float = -1e4

  /// Nil for what may be trained.
  init?(_ name: String, in model: Model) throws(PruneError) {
    guard let tensor = model.graph.initializer(name), tensor.dtype == .float32 else { return nil }
    var outside = 0, lowest: Float = 0, isMask = tensor.shape.rank > 1
    try tensor.withSpan(of: Float.self) { values throws(PruneError) in
      for index in values.indices {
        let value = values[index]
        // NaN is not below it either.
        if !(value.magnitude < Self.largest) { outside += 1 }
        if value != 0 {
          if lowest == 0 { lowest = value }
          isMask = isMask && value == lowest && value <= Self.shut
        }
      }
    }
    if outside > 0 {
      reason = "has \(outside) of \(tensor.count) numbers that are infinite, NaN or as large as those of a mask"
    } else if isMask, lowest != 0 {
      reason = "is a mask: all its numbers are 0 or \(lowest)"
    } else {
      return nil
    }
    self.name = name
    layer = model.graph.nodes.first { $0.inputs.contains(name) }?.label ?? name
  }

  /// All that would be weights but for their numbers.
  static func all(in model: Model) throws(PruneError) -> [UntrainableWeight] {
    var result: [UntrainableWeight] = []
    for name in TrainableParameters.names(in: model) {
      if let weight = try UntrainableWeight(name, in: model) { result.append(weight) }
    }
    return result
  }

  /// The entry in the history's list of frozen weights.
  var blocked: Autodiff.Blocked { Autodiff.Blocked(node: layer, reason: "'\(name)' \(reason)", parameters: [name]) }
}

extension Tensor {
  /// Whether all numbers of a float32 tensor are finite.
  func isFinite() throws(PruneError) -> Bool {
    try withSpan(of: Float.self) { values throws(PruneError) in
      for index in values.indices where !values[index].isFinite { return false }
      return true
    }
  }
}
