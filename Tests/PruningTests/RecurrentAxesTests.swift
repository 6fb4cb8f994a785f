import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// LSTM, GRU and RNN with the operands and the states that exporters give them.
@Suite struct RecurrentAxesTests {
  private static let units = 6

  /// x [5, N, 4] -> cell -> y [5, N, 3].
  /// - Parameters:
  ///   - operands: what the cell reads behind W and R, without its biases.
  ///   - before: what makes them.
  private func network(
    _ cell: String, directions: Int, gates: Int, operands: [String] = [], weights: [(String, [Int])] = [],
    constants: [(String, Tensor)] = [], before: [Node] = [], opset: Int64 = 18, batch: Dim = .named("N")
  ) throws -> Model {
    let h = Self.units
    let direction = directions == 2 ? "bidirectional" : "forward"
    return try SmallGraph.model(
      [.fixed(5), batch, .fixed(4)],
      weights: [
        ("W", [directions, gates * h, 4]), ("R", [directions, gates * h, h]), ("B", [directions, 2 * gates * h]),
        ("out", [directions * h, 3]),
      ] + weights,
      constants: [("flat", try Tensor([0, 0, -1] as [Int64]))] + constants,
      before + [
        Node(
          cell, name: "cell", inputs: ["x", "W", "R"] + (operands.isEmpty ? ["B"] : operands), outputs: ["h"],
          attributes: [Attribute("hidden_size", .int(Int64(h))), Attribute("direction", .text(direction))]),
        Node(
          "Transpose", name: "t", inputs: ["h"], outputs: ["t"], attributes: [Attribute("perm", .ints([0, 2, 1, 3]))]),
        Node("Reshape", name: "r", inputs: ["t", "flat"], outputs: ["r"]),
        Node("MatMul", name: "head", inputs: ["r", "out"], outputs: ["y"]),
      ], opset: opset)
  }

  private func expectHalf(_ model: Model, directions: Int) throws {
    let listed = try unitGroups(model)
    #expect(listed["units"]?.integer == Self.units, "\(listed)")
    let (slim, report) = try SmallGraph.shrunk(model)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(report["units"]?.integer == Self.units)
    #expect(report["removed"]?.integer == Self.units / 2)
    #expect(slim.graph.initializer("out")?.shape.dims == [directions * Self.units / 2, 3])
  }

  /// Zeros of one number made as long as a state needs, as exporters write the first state.
  @Test(
    arguments: [("LSTM", 4, 2), ("LSTM", 4, 1), ("GRU", 3, 2), ("RNN", 1, 1)],
    ["stored", "concat", "described", "tiled", "tiled_open"])
  func aStateThatIsExpandedShrinks(cell: (String, Int, Int), shape: String) throws {
    let (name, gates, directions) = cell
    let zero = try Tensor([0] as [Float], Shape([1, 1, 1]))
    var constants = [("zero", zero), ("d", try Tensor([Int64(directions)])), ("h0", try Tensor([Int64(Self.units)]))]
    var before: [Node] = []
    let batch: Dim = ["stored", "tiled"].contains(shape) ? .fixed(2) : .named("N")
    switch shape {
    case "stored", "tiled": constants.append(("extents", try Tensor([Int64(directions), 2, Int64(Self.units)])))
    case "concat", "tiled_open":
      before = [
        Node(
          "Shape", name: "n", inputs: ["x"], outputs: ["n"],
          attributes: [Attribute("start", .int(1)), Attribute("end", .int(2))]),
        Node(
          "Concat", name: "extents", inputs: ["d", "n", "h0"], outputs: ["extents"],
          attributes: [Attribute("axis", .int(0))]),
      ]
    default:
      // The number of units taken from the shape of a weight.
      before = [
        Node(
          "Shape", name: "n", inputs: ["x"], outputs: ["n"],
          attributes: [Attribute("start", .int(1)), Attribute("end", .int(2))]),
        Node("Shape", name: "u", inputs: ["R"], outputs: ["u"], attributes: [Attribute("start", .int(2))]),
        Node(
          "Concat", name: "extents", inputs: ["d", "n", "u"], outputs: ["extents"],
          attributes: [Attribute("axis", .int(0))]),
      ]
    }
    before.append(
      Node(
        shape.hasPrefix("tiled") ? "Tile" : "Expand", name: "state", inputs: ["zero", "extents"], outputs: ["state"]))
    let operands = ["B", "", "state"] + (name == "LSTM" ? ["state"] : [])
    try expectHalf(
      try network(
        name, directions: directions, gates: gates, operands: operands, constants: constants, before: before,
        batch: batch),
      directions: directions)
  }

