import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct DigitsTests {
  /// Train, prune gradually to a tenth of the weights with recovery under a guard, save, load.
  @Test(arguments: ["magnitude", "taylor"])
  func aTenthOfTheWeightsIsEnoughForDigits(criterion: String) throws {
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    zoo.hidden = [100]
    var model = try Zoo.make("mlp", zoo)
    var fitting = FitOptions()
    fitting.epochs = 15
    fitting.lr = 2e-3
    _ = try fit(&model, train, fitting)
    var options = PruneOptions()
    options.criterion = criterion
    options.amount = 0.9
    options.schedule = "cubic"
    options.steps = 4
    options.data = train
    fitting.epochs = 4
    options.recover = fitting
    options.validate = test
    options.guard = GuardOptions(data: train, metric: "accuracy", maxDrop: 0.03)
    let (pruned, report) = try prune(model, options)
    #expect(report["rolled_back"]?.flag == false)
    #expect((report["before.accuracy"]?.number ?? 0) > 0.95)
    #expect((report["after.accuracy"]?.number ?? 0) > 0.93)
    #expect(report["journal"]?.list?.count == 4)
    #expect((report["certificate"]?.number ?? 1) < 1e-4)
    let loaded = try ONNX.decode(try Bytes(ONNX.encode(pruned)), folder: nil)
    #expect(loaded.maskedParameters == ["fc1.weight", "fc2.weight"])
    #expect(try Networks.zeros(loaded, loaded.maskedParameters) == Int((0.9 * 7400).rounded()))
  }
}

@Suite(.enabled(if: Shared.isPresent, "needs ../shared")) struct ResNetTests {
  @Test func aPretrainedResNetLosesLittleWithItsSmallestWeights() throws {
    let model = try ModelFormats.load(path: Shared.folder + "/models/resnet_cifar/resnet20_cifar10_jpegft.onnx")
    let images = try Dataset.cifar10(paths: [Shared.folder + "/data/cifar10/test_first1000.bin.gz"])
    var options = PruneOptions()
    options.strategy = "local"
    options.amount = 0.3
    options.validate = try images.normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]).take(500)
    let (pruned, report) = try prune(model, options)
    #expect(report["layers"]?.list?.count == 20)
    #expect((report["before.accuracy"]?.number ?? 0) > 0.84)
    #expect((report["before.accuracy"]?.number ?? 0) - (report["after.accuracy"]?.number ?? 0) < 0.02)
    #expect((report["certificate"]?.number ?? 1) < 1e-5)
    #expect(pruned.maskedParameters.count == 20)
    // Each of the 20 layers is rounded to whole weights by itself.
    let pruned30 = Double(report["pruned"]?.integer ?? 0) / 268_336
    #expect(abs(pruned30 - 0.3) < 1e-4)
  }
}
