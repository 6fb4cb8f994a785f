import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// The forms that sparse weights are kept in, each against the reference kernels: blocks of taps, bits for one vector, rows
/// that share their taps, planes of one channel, and recurrent matrices.
@Suite struct SparseFormTests {
  /// Weights [rows, taps], of which blocks of `block` rows are zero together; some rows and taps have none at all.
  private func weights(_ rows: Int, _ taps: Int, _ density: Double, block: Int = 1, _ random: inout RandomSource) throws
    -> Tensor
  {
    var values = [Float](repeating: 0, count: rows * taps)
    for first in stride(from: 0, to: rows, by: block) {
      for tap in 0..<taps {
        let isEmpty = density < 1 && (first / block % 7 == 3 || tap % 11 == 5)
        guard !isEmpty, random.uniform() < density else { continue }
        for row in first..<min(first + block, rows) { values[row * taps + tap] = Float(random.normal()) }
      }
    }
    return try Tensor(values, try Shape([rows, taps]))
  }

  private func expectSame(
    _ model: Model, _ inputs: [(String, Tensor)], tolerance: Double = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let fed = Dictionary(uniqueKeysWithValues: inputs)
    var options = ProgramOptions()
    options.sparse = .always
    let program = try Program(model, options)
    let uses = program.weightUses
    #expect(!uses.isEmpty && uses.allSatisfy { $0.isSparse }, sourceLocation: sourceLocation)
    let fast = try program.run(fed), slow = try Program(model, .init(optimizes: false)).run(fed)
    for output in model.graph.outputs {
      let (a, b) = (try #require(fast[output.name]), try #require(slow[output.name]))
      let y = try b.array(of: Float.self)
      if y.allSatisfy({ $0 == 0 }) {
        #expect(try a.array(of: Float.self) == y, sourceLocation: sourceLocation)
      } else {
        let difference = try relativeNorm(a, b)
        #expect(difference <= tolerance, "\(output.name) differs by \(difference)", sourceLocation: sourceLocation)
      }
    }
  }

  private func expectConvolution(
    _ x: [Int], _ w: Tensor, _ dims: [Int], _ attributes: [Attribute] = [], adds: Bool = false,
    _ random: inout RandomSource, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let image = try random.tensor(x), bias = try random.tensor([dims[0]])
    let kernel = try Tensor(try w.array(of: Float.self), try Shape(dims))
    var nodes = [Node("Conv", inputs: ["x", "w", "b"], outputs: [adds ? "c" : "y"], attributes: attributes)]
    // What is added is written over by the sums.
    if adds { nodes += [Node("Neg", inputs: ["x"], outputs: ["n"]), Node("Add", inputs: ["n", "c"], outputs: ["y"])] }
    let model = makeModel(nodes, inputs: [("x", image)], constants: [("w", kernel), ("b", bias)], outputs: ["y"])
    try expectSame(model, [("x", image)], sourceLocation: sourceLocation)
  }

  /// So many taps that they are gone through in several blocks.
  @Test(arguments: [0.02, 0.1, 0.4, 1], [1, 3]) func blocksOfTaps(_ density: Double, kernel: Int) throws {
    var random = RandomSource(seed: UInt64(kernel))
    let pads = Attribute("pads", .integers([Int](repeating: kernel / 2, count: 4)))
    for (channels, outputs, side) in [(300, 300, 7), (512, 150, 14), (260, 260, 17)] {
      let w = try weights(outputs, channels * kernel * kernel, density, &random)
      try expectConvolution(
        [1, channels, side, side], w, [outputs, channels, kernel, kernel], [pads], adds: channels == outputs, &random)
    }
  }

  @Test(arguments: [0.02, 0.2, 0.6, 1], [4, 16, 64, 100]) func blocksOfTapsInProducts(_ density: Double, rows: Int)
    throws
  {
    var random = RandomSource(seed: UInt64(rows))
    let a = try random.tensor([rows, 700]), b = try weights(700, 300, density, &random)
    let node = Node("MatMul", inputs: ["a", "b"], outputs: ["y"])
    try expectSame(makeModel([node], inputs: [("a", a)], constants: [("b", b)]), [("a", a)])
  }

  /// Zeros in blocks of rows: 4 at a time share what they read.
  @Test(arguments: [0, 0.1, 0.5, 0.9], [4, 8, 16]) func blocksOfRows(_ density: Double, block: Int) throws {
    var random = RandomSource(seed: UInt64(block))
    for (side, kernel, rows) in [(7, 1, 48), (12, 3, 16), (29, 1, 144), (31, 3, 32)] {
      let w = try weights(rows, 40 * kernel * kernel, density, block: block, &random)
      let pads = Attribute("pads", .integers([Int](repeating: kernel / 2, count: 4)))
      try expectConvolution([2, 40, side, side], w, [rows, 40, kernel, kernel], [pads], &random)
      let grouped = try weights(rows, 10 * kernel * kernel, density, block: block, &random)
      try expectConvolution(
        [1, 40, side, side], grouped, [rows, 10, kernel, kernel], [pads, Attribute("group", .int(4))], &random)
    }
    let a = try random.tensor([33, 60]), b = try weights(96, 60, density, block: block, &random)
    let node = Node("Gemm", inputs: ["a", "b"], outputs: ["y"], attributes: [Attribute("transB", .int(1))])
    try expectSame(makeModel([node], inputs: [("a", a)], constants: [("b", b)]), [("a", a)])
  }

  /// One vector times a matrix: bits where many weights are left, taps where few are.
  @Test(arguments: [0, 0.01, 0.1, 0.3, 0.5, 0.9, 1], [1, 7, 63, 64, 65, 200, 577])
  func oneVector(_ density: Double, columns: Int) throws {
    var random = RandomSource(seed: UInt64(columns))
    for rows in 1...3 {
      let a = try random.tensor([rows, columns]), b = try weights(130, columns, density, &random)
      let node = Node("Gemm", inputs: ["a", "b"], outputs: ["y"], attributes: [Attribute("transB", .int(1))])
      try expectSame(makeModel([node], inputs: [("a", a)], constants: [("b", b)]), [("a", a)])
    }
  }

  /// A weight that is NaN or infinite reaches no other sum, and a zero multiplies nothing, not even an infinite input.
  @Test func specialNumbers() throws {
    var values = [Float](repeating: 1, count: 3 * 70)
    (values[3], values[70 + 5], values[140 + 6]) = (.nan, .infinity, 0)
    let input = [Float](repeating: 1, count: 6) + [.infinity] + [Float](repeating: 1, count: 63)
    let finite = [Float](repeating: 1, count: 70)
    func run(_ weights: [Float], _ x: [Float]) throws -> [Float] {
      let w = try Tensor(weights, Shape([weights.count / 70, 70])), x = try Tensor(x, Shape([1, 70]))
      let node = Node("Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("transB", .int(1))])
      var options = ProgramOptions()
      options.sparse = .always
      let model = makeModel([node], inputs: [("x", x)], constants: [("w", w)])
      return try #require(try Program(model, options).run(["x": x])["y"]).array(of: Float.self)
    }
    let y = try run(values, finite)
    #expect(y[0].isNaN && y[1] == .infinity && y[2] == 69)
    #expect(try run(Array(values[140...]), input) == [69])
  }

  @Test(arguments: 0..<80) func planes(_ seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed))
    let channels = random.pick(1...9), multiplier = random.pick([1, 1, 1, 2])
    let kernel = seed % 3 == 0 ? [3, 3] : [random.pick(1...5), random.pick(1...5)]
    let strides = seed % 2 == 0 ? [1, 1] : [random.pick(1...3), random.pick(1...3)]
    let dilations = [random.pick([1, 1, 2]), random.pick([1, 1, 3])], pads = (0..<4).map { _ in random.pick(0...2) }
    let least = (0..<2).map { (kernel[$0] - 1) * dilations[$0] + 1 }
    let x = [random.pick(1...2), channels, least[0] + random.pick(0...40), least[1] + random.pick(0...40)]
    let attributes = [
      Attribute("group", .int(Int64(channels))), Attribute("dilations", .integers(dilations)),
      Attribute("strides", .integers(strides)), Attribute("pads", .integers(pads)),
    ]
    let w = try weights(channels * multiplier, kernel[0] * kernel[1], random.pick([0.5, 1]), &random)
    try expectConvolution(x, w, [channels * multiplier, 1] + kernel, attributes, &random)
  }

