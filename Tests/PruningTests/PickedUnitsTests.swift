import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Channels picked by constant numbers: an exact map of units, which is cut through.
@Suite struct PickedUnitsTests {
  /// x [N, 3, 6, 6] -> Conv a [8] -> Relu -> `nodes`, from "r" to "g" -> Conv b -> y.
  private func network(
    _ picked: Int, _ constants: [(String, Tensor)], weights: [(String, [Int])] = [], _ nodes: [Node]
  ) throws -> Model {
    try SmallGraph.model(
      [.named("N"), .fixed(3), .fixed(6), .fixed(6)],
      weights: [("a", [8, 3, 1, 1]), ("b", [4, picked, 1, 1])] + weights,
      constants: constants,
      [
        Node("Conv", name: "first", inputs: ["x", "a"], outputs: ["c"]),
        Node("Relu", name: "relu", inputs: ["c"], outputs: ["r"]),
      ]
        + nodes + [Node("Conv", name: "second", inputs: ["g", "b"], outputs: ["y"])])
  }

  private func gather(_ indices: String = "order", axis: Int64 = 1, from input: String = "r", to output: String = "g")
    -> Node
  {
    Node(
      "Gather", name: output, inputs: [input, indices], outputs: [output], attributes: [Attribute("axis", .int(axis))])
  }

