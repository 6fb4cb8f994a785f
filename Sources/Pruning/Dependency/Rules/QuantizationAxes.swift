import PruneGraph

/// Quantized values: scales and zero points of channels go with their channels.
enum QuantizationAxes {
  static let rules: [String: AxisRule] = [
    "QuantizeLinear": scaled, "DequantizeLinear": scaled,
    "QLinearConv": { (solver, node) in
      for index in [4, 5] { couple(&solver, node, index, to: 3) }
      return ConvolutionAxes.convolution(&solver, node, data: 0, weight: 3, bias: 8)
    },
    "QLinearMatMul": { (solver, node) in
      for index in [1, 2, 4, 5, 6, 7]
      where (solver.input(node, index)?.first).map({ solver.forest.size($0) != 1 }) == true {
        return "its scales are not one number"
      }
      return MatrixAxes.matmul(&solver, node, 0, 3)
    },
  ]

  /// A scale for each position along `axis`, or one for all. Blocks of an axis share one: that axis stays.
  private static let scaled: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    let axis = node.int("axis", default: 1), place = axis < 0 ? axis + x.count : axis
    let block = node.int("block_size", default: 0)
    for index in 1..<3 {
      guard let scale = solver.input(node, index), let first = scale.first else { continue }
      if scale.count == 1 {
        guard solver.forest.size(first) != 1 else { continue }
        guard x.indices.contains(place) else { return "its axis does not fit its input" }
        solver.unify(first, x[place], node)
      } else {
        guard block > 0, scale.count == x.count, x.indices.contains(place) else {
          return "its scales do not fit its input"
        }
        for (index, space) in scale.enumerated() {
          if index == place {
            solver.pin(space, node, "a scale holds for a block of these")
            solver.pin(x[place], node, "a scale holds for a block of these")
          } else {
            solver.unify(space, x[index], node)
          }
        }
      }
    }
    solver.define(node, 0, x)
    return nil
  }

  private static func couple(_ solver: inout AxisSolver, _ node: Node, _ index: Int, to weight: Int) {
    guard let scale = solver.input(node, index), let first = scale.first, solver.forest.size(first) != 1,
      let w = solver.input(node, weight), let rows = w.first
    else { return }
    solver.unify(first, rows, node)
  }
}