  @Test(arguments: ["RNN", "GRU", "LSTM"], ["forward", "reverse", "bidirectional"])
  func recurrent(_ kind: String, direction: String) throws {
    let gates = kind == "LSTM" ? 4 : kind == "GRU" ? 3 : 1, directions = direction == "bidirectional" ? 2 : 1
    var random = RandomSource(seed: UInt64(gates))
    for (steps, batch, width, hidden, density) in [
      (1, 1, 9, 7, 0.5), (40, 1, 40, 65, 0.2), (6, 3, 20, 32, 0.1), (3, 20, 5, 16, 1),
    ] {
      for resetsAfter in kind == "GRU" ? [0, 1] : [0] {
        let x = try random.tensor([steps, batch, width])
        func matrix(_ columns: Int) throws -> Tensor {
          let flat = try weights(directions * gates * hidden, columns, density, &random)
          return try Tensor(try flat.array(of: Float.self), try Shape([directions, gates * hidden, columns]))
        }
        let constants = [
          ("w", try matrix(width)), ("r", try matrix(hidden)),
          ("b", try random.tensor([directions, 2 * gates * hidden])),
        ]
        var attributes = [
          Attribute("hidden_size", .int(Int64(hidden))), Attribute("direction", .string(Array(direction.utf8))),
        ]
        if kind == "GRU" { attributes.append(Attribute("linear_before_reset", .int(Int64(resetsAfter)))) }
        let node = Node(kind, inputs: ["x", "w", "r", "b"], outputs: ["y"], attributes: attributes)
        try expectSame(makeModel([node], inputs: [("x", x)], constants: constants), [("x", x)])
      }
    }
  }
}
