import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct OptimizerStateTests {
  /// Channels that go take their part of the optimizer's state along, and training goes on with the rest.
  @Test func theStateFollowsSurgery() throws {
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make("lenet5", zoo)
    let data = try Dataset.digits().take(256)
    var options = FitOptions()
    options.batchSize = 64
    options.lr = 2e-3
    _ = try fit(&model, data, options)
    let before = try #require(model.optimizerState)
    var wanted = PruneOptions()
    wanted.granularity = "channel"
    wanted.amount = 0.5
    let (slim, _) = try prune(model, wanted)
    let after = try #require(slim.optimizerState)
    #expect(after.step == before.step && after.tensors.keys.sorted() == before.tensors.keys.sorted())
    var shrunk = 0
    for (name, entries) in after.tensors {
      let weight = try #require(slim.graph.initializer(name))
      for (entry, tensor) in entries {
        #expect(tensor.shape == weight.shape)
        let old = try #require(before.tensors[name]?[entry])
        guard old.shape != tensor.shape else { continue }
        shrunk += 1
        // What is left is what was there.
        let values = Set(try old.array(of: Float.self))
        #expect(try tensor.array(of: Float.self).allSatisfy(values.contains))
      }
    }
    #expect(shrunk >= 6)
    var resumed = slim
    options.resume = .optimizer
    let history = try fit(&resumed, data, options)
    #expect(resumed.optimizerState?.step == 2 * before.step && history["warnings"] == nil)
  }
}
