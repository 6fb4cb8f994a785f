import PruneGraph
import PruneTensor

/// An Einsum of an input and a weight as a matrix product: its letters are those of rows (input and result), of columns
/// (weight and result), summed ones (input and weight), and those of stacked matrices (all three).
struct EinsumProduct {
  /// The order of the input's axes as the product reads them: rows, stacks, the last row, summed ones.
  let inputOrder: [Int]
  /// What the input is reshaped to where several axes are summed over; 0 is an axis as it was.
  let inputDims: [Int]?
  let weightOrder: [Int]
  let weightDims: [Int]
  /// What the product is reshaped to where the weight has not one axis of columns.
  let outputDims: [Int]?
  let outputOrder: [Int]

  /// Nil for an equation that is no such product.
  init?(_ node: Node, weightAt place: Int, _ weight: [Int], input: [Dim]) {
    let ranks = place == 1 ? [input.count, weight.count] : [weight.count, input.count]
    guard let equation = (try? EinsumEquation(node, ranks: ranks)) ?? nil, equation.inputs.count == 2 else {
      return nil
    }
    let x = equation.inputs[1 - place], w = equation.inputs[place], y = equation.output
    guard [x, w, y].allSatisfy({ Set($0).count == $0.count }), Set(y).isSubset(of: x + w) else { return nil }
    let stacks = x.filter { w.contains($0) && y.contains($0) }, summed = x.filter { w.contains($0) && !y.contains($0) }
    let rows = x.filter { !w.contains($0) }, columns = w.filter { !x.contains($0) }
    guard !summed.isEmpty, let last = rows.last, (rows + columns).allSatisfy(y.contains) else { return nil }
    func extent(_ letter: Character) -> Int { w.firstIndex(of: letter).map { weight[$0] } ?? 0 }
    // An axis of one element would be spread over the weight's.
    for letter in stacks + summed {
      guard let position = x.firstIndex(of: letter), input[position] == .fixed(extent(letter)) else { return nil }
    }
    let leading = rows.dropLast() + stacks + [last], columnDims = columns.map(extent)
    inputOrder = (leading + summed).compactMap { x.firstIndex(of: $0) }
    weightOrder = (stacks + summed + columns).compactMap { w.firstIndex(of: $0) }
    let depth = summed.map(extent).reduce(1, *), kept = [Int](repeating: 0, count: leading.count)
    inputDims = summed.count == 1 ? nil : kept + [depth]
    weightDims = stacks.map(extent) + [depth, columnDims.reduce(1, *)]
    outputDims = columns.count == 1 ? nil : kept + columnDims
    let made = leading + columns
    outputOrder = y.compactMap { made.firstIndex(of: $0) }
  }
}