  @Test(arguments: [("LSTM", 4), ("GRU", 3), ("RNN", 1)], [1, 2])
  func everyOptionalOperandGoesAlong(cell: (String, Int), directions: Int) throws {
    let (name, gates) = cell, h = Self.units
    var weights = [("first", [directions, 2, h])]
    var operands = ["B", "lengths", "first"]
    if name == "LSTM" {
      weights += [("second", [directions, 2, h]), ("P", [directions, 3 * h])]
      operands += ["second", "P"]
    }
    let model = try network(
      name, directions: directions, gates: gates, operands: operands, weights: weights,
      constants: [("lengths", try Tensor([5, 3] as [Int32]))], batch: .fixed(2))
    try expectHalf(model, directions: directions)
    // Without biases, and without all but the last.
    for absent in 0..<operands.count {
      var some = operands
      some[absent] = ""
      try expectHalf(
        try network(
          name, directions: directions, gates: gates, operands: some, weights: weights,
          constants: [("lengths", try Tensor([5, 3] as [Int32]))], batch: .fixed(2)), directions: directions)
    }
    if name == "LSTM" {
      try expectHalf(
        try network(name, directions: directions, gates: gates, operands: ["", "", "", "", "P"], weights: weights),
        directions: directions)
    }
  }

  /// A bias of one number for all channels, and a gate of one channel for all.
  @Test func whatIsBroadcastByExpandHasTheUnitsOfWhatItMeets() throws {
    let model = try SmallGraph.model(
      [.named("N"), .fixed(3), .fixed(4), .fixed(4)],
      weights: [("a", [8, 3, 1, 1]), ("g", [1, 3, 1, 1]), ("b", [2, 8, 1, 1])],
      constants: [
        ("one", try Tensor([0.5] as [Float])), ("eight", try Tensor([8] as [Int64])),
        ("wide", try Tensor([1, 8, 1, 1] as [Int64])),
      ],
      [
        Node("Expand", name: "bias", inputs: ["one", "eight"], outputs: ["bias"]),
        Node("Conv", name: "first", inputs: ["x", "a", "bias"], outputs: ["h"]),
        Node("Conv", name: "gate", inputs: ["x", "g"], outputs: ["s"]),
        Node("Expand", name: "spread", inputs: ["s", "wide"], outputs: ["spread"]),
        Node("Mul", name: "gated", inputs: ["h", "spread"], outputs: ["m"]),
        Node("Conv", name: "second", inputs: ["m", "b"], outputs: ["y"]),
      ])
    let (slim, report) = try SmallGraph.shrunk(model)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(slim.graph.initializer("a")?.shape.dims == [4, 3, 1, 1])
    #expect(try unitGroups(model)["units"]?.integer == 8)
  }

