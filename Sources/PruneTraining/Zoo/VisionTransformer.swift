import PruneGraph
import PruneTensor

extension Zoo {
  /// The vision transformer (Dosovitskiy et al. 2021), by default of the size of DeiT-Tiny: 5,717,416 parameters on
  /// 3x224x224.
  ///
  /// Weights are normal with deviation 0.02, cut off at two deviations. The nodes are those that PyTorch exports:
  /// MatMul and Add, GELU by Erf.
  static func visionTransformer(_ options: ZooOptions) throws(PruneError) -> Model {
    let image = try ImageOptions(options)
    let (side, width) = (min(image.input[1], image.input[2]), options.hidden.first ?? 192)
    let patch = options.patch > 0 ? options.patch : side >= 64 ? 16 : side >= 16 ? 4 : 2
    let heads = options.heads > 0 ? options.heads : max(1, width / 64)
    let depth = options.depth == 0 ? 12 : options.depth
    guard depth > 0, depth <= 1024 else { throw PruneError(.invalidArgument, "depth is \(depth), wanted 1 to 1024") }
    guard image.input[1] % patch == 0, image.input[2] % patch == 0 else {
      throw PruneError(.invalidArgument, "an image of \(image.input) has no whole patches of \(patch)x\(patch)")
    }
    guard width % heads == 0 else {
      throw PruneError(.invalidArgument, "a width of \(width) has no \(heads) equal heads")
    }
    var net = try NetworkBuilder(name: "vit", options, input: image.input)
    let tokens = try net.patches(width, patch)
    let block = TransformerBlock(
      tokens: tokens, width: width, hidden: options.hidden.count > 1 ? options.hidden[1] : 4 * width, heads: heads)
    for index in 0..<depth { try block.append(to: &net, "blocks.\(index)") }
    try net.layerNorm("norm")
    net.emit("Gather", "cls", [try net.integers("cls.index", scalar: 0)], [Attribute("axis", .int(1))], to: [width])
    let weight = try net.parameter("head.weight", [image.classes, width], .truncatedNormal(0.02))
    let bias = try net.parameter("head.bias", [image.classes], .constant(0))
    net.emit("Gemm", "head", [weight, bias], [Attribute("transB", .int(1))], to: [image.classes])
    return net.model()
  }
}

/// Attention and two layers, each with a normalization before it and a residual addition after it.
private struct TransformerBlock {
  let tokens: Int
  let width: Int
  let hidden: Int
  let heads: Int

  func append(to net: inout NetworkBuilder, _ name: String) throws(PruneError) {
    var start = net.place
    try net.layerNorm(name + ".norm1")
    try attention(&net, name + ".attn")
    net.add(name + ".add1", start)
    start = net.place
    try net.layerNorm(name + ".norm2")
    try net.linear(name + ".mlp.fc1", hidden)
    try net.gelu(name + ".mlp.act")
    try net.linear(name + ".mlp.fc2", width)
    net.add(name + ".add2", start)
  }

  private func attention(_ net: inout NetworkBuilder, _ name: String) throws(PruneError) {
    let (start, size) = (net.place, width / heads)
    let split = try net.integers("attn.split", [0, tokens, heads, size])
    // Queries and values as [heads, tokens, size], keys transposed.
    var parts: [String] = []
    for (part, order) in [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])] {
      net.place = start
      try net.linear("\(name).\(part)", width)
      net.emit("Reshape", "\(name).\(part).split", [split], to: [tokens, heads, size])
      net.emit(
        "Transpose", "\(name).\(part).heads", [], [Attribute("perm", .integers(order))],
        to: order.dropFirst().map {
          [tokens, heads, size][$0 - 1]
        })
      parts.append(net.value)
    }
    let products = net.append("MatMul", name + ".scores", [parts[0], parts[1]])
    let scale = try net.number("attn.scale", Float(size).squareRoot())
    let scaled = net.append("Div", name + ".scaled", [products, scale])
    let weights = net.append("Softmax", name + ".softmax", [scaled], [Attribute("axis", .int(-1))])
    let mixed = net.append("MatMul", name + ".mixed", [weights, parts[2]])
    net.place = NetworkBuilder.Place(value: mixed, extents: [heads, tokens, size])
    net.emit(
      "Transpose", name + ".tokens", [], [Attribute("perm", .integers([0, 2, 1, 3]))], to: [tokens, heads, size])
    net.emit("Reshape", name + ".join", [try net.integers("attn.join", [0, tokens, width])], to: [tokens, width])
    try net.linear(name + ".proj", width)
  }
}

