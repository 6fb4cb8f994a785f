import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// 3x3 convolutions one step apart against the reference kernels. Serialized: the number of threads is the process's.
@Suite(.serialized) struct WinogradTests {
  private static let shapes = [
    (16, 16, 12), (32, 32, 9), (32, 32, 12), (64, 96, 14), (48, 40, 20), (100, 36, 9), (128, 256, 8), (33, 70, 28),
    (16, 80, 33),
    (112, 16, 7), (11, 11, 32), (13, 27, 16), (9, 58, 12),
  ]

  private func window(_ pads: [Int] = [1, 1, 1, 1]) -> [Attribute] { [Attribute("pads", .integers(pads))] }

  /// Whole blocks of channels and parts of them, one image and several, weights at any address.
  @Test(arguments: shapes, [1, 3, 8]) func convolutions(_ shape: (inputs: Int, outputs: Int, side: Int), batch: Int)
    throws
  {
    var random = RandomSource(seed: UInt64(shape.inputs * 31 + shape.outputs + batch))
    let x = try random.tensor([batch, shape.inputs, shape.side, shape.side])
    let w = try shifted(random.tensor([shape.outputs, shape.inputs, 3, 3])), b = try random.tensor([shape.outputs])
    let node = Node("Conv", inputs: ["x", "w", "b"], outputs: ["y"], attributes: window())
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w), ("b", b)]), [("x", x)], tolerance: 1e-5)
  }

  /// As many threads as there are tiles for, and more.
  @Test(arguments: [1, 2, 3, 8], [(1, 8), (1, 30), (5, 17)]) func threads(
    _ threads: Int, _ size: (batch: Int, side: Int)
  ) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = threads
    var random = RandomSource(seed: UInt64(size.side))
    let x = try random.tensor([size.batch, 96, size.side, size.side + 3]), w = try random.tensor([160, 96, 3, 3])
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"], attributes: window())
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 1e-5)
  }

  @Test(arguments: [[0, 0, 0, 0], [1, 0, 0, 2], [2, 2, 2, 2], [0, 1, 2, 0]]) func pads(_ pads: [Int]) throws {
    var random = RandomSource(seed: 5)
    let x = try random.tensor([2, 32, 11, 15]), w = try random.tensor([48, 32, 3, 3])
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"], attributes: window(pads))
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 1e-5)
  }

  /// Windows two steps apart of images with few channels, pads odd and even, extents that end before and behind a
  /// window.
  @Test(
    arguments: [(5, [2, 2, 2, 2]), (6, [2, 2, 3, 3]), (7, [3, 3, 3, 3]), (7, [0, 1, 2, 0]), (8, [3, 4, 4, 3])], 1...4)
  func folded(_ window: (side: Int, pads: [Int]), channels: Int) throws {
    var random = RandomSource(seed: UInt64(window.side + channels))
    for (batch, height, width) in [(1, 20, 31), (3, 17, 16)] {
      let x = try random.tensor([batch, channels, height, width])
      let w = try shifted(random.tensor([48, channels, window.side, window.side])), b = try random.tensor([48])
      let nodes = [
        Node(
          "Conv", inputs: ["x", "w", "b"], outputs: ["c"],
          attributes: self.window(window.pads) + [Attribute("strides", .integers([2, 2]))]),
        Node("Relu", inputs: ["c"], outputs: ["y"]),
      ]
      try expectSame(
        makeModel(nodes, inputs: [("x", x)], constants: [("w", w), ("b", b)]), [("x", x)], tolerance: 1e-5)
    }
  }

  /// What follows in the same step or in one of its own, over blocks that are full and one that is not.
  @Test(arguments: ["", "Relu", "LeakyRelu", "Clip", "Elu", "Sigmoid", "HardSwish"], [64, 60])
  func epilogues(_ function: String, outputs: Int) throws {
    var random = RandomSource(seed: 9)
    let x = try random.tensor([2, 48, 12, 12]), r = try random.tensor([2, outputs, 12, 12])
    let constants = [
      ("w", try random.tensor([outputs, 48, 3, 3])), ("b", try random.tensor([outputs])),
      ("v", try random.tensor([16, outputs, 1, 1])),
      ("low", try Tensor(scalar: Float(0.5))), ("high", try Tensor(scalar: Float(2))),
    ]
    for hasResidual in [false, true] where hasResidual || !function.isEmpty {
      var nodes = [Node("Conv", inputs: ["x", "w", "b"], outputs: ["c"], attributes: window())]
      if hasResidual { nodes.append(Node("Add", inputs: ["c", "r"], outputs: ["s"])) }
      var last = hasResidual ? "s" : "c"
      if !function.isEmpty {
        nodes.append(Node(function, inputs: function == "Clip" ? [last, "low", "high"] : [last], outputs: ["f"]))
        last = "f"
      }
      nodes.append(Node("Conv", inputs: [last, "v"], outputs: ["y"]))
      let fed = hasResidual ? [("x", x), ("r", r)] : [("x", x)]
      try expectSame(makeModel(nodes, inputs: fed, constants: constants, outputs: ["y", last]), fed, tolerance: 1e-5)
    }
  }

  /// Weights that are no constants, and the gradients of what goes in, weights and bias, on as many threads as there
  /// are and more.
  @Test(
    arguments: [(32, 32, 16), (16, 48, 33), (60, 64, 20), (80, 112, 16), (17, 200, 18)], [[1, 1, 1, 1], [0, 2, 1, 0]])
  func training(_ shape: (inputs: Int, outputs: Int, side: Int), pads: [Int]) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = shape.side % 4 + 1
    var random = RandomSource(seed: UInt64(shape.side))
    let x = try random.tensor([4, shape.inputs, shape.side, shape.side]),
      w = try random.tensor([shape.outputs, shape.inputs, 3, 3])
    let dy = try random.tensor([
      4, shape.outputs, shape.side + pads[0] + pads[2] - 2, shape.side + pads[1] + pads[3] - 2,
    ])
    let nodes = [
      Node("Conv", inputs: ["x", "w", "b"], outputs: ["y"], attributes: window(pads)),
      Node(
        "ConvGradInput", domain: "ai.libprune", inputs: ["dy", "w"], outputs: ["dx"],
        attributes: window(pads) + [Attribute("input_shape", .integers(x.shape.dims))]),
      Node(
        "ConvGradWeight", domain: "ai.libprune", inputs: ["dy", "x"], outputs: ["dw", "db"],
        attributes: window(pads) + [Attribute("weight_shape", .integers(w.shape.dims))]),
    ]
    let fed = [("x", x), ("w", w), ("b", try random.tensor([shape.outputs])), ("dy", dy)]
    try expectSame(makeModel(nodes, inputs: fed, outputs: ["y", "dx", "dw", "db"]), fed, tolerance: 1e-5)
  }

  /// Numbers that are none come out as that, and nowhere but near where they went in.
  @Test func notNumbers() throws {
    var values = [Float](repeating: 1, count: 32 * 16 * 16)
    values[5 * 256 + 3 * 16 + 3] = .nan
    let x = try Tensor(values, try Shape([1, 32, 16, 16])),
      w = try Tensor([Float](repeating: 1, count: 32 * 32 * 9), try Shape([32, 32, 3, 3]))
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"], attributes: window())
    let y = try #require(Program(makeModel([node], inputs: [("x", x)], constants: [("w", w)])).run(["x": x])["y"])
      .array(of: Float.self)
    #expect(y[3 * 16 + 3].isNaN)
    #expect(abs(y[15 * 16 + 15] - 4 * 32) < 1e-3)
  }
}
