import PruneGraph
import PruneTensor

/// Einsum of one or two operands, each letter once in each term: what products, transpositions and sums are made of.
enum EinsumRules {
  static let table: [String: GradientRule] = ["Einsum": GradientRule(einsum)]

  /// The gradient of an operand is the product of the result's gradient with the other operand, summed over the letters that
  /// the operand does not have.
  @Sendable private static func einsum(_ writer: GradientWriter) throws(PruneError) {
    let (terms, output) = try letters(writer)
    let dy = try writer.gradient
    for (index, term) in terms.enumerated() where writer.needs(index) {
      let others = terms.indices.filter { $0 != index }
      let present = Set(output).union(others.flatMap { terms[$0] })
      // A letter that only this operand has was summed: its gradient is the same all along it.
      let found = term.filter(present.contains)
      let shape = try writer.inputShape(index)
      let equation = ([String(output)] + others.map { String(terms[$0]) }).joined(separator: ",") + "->" + String(found)
      var inputs = [dy]
      for other in others { inputs.append(try writer.input(other)) }
      var result = writer.emit("Einsum", inputs, [Attribute("equation", .text(equation))])
      if found.count < term.count {
        let narrow = try Shape(zip(term, shape.dims).map { present.contains($0) ? $1 : 1 })
        result = writer.emit("Expand", [try writer.reshape(result, to: narrow), try writer.integers(shape.dims)])
      }
      writer.add(result, toInput: index)
    }
  }

  /// The letters of each operand and of the result.
  private static func letters(_ writer: GradientWriter) throws(PruneError) -> (terms: [[Character]], output: [Character]) {
    let text = writer.node.string("equation", default: "").filter { $0 != " " }
    func refuse(_ reason: String) -> PruneError {
      PruneError(.unsupported, "a gradient passes no equation '\(text)': \(reason)", at: writer.node.label)
    }
    if text.contains(".") { throw refuse("it has an ellipsis") }
    let sides = text.split(separator: ">", omittingEmptySubsequences: false)
    let left = sides[0].filter { $0 != "-" }
    let terms = left.split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    guard terms.count == writer.node.inputs.count, terms.count <= 2 else { throw refuse("it has \(terms.count) operands") }
    for (index, term) in terms.enumerated() {
      guard Set(term).count == term.count else { throw refuse("a letter comes twice in '\(String(term))'") }
      guard try writer.inputShape(index).rank == term.count else { throw refuse("'\(String(term))' does not fit its operand") }
    }
    // Without an arrow the result has the letters that come once, in order.
    let all = terms.flatMap { $0 }
    let output = sides.count > 1 ? Array(sides[1]) : Set(all).filter { letter in all.count { $0 == letter } == 1 }.sorted()
    return (terms, output)
  }
}
