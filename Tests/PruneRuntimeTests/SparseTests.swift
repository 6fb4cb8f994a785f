import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Products with sparse weights against the reference kernels. Serialized: the number of threads is the process's.
@Suite(.serialized) struct SparseTests {
  /// As many weights other than zero as asked for, rows and columns without any among them.
  private func weights(_ dims: [Int], _ density: Double, _ random: inout RandomSource) throws -> Tensor {
    let shape = try Shape(dims), row = shape.count / max(dims[0], 1)
    let values = (0..<shape.count).map { index -> Float in
      let isEmpty = density < 1 && (index / row % 5 == 1 || index % row % 7 == 2)
      return isEmpty || random.uniform() >= density ? 0 : Float(random.normal())
    }
    return try Tensor(values, shape)
  }

  /// Runs by sparse kernels and by reference kernels, expects the same, and the first to be what ran.
  private func expectSparse(
    _ model: Model, _ inputs: [(String, Tensor)], tolerance: Double = 1e-5, isSparse: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let fed = Dictionary(uniqueKeysWithValues: inputs)
    var options = ProgramOptions()
    options.sparse = .always
    let program = try Program(model, options)
    let uses = program.weightUses
    #expect(!uses.isEmpty && uses.allSatisfy { $0.isSparse } == isSparse, sourceLocation: sourceLocation)
    let fast = try program.run(fed), slow = try Program(model, .init(optimizes: false)).run(fed)
    for output in model.graph.outputs {
      let (a, b) = (try #require(fast[output.name]), try #require(slow[output.name]))
      let (x, y) = (try a.array(of: Float.self), try b.array(of: Float.self))
      guard y.allSatisfy({ $0 == 0 }) else {
        let difference = try relativeNorm(a, b)
        #expect(difference <= tolerance, "\(output.name) differs by \(difference)", sourceLocation: sourceLocation)
        continue
      }
      #expect(x == y, sourceLocation: sourceLocation)
    }
  }

  private func convolution(
    _ x: [Int], _ w: [Int], _ density: Double, _ attributes: [Attribute] = [], then: [Node] = [], output: String = "y",
    seed: UInt64 = 1, isSparse: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var random = RandomSource(seed: seed)
    let image = try random.tensor(x), bias = try random.tensor([w[0]])
    let kernel = try weights(w, density, &random)
    let node = Node("Conv", inputs: ["x", "w", "b"], outputs: [then.isEmpty ? "y" : "c"], attributes: attributes)
    let model = makeModel(
      [node] + then, inputs: [("x", image)], constants: [("w", kernel), ("b", bias)], outputs: [output])
    try expectSparse(model, [("x", image)], isSparse: isSparse, sourceLocation: sourceLocation)
  }

  @Test(arguments: [0, 0.02, 0.1, 0.5, 1], [1, 3, 7, 8, 12, 16, 33])
  func pointwise(_ density: Double, side: Int) throws {
    for (inputs, outputs, batch) in [(1, 1, 1), (19, 40, 1), (64, 33, 3)] {
      try convolution([batch, inputs, side, side + 1], [outputs, inputs, 1, 1], density, seed: UInt64(side))
    }
  }

  @Test(arguments: 0..<60) func windows(_ seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed))
    let groups = random.pick([1, 1, 2, 3]), perGroup = random.pick(1...9)
    let kernel = [random.pick(1...5), random.pick(1...5)], dilations = [random.pick(1...2), random.pick(1...3)]
    let strides = [random.pick(1...3), random.pick(1...3)], pads = (0..<4).map { _ in random.pick(0...3) }
    let least = (0..<2).map { (kernel[$0] - 1) * dilations[$0] + 1 }
    let x = [random.pick(1...3), groups * perGroup, least[0] + random.pick(0...14), least[1] + random.pick(0...20)]
    let attributes = [
      Attribute("group", .int(Int64(groups))), Attribute("dilations", .integers(dilations)),
      Attribute("strides", .integers(strides)),
      Attribute("pads", .integers(pads)),
    ]
    try convolution(
      x, [groups * random.pick(1...8), perGroup] + kernel, random.pick([0.05, 0.2, 0.6, 1]), attributes,
      seed: UInt64(seed))
  }

  @Test(arguments: ["SAME_UPPER", "SAME_LOWER", "VALID"]) func automaticPads(_ mode: String) throws {
    let attributes = [Attribute("auto_pad", .string(Array(mode.utf8))), Attribute("strides", .integers([2, 1]))]
    try convolution([1, 12, 13, 10], [20, 12, 3, 4], 0.3, attributes)
  }

  @Test(arguments: [1, 2, 3]) func depthwise(_ step: Int) throws {
    let attributes = [
      Attribute("group", .int(Int64(24))), Attribute("strides", .integers([step, step])),
      Attribute("pads", .integers([1, 1, 1, 1])),
    ]
    try convolution([2, 24, 14, 15], [24, 1, 3, 3], 1, attributes)
    try convolution([2, 24, 14, 15], [48, 1, 3, 3], 0.5, attributes)
  }

  @Test func oneAxis() throws {
    let attributes = [Attribute("pads", .integers([2, 1])), Attribute("strides", .integers([2]))]
    try convolution([2, 10, 37], [16, 10, 4], 0.3, attributes)
    try convolution([1, 16, 40], [24, 16, 1], 0.2)
  }

  /// Three spatial axes are left to dense kernels.
  @Test func threeAxes() throws {
    var random = RandomSource(seed: 3)
    let x = try random.tensor([1, 4, 5, 6, 7]), w = try weights([8, 4, 3, 3, 3], 0.1, &random)
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)])
  }

  @Test(arguments: ["", "Relu", "LeakyRelu", "Clip", "Elu", "Sigmoid", "HardSwish", "Tanh"], [true, false])
  func epilogues(_ function: String, isAdded: Bool) throws {
    for kernel in [1, 3] {
      var random = RandomSource(seed: 7)
      let x = try random.tensor([2, 20, 9, 11]), r = try random.tensor([2, 28, 9, 11])
      let w = try weights([28, 20, kernel, kernel], 0.2, &random), b = try random.tensor([28])
      let pads = Attribute("pads", .integers([Int](repeating: kernel / 2, count: 4)))
      var nodes = [Node("Conv", inputs: ["x", "w", "b"], outputs: ["c"], attributes: [pads])]
      if isAdded { nodes.append(Node("Add", inputs: ["r", "c"], outputs: ["s"])) }
      if !function.isEmpty {
        let limits = function == "Clip" ? ["low", "high"] : []
        nodes.append(Node(function, inputs: [isAdded ? "s" : "c"] + limits, outputs: ["f"]))
      }
      let last = try #require(nodes.last?.outputs)
      let constants = [
        ("w", w), ("b", b), ("low", try Tensor([Float(-0.5)], Shape([]))),
        ("high", try Tensor([Float(0.75)], Shape([]))),
      ]
      let inputs = isAdded ? [("x", x), ("r", r)] : [("x", x)]
      try expectSparse(makeModel(nodes, inputs: inputs, constants: constants, outputs: last), inputs)
    }
  }

  @Test(arguments: [0, 0.05, 0.3, 1], [1, 2, 3, 4, 5, 16, 37, 130]) func products(_ density: Double, rows: Int) throws {
    var random = RandomSource(seed: UInt64(rows))
    let a = try random.tensor([rows, 50]), b = try weights([50, 70], density, &random), c = try random.tensor([70])
    let r = try random.tensor([rows, 70])
    let matmul = [
      Node("MatMul", inputs: ["a", "b"], outputs: ["p"]), Node("Add", inputs: ["p", "c"], outputs: ["s"]),
      Node("Add", inputs: ["r", "s"], outputs: ["t"]), Node("Relu", inputs: ["t"], outputs: ["y"]),
    ]
    try expectSparse(
      makeModel(matmul, inputs: [("a", a), ("r", r)], constants: [("b", b), ("c", c)]), [("a", a), ("r", r)])
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
      let left = try random.tensor(ta ? [50, rows] : [rows, 50]),
        right = try weights(tb ? [70, 50] : [50, 70], density, &random)
      let attributes = [Attribute("transA", .int(Int64(ta ? 1 : 0))), Attribute("transB", .int(Int64(tb ? 1 : 0)))]
      let node = Node("Gemm", inputs: ["a", "b", "c"], outputs: ["y"], attributes: attributes)
      try expectSparse(makeModel([node], inputs: [("a", left)], constants: [("b", right), ("c", c)]), [("a", left)])
    }
  }

  /// Results are the same whatever the number of threads, to the last bit.
  @Test(arguments: [(1, 30), (5, 17)]) func threads(_ size: (batch: Int, side: Int)) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    var random = RandomSource(seed: 4)
    let x = try random.tensor([size.batch, 96, size.side, size.side + 3]),
      w = try weights([160, 96, 3, 3], 0.1, &random)
    let node = Node(
      "Conv", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))])
    let model = makeModel([node], inputs: [("x", x)], constants: [("w", w)])
    var options = ProgramOptions()
    options.sparse = .always
    var first: Tensor?
    for threads in [1, 2, 3, 8] {
      Parallel.threads = threads
      let y = try #require(try Program(model, options).run(["x": x])["y"])
      if let first { #expect(first.bytes.isEqual(to: y.bytes)) } else { first = y }
    }
  }

  /// NaN and infinity are weights like any other; a zero multiplies nothing, not even an infinite input.
  @Test func specialNumbers() throws {
    let w = try Tensor([Float.nan, 0, 0, .infinity, 0, 1, 0, 0] as [Float], Shape([4, 2, 1, 1]))
    let x = try Tensor([Float](repeating: 2, count: 8) + [Float](repeating: .infinity, count: 8), Shape([1, 2, 2, 4]))
    let model = makeModel(
      [Node("Conv", inputs: ["x", "w"], outputs: ["y"])], inputs: [("x", x)], constants: [("w", w)])
    var options = ProgramOptions()
    options.sparse = .always
    let y = try #require(try Program(model, options).run(["x": x])["y"]).array(of: Float.self)
    #expect(y[..<8].allSatisfy(\.isNaN) && y[8..<24].allSatisfy { $0 == .infinity } && y[24...].allSatisfy { $0 == 0 })
  }

  /// Only weights that do not change, and of few rows only where there are kernels for it.
  @Test func refusals() throws {
    var random = RandomSource(seed: 9)
    let x = try random.tensor([1, 8, 6, 6]), w = try weights([8, 8, 1, 1], 0.1, &random)
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"])
    let fed = makeModel([node], inputs: [("x", x), ("w", w)])
    var options = ProgramOptions()
    options.sparse = .always
    #expect(try Program(fed, options).weightUses.isEmpty)
    let variable = Variable(name: "w", tensor: w)
    options.variables = ["w": variable]
    let trained = makeModel([node], inputs: [("x", x)], constants: [("w", w)])
    #expect(try Program(trained, options).weightUses.isEmpty)
  }

  /// Layers of a network are sparse where that was measured to be faster, and what a run gives does not depend on it.
  @Test func choice() throws {
    var random = RandomSource(seed: 11)
    let x = try random.tensor([1, 128, 28, 28])
    let thin = try weights([128, 128, 1, 1], 0.02, &random), full = try random.tensor([128, 128, 1, 1])
    let nodes = [Node("Conv", inputs: ["x", "v"], outputs: ["a"]), Node("Conv", inputs: ["a", "w"], outputs: ["y"])]
    let model = makeModel(nodes, inputs: [("x", x)], constants: [("v", thin), ("w", full)])
    let program = try Program(model)
    let uses = program.weightUses
    #expect(uses.count >= 2)
    let first = try #require(uses.first), last = try #require(uses.last)
    #expect(first.zeros > 0.97 && first.measured != nil && last.zeros == 0 && !last.isSparse && last.measured == nil)
    var options = ProgramOptions()
    options.sparse = .never
    let dense = try Program(model, options)
    #expect(dense.weightUses.allSatisfy { !$0.isSparse })
    let (a, b) = (try #require(program.run(["x": x])["y"]), try #require(dense.run(["x": x])["y"]))
    #expect(try relativeNorm(a, b) <= 1e-5)
  }
}