  /// Channels repeated three times: the copies are no channels of their own, and are counted as none.
  @Test func copiesOfUnitsAreNoUnits() throws {
    let model = try SmallGraph.model(
      [.named("N"), .fixed(3), .fixed(4), .fixed(4)], weights: [("a", [8, 3, 1, 1]), ("b", [2, 24, 1, 1])],
      constants: [
        ("two", try Tensor([2] as [Int64])), ("thrice", try Tensor([1, 1, 3, 1, 1] as [Int64])),
        ("flat", try Tensor([0, 24, 4, 4] as [Int64])),
      ],
      [
        Node("Conv", name: "first", inputs: ["x", "a"], outputs: ["h"]),
        Node("Unsqueeze", name: "u", inputs: ["h", "two"], outputs: ["u"]),
        Node("Expand", name: "e", inputs: ["u", "thrice"], outputs: ["e"]),
        Node("Reshape", name: "r", inputs: ["e", "flat"], outputs: ["r"]),
        Node("Conv", name: "second", inputs: ["r", "b"], outputs: ["y"]),
      ])
    let listed = try unitGroups(model)
    #expect(listed["units"]?.integer == 8)
    #expect(listed["pinned"]?.list?.contains { $0.report?["reason"]?.text?.contains("no granularity") == true } == true)
    let (slim, report) = try SmallGraph.shrunk(model)
    #expect(report["removed"]?.integer == 4)
    #expect(slim.graph.initializer("b")?.shape.dims == [2, 12, 1, 1])
  }

  /// Queries of several heads that read one head's keys and values, made as many by Expand: heads go from the queries,
  /// and the extents of the Expands follow.
  @Test func headsOfOneKeyHeadGo() throws {
    func shape(_ name: String, _ dims: [Int64]) throws -> (String, Tensor) { (name, try Tensor(dims)) }
    func transposed(_ input: String, _ output: String, _ order: [Int64]) -> Node {
      Node("Transpose", name: output, inputs: [input], outputs: [output], attributes: [Attribute("perm", .ints(order))])
    }
    let model = try SmallGraph.model(
      [.fixed(2), .fixed(3), .fixed(16)],
      weights: [("q", [16, 20]), ("k", [16, 5]), ("v", [16, 5]), ("o", [20, 16])],
      constants: [
        try shape("cut", [2, 3, 4, 5]), try shape("one", [2, 1, 3, 5]), try shape("all", [2, 4, 3, 5]),
        try shape("join", [2, 3, 20]),
      ],
      [
        Node("MatMul", name: "queries", inputs: ["x", "q"], outputs: ["q1"]),
        Node("Reshape", name: "q2", inputs: ["q1", "cut"], outputs: ["q2"]), transposed("q2", "q3", [0, 2, 1, 3]),
        Node("MatMul", name: "keys", inputs: ["x", "k"], outputs: ["k1"]),
        Node("Reshape", name: "k2", inputs: ["k1", "one"], outputs: ["k2"]),
        Node("Expand", name: "k3", inputs: ["k2", "all"], outputs: ["k3"]), transposed("k3", "k4", [0, 1, 3, 2]),
        Node("MatMul", name: "values", inputs: ["x", "v"], outputs: ["v1"]),
        Node("Reshape", name: "v2", inputs: ["v1", "one"], outputs: ["v2"]),
        Node("Expand", name: "v3", inputs: ["v2", "all"], outputs: ["v3"]),
        Node("MatMul", name: "scores", inputs: ["q3", "k4"], outputs: ["s"]),
        Node("Softmax", name: "w", inputs: ["s"], outputs: ["w"], attributes: [Attribute("axis", .int(-1))]),
        Node("MatMul", name: "mix", inputs: ["w", "v3"], outputs: ["m"]), transposed("m", "b", [0, 2, 1, 3]),
        Node("Reshape", name: "j", inputs: ["b", "join"], outputs: ["j"]),
        Node("MatMul", name: "out", inputs: ["j", "o"], outputs: ["y"]),
      ])
    var options = SmallGraph.channels(0.5)
    options.granularity = "head"
    let (slim, report) = try prune(model, options)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(slim.graph.initializer("q")?.shape.dims == [16, 10])
    #expect(slim.graph.initializer("o")?.shape.dims == [10, 16])
    #expect(slim.graph.initializer("k")?.shape.dims == [16, 5])
  }
}
