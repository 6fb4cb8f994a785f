import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Weights that several layers use, and weights that equal others.
@Suite struct SharedWeightTests {
  private func outcome(_ model: Model, _ change: (inout PruneOptions) -> Void) throws -> PruneOutcome {
    var options = PruneOptions()
    change(&options)
    return try pruned(model, options)
  }

  @Test func equalWeightsLoseTheSame() throws {
    var model = try Networks.mixed()
    model.graph.setInitializer("b", try #require(model.graph.initializer("a")))
    var c = try Networks.values(model, "c")
    for index in 0..<4 { c[4 + index] = -3 * c[index] }
    model.graph.setInitializer("c", try Tensor(c, Shape([4, 4])))
    func run(_ strategy: String) throws -> PruneOutcome {
      try outcome(model) {
        $0.strategy = strategy; $0.criterion = "random"; $0.amount = 0.5; $0.seed = 3
      }
    }
    let together = try run("shared")
    #expect(try Networks.values(together.model, "a") == Networks.values(together.model, "b"))
    let free = try run("global").model
    #expect(try Networks.values(free, "a") != Networks.values(free, "b"))
    let rows = try #require(together.report["shared"]?.list)
    let relations = rows.indices.compactMap { together.report["shared.\($0).relation"]?.text }
    #expect(relations.contains("tied") && relations.contains("equal") && relations.contains("parallel filters"))
  }

  /// "a" is read by the first layer and the fifth.
  @Test(arguments: ["one", "all"])
  func oneUseOfATiedWeightIsPrunedOrAll(shared: String) throws {
    let model = try Networks.mixed(), before = try Networks.values(model, "a")
    let after = try outcome(model) {
      $0.strategy = "local"
      $0.amount = 0.5
      if shared == "all" { $0.shared = shared }
    }.model
    func weight(of layer: String) throws -> [Float] {
      let node = try #require(after.graph.nodes.first { $0.name == layer })
      return try Networks.values(after, try #require(node.input(1)))
    }
    let (first, fifth) = (try weight(of: "first"), try weight(of: "fifth"))
    #expect(first.count { $0 == 0 } + fifth.count { $0 == 0 } == (shared == "all" ? 16 : 8))
    #expect((first == fifth) == (shared == "all"))
    #expect(
      zip(first, before).allSatisfy { $0 == 0 || $0 == $1 } && zip(fifth, before).allSatisfy { $0 == 0 || $0 == $1 })
  }

  /// Two equal branches of two layers each, with inputs of their own: equal blocks lose the same channels.
  private func branches() throws -> Model {
    var random = RandomSource(seed: 5)
    func matrix(_ rows: Int, _ columns: Int) throws -> Tensor {
      try Tensor((0..<rows * columns).map { _ in Float(random.normal()) }, Shape([rows, columns]))
    }
    var graph = Graph(name: "branches")
    let (up, down) = (try matrix(4, 12), try matrix(12, 3))
    for side in ["left", "right"] {
      graph.inputs.append(ValueInfo(name: side, type: TensorType(.float32, [.named("N"), .fixed(4)])))
      graph.outputs.append(ValueInfo(name: side + ".y", type: TensorType(.float32, [.named("N"), .fixed(3)])))
      graph.setInitializer(side + ".up", up)
      graph.setInitializer(side + ".down", down)
      graph.nodes += [
        Node("MatMul", name: side + ".first", inputs: [side, side + ".up"], outputs: [side + ".h"]),
        Node("Relu", name: side + ".relu", inputs: [side + ".h"], outputs: [side + ".r"]),
        Node("MatMul", name: side + ".second", inputs: [side + ".r", side + ".down"], outputs: [side + ".y"]),
      ]
    }
    return Model(graph: graph)
  }

  @Test(arguments: ["shared", "global"])
  func equalBlocksLoseTheSameChannels(strategy: String) throws {
    let result = try outcome(try branches()) {
      $0.strategy = strategy
      $0.granularity = "channel"
      $0.criterion = "random"
      $0.amount = 0.5
      $0.seed = 2
    }
    #expect(result.report["certificate"]?.number ?? 1 < 1e-4)
    let (left, right) = (try Networks.values(result.model, "left.up"), try Networks.values(result.model, "right.up"))
    #expect(left.count + right.count < 2 * 48)
    #expect((left == right) == (strategy == "shared"))
  }
}
