import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Heads, what is inside them, and the width of the stream that they read.
@Suite struct AttentionPruningTests {
  private func pruned(_ model: Model, _ granularity: String, _ change: (inout PruneOptions) -> Void = { _ in }) throws
    -> (Model, Report)
  {
    var options = PruneOptions()
    options.granularity = granularity
    options.criterion = "l2"
    options.strategy = "local"
    options.amount = 0.5
    change(&options)
    return try prune(model, options)
  }

  private func group(_ model: Model, _ name: String) throws -> Report {
    let report = try unitGroups(model)
    let rows = ["groups", "pinned"].flatMap { (report[$0]?.list ?? []).compactMap(\.report) }
    return try #require(rows.first { $0["name"]?.text == name })
  }

  @Test(arguments: ["attention_operators", "llama_gqa", "swin_windows"], ["head", "head_dim"])
  func headsShrinkAndAreCertified(name: String, granularity: String) throws {
    let model = try TopologyTests.written(name)
    let (slim, report) = try pruned(model, granularity)
    #expect(try #require(report["certificate"]?.number) <= 1e-4)
    #expect(try ModelStats.of(slim).params < ModelStats.of(model).params)
  }

  /// Two heads of keys, four of queries: what goes is a head of keys with both queries that share it.
  @Test func sharedKeysGoWithTheirQueries() throws {
    let model = try TopologyTests.written("attention_operators")
    let heads = try group(model, "q heads")
    #expect(heads["units"]?.integer == 2)
    // A head of keys and values with two of queries: 8 columns each of four, and as many rows of "o".
    #expect(heads["params"]?.integer == 16 * 8 * (2 + 1 + 1) + 16 * 16)
    let (slim, _) = try pruned(model, "head")
    let node = try #require(slim.graph.nodes.first { $0.opType == "Attention" })
    #expect(node.int("q_num_heads") == 2)
    #expect(node.int("kv_num_heads") == 1)
    #expect(slim.graph.nodes.filter { $0.opType == "RotaryEmbedding" }.map { $0.int("num_heads") } == [2, 1])
    #expect(slim.graph.initializer("o.weight")?.shape.dims == [16, 16])
  }

  /// The factor 1/sqrt(size) is part of what was learned: it does not follow when heads get smaller.
  @Test func theScaleStaysWhenHeadsGetSmaller() throws {
    let model = try Self.attention(heads: 2, size: 8)
    let (slim, report) = try pruned(model, "head_dim")
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    let node = try #require(slim.graph.nodes.first { $0.opType == "Attention" })
    #expect(abs(node.float("scale", default: 0) - 0.35355338) < 1e-6)
    #expect(slim.graph.initializer("q")?.shape.dims == [8, 8])
  }

