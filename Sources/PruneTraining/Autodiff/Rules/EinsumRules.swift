import PruneGraph
import PruneTensor

/// Einsum of operands that have each letter once: what products, transpositions and sums are made of.
enum EinsumRules {
  static let table: [String: GradientRule] = ["Einsum": GradientRule(einsum)]

  /// The gradient of an operand is the product of the result's gradient with the other operands, summed over the
  /// letters that the operand does not have, or has stretched.
  @Sendable private static func einsum(_ writer: GradientWriter) throws(PruneError) {
    let (terms, output, extents) = try letters(writer)
    let dy = try writer.gradient
    for (index, term) in terms.enumerated() where writer.needs(index) {
      let others = terms.indices.filter { $0 != index }
      let shape = try writer.inputShape(index)
      let present = Set(output).union(others.flatMap { terms[$0] })
      let stretched = Set(zip(term, shape.dims).compactMap { $1 == 1 && extents[$0] != 1 ? $0 : nil })
      // A letter that only this operand has was summed: its gradient is the same all along it.
      let letters = term.filter { present.contains($0) && !stretched.contains($0) }
      let equation =
        ([String(output)] + others.map { String(terms[$0]) }).joined(separator: ",") + "->" + String(letters)
      var inputs = [dy]
      for other in others { inputs.append(try writer.input(other)) }
      var result = writer.emit("Einsum", inputs, [Attribute("equation", .text(equation))])
      if letters.count < term.count {
        let narrow = try Shape(zip(term, shape.dims).map { letters.contains($0) ? $1 : 1 })
        result = try writer.reshape(result, to: narrow)
        if narrow != shape { result = writer.emit("Expand", [result, try writer.integers(shape.dims)]) }
      }
      writer.add(result, toInput: index)
    }
  }

  /// The letters of each operand and of the result, plain ones for the axes under an ellipsis too, and their extents.
  private static func letters(
    _ writer: GradientWriter
  ) throws(PruneError) -> (terms: [[Character]], output: [Character], extents: [Character: Int]) {
    let node = writer.node
    var shapes: [Shape] = []
    for index in node.inputs.indices { shapes.append(try writer.inputShape(index)) }
    func refuse(_ reason: String) -> PruneError {
      PruneError(
        .unsupported, "a gradient passes no equation '\(node.string("equation", default: ""))': \(reason)",
        at: node.label)
    }
    guard let equation = try EinsumEquation(node, ranks: shapes.map(\.rank)) else {
      throw refuse("a rank is not known")
    }
    for term in equation.inputs where Set(term).count < term.count {
      throw refuse("a letter comes twice in '\(String(term))'")
    }
    let used = Set(equation.inputs.joined())
    var spare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".filter { !used.contains($0) }
    var plain: [Character: Character] = [:]
    for letter in used.sorted() {
      guard let name = letter.isASCII ? letter : spare.popLast() else {
        throw refuse("it has more axes than there are letters")
      }
      plain[letter] = name
    }
    var extents: [Character: Int] = [:]
    for (letter, extent) in try equation.extents(shapes.map { $0.dims.map(Dim.fixed) }, node) {
      if let name = plain[letter] { extents[name] = extent.value }
    }
    return (equation.inputs.map { $0.compactMap { plain[$0] } }, equation.output.compactMap { plain[$0] }, extents)
  }
}
