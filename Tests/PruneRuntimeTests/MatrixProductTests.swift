import CPruneSupport
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// The product of matrices against sums of its definition in double.
struct MatrixProductTests {
  @Test(arguments: 0..<120)
  func products(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 5)
    let extents = [1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 33, 48, 50, 97, 130]
    let (m, n) = (random.pick(extents), random.pick(extents))
    let k = random.pick(extents + [255, 256, 257, 600])
    let (isTransposedA, isTransposedB) = (seed % 2 == 1, seed / 2 % 2 == 1)
    let (alpha, beta): (Float, Float) = (random.pick([1, -0.5]), random.pick([0, 1, 0.25]))
    // Rows lie further apart than they are long.
    let (lda, ldb, ldc) = (
      (isTransposedA ? m : k) + random.pick(0...3), (isTransposedB ? k : n) + random.pick(0...3), n + random.pick(0...3)
    )
    let a = try random.tensor([isTransposedA ? k : m, lda]).array(of: Float.self)
    let b = try random.tensor([isTransposedB ? n : k, ldb]).array(of: Float.self)
    // What is not read may be NaN, and what lies between the rows stays.
    let before = (0..<(m * ldc)).map { _ in beta == 0 ? Float.nan : Float(random.normal()) }
    var results: [[Float]] = []
    for threads in [1, 3] {
      var c = before
      Parallel.threads = threads
      let status = ps_product(
        CChar(UInt8(ascii: isTransposedA ? "T" : "N")), CChar(UInt8(ascii: isTransposedB ? "T" : "N")), Int64(m),
        Int64(n), Int64(k),
        alpha, a, Int64(lda), b, Int64(ldb), beta, &c, Int64(ldc))
      #expect(status == 0)
      results.append(c)
    }
    Parallel.threads = 0
    #expect(results[0].map(\.bitPattern) == results[1].map(\.bitPattern))
    for i in 0..<m {
      for j in 0..<ldc {
        let found = results[0][i * ldc + j]
        guard j < n else {
          #expect(found.bitPattern == before[i * ldc + j].bitPattern)
          continue
        }
        var (sum, size) = (0.0, 0.0)
        for p in 0..<k {
          let term =
            Double(a[isTransposedA ? p * lda + i : i * lda + p]) * Double(b[isTransposedB ? j * ldb + p : p * ldb + j])
          sum += term
          size += abs(term)
        }
        let expected = Double(alpha) * sum + (beta == 0 ? 0 : Double(beta) * Double(before[i * ldc + j]))
        #expect(abs(Double(found) - expected) <= 1e-5 * (size + 1), "\(m) x \(n) x \(k) at \(i), \(j)")
      }
    }
  }

  @Test func nothingToAddUp() {
    var c: [Float] = [1, 2]
    #expect(ps_product(78, 78, 1, 2, 0, 1, [0], 1, [0], 2, 0.5, &c, 2) == 0)
    #expect(c == [0.5, 1])
  }

  /// Constant matrices of every count of columns up to the widest that is narrow, on one thread and several: a bias, a
  /// sum and limits behind, and each number where it belongs in the last rows too.
  @Test(arguments: 1...33, [false, true]) func narrow(columns: Int, isTransposed: Bool) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = columns % 3 + 1
    var random = RandomSource(seed: UInt64(columns))
    let (m, k) = (random.pick([8, 9, 31, 100]), random.pick([1, 5, 40, 300]))
    let x = try random.tensor([m, k]), r = try random.tensor([m, columns])
    let constants = [
      ("w", try shifted(random.tensor(isTransposed ? [columns, k] : [k, columns]))),
      ("b", try random.tensor([columns])),
    ]
    let nodes = [
      Node(
        "Gemm", inputs: ["x", "w", "b"], outputs: ["g"], attributes: [Attribute("transB", .int(isTransposed ? 1 : 0))]),
      Node("Add", inputs: ["g", "r"], outputs: ["s"]), Node("Relu", inputs: ["s"], outputs: ["y"]),
    ]
    try expectSame(
      makeModel(nodes, inputs: [("x", x), ("r", r)], constants: constants), [("x", x), ("r", r)], tolerance: 1e-5)
  }
}
