import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Networks with the operators of `ai.onnx.ml` that scikit-learn's exporter puts around them.
@Suite struct ClassicAxesTests {
  private static func classic(_ op: String, _ input: String, _ output: String, _ attributes: [(String, AttributeValue)])
    -> Node
  {
    Node(
      op, domain: "ai.onnx.ml", name: op, inputs: [input], outputs: [output],
      attributes: attributes.map { Attribute($0.0, $0.1) })
  }

  /// x[N, 8] -> `first` -> MatMul(12) -> `middle` -> MatMul(3) -> `last`.
  private func model(first: Node? = nil, middle: Node? = nil, last: Node? = nil) throws -> Model {
    var graph = Graph(name: "classic")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(8)]))]
    // A map has no tensor type.
    graph.outputs = [ValueInfo(name: last == nil ? "y" : "o", type: nil)]
    for (index, entry) in [("w1", [8, 12]), ("w2", [12, 3])].enumerated() {
      var random = RandomSource(seed: UInt64(index + 1))
      let shape = try Shape(entry.1)
      graph.setInitializer(entry.0, try Tensor((0..<shape.count).map { _ in Float(random.normal()) / 2 }, shape))
    }
    graph.nodes =
      [
        first, Node("MatMul", name: "fc1", inputs: [first == nil ? "x" : "s", "w1"], outputs: ["a"]),
        Node("Relu", name: "relu", inputs: ["a"], outputs: ["r"]), middle,
        Node("MatMul", name: "fc2", inputs: [middle == nil ? "r" : "m", "w2"], outputs: ["y"]), last,
      ].compactMap { $0 }
    var model = Model(graph: graph)
    model.opsets.append(OpsetImport(domain: "ai.onnx.ml", version: 1))
    return model
  }

  private func shrink(_ model: Model) throws -> (Model, Report) {
    var options = PruneOptions()
    (options.granularity, options.criterion, options.amount) = ("channel", "l2", 0.5)
    return try prune(model, options)
  }

  private let scaler = classic(
    "Scaler", "x", "s", [("offset", .floats([Float](repeating: 0.1, count: 8))), ("scale", .floats([2]))])
  private let labels = classic("ZipMap", "y", "o", [("classlabels_int64s", .ints([10, 20, 30]))])

  @Test func aScalerInFrontPassesRanksOn() throws {
    let (slim, report) = try shrink(try model(first: scaler))
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("w1")?.shape.dims == [8, 6])
    #expect(slim.graph.initializer("w2")?.shape.dims == [6, 3])
    #expect(slim.graph.nodes[0].floats("offset")?.count == 8)
  }

  /// Offsets and scales that channels have go with them; one number for all stays.
  @Test func whatAttributesHoldForChannelsGoesWithThem() throws {
    let offsets = (0..<12).map(Float.init)
    let between = Self.classic("Scaler", "r", "m", [("offset", .floats(offsets)), ("scale", .floats([0.5]))])
    let (slim, report) = try shrink(try model(middle: between))
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    let node = try #require(slim.graph.nodes.first { $0.opType == "Scaler" })
    let left = try #require(node.floats("offset"))
    #expect(left.count == 6 && left == left.sorted() && Set(left).isSubset(of: offsets))
    #expect(node.floats("scale") == [0.5])
  }

  @Test(arguments: [("Binarizer", 6), ("Normalizer", 12), ("Imputer", 6)])
  func othersShrinkOrPin(op: String, left: Int) throws {
    let attributes: [(String, AttributeValue)] =
      op == "Imputer" ? [("imputed_value_floats", .floats((0..<12).map(Float.init)))] : []
    let model = try model(middle: Self.classic(op, "r", "m", attributes))
    guard left < 12 else {
      #expect(throws: PruneError.self) { try shrink(model) }
      return
    }
    let (slim, report) = try shrink(model)
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("w1")?.shape.dims == [8, left])
  }

  /// Names for classes at the end: the numbers before them are run, pruned on, trained on and measured.
  @Test func aZipMapAtTheEndIsLeftAsItIs() throws {
    var model = try model(first: scaler, last: labels)
    var random = RandomSource(seed: 3)
    let x = try Tensor((0..<320).map { _ in Float(random.normal()) }, Shape([40, 8]))
    let plain = try self.model(first: scaler)
    #expect(try Session(model).run(["x": x])["o"]?.doubles() == (try Session(plain).run(["x": x])["y"]?.doubles()))
    let (slim, report) = try shrink(model)
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.nodes.last?.attribute("classlabels_int64s")?.count == 3)
    // The map's own type, which only the file's bytes tell, is written back.
    #expect(slim.graph.outputs.allSatisfy { !$0.isTypeChanged })
    let data = try Dataset.tensors(x, try Tensor((0..<40).map { Int64($0 % 3) }))
    #expect(try evaluate(model, data).number("accuracy") == (try evaluate(plain, data).number("accuracy")))
    var options = FitOptions()
    (options.epochs, options.lr) = (3, 0.05)
    let before = try #require(try evaluate(model, data).number("loss"))
    _ = try fit(&model, data, options)
    #expect(try #require(try evaluate(model, data).number("loss")) < before)
    #expect(model.graph.nodes.last?.opType == "ZipMap")
  }

  @Test func namesOfClassesGoWithTheClasses() throws {
    let model = try model(last: labels)
    var options = KeepClassesOptions()
    options.classes = [0, 2]
    let (slim, _) = try keepClasses(model, options)
    guard case .ints(let left)? = slim.graph.nodes.last?.attribute("classlabels_int64s") else {
      Issue.record("no names")
      return
    }
    #expect(left == [10, 30])
    #expect(slim.graph.initializer("w2")?.shape.dims == [12, 2])
  }
}
