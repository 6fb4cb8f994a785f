import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import Testing

/// Which column of a data set goes to which input.
@Suite struct InputBindingTests {
  /// y = a * 2 + b, with `ids` of one number a sample only to be there.
  private func model(batch: Dim = .named("N"), ids: DType = .int64) -> Model {
    var graph = Graph(name: "sum")
    graph.inputs = [
      ValueInfo(name: "b", type: TensorType(.float32, [batch, .fixed(2)])),
      ValueInfo(name: "ids", type: TensorType(ids, [batch])),
      ValueInfo(name: "a", type: TensorType(.float32, [batch, .fixed(2)])),
    ]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [batch, .fixed(2)]))]
    graph.nodes = [
      Node("Add", name: "twice", inputs: ["a", "a"], outputs: ["t"]),
      Node("Add", name: "sum", inputs: ["t", "b"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  private func data(_ count: Int = 5, adding: [String: Tensor] = [:], without: String = "") throws -> Dataset {
    let a = try Tensor((0..<2 * count).map { Float($0) }, Shape([count, 2]))
    let b = try Tensor([Float](repeating: 1, count: 2 * count), Shape([count, 2]))
    let ids = try Tensor((0..<Int64(count)).map { 3 * $0 }, Shape([count]))
    let y = try Tensor((0..<2 * count).map { 2 * Float($0) + 1 }, Shape([count, 2]))
    let inputs = ["a": a, "b": b, "ids": ids].filter { $0.key != without }.merging(adding) { $1 }
    return try Dataset.tensors(inputs: inputs, y, name: "numbers")
  }

  private func failure(_ data: Dataset, _ model: Model) -> PruneError? {
    do throws(PruneError) { _ = try InputBinding(data, model) } catch { return error }
    return nil
  }

  @Test(arguments: [Dim.named("N"), .fixed(1), .fixed(3)]) func evaluationFeedsEachInputItsColumn(batch: Dim) throws {
    var options = EvaluateOptions()
    options.metrics = ["mse"]
    options.batchSize = 2
    for ids in [DType.int64, .int32, .float32] {
      let report = try evaluate(model(batch: batch, ids: ids), data(), options)
      #expect(report.number("mse") == 0 && report.number("samples") == 5)
    }
  }

  @Test func bindingsFollowTheModel() throws {
    let inputBinding = try InputBinding(data(), model(batch: .fixed(8)))
    #expect(inputBinding.names == ["b", "ids", "a"] && inputBinding.fixedBatch == 8)
    let inputs = try inputBinding.inputs(of: data(3), filling: 8)
    #expect(try inputs["ids"]?.array(of: Int64.self) == [0, 3, 6, 0, 3, 6, 0, 3])
    #expect(try inputBinding.shapes(of: data(), count: 7)["b"] == Shape([7, 2]))
    #expect(try InputBinding.sampleShapes(data(), model()) == ["a": [2], "b": [2], "ids": []])
    #expect(InputBinding.sampleShapes(nil, model()).isEmpty)
    // A network that reads less, such as a teacher.
    let some = try InputBinding(
      data(adding: ["extra": Tensor(zeros: .float32, Shape([5]))]), model(), ignoringOthers: true)
    #expect(some.names == ["b", "ids", "a"])
  }

  @Test func missingAndUnknownInputsAreNamed() throws {
    let missing = try #require(try failure(data(without: "ids"), model()))
    #expect(
      missing.status == .mismatch && missing.message.contains("'numbers'") && missing.message.contains("it lacks 'ids'")
    )
    let misnamed = try #require(
      try failure(data(adding: ["idss": Tensor(zeros: .int64, Shape([5]))], without: "ids"), model()))
    #expect(misnamed.message.contains("it lacks 'ids', and 'idss' is no input") && misnamed.hint.contains("'idss'"))
    let extra = try #require(try failure(data(adding: ["z": Tensor(zeros: .int64, Shape([5]))]), model()))
    #expect(extra.message.contains("'z' is no input of the model") && !extra.message.contains("lacks"))
    let unnamed = try #require(try failure(Dataset.digits(), model()))
    #expect(unnamed.message.contains("'b', 'ids', 'a'") && unnamed.hint.contains("prune.data.tensors"))
    #expect(try failure(data(0), model())?.message.contains("no samples") == true)
  }

  @Test func shapesAndTypesThatDoNotFitAreNamed() throws {
    let shape = try #require(try failure(data(adding: ["b": Tensor(zeros: .float32, Shape([5, 3]))]), model()))
    #expect(
      shape.status == .mismatch && shape.message.contains("[3], input 'b'") && shape.message.contains("float32 [N,2]"))
    let halves = try data(adding: ["ids": Tensor([0, 0.5, 1, 1, 1] as [Float])])
    #expect { try InputBinding(halves, model()).inputs(of: halves) } throws: {
      ($0 as? PruneError)?.message.contains("input 'ids' of the model is int64") == true
    }
    var scalar = model()
    scalar.graph.inputs[1].type = TensorType(.int64, .scalar)
    #expect(try failure(data(), scalar)?.hint.contains("constant") == true)
    var mixed = model(batch: .fixed(2))
    mixed.graph.inputs[1].type = TensorType(.int64, [.fixed(1)])
    #expect(try failure(data(), mixed)?.message.contains("first extents") == true)
    var none = model()
    none.graph.inputs = []
    #expect(try failure(data(), none)?.status == .unsupported)
  }
}
