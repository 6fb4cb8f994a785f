import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

/// Models whose inputs leave more than the batch open: what they cost is never taken for nothing.
@Suite struct OpenShapeTests {
  private func random(_ dims: [Int], seed: UInt64) throws -> Tensor {
    var source = RandomSource(seed: seed)
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Float(source.normal()) * 0.3 }, shape)
  }

  /// x[N,T,16] -> MatMul -> Relu -> MatMul -> y[N,T,8]
  private func sequence(_ length: Dim = .named("T")) throws -> Model {
    var graph = Graph(name: "sequence")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), length, .fixed(16)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), length, .fixed(8)]))]
    graph.setInitializer("w1", try random([16, 32], seed: 1))
    graph.setInitializer("w2", try random([32, 8], seed: 2))
    graph.nodes = [
      Node("MatMul", name: "one", inputs: ["x", "w1"], outputs: ["a"]), Node("Relu", inputs: ["a"], outputs: ["r"]),
      Node("MatMul", name: "two", inputs: ["r", "w2"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  /// x[N,3,H,W] -> Conv -> Relu -> Conv -> Reshape by the shape of x -> TopK 100
  private func detector() throws -> Model {
    var graph = Graph(name: "detector")
    graph.inputs = [
      ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .named("H"), .named("W")]))
    ]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(100)]))]
    graph.setInitializer("w1", try random([8, 3, 8, 8], seed: 1))
    graph.setInitializer("w2", try random([1, 8, 1, 1], seed: 2))
    for (name, value) in [("k", 100), ("zero", 0), ("rest", -1)] as [(String, Int64)] {
      graph.setInitializer(name, try Tensor([value]))
    }
    graph.nodes = [
      Node("Conv", inputs: ["x", "w1"], outputs: ["a"], attributes: [Attribute("strides", .integers([8, 8]))]),
      Node("Relu", inputs: ["a"], outputs: ["r"]), Node("Identity", inputs: ["r"], outputs: ["same"]),
      Node("Conv", inputs: ["same", "w2"], outputs: ["b"]), Node("Shape", inputs: ["x"], outputs: ["shape"]),
      Node("Gather", inputs: ["shape", "zero"], outputs: ["batch"]),
      Node("Concat", inputs: ["batch", "rest"], outputs: ["to"], attributes: [Attribute("axis", .int(0))]),
      Node("Reshape", inputs: ["b", "to"], outputs: ["f"]),
      Node("TopK", inputs: ["f", "k"], outputs: ["y", ""], attributes: [Attribute("axis", .int(1))]),
    ]
    return Model(graph: graph)
  }

  private func settings(_ target: CostTarget? = nil, shapes: ShapeBinding = .init()) -> PruneOptions {
    var options = PruneOptions()
    (options.target, options.shapes) = (target, shapes)
    return options
  }

  @Test func summaryShowsTheExtentsThatAreGiven() throws {
    let text = try summary(try sequence(), shapes: ShapeBinding([("T", [7])]))
    #expect(text.contains("7, 32") && !text.contains("T, ") && !text.contains("open"))
  }

  @Test func sensitivityRefusesExtentsThatAreNotTheDatas() throws {
    var options = SensitivityOptions()
    options.data = try Dataset.tensors(random([4, 5, 16], seed: 3), random([4, 5, 8], seed: 4))
    options.shapes = ShapeBinding([("T", [5])])
    #expect(try sensitivity(try sequence(), options).title == "sensitivity")
    options.shapes = ShapeBinding([("T", [6])])
    let error = #expect(throws: PruneError.self) { try sensitivity(try sequence(), options) }
    #expect(error?.status == .mismatch && error?.message.contains("samples of the data are [5, 16]") == true)
  }

  /// x[?,?,?] -> MatMul -> Relu -> MatMul: with a last axis that is open the first layer's inputs are those that are
  /// given.
  @Test func shapesThatAreGivenReachTheGroups() throws {
    var model = try sequence()
    model.graph.inputs[0].type = TensorType(.float32, [.named("N"), .named("T"), .named("F")])
    var options = settings(CostTarget(.params, 0.5), shapes: ShapeBinding([("F", [16]), ("T", [4])]))
    options.granularity = "channel"
    let outcome = try pruned(model, options)
    #expect(try #require(outcome.model.graph.initializer("w1")).shape.dims[1] < 32)
  }

  @Test func macsThatAreNotKnownAreOpen() throws {
    let stats = try ModelStats.of(try sequence())
    #expect(stats.macs == nil && stats.effectiveMacs == nil && stats.open == ["T"])
    #expect(stats.report.number("macs") == nil && stats.report.json().contains("\"macs\":null"))
    #expect(try summary(try sequence()).contains("open: they depend on T"))
    let known = try ModelStats.of(try sequence(), shapes: ShapeBinding([("T", [10])]))
    #expect(known.macs == 10 * (16 * 32 + 32 * 8) && known.open.isEmpty)
    #expect(try ModelStats.of(try sequence(.fixed(10))).macs == known.macs)
  }

  @Test func aTargetOfMacsHoldsAndSaysWhatItAssumes() throws {
    let (_, report) = try prune(try sequence(), settings(CostTarget(.macs, 0.5)))
    let (_, fixed) = try prune(try sequence(.fixed(10)), settings(CostTarget(.macs, 0.5)))
    #expect(abs((report.number("sparsity") ?? 0) - 0.5) < 0.01 && report.number("sparsity") == fixed.number("sparsity"))
    #expect(report.json().contains("T = 64, which is assumed"))
    let (_, told) = try prune(try sequence(), settings(CostTarget(.macs, 0.5), shapes: ShapeBinding([("T", [10])])))
    #expect(told.number("before.macs") == 7680 && !told.json().contains("assumed"))
  }

  @Test func budgetsOfWhatIsNotKnownAreRefused() throws {
    var options = settings(CostTarget(.latency, 0.6))
    options.granularity = "channel"
    let error = #expect(throws: PruneError.self) { try prune(try sequence(), options) }
    #expect(error?.message.contains("T") == true && error?.hint.contains("fix_shapes") == true)
    // Nobody says the rank: nothing can be assumed.
    var model = try sequence()
    model.graph.inputs[0].type = TensorType(.float32, nil)
    let refused = #expect(throws: PruneError.self) { try prune(model, settings(CostTarget(.macs, 0.5))) }
    #expect(refused?.message.contains("the shape of 'x'") == true)
  }

  @Test func channelsGoWhereTheAssumedExtentsDoNotRun() throws {
    var options = settings()
    (options.granularity, options.amount) = ("channel", 0.3)
    let (_, report) = try prune(try detector(), options)
    #expect(report.number("removed") == 2 && (report.number("certificate") ?? 1) < 1e-4)
    #expect(report.json().contains("H = 224, W = 224"))
  }

  @Test func extentsAreWrittenInAndTheirArithmeticFolded() throws {
    let model = try detector()
    let fixed = try fixShapes(model, ShapeBinding([("x", [1, 3, 160, 96])]))
    #expect(fixed.graph.inputs[0].type?.description == "float32 [1,3,160,96]")
    #expect(fixed.graph.outputs[0].type?.description == "float32 [1,100]")
    #expect(!fixed.graph.nodes.contains { ["Shape", "Gather", "Concat"].contains($0.opType) })
    let stats = try ModelStats.of(fixed),
      told = try ModelStats.of(model, shapes: ShapeBinding([("H", [160]), ("W", [96])]))
    #expect(stats.macs == told.macs && stats.macs == 20 * 12 * (8 * 192 + 8))
    let x = try random([1, 3, 160, 96], seed: 3)
    let options = ProgramOptions(inputShapes: ["x": x.shape])
    let before = try Program(model, options).run(["x": x])["y"], after = try Program(fixed).run(["x": x])["y"]
    #expect(try #require(before).bytes.isEqual(to: #require(after).bytes))
    // The batch stays open where it is not named.
    let open = try fixShapes(model, ShapeBinding([("H", [160]), ("W", [96])]))
    #expect(open.graph.inputs[0].type?.description == "float32 [N,3,160,96]")
    #expect(throws: PruneError.self) { try fixShapes(model, ShapeBinding([("H", [64]), ("W", [64])])) }
  }

  @Test func simplifyingKeepsTheOutputs() throws {
    var model = try fixShapes(try detector(), ShapeBinding([("x", [1, 3, 160, 96])]))
    model.graph.setInitializer("half", try random([8, 3, 8, 4], seed: 5))
    model.graph.setInitializer("other", try random([8, 3, 8, 4], seed: 6))
    model.graph.nodes.insert(
      Node("Concat", inputs: ["half", "other"], outputs: ["joined"], attributes: [Attribute("axis", .int(3))]), at: 0)
    model.graph.nodes[1].inputs[1] = "joined"
    let (simple, report) = try simplify(model)
    #expect(report.number("certificate") == 0)
    #expect(simple.graph.nodes.map(\.opType) == ["Conv", "Relu", "Conv", "Reshape", "TopK"])
    #expect(!simple.graph.nodes.contains { $0.opType == "Identity" } && simple.graph.hasInitializer("joined"))
    #expect(
      !simple.graph.hasInitializer("half") && (report.number("folded") ?? 0) >= 1 && report.number("identities") == 1)
  }
}
