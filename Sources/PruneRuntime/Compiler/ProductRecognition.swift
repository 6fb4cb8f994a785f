import PruneGraph
import PruneTensor

/// Puts products of strided matrices where transposed operands are multiplied (the transposition is never made), and
/// where Einsum is a product of two.
enum ProductRecognition {
  static let key = "ai.libprune.StridedProducts"

  /// The letters of one axis in both operands and the result; a stride is 0 where it does not occur.
  private struct Axis {
    var extent: Int
    var a, b, c: Int
  }

  static func run(_ flow: inout Dataflow) {
    let index = FlowIndex(flow)
    for position in flow.ops.indices {
      let op = flow.ops[position]
      let replacement = op.key == "MatMul" ? product(op, flow, index) : op.key == "Einsum" ? einsum(op, flow) : nil
      if let replacement { flow.ops[position] = replacement }
    }
    flow.removeDeadOps()
  }

  // MARK: - MatMul

  private static func product(_ op: Dataflow.Op, _ flow: Dataflow, _ index: FlowIndex) -> Dataflow.Op? {
    guard let left = op.input(0), let right = op.input(1), let y = op.output(0), op.epilogue.isEmpty,
      flow.isFloat(left),
      flow.isFloat(right), flow.isFloat(y),
      [left, right].contains(where: { index.producer(of: $0, "Transpose", flow) != nil })
    else { return nil }
    let rank = flow.dims(y).count
    // A constant matrix is packed, and takes in what follows.
    guard rank >= 2, flow.values[right].constant == nil || flow.dims(right).count != 2, flow.dims(left).count >= 2,
      flow.dims(right).count >= 2,
      let a = StridedView.resolve(left, flow, index, where: { $0.scale == 1 && isMatrix($0) }),
      let b = StridedView.resolve(right, flow, index, where: { $0.scale == 1 && isMatrix($0) })
    else { return nil }
    let dims = flow.dims(y)
    let dense = Layout.rowMajorStrides(dims)
    func outer(_ view: StridedView, _ axis: Int) -> Int {
      let viewAxis = axis - (rank - view.dims.count)
      return viewAxis < 0 || view.dims[viewAxis] == 1 ? 0 : view.strides[viewAxis]
    }
    var axes = (0..<(rank - 2)).map { Axis(extent: dims[$0], a: outer(a, $0), b: outer(b, $0), c: dense[$0]) }
    let (ai, bi) = (a.dims.count - 2, b.dims.count - 2)
    axes.append(Axis(extent: dims[rank - 2], a: a.strides[ai], b: 0, c: dense[rank - 2]))
    axes.append(Axis(extent: a.dims[ai + 1], a: a.strides[ai + 1], b: b.strides[bi], c: 0))
    axes.append(Axis(extent: dims[rank - 1], a: 0, b: b.strides[bi + 1], c: 1))
    return productOp(op, a, b, axes, flow)
  }

  /// Whether a matrix product can take the last two axes as they lie, or transposed.
  private static func isMatrix(_ view: StridedView) -> Bool {
    let rank = view.dims.count
    let (rows, columns) = (rank - 2, rank - 1)
    return fits(view.dims[columns], view.strides[columns], view.dims[rows], view.strides[rows])
      || fits(view.dims[rows], view.strides[rows], view.dims[columns], view.strides[columns])
  }

  private static func fits(_ inner: Int, _ innerStride: Int, _ outer: Int, _ outerStride: Int) -> Bool {
    (inner == 1 || innerStride == 1) && (outer == 1 || outerStride >= inner)
  }

  // MARK: - Einsum

