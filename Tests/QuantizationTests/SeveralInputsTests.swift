import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Quantization
import Testing

/// Calibration with data that has a column for each input.
@Suite struct SeveralInputsTests {
  /// y = relu(x W1 + embedding[ids] W2) W3.
  private func model(batch: Dim) throws -> Model {
    var graph = Graph(name: "pair")
    graph.inputs = [
      ValueInfo(name: "x", type: TensorType(.float32, [batch, .fixed(8)])),
      ValueInfo(name: "ids", type: TensorType(.int64, [batch])),
    ]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [batch, .fixed(4)]))]
    for (index, (name, dims)) in [("w1", [8, 16]), ("embedding", [5, 8]), ("w2", [8, 16]), ("w3", [16, 4])].enumerated()
    {
      graph.setInitializer(name, try Networks.random(dims, seed: UInt64(index + 1)))
    }
    graph.nodes = [
      Node("MatMul", name: "first", inputs: ["x", "w1"], outputs: ["a"]),
      Node("Gather", name: "lookup", inputs: ["embedding", "ids"], outputs: ["e"]),
      Node("MatMul", name: "second", inputs: ["e", "w2"], outputs: ["b"]),
      Node("Add", name: "join", inputs: ["a", "b"], outputs: ["s"]),
      Node("Relu", name: "relu", inputs: ["s"], outputs: ["h"]),
      Node("MatMul", name: "third", inputs: ["h", "w3"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  private func data(labelled: Bool = false) throws -> Dataset {
    let ids = try Tensor((0..<50).map { Int64($0 % 5) })
    return try Dataset.tensors(
      inputs: ["x": Networks.random([50, 8], seed: 7, scale: 1), "ids": ids],
      labelled ? Tensor((0..<50).map { Int64($0 % 4) }) : nil)
  }

  @Test(arguments: [Dim.named("N"), .fixed(10)], ["minmax", "gptq", "fisher", "mixed"])
  func schemesSeeAllInputs(batch: Dim, method: String) throws {
    let model = try model(batch: batch), data = try data(labelled: method == "fisher" || method == "mixed")
    var options = QuantizeOptions()
    options.calibration = data
    switch method {
    case "gptq": options.rounding = "gptq"
    case "fisher":
      options.scheme = "palette"
      options.fisher = true
    case "mixed":
      // Layers are ranked by what they do to the outputs, and go back to float.
      options.mixed = true
      options.guard = GuardOptions(data: data, metric: "loss", maxDrop: 1e-6)
    default: break
    }
    let result = try quantize(model, options).model
    let ten = try data.take(10)
    let inputs = Dictionary(uniqueKeysWithValues: ten.columns.map { ($0.name, $0.tensor) })
    let (a, b) = (try Session(model).run(inputs)["y"], try Session(result).run(inputs)["y"])
    let (x, y) = (try #require(a).array(of: Float.self), try #require(b).array(of: Float.self))
    let scale = x.map(abs).max() ?? 0
    for index in x.indices { #expect(abs(x[index] - y[index]) < (method == "fisher" ? 0.15 : 0.05) * scale) }
  }
}
