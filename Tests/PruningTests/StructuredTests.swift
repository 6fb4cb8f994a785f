import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Networks made here, for what the stored topologies do not show.
@Suite struct StructuredTests {
  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var options = PruneOptions()
    options.granularity = "channel"
    options.criterion = "l2"
    options.strategy = "local"
    options.amount = 0.5
    change(&options)
    return options
  }

  private func groups(_ model: Model) throws -> [Report] {
    let report = try unitGroups(model)
    return ["groups", "pinned"].flatMap { (report[$0]?.list ?? []).compactMap(\.report) }
  }

  /// x [N, 4] -> Gemm a [8, 4] -> Relu -> Gemm b [3, 8] -> y.
  private func twoLayers(bias: String = "b1", second: String = "b2") throws -> Model {
    var graph = Graph(name: "two")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(3)]))]
    var random = RandomSource(seed: 3)
    func matrix(_ rows: Int, _ columns: Int) throws -> Tensor {
      try Tensor((0..<(rows * columns)).map { _ in Float(random.normal()) }, Shape([rows, columns]))
    }
    graph.setInitializer("a", try matrix(8, 4))
    graph.setInitializer("b", try matrix(3, 8))
    graph.setInitializer("b1", try Tensor((0..<8).map { Float($0) / 8 }))
    graph.setInitializer("b2", try Tensor([0.1, 0.2, 0.3] as [Float]))
    graph.nodes = [
      Node(
        "Gemm", name: "first", inputs: ["x", "a", bias], outputs: ["h"], attributes: [Attribute("transB", .int(1))]),
      Node("Relu", name: "relu", inputs: ["h"], outputs: ["r"]),
      Node(
        "Gemm", name: "second", inputs: ["r", "b", second], outputs: ["y"], attributes: [Attribute("transB", .int(1))]),
    ]
    return Model(graph: graph)
  }

  /// Runtimes refuse two nodes of one name: the Add that gives a Shape its removed units back must not take the
  /// Shape's.
  @Test func nodesThatSurgeryAddsHaveNamesOfTheirOwn() throws {
    var model = try twoLayers()
    model.graph.setInitializer("one", try Tensor(scalar: Int64(1)))
    model.graph.nodes.insert(
      contentsOf: [
        Node("Shape", name: "s", inputs: ["r"], outputs: ["s"]),
        Node("Gather", name: "g", inputs: ["s", "one"], outputs: ["g"]),
        Node("Cast", name: "f", inputs: ["g"], outputs: ["f"], attributes: [Attribute("to", .int(1))]),
        Node("Div", name: "d", inputs: ["r", "f"], outputs: ["d"]),
      ], at: 2)
    model.graph.nodes[model.graph.nodes.count - 1].inputs[0] = "d"
    let small = try prune(model, options { _ in }).model
    let names = small.graph.nodes.map(\.name)
    #expect(small.graph.nodes.contains { $0.opType == "Add" && $0.outputs == ["s"] })
    #expect(Set(names).count == names.count, "\(names)")
    #expect(names.contains("s"))
  }

  // MARK: - Groups

  @Test func aHiddenLayerIsOneGroup() throws {
    let list = try groups(try twoLayers())
    let hidden = try #require(list.first { $0["name"]?.text == "first" })
    #expect(hidden["units"]?.integer == 8)
    // A row of a, a column of b and an element of b1.
    #expect(hidden["params"]?.integer == 4 + 3 + 1)
    #expect(hidden["macs"]?.integer == 4 + 3)
    let outputs = try #require(list.first { $0["name"]?.text == "second" })
    #expect(outputs["reason"]?.text?.contains("output 'y'") == true)
  }

  @Test func unknownOperatorsPinWhatTheyTouchAndRulesFreeIt() throws {
    var model = try twoLayers()
    model.graph.nodes[1] = Node("Spline", domain: "acme", name: "spline", inputs: ["h"], outputs: ["r"])
    model.graph.valueInfo = [ValueInfo(name: "r", type: TensorType(.float32, [.named("N"), .fixed(8)]))]
    let pinned = try #require(try groups(model).first { $0["name"]?.text == "first" })
    #expect(pinned["reason"]?.text?.contains("no rule for the operator acme.Spline") == true)
    #expect(throws: PruneError.self) { try prune(model, options { _ in }) }
    let rule = CustomRule { question in
      question.inputs[0]?.count == 2
        ? [.carry(input: 0, axis: 0, output: 0, outputAxis: 0), .carry(input: 0, axis: 1, output: 0, outputAxis: 1)]
        : nil
    }
    let (slim, report) = try prune(model, options { $0.rules = ["acme.Spline": rule] })
    #expect(slim.graph.initializer("a")?.shape.dims == [4, 4])
    #expect(slim.graph.initializer("b")?.shape.dims == [3, 4])
    // It cannot be run here, and the report says so.
    #expect(report["certificate"] == nil)
    #expect(report["certificate_missing"]?.text?.contains("does not run here") == true)
  }

  @Test func sharedZerosAreTakenApartAndSharedWeightsAreNot() throws {
    // Both layers 8 wide, one zero bias for both: their units are independent all the same.
    func network(_ bias: Tensor) throws -> Model {
      var model = try twoLayers()
      var random = RandomSource(seed: 5)
      model.graph.setInitializer("c", try Tensor((0..<64).map { _ in Float(random.normal()) }, Shape([8, 8])))
      model.graph.setInitializer("b1", bias)
      model.graph.nodes.insert(
        Node(
          "Gemm", name: "middle", inputs: ["r", "c", "b1"], outputs: ["m"], attributes: [Attribute("transB", .int(1))]),
        at: 2)
      model.graph.nodes[3].inputs[0] = "m"
      return model
    }
    let zeros = try groups(network(try Tensor([Float](repeating: 0, count: 8))))
    #expect(zeros.contains { $0["name"]?.text == "first" && $0["units"]?.integer == 8 && $0["params"] != nil })
    #expect(zeros.contains { $0["name"]?.text == "middle" && $0["params"] != nil })
    let tied = try groups(network(try Tensor((0..<8).map { Float($0) })))
    #expect(!tied.contains { $0["name"]?.text == "middle" })
    for model in [
      try network(try Tensor([Float](repeating: 0, count: 8))), try network(try Tensor((0..<8).map { Float($0) })),
    ] {
      let (slim, report) = try prune(model, options { _ in })
      #expect(slim.graph.initializer("c")?.shape.dims == [4, 4])
      #expect(try #require(report["certificate"]?.number) < 1e-5)
    }
  }

  // MARK: - What goes

  @Test func theWeakestUnitsGo() throws {
    var model = try twoLayers()
    var weights = try #require(model.graph.initializer("a"))
    try weights.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in span.indices where (8..<16).contains(index) { span[index] *= 1e-3 }
    }
    model.graph.setInitializer("a", weights)
    var readers = try #require(model.graph.initializer("b"))
    try readers.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for row in 0..<3 { for unit in [2, 3] { span[row * 8 + unit] *= 1e-3 } }
    }
    model.graph.setInitializer("b", readers)
    let (slim, _) = try prune(model, options { $0.amount = 0.25 })
    let left = try #require(slim.graph.initializer("b1")).array(of: Float.self)
    #expect(left == [0, 1, 4, 5, 6, 7].map { Float($0) / 8 })
  }

  @Test func masksKeepShapesAndGiveTheSame() throws {
    let model = try Networks.mlp()
    let (masked, report) = try prune(model, options { $0.mode = "mask" })
    let (slim, _) = try prune(model, options { _ in })
    #expect(masked.graph.initializer("fc1.weight")?.shape == model.graph.initializer("fc1.weight")?.shape)
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(masked.maskedParameters.contains("fc2.weight"))
    let data = try Dataset.digits().take(100)
    let a = try evaluate(masked, data).number("loss"), b = try evaluate(slim, data).number("loss")
    #expect(abs(try #require(a) - (try #require(b))) < 1e-5)
    // Zeros are dead units: compaction finds the same network.
    let (small, details) = try compact(masked)
    #expect(small.graph.initializer("fc1.weight")?.shape == slim.graph.initializer("fc1.weight")?.shape)
    #expect(try #require(details["certificate"]?.number) < 1e-5)
  }

  @Test func aConstantUnitGoesIntoTheNextBias() throws {
    var model = try twoLayers()
    var weights = try #require(model.graph.initializer("a"))
    try weights.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in 20..<24 { span[index] = 0 }
    }
    model.graph.setInitializer("a", weights)
    let (small, report) = try compact(model)
    #expect(small.graph.initializer("a")?.shape.dims == [7, 4])
    #expect(try #require(report["certificate"]?.number) < 1e-5)
    #expect(report["removed"]?.integer == 1)
  }

  @Test(arguments: [("macs", 0.5), ("params", 0.4), ("bytes", 0.6)])
  func targetsAreHit(kind: String, fraction: Double) throws {
    let model = try Networks.mlp([128, 96])
    let target = CostTarget(try #require(CostTarget.Kind(rawValue: kind)), fraction)
    let (slim, report) = try prune(
      model,
      options {
        $0.amount = nil
        $0.strategy = nil
        $0.target = target
      })
    let before = try ModelStats.of(model), after = try ModelStats.of(slim)
    let reached: Double
    switch target.kind {
    case .macs: reached = Double(try #require(after.macs)) / Double(try #require(before.macs))
    case .params: reached = Double(after.params) / Double(before.params)
    default: reached = Double(after.bytes) / Double(before.bytes)
    }
    #expect(abs(reached - fraction) < 0.02)
    #expect(report["notes"] == nil)
  }

  @Test func roundingLeavesMultiples() throws {
    let (slim, _) = try prune(
      try Networks.mlp([64, 48]),
      options {
        $0.amount = 0.4
        $0.roundTo = 16
      })
    #expect(slim.graph.initializer("fc1.weight")?.shape.dims.first == 32)
    #expect(slim.graph.initializer("fc2.weight")?.shape.dims.first == 32)
  }

  @Test func everythingCannotGo() throws {
    let (slim, report) = try prune(
      try Networks.mlp(),
      options {
        $0.amount = 1
        $0.strategy = "global"
      })
    #expect(slim.graph.initializer("fc1.weight")?.shape.dims.first == 1)
    #expect(try #require(report["certificate"]?.number) < 1e-4)
  }

  @Test(arguments: ["nowhere*", "fc9"])
  func patternsThatMatchNothingAreErrors(pattern: String) throws {
    let error = #expect(throws: PruneError.self) { try prune(try Networks.mlp(), options { $0.ignore = [pattern] }) }
    #expect(error?.status == .notFound)
    #expect(throws: PruneError.self) { try prune(try Networks.mlp(), options { $0.scope = [pattern] }) }
  }

  @Test func ignoredLayersStayAsTheyAre() throws {
    let model = try Networks.mlp()
    let (slim, _) = try prune(model, options { $0.ignore = ["fc3"] })
    let a = try #require(model.graph.initializer("fc3.weight")), b = try #require(slim.graph.initializer("fc3.weight"))
    #expect(a.sharesStorage(with: b))
    #expect(slim.graph.initializer("fc1.weight")?.shape.dims.first == 16)
  }

  @Test func aScheduleComesOutAtTheAmount() throws {
    let (slim, report) = try prune(
      try Networks.mlp([64, 32]),
      options {
        $0.schedule = "linear"
        $0.steps = 4
      })
    #expect(slim.graph.initializer("fc1.weight")?.shape.dims.first == 32)
    #expect(slim.graph.initializer("fc2.weight")?.shape.dims.first == 16)
    #expect(report["journal"]?.list?.count == 4)
  }

  @Test func theGuardGivesTheModelBack() throws {
    let data = try Dataset.digits().take(300)
    var model = try Networks.mlp()
    var fitting = FitOptions()
    fitting.epochs = 5
    _ = try fit(&model, data, fitting)
    let (same, report) = try prune(
      model,
      options {
        $0.amount = 0.95
        $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 0.01)
      })
    #expect(report["refused"]?.flag == true)
    #expect(same.graph.initializer("fc1.weight")?.shape == model.graph.initializer("fc1.weight")?.shape)
  }

  // MARK: - Recovery

  @Test func reconstructionBringsTheOutputsBack() throws {
    let data = try Dataset.digits()
    var model = try Networks.mlp([64, 48])
    var fitting = FitOptions()
    fitting.epochs = 10
    fitting.optimizer = "adam"
    _ = try fit(&model, data, fitting)
    func accuracy(_ reconstructs: Bool) throws -> Double {
      let (slim, _) = try prune(
        model,
        options {
          $0.amount = 0.6
          $0.data = data
          $0.reconstruct = reconstructs ? "least_squares" : "none"
        })
      return try #require(try evaluate(slim, data).number("accuracy"))
    }
    #expect(try accuracy(true) > (try accuracy(false)) + 0.05)
  }

  @Test func classesAreCutAndTheRestPrunedForThem() throws {
    let data = try Dataset.digits()
    var model = try Networks.mlp([64, 48])
    var fitting = FitOptions()
    fitting.epochs = 10
    fitting.optimizer = "adam"
    _ = try fit(&model, data, fitting)
    var wanted = KeepClassesOptions()
    wanted.classes = [7, 2, 5]
    wanted.validate = data
    wanted.prune = options {
      $0.amount = nil
      $0.strategy = nil
      $0.criterion = "taylor"
      $0.data = data
      $0.target = CostTarget(.macs, 0.5)
    }
    let (small, report) = try keepClasses(model, wanted)
    #expect(small.graph.outputs.first?.type?.dims?.last == .fixed(3))
    #expect(try #require(report["after.kept_accuracy"]?.number) > 0.8)
    #expect(try #require(report["before.kept_accuracy"]?.number) > 0.95)
    #expect(throws: PruneError.self) {
      wanted.classes = [10]
      _ = try keepClasses(model, wanted)
    }
  }
}