  /// Queries [N, L, 16] whose Reshape takes its extents from Shape and constants, as exporters of open lengths write
  /// it.
  @Test func computedExtentsOfHeadsAreFollowed() throws {
    let model = try Self.encoder()
    #expect(try group(model, "q heads")["reason"] == nil)
    let (slim, report) = try pruned(model, "head")
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("q")?.shape.dims == [8, 8])
    #expect(slim.graph.initializer("o")?.shape.dims == [8, 8])
    // MACs are those of 64 positions, not none.
    #expect(try #require(report["macs_kept"]?.number) < 0.8)
  }

  // MARK: - Contributed operators

  /// Not all of them run here; what says their heads follows.
  @Test func contributedOperatorsGetTheirNumbersOfHeads() throws {
    let model = try TopologyTests.written("contributed_attention")
    let (slim, report) = try pruned(model, "head")
    #expect(report["certificate_missing"]?.text?.contains("does not run here") == true)
    func node(_ op: String) throws -> Node { try #require(slim.graph.nodes.first { $0.opType == op }) }
    #expect(try node("Attention").int("num_heads") == 2)
    #expect(try node("MultiHeadAttention").int("num_heads") == 2)
    #expect(try node("GroupQueryAttention").int("num_heads") == 2)
    #expect(try node("GroupQueryAttention").int("kv_num_heads") == 1)
    #expect(slim.graph.initializer("bias")?.count == 48)
    #expect(slim.graph.initializer("qkv.weight")?.shape.dims == [32, 48])
    #expect(slim.graph.initializer("k3.weight")?.shape.dims == [32, 8])
  }

  // MARK: - Width

  @Test func widthStaysUnlessAskedFor() throws {
    let model = try TopologyTests.written("swin_windows")
    let stream = try group(model, "patch")
    #expect(stream["reason"]?.text?.contains("width = true") == true)
    let (kept, _) = try pruned(model, "channel")
    #expect(kept.graph.initializer("patch.weight")?.shape[0] == 16)
  }

  @Test(arguments: ["swin_windows", "convnext", "llama_gqa"], [0.25, 0.5])
  func widthGoesWithStatisticsOfWhatIsLeft(name: String, amount: Double) throws {
    let model = try TopologyTests.written(name)
    let (slim, report) = try pruned(model, "channel") {
      $0.followsWidth = true
      $0.amount = amount
    }
    #expect(try #require(report["certificate"]?.number) <= 1e-4)
    let stream = ["swin_windows": "block0.norm1.weight", "convnext": "block0.norm.weight", "llama_gqa": "norm1.weight"]
    let scale = try #require(slim.graph.initializer(stream[name] ?? ""))
    #expect(scale.count == Int(16 * (1 - amount)))
  }

  @Test func widthIsNotMasked() throws {
    let model = try TopologyTests.written("swin_windows")
    #expect(throws: PruneError.self) {
      _ = try pruned(model, "channel") {
        $0.followsWidth = true
        $0.mode = "mask"
      }
    }
  }

  // MARK: - Networks

  private static func matrix(_ rows: Int, _ columns: Int, _ seed: UInt64) throws -> Tensor {
    var random = RandomSource(seed: seed)
    return try Tensor(
      (0..<(rows * columns)).map { _ in Float(random.normal()) / Float(rows).squareRoot() }, Shape([rows, columns]))
  }

  private static func stream(_ name: String) -> ValueInfo {
    ValueInfo(name: name, type: TensorType(.float32, [.named("N"), .named("L"), .fixed(8)]))
  }

  private static func attention(heads: Int, size: Int) throws -> Model {
    var graph = Graph(name: "attention")
    (graph.inputs, graph.outputs) = ([stream("x")], [stream("y")])
    for (index, name) in ["q", "k", "v"].enumerated() {
      graph.setInitializer(name, try matrix(8, heads * size, UInt64(index)))
      graph.nodes.append(Node("MatMul", name: name, inputs: ["x", name], outputs: [name + "1"]))
    }
    graph.setInitializer("o", try matrix(heads * size, 8, 4))
    graph.nodes += [
      Node(
        "Attention", name: "attention", inputs: ["q1", "k1", "v1"], outputs: ["a"],
        attributes: [Attribute("q_num_heads", .int(Int64(heads))), Attribute("kv_num_heads", .int(Int64(heads)))]),
      Node("MatMul", name: "o", inputs: ["a", "o"], outputs: ["y"]),
    ]
    var model = Model(graph: graph)
    model.opsets = [OpsetImport(domain: "", version: 23)]
    return model
  }

  /// Four heads of 4, cut and joined by shapes computed from the input's.
  private static func encoder() throws -> Model {
    var graph = Graph(name: "encoder")
    (graph.inputs, graph.outputs) = ([stream("x")], [stream("y")])
    for (name, value) in [("zero", 0), ("one", 1)] as [(String, Int64)] {
      graph.setInitializer(name, try Tensor([value]))
    }
    graph.setInitializer("heads", try Tensor([4] as [Int64]))
    graph.setInitializer("size", try Tensor([4] as [Int64]))
    graph.setInitializer("rest", try Tensor([-1] as [Int64]))
    graph.nodes = [
      Node("Shape", name: "shape", inputs: ["x"], outputs: ["s"]),
      Node("Gather", name: "batch", inputs: ["s", "zero"], outputs: ["n"]),
      Node("Gather", name: "length", inputs: ["s", "one"], outputs: ["l"]),
      Node(
        "Concat", name: "cut", inputs: ["n", "l", "heads", "size"], outputs: ["cuts"],
        attributes: [Attribute("axis", .int(0))]),
      Node(
        "Concat", name: "join", inputs: ["n", "l", "rest"], outputs: ["joins"], attributes: [Attribute("axis", .int(0))]
      ),
    ]
    for (index, name) in ["q", "k", "v"].enumerated() {
      graph.setInitializer(name, try matrix(8, 16, UInt64(index)))
      graph.nodes += [
        Node("MatMul", name: name, inputs: ["x", name], outputs: [name + "1"]),
        Node("Reshape", name: name + "2", inputs: [name + "1", "cuts"], outputs: [name + "2"]),
        Node(
          "Transpose", name: name + "3", inputs: [name + "2"], outputs: [name + "3"],
          attributes: [Attribute("perm", .integers(name == "k" ? [0, 2, 3, 1] : [0, 2, 1, 3]))]),
      ]
    }
    graph.setInitializer("o", try matrix(16, 8, 4))
    graph.nodes += [
      Node("MatMul", name: "scores", inputs: ["q3", "k3"], outputs: ["p"]),
      Node("Softmax", name: "softmax", inputs: ["p"], outputs: ["w"], attributes: [Attribute("axis", .int(-1))]),
      Node("MatMul", name: "mix", inputs: ["w", "v3"], outputs: ["m"]),
      Node(
        "Transpose", name: "back", inputs: ["m"], outputs: ["b"],
        attributes: [Attribute("perm", .integers([0, 2, 1, 3]))]),
      Node("Reshape", name: "joined", inputs: ["b", "joins"], outputs: ["j"]),
      Node("MatMul", name: "o", inputs: ["j", "o"], outputs: ["y"]),
    ]
    var model = Model(graph: graph)
    model.opsets = [OpsetImport(domain: "", version: 17)]
    return model
  }
}
