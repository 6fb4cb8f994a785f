import PruneData
import PruneEvaluation
import PruneTensor
import Testing

/// Accuracies and losses of the stored networks, against ONNX Runtime's on the same images.
@Suite(.enabled(if: Shared.isPresent, "needs ../shared")) struct StoredNetworkTests {
  @Test(arguments: [
    ("resnet20_cifar10", 0.812, 0.99, 0.8636998705), ("resnet56_cifar10", 0.824, 0.987, 0.9500202515),
  ])
  func residualNetworksOnCIFAR10(name: String, accuracy: Double, top5: Double, loss: Double) throws {
    var options = EvaluateOptions()
    options.metrics = ["loss", "accuracy", "top5"]
    options.batchSize = 128
    let report = try evaluate(try Shared.model("resnet_cifar/\(name)"), try Shared.firstThousand, options)
    #expect(report.number("accuracy") == accuracy && report.number("top5") == top5)
    let found = try #require(report.number("loss"))
    #expect(abs(found - loss) < 1e-4)
  }

  @Test func imagesOfMNISTAreWhatTheirFilesSay() throws {
    let folder = Shared.folder + "/data/mnist"
    let data = try Dataset.idx(
      images: folder + "/t10k-images-idx3-ubyte.gz", labels: folder + "/t10k-labels-idx1-ubyte.gz")
    #expect(data.count == 10_000 && data.sampleShape == [1, 28, 28] && data.classCount == 10)
    #expect(try data.y?.array(of: Int64.self).prefix(6) == [7, 2, 1, 0, 4, 1])
    let error = failure {
      _ = try evaluate(try Shared.model("resnet_cifar/resnet20_cifar10"), data)
    }
    #expect(error?.status == .mismatch && error?.message.contains("[1,28,28]") == true)
  }
}