  private func expectCut(_ model: Model, _ amount: Double, units: Int = 8) throws -> Model {
    let listed = try unitGroups(model)
    #expect(listed["units"]?.integer == units, "\(listed)")
    let (slim, report) = try SmallGraph.shrunk(model, amount)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(try #require(report["removed"]?.integer) > 0)
    // What the report says is left is what is there.
    let stats = try ModelStats.of(slim)
    #expect(report["after"]?.report?["params"]?.integer == stats.params)
    #expect(
      abs(try #require(report["params_kept"]?.number) - Double(stats.params) / Double(try ModelStats.of(model).params))
        < 1e-9)
    return slim
  }

  @Test(
    arguments: [
      [3, 1, 7, 0, 2, 6, 4, 5], [7, 6, 5, 4, 3, 2, 1, 0], [-1, -8, 2, 3, -4, 5, 6, 1], [1, 3, 5], [5], [2, 2, 6, 0],
    ] as [[Int64]],
    [0.25, 0.5, 0.75])
  func gatherByConstantNumbers(order: [Int64], amount: Double) throws {
    let slim = try expectCut(try network(order.count, [("order", try Tensor(order))], [gather()]), amount)
    #expect(slim.graph.initializer("a")?.shape.dims[0] == 8 - Int(8 * amount) || order.count < 8)
    if Set(order).count == 8 { #expect(slim.graph.initializer("b")?.shape.dims == [4, 8 - Int(8 * amount), 1, 1]) }
  }

  @Test(arguments: [(-1, -9, -1, 8), (0, 8, 2, 4), (7, 0, -3, 3), (1, 8, 3, 3)], [0.25, 0.5, 0.75])
  func sliceThatSteps(range: (Int64, Int64, Int64, Int), amount: Double) throws {
    let bounds = [("s", [range.0]), ("e", [range.1]), ("ax", [1]), ("st", [range.2])]
    let slim = try expectCut(
      try network(
        range.3, try bounds.map { ($0.0, try Tensor($0.1)) },
        [Node("Slice", name: "g", inputs: ["r", "s", "e", "ax", "st"], outputs: ["g"])]), amount)
    #expect(slim.graph.nodes.contains { $0.opType == "Gather" && $0.name == "g" })
  }

  /// Rows are cut off by the same node.
  @Test func sliceOfSeveralAxes() throws {
    let bounds: [(String, [Int64])] = [("s", [1, 7]), ("e", [5, -9]), ("ax", [2, 1]), ("st", [1, -1])]
    let slim = try expectCut(
      try network(
        8, try bounds.map { ($0.0, try Tensor($0.1)) },
        [Node("Slice", name: "g", inputs: ["r", "s", "e", "ax", "st"], outputs: ["g"])]), 0.5)
    #expect(slim.graph.initializer("b")?.shape.dims == [4, 4, 1, 1])
  }

  /// A permutation of a permutation, parts of one layer side by side, and another layer added to a permutation.
  @Test func mapsGoThroughOtherStructures() throws {
    let order = try Tensor([3, 1, 7, 0, 2, 6, 4, 5] as [Int64]), back = try Tensor([7, 6, 5, 4, 3, 2, 1, 0] as [Int64])
    _ = try expectCut(
      try network(8, [("order", order), ("back", back)], [gather(to: "p"), gather("back", from: "p")]), 0.5)
    _ = try expectCut(
      try network(
        8, [("order", order)], weights: [("d", [8, 3, 1, 1])],
        [
          gather(to: "p"), Node("Conv", name: "other", inputs: ["x", "d"], outputs: ["o"]),
          Node("Add", name: "sum", inputs: ["p", "o"], outputs: ["g"]),
        ]), 0.5)
    let even = try Tensor([0, 2, 4, 6] as [Int64]), odd = try Tensor([1, 3, 5, 7] as [Int64])
    _ = try expectCut(
      try network(
        8, [("even", even), ("odd", odd)],
        [
          gather("even", to: "p"), gather("odd", to: "q"),
          Node("Concat", name: "g", inputs: ["p", "q"], outputs: ["g"], attributes: [Attribute("axis", .int(1))]),
        ]), 0.5)
    _ = try expectCut(
      try network(
        8, [("order", order)],
        [
          gather(to: "p"),
          Node(
            "Split", name: "halves", inputs: ["p"], outputs: ["left", "right"], attributes: [Attribute("axis", .int(1))]
          ),
          Node(
            "Concat", name: "g", inputs: ["right", "left"], outputs: ["g"], attributes: [Attribute("axis", .int(1))]),
        ]), 0.25)
  }

  /// Units that are added to themselves in another order stay: no cut is exact.
  @Test func aLayerAddedToItsPermutationStays() throws {
    let order = try Tensor([3, 1, 7, 0, 2, 6, 4, 5] as [Int64])
    let model = try network(
      8, [("order", order)], [gather(to: "p"), Node("Add", name: "sum", inputs: ["p", "r"], outputs: ["g"])])
    #expect(try unitGroups(model)["units"]?.integer == 0)
    #expect(throws: PruneError.self) { try SmallGraph.shrunk(model) }
    // Nor do spaces that are parts of each other hang the solver.
    let twice = try network(
      8, [("order", order)], weights: [("d", [8, 3, 1, 1])],
      [
        Node("Conv", name: "other", inputs: ["x", "d"], outputs: ["o"]), gather(to: "p"), gather(from: "o", to: "q"),
        Node("Add", name: "s1", inputs: ["p", "o"], outputs: ["s1"]),
        Node("Add", name: "s2", inputs: ["q", "r"], outputs: ["s2"]),
        Node("Add", name: "s3", inputs: ["s1", "s2"], outputs: ["g"]),
      ])
    #expect(try unitGroups(twice)["units"]?.integer == 0)
  }

  /// What a node picks is never all gone, even where every unit that it picks is the weakest.
  @Test func aPickKeepsOneUnit() throws {
    var model = try network(
      2, [("order", try Tensor([2, 5] as [Int64]))], weights: [("d", [4, 8, 1, 1])],
      [gather(), Node("Conv", name: "third", inputs: ["r", "d"], outputs: ["z"])])
    model.graph.nodes.append(Node("Add", name: "both", inputs: ["y", "z"], outputs: ["w"]))
    model.graph.outputs = [ValueInfo(name: "w", type: nil)]
    for (name, isPicked) in [
      ("a", { [2, 5].contains($0 / 3) }), ("d", { [2, 5].contains($0 % 8) }), ("b", { _ in true }),
    ] as [(String, (Int) -> Bool)] {
      var weight = try #require(model.graph.initializer(name))
      try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for index in span.indices where isPicked(index) { span[index] *= 1e-4 }
      }
      model.graph.setInitializer(name, weight)
    }
    let (slim, report) = try SmallGraph.shrunk(model, 0.5)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(slim.graph.initializer("b")?.shape.dims == [4, 1, 1, 1])
    #expect(report["removed"]?.integer == 3)
    var options = PruneOptions()
    options.recipe = try pruned(model, SmallGraph.channels(0.5)).recipe
    #expect(
      try prune(model, options).model.graph.initializer("a")?.bytes.isEqual(
        to: #require(slim.graph.initializer("a")).bytes) == true)
  }
}
