import PruneTensor

/// Matrix products.
package enum MatrixRules {
  static let table: [String: Rule] = [
    "MatMul": Rule { (x) throws(PruneError) in
      [TensorType(try ElementwiseRules.sameDType(x), try product(x, x.dims(0), x.dims(1)))]
    },
    "MatMulInteger": Rule { (x) throws(PruneError) in
      [TensorType(.int32, try product(x, x.dims(0), x.dims(1)))]
    },
    "QLinearMatMul": Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(7), try product(x, x.dims(0), x.dims(3)))]
    },
    "Gemm": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try gemm(x))] },
    "Det": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, atLeast: 2) else { return [TensorType(x.dtype(0), nil)] }
      guard Dim.unified(dims[dims.count - 1], dims[dims.count - 2]) != nil else {
        throw x.fail("matrices are \(Dims.text(dims)), wanted square ones")
      }
      return [TensorType(x.dtype(0), Array(dims.dropLast(2)))]
    },
    "Einsum": Rule { (x) throws(PruneError) in
      let equation = try EinsumEquation(x.node, ranks: x.types.map { $0?.dims?.count })
      guard let equation else { return [TensorType(x.dtype(0), nil)] }
      return [
        TensorType(
          try ElementwiseRules.sameDType(x),
          try equation.output(x.types.map { $0?.dims ?? [] }, x.node))
      ]
    },
  ]

  /// numpy.matmul: vectors are rows on the left and columns on the right, axes before the last two broadcast.
  static func product(_ x: Operands, _ left: [Dim]?, _ right: [Dim]?) throws(PruneError) -> [Dim]? {
    guard var a = left, var b = right else { return nil }
    guard !a.isEmpty, !b.isEmpty else { throw x.fail("a matrix product of a scalar") }
    let (isRow, isColumn) = (a.count == 1, b.count == 1)
    if isRow { a.insert(.fixed(1), at: 0) }
    if isColumn { b.append(.fixed(1)) }
    guard Dim.unified(a[a.count - 1], b[b.count - 2]) != nil,
      let batch = Dims.broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    else {
      throw x.fail("cannot multiply \(Dims.text(left ?? [])) by \(Dims.text(right ?? []))")
    }
    return batch + (isRow ? [] : [a[a.count - 2]]) + (isColumn ? [] : [b[b.count - 1]])
  }

  private static func gemm(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let a = try x.dims(0, rank: 2), let b = try x.dims(1, rank: 2) else { return nil }
    let (rows, inner) = x.node.int("transA", default: 0) != 0 ? (a[1], a[0]) : (a[0], a[1])
    let (other, columns) = x.node.int("transB", default: 0) != 0 ? (b[1], b[0]) : (b[0], b[1])
    guard Dim.unified(inner, other) != nil else {
      throw x.fail(
        "cannot multiply \(Dims.text(a)) by \(Dims.text(b)) with transA \(x.node.int("transA", default: 0)) and transB \(x.node.int("transB", default: 0))"
      )
    }
    if let c = x.dims(2) {
      guard c.count <= 2, let sum = Dims.broadcast([rows, columns], c), sum.count == 2,
        Dim.unified(sum[0], rows) != nil, Dim.unified(sum[1], columns) != nil
      else {
        throw x.fail("C is \(Dims.text(c)), wanted one that broadcasts to [\(rows),\(columns)]")
      }
    }
    return [rows, columns]
  }
}

/// A parsed `equation` of Einsum: letters an axis has. Axes under `...` are upper-case digits of their own.
package struct EinsumEquation: Sendable {
  package let inputs: [[Character]]
  package let output: [Character]

  /// Nil when a rank that `...` stands for is not known.
  /// - Throws: `.mismatch` when the equation is malformed or does not fit the inputs.
  package init?(_ node: Node, ranks: [Int?]) throws(PruneError) {
    let equation = node.string("equation", default: "").filter { $0 != " " }
    func fail(_ message: String) -> PruneError {
      PruneError(.mismatch, "equation '\(equation)' \(message)", at: node.label)
    }
    let sides = equation.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
    let hasArrow = sides.count == 2
    guard !hasArrow || sides[0].last == "-" else { throw fail("is malformed") }
    let left = hasArrow ? sides[0].dropLast() : sides[0]
    let terms = left.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard terms.count == ranks.count else {
      throw fail("has \(terms.count) terms, the node \(ranks.count) inputs")
    }
    // Letters for the axes under the ellipsis, counted from the last.
    let spare: [Character] = (0..<26).compactMap {
      UnicodeScalar(0x3B1 + UInt32($0)).map(Character.init)
    }
    var widest = 0
    var parsed: [[Character]] = []
    for (term, rank) in zip(terms, ranks) {
      guard let rank else { return nil }
      guard let letters = Self.letters(term) else { throw fail("is malformed") }
      let hidden = rank - letters.before.count - letters.after.count
      guard hidden >= 0, hidden == 0 || letters.hasEllipsis, hidden <= spare.count else {
        throw fail("has a term '\(term)' for an input of \(rank) axes")
      }
      widest = max(widest, hidden)
      parsed.append(letters.before + spare[..<hidden].reversed() + letters.after)
    }
    let ellipsis = Array(spare[..<widest].reversed())
    if hasArrow {
      guard let letters = Self.letters(String(sides[1])) else { throw fail("is malformed") }
      output = letters.before + (letters.hasEllipsis ? ellipsis : []) + letters.after
    } else {
      // Implicit output: letters that occur once, in alphabetical order.
      var counts: [Character: Int] = [:]
      for letter in parsed.joined() { counts[letter, default: 0] += 1 }
      output =
        ellipsis + counts.filter { $0.value == 1 && !ellipsis.contains($0.key) }.keys.sorted()
    }
    inputs = parsed
    let letters = Set(parsed.joined())
    guard output.allSatisfy(letters.contains), Set(output).count == output.count else {
      throw fail("has an output that its inputs do not give")
    }
  }

  private static func letters(_ term: String) -> (
    before: [Character], after: [Character], hasEllipsis: Bool
  )? {
    guard let dot = term.firstIndex(of: ".") else {
      return term.allSatisfy { $0.isASCII && $0.isLetter } ? (Array(term), [], false) : nil
    }
    let (before, rest) = (term[..<dot], term[dot...])
    guard rest.hasPrefix("...") else { return nil }
    let after = rest.dropFirst(3)
    guard (before + after).allSatisfy({ $0.isASCII && $0.isLetter }) else { return nil }
    return (Array(before), Array(after), true)
  }

  /// The extent of every letter.
  package func extents(_ shapes: [[Dim]], _ node: Node) throws(PruneError) -> [Character: Dim] {
    var extents: [Character: Dim] = [:]
    for (letters, dims) in zip(inputs, shapes) {
      for (letter, dim) in zip(letters, dims) {
        guard let both = Dim.broadcast(extents[letter] ?? .fixed(1), dim) else {
          throw PruneError(
            .mismatch,
            "axis '\(letter)' has \(dim) elements here and \(extents[letter] ?? .unknown) there",
            at: node.label)
        }
        extents[letter] = both
      }
    }
    return extents
  }

  func output(_ shapes: [[Dim]], _ node: Node) throws(PruneError) -> [Dim] {
    let extents = try extents(shapes, node)
    return output.map { extents[$0] ?? .unknown }
  }
}
