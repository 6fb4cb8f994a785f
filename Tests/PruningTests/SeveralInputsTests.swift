import Foundation
import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

/// Pruning models of several inputs, with data that has a column for each.
@Suite struct SeveralInputsTests {
  /// h = relu(a W1 + b W2), y = relu(h W3 + a W2) W4: `a` is read behind the first layer too.
  private static func model() throws -> Model {
    var random = RandomSource(seed: 2)
    var graph = Graph(name: "pair")
    graph.inputs = ["a", "b"].map { ValueInfo(name: $0, type: TensorType(.float32, [.named("N"), .fixed(8)])) }
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(3)]))]
    for (name, dims) in [("w1", [8, 16]), ("w2", [8, 16]), ("w3", [16, 16]), ("w4", [16, 3])] {
      let shape = try Shape(dims)
      graph.setInitializer(name, try Tensor((0..<shape.count).map { _ in Float(0.3 * random.normal()) }, shape))
    }
    graph.nodes = [
      Node("MatMul", name: "first", inputs: ["a", "w1"], outputs: ["a1"]),
      Node("MatMul", name: "second", inputs: ["b", "w2"], outputs: ["b1"]),
      Node("Add", name: "join", inputs: ["a1", "b1"], outputs: ["s"]),
      Node("Relu", name: "r1", inputs: ["s"], outputs: ["h"]),
      Node("MatMul", name: "third", inputs: ["h", "w3"], outputs: ["h1"]),
      Node("MatMul", name: "again", inputs: ["a", "w2"], outputs: ["a2"]),
      Node("Add", name: "join2", inputs: ["h1", "a2"], outputs: ["s2"]),
      Node("Relu", name: "r2", inputs: ["s2"], outputs: ["h2"]),
      Node("MatMul", name: "fourth", inputs: ["h2", "w4"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  private static func data(labelled: Bool, _ count: Int = 64) throws -> Dataset {
    var random = RandomSource(seed: 3)
    func numbers() throws -> Tensor {
      try Tensor((0..<8 * count).map { _ in Float(random.normal()) }, Shape([count, 8]))
    }
    let inputs = ["a": try numbers(), "b": try numbers()]
    guard labelled else { return try Dataset.tensors(inputs: inputs, nil) }
    let scores = try #require(try Session(model()).run(inputs)["y"]).array(of: Float.self)
    let labels = (0..<count).map { row in Int64((0..<3).max { scores[3 * row + $0] < scores[3 * row + $1] } ?? 0) }
    return try Dataset.tensors(inputs: inputs, Tensor(labels))
  }

  @Test(arguments: ["wanda", "taylor", "hessian", "snip", "fisher"]) func criteriaSeeAllInputs(criterion: String) throws
  {
    var options = PruneOptions()
    options.criterion = criterion
    options.amount = 0.4
    options.data = try Self.data(labelled: criterion != "wanda")
    let (pruned, report) = try prune(Self.model(), options)
    #expect(report["certificate"]?.number ?? 1 < 1e-5)
    #expect(try Networks.zeros(pruned, ["w1", "w2", "w3", "w4"]) > 170)
  }

  @Test func layersAreReconstructedFromAllInputs() throws {
    func error(_ method: String?) throws -> Double {
      var options = PruneOptions()
      options.amount = 0.5
      options.strategy = "local"
      options.data = try Self.data(labelled: false)
      options.reconstruct = method
      let (pruned, _) = try prune(Self.model(), options)
      let test = try Self.data(labelled: false, 32)
      let inputs = Dictionary(uniqueKeysWithValues: test.columns.map { ($0.name, $0.tensor) })
      let (a, b) = (try Session(Self.model()).run(inputs)["y"], try Session(pruned).run(inputs)["y"])
      let (x, y) = (try #require(a).array(of: Float.self), try #require(b).array(of: Float.self))
      return zip(x, y).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    }
    #expect(try error("sparsegpt") < 0.8 * error(nil))
  }

  /// Curves come from the parts of the network behind each layer, with the inputs that are still read there.
  @Test func sensitivityRunsOnlyWhatFollows() throws {
    var options = SensitivityOptions()
    options.data = try Self.data(labelled: true)
    options.amounts = [0.3, 0.9]
    let report = try sensitivity(Self.model(), options)
    let rows = try #require(report["layers"]?.list?.count)
    #expect(rows == 4)
    for layer in 0..<rows {
      for (place, amount) in options.amounts.enumerated() {
        var whole = PruneOptions()
        whole.amount = amount
        whole.strategy = "local"
        // One layer reads "w2" twice, and its curve is that of both uses.
        whole.shared = "all"
        whole.scope = [report["layers.\(layer).name"]?.text ?? ""]
        let pruned = try prune(Self.model(), whole).model
        let expected = try evaluate(pruned, try #require(options.data)).number("accuracy")
        #expect(report["layers.\(layer).values.\(place)"]?.number == expected, "\(whole.scope) at \(amount)")
      }
    }
  }

  @Test func channelsAreRemovedAndFitted() throws {
    var options = PruneOptions()
    options.granularity = "channel"
    options.amount = 0.25
    options.data = try Self.data(labelled: true)
    options.criterion = "taylor"
    options.reconstruct = "least_squares"
    let (_, report) = try prune(Self.model(), options)
    #expect(report["certificate"]?.number ?? 1 < 1e-4)
  }

  @Test func ensemblesShareAllInputs() throws {
    let model = try Self.model(), data = try Self.data(labelled: true)
    let (both, _) = try ensemble([("a", model), ("b", model)], EnsembleOptions())
    let inputs = Dictionary(uniqueKeysWithValues: data.columns.map { ($0.name, $0.tensor) })
    #expect(both.graph.trueInputs.map(\.name) == ["a", "b"])
    let output = try #require(both.graph.outputs.first?.name)
    let scores = try #require(try Session(both).run(inputs)[output]).array(of: Float.self)
    let labels = try #require(data.y).array(of: Int64.self)
    #expect(
      labels.indices.allSatisfy { row in
        (0..<3).allSatisfy { scores[3 * row + Int(labels[row])] >= scores[3 * row + $0] }
      })
    var other = model
    other.graph.inputs[0].name = "c"
    other.graph.nodes[0].inputs[0] = "c"
    other.graph.nodes[5].inputs[0] = "c"
    #expect { try ensemble([("a", model), ("b", other)], EnsembleOptions()) } throws: {
      ($0 as? PruneError)?.message.contains("'c', 'b'") == true
    }
  }

  /// Where `models/minilm_l6_v2/get` put it.
  private static let minilm =
    ProcessInfo.processInfo.environment["PRUNE_MINILM"] ?? NSTemporaryDirectory() + "/minilm/minilm_l6_v2.onnx"

  @Test(
    .enabled(
      if: FileReader.exists(minilm) && Shared.isPresent, "needs MiniLM, as ../shared/models/minilm_l6_v2/get makes it"))
  func sentencesPruneMiniLM() throws {
    let arrays = try Npz.load(path: Shared.folder + "/data/stsb/stsb_dev_tokens.npz")
    func first(_ name: String) throws -> Tensor { try #require(arrays.first { $0.name == name }).tensor.rows(0, 64) }
    let data = try Dataset.tensors(
      inputs: [
        "input_ids": first("ids_a"), "attention_mask": first("mask_a"),
        "token_type_ids": Tensor(zeros: .int64, Shape([64, 64])),
      ], nil)
    let model = try ModelFormats.load(path: Self.minilm)
    var options = SignificanceOptions()
    options.criterion = "wanda"
    options.data = data
    #expect(try significance(model, options)["layers"] != nil)
    var pruning = PruneOptions()
    pruning.granularity = "2:4"
    pruning.reconstruct = "sparsegpt"
    pruning.data = data
    pruning.scope = ["*layer.0/*/MatMul"]
    let (_, report) = try prune(model, pruning)
    #expect(report["certificate"]?.number ?? 1 < 1e-4)
  }
}
