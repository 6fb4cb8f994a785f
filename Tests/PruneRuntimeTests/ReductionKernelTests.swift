import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Reductions, interpolation, and images in blocks against the reference kernels.
struct ReductionKernelTests {
  @Test(arguments: ["ReduceSumSquare", "ReduceL2", "ReduceL1", "ReduceMax", "ReduceMin", "ReduceProd"])
  func reductions(name: String) throws {
    var random = RandomSource(seed: 17)
    for _ in 0..<6 {
      let dims = (0..<random.pick(1...4)).map { _ in random.pick([1, 2, 5, 8, 17]) }
      let x = try random.tensor(dims)
      let axes = dims.indices.filter { _ in random.pick([true, false]) }
      var node = Node(
        name, inputs: ["x"], outputs: ["y"], attributes: [Attribute("keepdims", .int(Int64(random.pick(0...1))))])
      if !axes.isEmpty { node.set("axes", .integers(axes)) }
      try expectSame(makeModel([node], inputs: [("x", x)]), [("x", x)], tolerance: 1e-5)
    }
  }

  /// As gradients of biases are: the same bits whatever the number of threads.
  @Test(arguments: [15, 16, 20, 32, 33, 500], [1, 3, 40, 4099])
  func sumsOfColumns(columns: Int, rows: Int) throws {
    var random = RandomSource(seed: 21)
    let x = try random.tensor([rows, columns])
    let node = Node(
      "ReduceMean", inputs: ["x"], outputs: ["y"],
      attributes: [Attribute("axes", .integers([0])), Attribute("keepdims", .int(0))])
    let model = makeModel([node], inputs: [("x", x)])
    try expectSame(model, [("x", x)], tolerance: 1e-5)
    func values() throws -> [Float] { try #require(try Program(model).run(["x": x])["y"]).array(of: Float.self) }
    let before = Parallel.threads
    Parallel.threads = 1
    let alone = try values()
    Parallel.threads = before
    #expect(try values() == alone)
  }

  @Test func extremesOfNaN() throws {
    let x = try Tensor([1, .nan, 3, 4, 5, 6] as [Float], try Shape([2, 3]))
    for name in ["ReduceMax", "ReduceMin"] {
      for axis in [0, 1] {
        let node = Node(name, inputs: ["x"], outputs: ["y"], attributes: [Attribute("axes", .integers([axis]))])
        let model = makeModel([node], inputs: [("x", x)])
        let fast = try #require(try Program(model).run(["x": x])["y"]).array(of: Float.self)
        let slow = try #require(try Program(model, .init(optimizes: false)).run(["x": x])["y"]).array(of: Float.self)
        for (a, b) in zip(fast, slow) { #expect(a == b || (a.isNaN && b.isNaN)) }
      }
    }
  }

  @Test(arguments: ["ArgMax", "ArgMin"], [0, 1])
  func places(name: String, takesLast: Int) throws {
    var random = RandomSource(seed: 18)
    let shape = try Shape([3, 5, 4])
    let x = try Tensor((0..<shape.count).map { _ in Float(random.pick(0...3)) }, shape)
    for axis in 0..<3 {
      let node = Node(
        name, inputs: ["x"], outputs: ["y"],
        attributes: [Attribute("axis", .int(Int64(axis))), Attribute("select_last_index", .int(Int64(takesLast)))])
      try expectSame(makeModel([node], inputs: [("x", x)]), [("x", x)])
    }
  }

  @Test(
    arguments: ["nearest", "linear", "cubic"], ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
  func resize(mode: String, transformation: String) throws {
    var random = RandomSource(seed: 19)
    for sizes in [[2, 3, 10, 14], [2, 3, 5, 4], [2, 3, 3, 9]] {
      let x = try random.tensor([2, 3, 5, 7])
      let node = Node(
        "Resize", inputs: ["x", "", "", "sizes"], outputs: ["y"],
        attributes: [
          Attribute("mode", .string(Array(mode.utf8))),
          Attribute("coordinate_transformation_mode", .string(Array(transformation.utf8))),
        ])
      try expectSame(
        makeModel([node], inputs: [("x", x)], constants: [("sizes", try Tensor(sizes.map { Int64($0) }))], opset: 19),
        [("x", x)])
    }
  }

  /// A factor for each channel, as squeeze-and-excitation has it, and one for all.
  @Test(arguments: [16, 32, 24, 5])
  func imagesInBlocks(channels: Int) throws {
    var random = RandomSource(seed: 20)
    let x = ("x", try random.tensor([2, 4, 9, 9]))
    let constants = [
      ("w", try random.tensor([channels, 4, 3, 3])), ("u", try random.tensor([channels, channels, 1, 1])),
      ("two", try Tensor([Float(2.5)])),
    ]
    let nodes = [
      Node("Conv", inputs: ["x", "w"], outputs: ["c"]), Node("GlobalAveragePool", inputs: ["c"], outputs: ["p"]),
      Node("Conv", inputs: ["p", "u"], outputs: ["q"]), Node("HardSigmoid", inputs: ["q"], outputs: ["s"]),
      Node("Mul", inputs: ["s", "c"], outputs: ["m"]), Node("Sub", inputs: ["two", "m"], outputs: ["y"]),
    ]
    try expectSame(makeModel(nodes, inputs: [x], constants: constants), [x])
  }
}
