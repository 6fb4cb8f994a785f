import PruneGraph
import PruneTensor

/// Gemm and MatMul.
enum MatrixRules {
  static let table: [String: GradientRule] = ["Gemm": GradientRule(gemm), "MatMul": GradientRule(matMul)]

  /// Y = alpha * op(A) op(B) + beta * C.
  @Sendable private static func gemm(_ writer: GradientWriter) throws(PruneError) {
    let (dy, a, b) = (try writer.gradient, try writer.input(0), try writer.input(1))
    let alpha = writer.node.float("alpha", default: 1)
    let transA = writer.node.int("transA", default: 0) != 0
    let transB = writer.node.int("transB", default: 0) != 0
    if writer.needs(0) {
      // A: dY op(B)^T, or op(B) dY^T for a transposed A.
      let dA =
        transA
        ? product(writer, b, dy, transA: transB, transB: true, alpha)
        : product(writer, dy, b, transA: false, transB: !transB, alpha)
      writer.add(dA, toInput: 0)
    }
    if writer.needs(1) {
      let dB =
        transB
        ? product(writer, dy, a, transA: true, transB: transA, alpha)
        : product(writer, a, dy, transA: !transA, transB: false, alpha)
      writer.add(dB, toInput: 1)
    }
    if writer.needs(2) {
      try writer.addBroadcast(writer.scale(dy, writer.node.float("beta", default: 1)), toInput: 2)
    }
  }

  private static func product(
    _ writer: GradientWriter, _ a: String, _ b: String, transA: Bool, transB: Bool, _ alpha: Float = 1
  ) -> String {
    var attributes: [Attribute] = []
    if alpha != 1 { attributes.append(Attribute("alpha", .float(alpha))) }
    if transA { attributes.append(Attribute("transA", .int(1))) }
    if transB { attributes.append(Attribute("transB", .int(1))) }
    return writer.emit("Gemm", [a, b], attributes)
  }

  /// Y = A B over the last two axes; axes before them broadcast; a vector counts as a row on the left and as a
  /// column on the right.
  @Sendable private static func matMul(_ writer: GradientWriter) throws(PruneError) {
    let (shapeA, shapeB, shapeY) = (try writer.inputShape(0), try writer.inputShape(1), try writer.outputShape())
    guard shapeA.rank > 0, shapeB.rank > 0 else {
      throw PruneError(.mismatch, "inputs are \(shapeA) and \(shapeB), wanted matrices", at: writer.node.label)
    }
    let (rows, inner) = (shapeA.rank == 1 ? 1 : shapeA.dims.suffix(2)[shapeA.rank - 2], shapeA.dims.last ?? 1)
    let columns = shapeB.rank == 1 ? 1 : shapeB.dims.last ?? 1
    let matrixA = shapeA.rank == 1 ? try Shape([1, inner]) : shapeA
    let matrixB = shapeB.rank == 1 ? try Shape([inner, 1]) : shapeB
    let batchRank = max(matrixA.rank, matrixB.rank) - 2
    let batch = Array(shapeY.dims.prefix(batchRank))
    func view(_ value: String, _ from: Shape, _ to: Shape) throws(PruneError) -> String {
      from == to ? value : try writer.reshape(value, to: to)
    }
    let (a, b) = (try view(writer.input(0), shapeA, matrixA), try view(writer.input(1), shapeB, matrixB))
    let dy = try writer.gradient
    if matrixB.rank == 2 {
      // One matrix on the right: the batch is only more rows.
      let all = batch.reduce(rows, *)
      let flatY = try view(dy, shapeY, Shape([all, columns]))
      if writer.needs(0) {
        writer.add(
          try view(product(writer, flatY, b, transA: false, transB: true), Shape([all, inner]), shapeA), toInput: 0)
      }
      if writer.needs(1) {
        let flatA = try view(a, matrixA, Shape([all, inner]))
        let dB = product(writer, flatA, flatY, transA: true, transB: false)
        writer.add(try view(dB, matrixB, shapeB), toInput: 1)
      }
      return
    }
    let fullY = try view(dy, shapeY, Shape(batch + [rows, columns]))
    if writer.needs(0) {
      let full = try Shape(batch + [rows, inner])
      let dA = writer.emit("MatMul", [fullY, transposed(writer, b, rank: matrixB.rank)])
      writer.add(try view(writer.sum(dA, from: full, to: matrixA), matrixA, shapeA), toInput: 0)
    }
    if writer.needs(1) {
      let full = try Shape(batch + [inner, columns])
      let dB = writer.emit("MatMul", [transposed(writer, a, rank: matrixA.rank), fullY])
      writer.add(try view(writer.sum(dB, from: full, to: matrixB), matrixB, shapeB), toInput: 1)
    }
  }

  /// The last two axes exchanged.
  private static func transposed(_ writer: GradientWriter, _ value: String, rank: Int) -> String {
    var order = Array(0..<rank)
    order.swapAt(rank - 1, rank - 2)
    return writer.emit("Transpose", [value], [Attribute("perm", .integers(order))])
  }
}
