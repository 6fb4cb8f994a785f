import PruneGraph
import PruneTensor

/// A product with a weight over axes that an equation names: `abc,cd->abd`, `...x,xy->...y`.
struct KerasEinsumDense: KerasLayerKind {
  let names = ["EinsumDense"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    let hasBias = layer.config["bias_axes"]?.string.map { !$0.isEmpty } ?? false
    return [KerasWeight(name: "kernel")] + (hasBias ? [KerasWeight(name: "bias")] : [])
  }

  /// The letters of the input's axes, the kernel's and the output's. An ellipsis stands for as many as the input has.
  private func letters(of layer: KerasLayer, rank: Int) throws(PruneError) -> (
    input: [Character], kernel: [Character], output: [Character]
  ) {
    let equation = layer.text("equation", default: "").filter { $0 != " " }
    let sides = equation.split(separator: ">", maxSplits: 1).map(String.init)
    let terms = sides.first.map { $0.dropLast().split(separator: ",").map(String.init) } ?? []
    guard sides.count == 2, sides[0].hasSuffix("-"), terms.count == 2 else {
      throw PruneError(.badFormat, "\(layer.label): the equation is '\(equation.prefix(60))'")
    }
    let dots = rank - terms[0].filter { $0 != "." }.count
    let free = "ABCDEFGHIJKLMNOP".filter { !equation.contains($0) }.prefix(max(dots, 0))
    func axes(_ text: String) -> [Character] {
      guard let range = text.firstIndex(of: ".") else { return Array(text) }
      return Array(text[..<range]) + Array(free) + text[range...].filter { $0 != "." }
    }
    let result = (axes(terms[0]), axes(terms[1]), axes(sides[1]))
    let all = result.0 + result.1 + result.2
    guard dots >= 0, result.0.count == rank, all.allSatisfy({ $0.isASCII && $0.isLetter }), rank > 0,
      Set(result.0).count == rank, Set(result.2).count == result.2.count, result.0.first == result.2.first,
      result.2.allSatisfy({ result.0.contains($0) || result.1.contains($0) })
    else { throw layer.unsupported("the equation '\(equation.prefix(60))' does not fit an input of \(rank) axes") }
    return result
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer))
    let (input, axes, output) = try letters(of: layer, rank: value.rank)
    var extents: [Character: Int] = [:]
    for (letter, extent) in zip(input, value.dims) { extents[letter] = extent }
    let kernel = try builder.weight(layer, "kernel", expected: axes.map { extents[$0] })
    guard kernel.shape.rank == axes.count else {
      throw PruneError(.mismatch, "\(layer.label): 'kernel' is \(kernel.shape), its equation has \(axes.count) axes")
    }
    for (letter, extent) in zip(axes, kernel.shape.dims) { extents[letter] = extent }
    let isProduct = axes.count == 2 && input.last == axes[0] && output == input.dropLast() + [axes[1]]
    let name =
      isProduct
      ? builder.single("MatMul", [value.name, kernel.name], layer.path)
      : builder.single(
        "Einsum", [value.name, kernel.name], layer.path,
        [("equation", .text("\(String(input)),\(String(axes))->\(String(output))"))])
    var result = KerasValue(name, output.map { letter in letter == input.first ? value.dims[0] : extents[letter] })
    if try weights(of: layer).count > 1 {
      // The bias begins at the first of its axes; missing axes between have the extent 1.
      let biasAxes = layer.text("bias_axes", default: "")
      let first = output.firstIndex { biasAxes.contains($0) } ?? 0
      let shape = output[first...].map { biasAxes.contains($0) ? extents[$0] : 1 }
      let bias = try builder.weight(layer, "bias", expected: shape)
      result.name = builder.single("Add", [name, bias.name], "\(layer.path)/add_bias")
    }
    return [try KerasActivation.apply(layer, result, &builder)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    guard let kernel = shapes["kernel"] else { return config }
    let equation = layer.text("equation", default: "").filter { $0 != " " && $0 != "." }
    let parts = equation.split(separator: ",")
    guard parts.count == 2, let arrow = parts[1].firstIndex(of: "-") else { return config }
    let axes = Array(parts[1][..<arrow])
    let output = Array(parts[1][arrow...].dropFirst(2))
    guard axes.count == kernel.rank else { return config }
    // The output's shape without the batch, from the back: an ellipsis is in front.
    var list = config["output_shape"]?.array ?? config["output_shape"].map { [$0] } ?? []
    for (index, letter) in output.reversed().enumerated() where index < list.count {
      let place = list.count - 1 - index
      if let axis = axes.firstIndex(of: letter), !list[place].isNull { list[place] = JSON(kernel[axis]) }
    }
    config["output_shape"] = config["output_shape"]?.array == nil ? list.first : .array(list)
    return config
  }
}