/// Layers of transformers.
extension NetworkBuilder {
  /// The image in patches of `width` numbers behind a class token, positions added. Returns the number of tokens.
  fileprivate mutating func patches(_ width: Int, _ patch: Int) throws(PruneError) -> Int {
    let image = extents
    let fanIn = image[0] * patch * patch
    let weight = try parameter(
      "patch_embed.weight", [width, image[0], patch, patch], .uniform((3 / Double(fanIn)).squareRoot()))
    let bias = try parameter("patch_embed.bias", [width], .constant(0))
    let count = (image[1] / patch) * (image[2] / patch)
    let input = value
    emit(
      "Conv", "patch_embed", [weight, bias],
      [Attribute("kernel_shape", .integers([patch, patch])), Attribute("strides", .integers([patch, patch]))],
      to: [width, image[1] / patch, image[2] / patch])
    emit("Reshape", "patches", [try integers("patches.shape", [0, width, count])], to: [width, count])
    emit("Transpose", "tokens", [], [Attribute("perm", .integers([0, 2, 1]))], to: [count, width])
    let token = try parameter("cls_token", [1, 1, width], .truncatedNormal(0.02))
    let positions = try parameter("pos_embed", [1, count + 1, width], .truncatedNormal(0.02))
    let batch = append("Shape", "batch", [input], [Attribute("start", .int(0)), Attribute("end", .int(1))])
    let shape = append(
      "Concat", "cls_shape", [batch, try integers("cls_token.shape", [1, width])], [Attribute("axis", .int(0))])
    let tokens = append("Expand", "cls_tokens", [token, shape])
    let all = append("Concat", "all_tokens", [tokens, value], [Attribute("axis", .int(1))])
    place = Place(value: all, extents: [count + 1, width])
    emit("Add", "positions", [positions], to: extents)
    return count + 1
  }

  fileprivate mutating func layerNorm(_ name: String) throws(PruneError) {
    let width = [extents.last ?? 0]
    let inputs = [
      try parameter(name + ".weight", width, .constant(1)), try parameter(name + ".bias", width, .constant(0)),
    ]
    emit(
      "LayerNormalization", name, inputs, [Attribute("axis", .int(-1)), Attribute("epsilon", .float(1e-6))], to: extents
    )
  }

  /// A layer over the last axis: MatMul with the weight as [inputs, outputs], then the bias.
  fileprivate mutating func linear(_ name: String, _ outputs: Int) throws(PruneError) {
    let to = Array(extents.dropLast()) + [outputs]
    let weight = try parameter(name + ".weight", [extents.last ?? 0, outputs], .truncatedNormal(0.02))
    emit("MatMul", name + ".matmul", [weight], to: to)
    emit("Add", name, [try parameter(name + ".bias", [outputs], .constant(0))], to: to)
  }

  /// 0.5 x (1 + erf(x / sqrt 2)).
  fileprivate mutating func gelu(_ name: String) throws(PruneError) {
    let x = value
    emit("Div", name + ".scaled", [try number("gelu.sqrt2", Float(2).squareRoot())], to: extents)
    emit("Erf", name + ".erf", to: extents)
    emit("Add", name + ".shifted", [try number("gelu.one", 1)], to: extents)
    emit("Mul", name + ".gated", [x], to: extents)
    emit("Mul", name, [try number("gelu.half", 0.5)], to: extents)
  }
}
