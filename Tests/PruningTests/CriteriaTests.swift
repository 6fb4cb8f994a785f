import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct CriteriaTests {
  private func scores(
    _ model: Model, _ criterion: String, _ data: Dataset? = nil, _ name: String, batchSize: Int = 0,
    scope: [String] = []
  ) throws -> [Float] {
    var options = SignificanceOptions()
    options.criterion = criterion
    options.data = data
    options.batchSize = batchSize
    options.scope = scope
    let report = try significance(model, options)
    guard case .report(let all)? = report["scores"],
      case .tensor(let tensor)? = all.entries.first(where: { $0.key == name })?.value
    else {
      Issue.record("no scores of \(name)")
      return []
    }
    return try tensor.array(of: Float.self)
  }

  /// y = x·w + noise-free targets, mean squared error; x rows are multiples of unit vectors, so the Hessian is
  /// diagonal.
  private func linear() throws -> (model: Model, data: Dataset) {
    var graph = Graph(name: "linear")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(2)]))]
    graph.setInitializer("w", try Tensor([0.5, -1, 2, 0.25, -0.75, 1.5] as [Float], Shape([3, 2])))
    graph.nodes = [Node("MatMul", name: "layer", inputs: ["x", "w"], outputs: ["y"])]
    let x = try Tensor([1, 0, 0, 0, 2, 0, 0, 0, 3] as [Float], Shape([3, 3]))
    let y = try Tensor([1, 1, 2, -1, 0.5, 3] as [Float], Shape([3, 2]))
    return (Model(graph: graph), try Dataset.tensors(x, y))
  }

  @Test func fisherIsHalfTheSquareOfTaylorOfSingleSamples() throws {
    let model = try Networks.mlp([8]), data = try Dataset.digits().take(90)
    let fisher = try scores(model, "fisher", data, "fc1.weight")
    let taylor = try scores(model, "taylor", data, "fc1.weight", batchSize: 1)
    for (a, b) in zip(fisher, taylor) { #expect(abs(a - 0.5 * b * b) <= 1e-5 * max(a, 1e-6)) }
  }

  /// Scores of samples, and of what they lose with a channel, are what they are however many are looked at together: in
  /// convolutions, grouped ones, matrices that see one row a sample, and such that see many.
  @Test(arguments: ["fisher", "gate"]) func theBatchSizeHasNoSay(criterion: String) throws {
    let model = try Networks.sampled(), data = try Networks.samples(20)
    for name in ["w1", "w2", "w3", "w4"] {
      let one = try scores(model, criterion, data, name, batchSize: 1),
        all = try scores(model, criterion, data, name, batchSize: 7)
      let most = one.max() ?? 0
      #expect(most > 0)
      for (a, b) in zip(one, all) { #expect(abs(a - b) <= 1e-4 * most) }
    }
  }

  /// The gate of an output that a layer alone makes: the sum over its weights of weight times gradient, sample by
  /// sample.
  @Test func aGateIsTheSumOfItsWeights() throws {
    let (model, data) = try linear()
    let found = try scores(model, "gate", data, "w"), weights = try Networks.values(model, "w")
    // Rows of x are multiples of unit vectors, and the loss of a sample is the mean over two numbers.
    let x: [Float] = [1, 2, 3], y: [[Float]] = [[1, 1], [2, -1], [0.5, 3]]
    for output in 0..<2 {
      var sum: Float = 0
      for sample in 0..<3 {
        let activation = x[sample] * weights[sample * 2 + output], gradient = activation - y[sample][output]
        sum += 0.5 * activation * activation * gradient * gradient / 3
      }
      for input in 0..<3 { #expect(abs(found[input * 2 + output] - sum) <= 1e-4 * sum) }
    }
  }

  @Test func snipIsTheShareOfTheMeanGradientsProducts() throws {
    let model = try Networks.mlp([8]), data = try Dataset.digits().take(40)
    let all = try ["fc1.weight", "fc2.weight"].map { try scores(model, "snip", data, $0, batchSize: 40) }
    #expect(abs(all.joined().reduce(0, +) - 1) < 1e-4)
    let gradient = try scores(model, "gradient", data, "fc2.weight", batchSize: 40)
    let weights = try Networks.values(model, "fc2.weight")
    let ratio = all[1][3] / (gradient[3] * abs(weights[3]))
    for index in weights.indices { #expect(abs(all[1][index] - ratio * gradient[index] * abs(weights[index])) < 1e-6) }
  }

  /// The loss is the mean over 3 x 2 numbers: its second derivative by w[i][j] is 2 x_i^2 / 6.
  @Test func hessianIsTheDiagonalOfAQuadraticLoss() throws {
    let (model, data) = try linear()
    let found = try scores(model, "hessian", data, "w"), weights = try Networks.values(model, "w")
    for (index, weight) in weights.enumerated() {
      let x = Float([1, 2, 3][index / 2])
      #expect(abs(found[index] - 0.5 * weight * weight * x * x / 3) < 0.01)
    }
  }

  @Test func graspIsTheWeightTimesHessianTimesGradient() throws {
    let (model, data) = try linear()
    let found = try scores(model, "grasp", data, "w"), weights = try Networks.values(model, "w")
    let targets: [Float] = [1, 1, 2, -1, 0.5, 3]
    for (index, weight) in weights.enumerated() {
      let x = Float([1, 2, 3][index / 2])
      let gradient = 2 * (x * weight - targets[index]) * x / 6
      #expect(abs(found[index] - weight * (x * x / 3) * gradient) < 0.02 * max(1, abs(found[index])))
    }
  }

  @Test func movementIsWhatAFitAddsToTheSquares() throws {
    let model = try Networks.mlp([8]), data = try Dataset.digits().take(100)
    var trained = model
    var options = FitOptions()
    options.optimizer = "sgd"
    _ = try fit(&trained, data, options)
    let found = try scores(model, "movement", data, "fc1.weight")
    let before = try Networks.values(model, "fc1.weight"), after = try Networks.values(trained, "fc1.weight")
    for index in found.indices {
      #expect(abs(found[index] - 0.5 * (after[index] * after[index] - before[index] * before[index])) < 1e-6)
    }
    #expect(found.contains { $0 < 0 } && found.contains { $0 > 0 })
  }

  @Test func wandaMultipliesByTheNormOfTheInput() throws {
    let (model, data) = try linear()
    let found = try scores(model, "wanda", data, "w"), weights = try Networks.values(model, "w")
    for (index, weight) in weights.enumerated() {
      #expect(abs(found[index] - abs(weight) * Float([1, 2, 3][index / 2])) < 1e-5)
    }
    let unlabelled = try Dataset.tensors(data.x, nil)
    #expect(try scores(model, "wanda", unlabelled, "w") == found)
  }

  /// A strided, padded, grouped convolution against sums written out.
  @Test func wandaSeesWhatEachTapOfAConvolutionSees() throws {
    let model = try Networks.convolution(channels: 4, outputs: 2, groups: 2, kernel: 3, stride: 2, pad: 1, size: 5)
    var random = RandomSource(seed: 5)
    let x = (0..<3 * 4 * 25).map { _ in Float(random.normal()) }
    let data = try Dataset.tensors(try Tensor(x, Shape([3, 4, 5, 5])), nil)
    let found = try scores(model, "wanda", data, "w", batchSize: 2), weights = try Networks.values(model, "w")
    for output in 0..<2 {
      for input in 0..<2 {
        for tap in 0..<9 {
          var sum: Float = 0
          for sample in 0..<3 {
            for row in 0..<3 {
              for column in 0..<3 {
                let y = row * 2 + tap / 3 - 1, z = column * 2 + tap % 3 - 1
                guard (0..<5).contains(y), (0..<5).contains(z) else { continue }
                let value = x[((sample * 4 + output * 2 + input) * 5 + y) * 5 + z]
                sum += value * value
              }
            }
          }
          let index = (output * 2 + input) * 9 + tap
          #expect(abs(found[index] - abs(weights[index]) * sum.squareRoot()) < 1e-4)
        }
      }
    }
  }

  @Test func filtersThatRepeatOthersScoreLowest() throws {
    var model = try Networks.convolution(channels: 2, outputs: 4, groups: 1, kernel: 3, stride: 1, pad: 1, size: 5)
    var values = try Networks.values(model, "w")
    for index in 0..<18 { values[2 * 18 + index] = -2 * values[index] }
    model.graph.setInitializer("w", try Tensor(values, Shape([4, 2, 3, 3])))
    let found = try scores(model, "cosine", "w")
    #expect(found[0] == 1)
    #expect(found[2 * 18] < 1e-5)
    #expect(found[18] > 0.01 && found[3 * 18] > 0.01)
    // So does an output that repeats another up to scale and offset, and the correlation of the others is not perfect.
    var random = RandomSource(seed: 8)
    let data = try Dataset.tensors(
      try Tensor((0..<600).map { _ in Float(1 + random.normal()) }, Shape([12, 2, 5, 5])), nil)
    let mutual = try scores(model, "mutual", data, "w", batchSize: 5)
    #expect(mutual[0] == 1 && mutual[2 * 18] < 1e-5)
    #expect(mutual[18] > 0.01 && mutual[18] <= 1 && mutual[3 * 18] > 0.01)
    // fpgm: distances to all others, by hand.
    let medians = try scores(model, "fpgm", "w")
    for filter in 0..<4 {
      var sum: Float = 0
      for other in 0..<4 {
        var square: Float = 0
        for index in 0..<18 {
          let gap = values[filter * 18 + index] - values[other * 18 + index]
          square += gap * gap
        }
        sum += square.squareRoot()
      }
      #expect(abs(medians[filter * 18] - sum) < 1e-3)
      #expect(Set(medians[filter * 18..<(filter + 1) * 18]).count == 1)
    }
  }

  private func scores(_ model: Model, _ criterion: String, _ name: String) throws -> [Float] {
    try scores(model, criterion, nil, name)
  }

  @Test func normalizationScalesAndActivityAreOfTheLayerBefore() throws {
    var model = try Networks.convolution(channels: 1, outputs: 3, groups: 1, kernel: 1, stride: 1, pad: 0, size: 4)
    model.graph.setInitializer("gamma", try Tensor([0.5, -2, 0] as [Float]))
    // The second output is shifted below zero wherever it is: its Relu is dead.
    model.graph.setInitializer("beta", try Tensor([0, -1000, 5] as [Float]))
    for name in ["mean", "variance"] {
      model.graph.setInitializer(name, try Tensor([name == "mean" ? 0 : 1, 1, 1] as [Float]))
    }
    model.graph.nodes += [
      Node("BatchNormalization", name: "norm", inputs: ["y", "gamma", "beta", "mean", "variance"], outputs: ["n"]),
      Node("Relu", name: "relu", inputs: ["n"], outputs: ["z"]),
    ]
    model.graph.outputs = [ValueInfo(name: "z", type: nil)]
    #expect(try scores(model, "bn_scale", "w") == [0.5, 2, 0])
    var random = RandomSource(seed: 2)
    let data = try Dataset.tensors(
      try Tensor((0..<160).map { _ in Float(random.normal()) }, Shape([10, 1, 4, 4])), nil)
    let activity = try scores(model, "apoz", data, "w", batchSize: 4)
    #expect(activity[0] > 0.2 && activity[0] < 0.8)
    #expect(activity[1] == 0)
    #expect(abs(activity[2] - 1) < 1e-6)
    let plain = try Networks.convolution(channels: 1, outputs: 3, groups: 1, kernel: 1, stride: 1, pad: 0, size: 4)
    #expect(throws: PruneError.self) { try scores(plain, "bn_scale", "w") }
  }

  @Test func lampIsTheShareOfWhatIsNotSmaller() throws {
    let model = try Networks.mlp([8])
    let found = try scores(model, "lamp", "fc2.weight"), weights = try Networks.values(model, "fc2.weight")
    for (index, weight) in weights.enumerated() {
      let rest = weights.filter { abs($0) >= abs(weight) }.reduce(0) { $0 + $1 * $1 }
      #expect(abs(found[index] - weight * weight / rest) < 1e-5)
    }
    #expect(found.max() == 1)
  }

  @Test func scoresOfOnesOwnAreCheckedAndUsed() throws {
    let model = try Networks.mlp()
    var options = PruneOptions()
    options.amount = 0.5
    options.scores = { _, weight throws(PruneError) in
      try Tensor(try weight.array(of: Float.self).map { -$0 }, weight.shape)
    }
    let (pruned, report) = try prune(model, options)
    #expect(report["criterion"]?.text == "user")
    // The largest went.
    let left = try Networks.values(pruned, "fc1.weight").max() ?? 1,
      before = try Networks.values(model, "fc1.weight").max() ?? 0
    #expect(left < before)
    options.scores = { _, _ throws(PruneError) in try Tensor([1] as [Float]) }
    let error = #expect(throws: PruneError.self) { try prune(model, options) }
    #expect(error?.message.contains("fc1.weight") == true)
    options.criterion = "taylor"
    #expect(throws: PruneError.self) { try prune(model, options) }
  }

  @Test(arguments: ["fisher", "hessian", "snip", "grasp", "movement"])
  func labelsAreAskedForBeforeAnyWork(criterion: String) throws {
    let data = try Dataset.tensors(try Dataset.digits().take(5).x, nil)
    let error = #expect(throws: PruneError.self) { try scores(try Networks.mlp(), criterion, data, "fc1.weight") }
    #expect(error?.message.contains("no targets") == true)
  }

  @Test func everyCriterionScoresEveryWeightTheSameTwice() throws {
    let model = try Networks.mlp([16]), data = try Dataset.digits().take(64)
    for name in Criterion.names where name != "bn_scale" {
      let first = try scores(model, name, data, "fc1.weight")
      #expect(first.count == 1024 && first.allSatisfy(\.isFinite), "\(name)")
      #expect(try scores(model, name, data, "fc1.weight") == first, "\(name)")
    }
  }

  @Test func unitsAndExtremesAreMeansOfOutputs() throws {
    let model = try Networks.mlp([8])
    let report = try significance(model, SignificanceOptions())
    guard case .report(let units)? = report["units"], case .tensor(let means)? = units.entries.first?.value else {
      Issue.record("no units")
      return
    }
    let found = try means.array(of: Float.self)
    #expect(found.count == 8)
    let weights = try Networks.values(model, "fc1.weight")
    let shape = try #require(model.graph.initializer("fc1.weight")).shape
    let own = (0..<8).map { unit in
      (0..<64).map { abs(weights[shape[0] == 8 ? unit * 64 + $0 : $0 * 8 + unit]) }.reduce(0, +) / 64
    }
    for (a, b) in zip(found, own) { #expect(abs(a - b) < 1e-5) }
    #expect(report["bottom"]?.list?.count == 5 && report["top"]?.list?.count == 5)
    #expect((report["bottom.0.mean"]?.number ?? 1) < (report["top.0.mean"]?.number ?? 0))
    #expect(report["layers.0.spread"]?.text?.count == 12)
  }
}