  private static func einsum(_ op: Dataflow.Op, _ flow: Dataflow) -> Dataflow.Op? {
    guard op.inputs.count == 2, let left = op.inputs[0], let right = op.inputs[1], let y = op.output(0),
      flow.isFloat(left),
      flow.isFloat(right), flow.isFloat(y),
      let equation = try? EinsumEquation(op.node, ranks: [flow.dims(left).count, flow.dims(right).count]),
      let (first, second) = equation.inputs.count == 2 ? (equation.inputs[0], equation.inputs[1]) : nil
    else { return nil }
    let letters = [first, second, equation.output]
    guard letters.allSatisfy({ Set($0).count == $0.count }) else { return nil }
    let arrays = [
      StridedView(left, flow.dims(left)), StridedView(right, flow.dims(right)), StridedView(y, flow.dims(y)),
    ]
    func axis(_ letter: Character) -> Axis? {
      var extents: Set<Int> = []
      var strides = [0, 0, 0]
      for (number, list) in letters.enumerated() {
        guard let place = list.firstIndex(of: letter) else { continue }
        extents.insert(arrays[number].dims[place])
        strides[number] = arrays[number].strides[place]
      }
      guard extents.count == 1, let extent = extents.first else { return nil }
      return Axis(extent: extent, a: strides[0], b: strides[1], c: strides[2])
    }
    var axes: [Axis] = []
    var used = Set<Character>()
    for letter in first + second where used.insert(letter).inserted {
      guard let entry = axis(letter) else { return nil }
      axes.append(entry)
    }
    // A letter of one operand alone that is not in the result would have to be summed first.
    guard axes.allSatisfy({ $0.c != 0 || ($0.a != 0 && $0.b != 0) }), equation.output.allSatisfy(used.contains) else {
      return nil
    }
    let rows = axes.indices.filter { axes[$0].b == 0 }
    let columns = axes.indices.filter { axes[$0].a == 0 }
    let summed = axes.indices.filter { axes[$0].c == 0 }
    guard summed.count <= 1 else { return nil }
    let one = Axis(extent: 1, a: 1, b: 1, c: 1)
    // The densest axis of each kind makes the matrix; the others are loops.
    let column = columns.min { axes[$0].c < axes[$1].c }
    let row = rows.min { axes[$0].c < axes[$1].c }
    let chosen = [row, summed.first, column]
    let outer = axes.indices.filter { !chosen.contains($0) }.map { axes[$0] }
    let (m, n) = (row.map { axes[$0] } ?? one, column.map { axes[$0] } ?? one)
    let k = summed.first.map { axes[$0] } ?? one
    if n.c == 1 || n.extent == 1 { return productOp(op, arrays[0], arrays[1], outer + [m, k, n], flow) }
    // The result lies the other way round: so does the product.
    func swapped(_ axis: Axis) -> Axis { Axis(extent: axis.extent, a: axis.b, b: axis.a, c: axis.c) }
    guard m.c == 1 else { return nil }
    return productOp(op, arrays[1], arrays[0], outer.map(swapped) + [swapped(n), swapped(k), swapped(m)], flow)
  }

  // MARK: - The operation

  /// The product with these outer axes and axes of rows, sum and columns; nil when no matrix product has this form.
  private static func productOp(_ op: Dataflow.Op, _ a: StridedView, _ b: StridedView, _ axes: [Axis], _ flow: Dataflow)
    -> Dataflow.Op?
  {
    let outer = axes.dropLast(3).filter { $0.extent != 1 }
    let (m, k, n) = (axes[axes.count - 3], axes[axes.count - 2], axes[axes.count - 1])
    guard outer.count <= 8, axes.allSatisfy({ $0.extent > 0 }), n.extent == 1 || n.c == 1,
      m.extent == 1 || m.c >= n.extent
    else { return nil }
    let (plainA, plainB) = (fits(k.extent, k.a, m.extent, m.a), fits(n.extent, n.b, k.extent, k.b))
    guard plainA || fits(m.extent, m.a, k.extent, k.a), plainB || fits(k.extent, k.b, n.extent, n.b) else { return nil }
    let lda = plainA ? max(m.a, k.extent) : max(k.a, m.extent)
    let ldb = plainB ? max(k.b, n.extent) : max(n.b, k.extent)
    let attributes = [
      Attribute("sizes", .integers([m.extent, n.extent, k.extent, lda, ldb, max(m.c, n.extent)])),
      Attribute("transposes", .integers([plainA ? 0 : 1, plainB ? 0 : 1])),
      Attribute("offsets", .integers([a.offset, b.offset])),
      Attribute("dims", .integers(outer.map(\.extent))), Attribute("a", .integers(outer.map(\.a))),
      Attribute("b", .integers(outer.map(\.b))), Attribute("c", .integers(outer.map(\.c))),
    ]
    return flow.replacement(
      "StridedProducts", domain: "ai.libprune", for: op, opset: 1, inputs: [a.value, b.value], output: op.output(0),
      attributes: attributes)
  }
}
