import PruneGraph

/// Products of matrices: the axis that they sum over is shared, the other axes pass through.
enum MatrixAxes {
  static let rules: [String: AxisRule] = [
    "Gemm": gemm, "com.microsoft.FusedGemm": gemm,
    "com.microsoft.FusedMatMul": { (solver, node) in
      guard ["transA", "transB", "transBatchA", "transBatchB"].allSatisfy({ node.int($0, default: 0) == 0 }) else {
        return "it transposes its operands"
      }
      return matmul(&solver, node, 0, 1)
    },
    "MatMul": { (solver, node) in matmul(&solver, node, 0, 1) },
    "MatMulInteger": { (solver, node) in matmul(&solver, node, 0, 1) },
    "Einsum": einsum,
  ]

  private static let gemm: AxisRule = { (solver, node) in
    guard let a = solver.input(node, 0), let b = solver.input(node, 1), a.count == 2, b.count == 2 else {
      return "the shapes of its operands are not known"
    }
    let (rows, inner) = node.int("transA", default: 0) != 0 ? (a[1], a[0]) : (a[0], a[1])
    let (other, columns) = node.int("transB", default: 0) != 0 ? (b[1], b[0]) : (b[0], b[1])
    solver.unify(inner, other, node)
    solver.contract(1, axis: node.int("transB", default: 0) != 0 ? 1 : 0)
    var result = [rows, columns]
    if let c = solver.input(node, 2) { result = solver.broadcast([result, c], node) }
    solver.define(node, 0, result)
    return nil
  }

  static func matmul(_ solver: inout AxisSolver, _ node: Node, _ first: Int, _ second: Int) -> String? {
    guard let a = solver.input(node, first), let b = solver.input(node, second), !a.isEmpty, !b.isEmpty else {
      return "the shapes of its operands are not known"
    }
    let inner = a[a.count - 1], other = b[b.count == 1 ? 0 : b.count - 2]
    solver.unify(inner, other, node)
    // A stored matrix is the cheaper one to mask.
    let masksSecond = solver.tensor(node, second) != nil || solver.tensor(node, first) == nil
    if masksSecond {
      solver.contract(second, axis: b.count == 1 ? 0 : b.count - 2)
    } else {
      solver.contract(first, axis: a.count - 1)
    }
    var batch: [SpaceForest.ID] = []
    if a.count > 2 || b.count > 2 { batch = solver.broadcast([Array(a.dropLast(2)), Array(b.dropLast(2))], node) }
    var result = batch
    if a.count > 1 { result.append(a[a.count - 2]) }
    if b.count > 1 { result.append(b[b.count - 1]) }
    if a.count > 2, b.count > 2, solver.tensor(node, first) == nil, solver.tensor(node, second) == nil {
      // A product of activations: attention.
      for space in batch { solver.forest.mark(space, .head) }
      solver.forest.mark(inner, .headDim)
      solver.forest.mark(b[b.count - 1], .headDim)
    }
    solver.define(node, 0, result)
    return nil
  }

  /// A term with digits for the axes that an ellipsis stands for, the last one being 0: so they broadcast from the
  /// right.
  private static func spelled(_ term: [Character], _ open: Int) -> [Character]? {
    guard let first = term.firstIndex(of: ".") else { return term }
    guard term.count >= first + 3, term[first..<(first + 3)].allSatisfy({ $0 == "." }), (0...9).contains(open) else {
      return nil
    }
    let digits = (0..<open).reversed().compactMap { "\($0)".first }
    let result = term[..<first] + digits + term[(first + 3)...]
    return result.contains(".") ? nil : Array(result)
  }

  /// Letters are axes; what the result does not name is summed over.
  private static let einsum: AxisRule = { (solver, node) in
    let equation = node.string("equation", default: "").filter { $0 != " " }
    let sides = equation.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard sides.count == 2, sides[1].hasPrefix(">") else { return "its equation is not followed" }
    let written = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    guard written.count == node.inputs.count else { return "its equation does not fit its operands" }
    var terms: [[Character]] = [], most = 0
    for (index, term) in written.enumerated() {
      guard let rank = solver.input(node, index)?.count else { return "the rank of an input is not known" }
      let open = term.contains(".") ? rank - (term.count - 3) : 0
      guard let whole = spelled(term, open) else { return "its equation does not fit its operands" }
      terms.append(whole)
      most = max(most, open)
    }
    guard let output = spelled(Array(sides[1].dropFirst()), most) else {
      return "its equation does not fit its operands"
    }
    var spaces: [Character: SpaceForest.ID] = [:]
    var places: [Character: (input: Int, axis: Int)] = [:]
    for (index, term) in terms.enumerated() {
      guard let x = solver.input(node, index), x.count == term.count, Set(term).count == term.count else {
        return "its equation does not fit its operands"
      }
      for (axis, letter) in term.enumerated() {
        if let space = spaces[letter], solver.forest.size(space) != 1, solver.forest.size(x[axis]) != 1 {
          solver.unify(space, x[axis], node)
        } else if spaces[letter].map({ solver.forest.size($0) == 1 }) ?? true {
          spaces[letter] = x[axis]
        }
        if solver.forest.size(x[axis]) > 1 || places[letter] == nil { places[letter] = (index, axis) }
      }
    }
    for (letter, place) in places.sorted(by: { $0.key < $1.key }) where !output.contains(letter) {
      solver.contract(place.input, axis: place.axis)
    }
    guard output.allSatisfy({ spaces[$0] != nil }) else { return "its equation does not fit its operands" }
    solver.define(node, 0, output.compactMap { spaces[$0] })
    return nil
  }
}
