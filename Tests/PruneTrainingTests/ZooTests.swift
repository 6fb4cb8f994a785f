import PruneGraph
import PruneTensor
import PruneTraining
import Testing

@Suite struct ZooTests {
  private func parameterCount(_ model: Model) -> Int {
    model.graph.initializers.reduce(0) { $0 + $1.tensor.count }
  }

  @Test(arguments: [("lenet_300_100", 266_610), ("lenet5", 431_080)])
  func paperNetworksHaveThePapersParameterCounts(name: String, count: Int) throws {
    let model = try Zoo.make(name)
    #expect(parameterCount(model) == count)
    #expect(model.graph.inputs.map(\.type) == [TensorType(.float32, [.named("N"), .fixed(1), .fixed(28), .fixed(28)])])
    #expect(model.graph.outputs.map(\.name) == ["logits"])
  }

  @Test func smallImagesArePaddedInLeNet5() throws {
    var options = ZooOptions()
    options.input = [1, 8, 8]
    let model = try Zoo.make("lenet5", options)
    #expect(model.graph.initializer("fc1.weight")?.shape.dims == [500, 200])
  }

  @Test func theSeedDecidesTheWeights() throws {
    var options = ZooOptions()
    options.input = [64]
    options.hidden = [32, 16]
    func first(_ seed: UInt64) throws -> [Float] {
      options.seed = seed
      return try #require(try Zoo.make("mlp", options).graph.initializer("fc1.weight")).array(of: Float.self)
    }
    #expect(try first(1) == first(1))
    #expect(try first(1) != first(2))
    let spread = try first(3).reduce(0) { $0 + Double($1 * $1) } / 2048
    #expect(abs(spread - 2.0 / 64) < 0.004)
  }

  @Test(arguments: ["mlpp", ""])
  func unknownNamesAreListed(name: String) {
    #expect { try Zoo.make(name) } throws: { ($0 as? PruneError)?.hint.contains("lenet5") == true }
  }

  @Test func impossibleSizesAreRefused() {
    var options = ZooOptions()
    options.input = [1, 3, 3]
    #expect(throws: PruneError.self) { try Zoo.make("lenet5", options) }
    options.input = [1 << 24, 1 << 24, 1 << 24]
    #expect(throws: PruneError.self) { try Zoo.make("mlp", options) }
    options = ZooOptions()
    options.activation = "swoosh"
    #expect(throws: PruneError.self) { try Zoo.make("mlp", options) }
  }
}
