import PruneTensor

/// A low-rank adapter of a layer (LoRA). A `.keras` archive holds the kernel with the adapter in it; an `.h5` file holds
/// the kernel and both factors, and what the layer computes with is kernel + scale * a b.
struct KerasAdapter {
  private let scale: Double

  /// nil for a layer without an adapter.
  init?(_ layer: KerasLayer) {
    guard let rank = layer.config["lora_rank"]?.int, rank > 0 else { return nil }
    scale = layer.float("lora_alpha", default: Double(rank)) / Double(rank)
  }

  /// Adds the factors behind the layer's own weights. The weight they adapt is no longer trained.
  func add(to weights: inout [KerasWeight], of layer: KerasLayer) {
    guard let index = weights.firstIndex(where: { $0.path.isEmpty && ["kernel", "embeddings"].contains($0.name) })
    else {
      return
    }
    weights[index].isTrainable = false
    for suffix in ["a", "b"] {
      var factor = KerasWeight(name: "lora_\(weights[index].name)_\(suffix)")
      factor.adapts = ("\(layer.path)/\(weights[index].name)", scale)
      weights.append(factor)
    }
  }

  /// Puts the factors into the weights that they adapt.
  static func merge(_ weights: [KerasWeight], _ tensors: inout [String: Tensor]) throws(PruneError) {
    for first in weights where first.name.hasSuffix("_a") {
      guard let (key, scale) = first.adapts, let a = tensors[first.key], let kernel = tensors[key],
        let b = tensors[String(first.key.dropLast()) + "b"]
      else { continue }
      (tensors[first.key], tensors[String(first.key.dropLast()) + "b"]) = (nil, nil)
      tensors[key] = try sum(kernel, a, b, Float(scale), first.key)
    }
  }

  private static func sum(_ kernel: Tensor, _ a: Tensor, _ b: Tensor, _ scale: Float, _ name: String)
    throws(PruneError) -> Tensor
  {
    guard let rank = a.shape.dims.last, let columns = kernel.shape.dims.last, b.shape.dims == [rank, columns],
      Array(a.shape.dims.dropLast()) == Array(kernel.shape.dims.dropLast())
    else {
      throw PruneError(
        .mismatch, "the adapter '\(name)' is \(a.shape) and \(b.shape), the weight that it adapts \(kernel.shape)")
    }
    var values: [Float] = try kernel.cast(to: .float32).array()
    let left: [Float] = try a.cast(to: .float32).array()
    let right: [Float] = try b.cast(to: .float32).array()
    for row in 0..<(columns == 0 ? 0 : values.count / columns) {
      for step in 0..<rank {
        let factor = scale * left[row * rank + step]
        for column in 0..<columns { values[row * columns + column] += factor * right[step * columns + column] }
      }
    }
    return try Tensor(values, kernel.shape)
  }

  /// A configuration without adapters, whose weights have them in.
  static func merged(_ json: JSON, depth: Int = 0) -> JSON {
    guard depth < 100 else { return json }
    if let values = json.array { return .array(values.map { merged($0, depth: depth + 1) }) }
    guard let fields = json.fields else { return json }
    let kept = fields.filter { $0.key != "lora_rank" && $0.key != "lora_alpha" }
    return .object(kept.map { ($0.key, merged($0.value, depth: depth + 1)) })
  }
}
