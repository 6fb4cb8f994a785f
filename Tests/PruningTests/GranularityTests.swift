import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct GranularityTests {
  private func pruned(_ model: Model, _ change: (inout PruneOptions) -> Void) throws -> Model {
    var options = PruneOptions()
    change(&options)
    return try prune(model, options).model
  }

  /// Matrix [4, 10] of a Gemm with transB: rows are outputs.
  private func matrix() throws -> Model {
    var graph = Graph(name: "matrix")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(10)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    var random = RandomSource(seed: 3)
    graph.setInitializer("w", try Tensor((0..<40).map { _ in Float(random.normal()) }, Shape([4, 10])))
    graph.nodes = [
      Node("Gemm", name: "layer", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("transB", .int(1))])
    ]
    return Model(graph: graph)
  }

  @Test func twoOfFourStayInEveryGroupAndARemainderKeepsItsShare() throws {
    let model = try matrix()
    let before = try Networks.values(model, "w")
    let after = try Networks.values(try pruned(model) { $0.granularity = "2:4" }, "w")
    for row in 0..<4 {
      for first in [0, 4, 8] {
        let width = min(4, 10 - first)
        let group = (first..<first + width).map { row * 10 + $0 }
        let kept = group.filter { after[$0] != 0 }
        #expect(kept.count == width / 2)
        let smallest = kept.map { abs(before[$0]) }.min() ?? 0
        for place in group where after[place] == 0 { #expect(abs(before[place]) <= smallest) }
      }
    }
  }

  @Test func neighboursOfAConvolutionAreInputsAtOneTap() throws {
    let model = try Networks.convolution(channels: 8, outputs: 3, groups: 1, kernel: 3, stride: 1, pad: 1, size: 5)
    let after = try Networks.values(try pruned(model) { $0.granularity = "1:4" }, "w")
    for output in 0..<3 {
      for tap in 0..<9 {
        for first in [0, 4] {
          #expect((first..<first + 4).count { after[(output * 8 + $0) * 9 + tap] != 0 } == 1)
        }
      }
    }
  }

  @Test func blocksGoTogetherAlsoAtTheEdges() throws {
    let model = try matrix()
    let before = try Networks.values(model, "w")
    let after = try Networks.values(
      try pruned(model) {
        $0.granularity = "block:3x4"
        $0.amount = 0.5
      }, "w")
    // 2 x 3 blocks: three go, those of the lowest means.
    var means: [(Float, Bool)] = []
    for down in 0..<2 {
      for across in 0..<3 {
        var places: [Int] = []
        for row in down * 3..<min(down * 3 + 3, 4) {
          for column in across * 4..<min(across * 4 + 4, 10) { places.append(row * 10 + column) }
        }
        let gone = places.count { after[$0] == 0 }
        #expect(gone == 0 || gone == places.count)
        means.append((places.reduce(0) { $0 + abs(before[$1]) } / Float(places.count), gone > 0))
      }
    }
    means.sort { $0.0 < $1.0 }
    #expect(means.map(\.1) == [true, true, true, false, false, false])
  }

  @Test func kernelsGoWhole() throws {
    let model = try Networks.convolution(channels: 4, outputs: 6, groups: 1, kernel: 3, stride: 1, pad: 1, size: 5)
    let after = try Networks.values(
      try pruned(model) {
        $0.granularity = "kernel"
        $0.amount = 0.25
      }, "w")
    let zeros = (0..<24).map { kernel in (0..<9).count { after[kernel * 9 + $0] == 0 } }
    #expect(zeros.allSatisfy { $0 == 0 || $0 == 9 })
    #expect(zeros.count { $0 == 9 } == 6)
  }

  /// The four 4 x 4 blocks of each 5 x 5 kernel: those of the lowest means go, and with them what they share.
  @Test func subBlocksOverlapInsideKernels() throws {
    let model = try Networks.convolution(channels: 2, outputs: 3, groups: 1, kernel: 5, stride: 1, pad: 2, size: 6)
    let before = try Networks.values(model, "w")
    let (result, report) = try prune(
      model,
      {
        var o = PruneOptions(); o.granularity = "block:1x1x4x4"; o.amount = 0.25; return o
      }())
    #expect(report["granularity"]?.text == "block:1x1x4x4")
    let after = try Networks.values(result, "w")
    var blocks: [(mean: Float, places: [Int])] = []
    for kernel in 0..<6 {
      for corner in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let places = (0..<16).map { kernel * 25 + (corner.0 + $0 / 4) * 5 + corner.1 + $0 % 4 }
        blocks.append((places.reduce(0) { $0 + abs(before[$1]) } / 16, places))
      }
    }
    blocks.sort { $0.mean < $1.mean }
    let gone = Set(blocks.prefix(6).flatMap(\.places))
    #expect(after.indices.allSatisfy { (after[$0] == 0) == gone.contains($0) })
  }

  /// Strides, and extents that do not divide: 3 outputs in blocks of 2, 5 taps in steps of 2 by 3.
  @Test func subBlocksCoverEveryWeight() throws {
    let block = try SubBlock([2, 1, 3, 3], strides: [2, 1, 2, 2])
    #expect(block.text == "2x1x3x3/2x1x2x2")
    #expect(try Granularity(name: "block:2x1x3x3/2x1x2x2") == .subBlock(block))
    let model = try Networks.convolution(channels: 2, outputs: 3, groups: 1, kernel: 5, stride: 1, pad: 2, size: 6)
    let all = try pruned(model) {
      $0.granularity = "block:2x1x3x3/2x1x2x2"
      $0.amount = 1
    }
    let left = try Networks.values(all, "w").enumerated().filter { $0.element != 0 }.map(\.offset)
    // Of the layer one block stays, the best, less what others took of it.
    #expect(!left.isEmpty && left.count <= 18)
    let some = try Networks.values(
      try pruned(model) {
        $0.granularity = "block:2x1x3x3/2x1x2x2"
        $0.amount = 0.1
      }, "w")
    // 2 x 2 x 2 x 2 blocks: two go, of 9 or 18 weights each, of which they share a few.
    #expect((12...36).contains(some.count { $0 == 0 }))
  }

  @Test func matricesHaveNoSubBlocks() throws {
    var zoo = ZooOptions()
    (zoo.classes, zoo.input) = (10, [1, 28, 28])
    let model = try Zoo.make("lenet5", zoo)
    let (result, report) = try prune(
      model,
      {
        var o = PruneOptions(); o.granularity = "block:1x1x2x2"; o.strategy = "local"; o.amount = 0.3; return o
      }())
    let notes = (report["notes"]?.list ?? []).compactMap(\.text).joined()
    #expect(notes.contains("stayed whole, for matrices have none"))
    for value in result.graph.initializers where value.tensor.shape.rank == 4 {
      #expect(try value.tensor.doubles().contains(0))
    }
  }

  @Test(arguments: [
    ("block:1x1x4x4", "larger than the kernel of 'conv'"),
    ("block:1x1x1x1/2x1x1x1", "stride of sub-blocks along outputs"),
    ("block:1x0x3x3", "1x0x3x3"), ("block:1x1x3x3/1x1x0x1", "1x1x0x1"), ("block:1x1x3", "not available"),
  ])
  func impossibleSubBlocksAreNamed(name: String, wanted: String) throws {
    let model = try Networks.convolution(channels: 2, outputs: 3, groups: 1, kernel: 3, stride: 1, pad: 1, size: 6)
    let error = #expect(throws: PruneError.self) {
      try pruned(model) {
        $0.granularity = name
        $0.amount = 0.5
      }
    }
    #expect(error?.message.contains(wanted) == true, "\(error?.message ?? "")")
  }

  @Test func theBlockStrategyIsBlocks() throws {
    let (_, report) = try prune(
      try Networks.mlp(),
      {
        var o = PruneOptions(); o.strategy = "block"; o.amount = 0.5; return o
      }())
    #expect(report["granularity"]?.text == "block:4x4")
    #expect(abs((report["sparsity"]?.number ?? 0) - 0.5) < 0.02)
  }

  @Test func pruningTwiceKeepsWhatIsGone() throws {
    let half = try pruned(try Networks.mlp()) { $0.granularity = "2:4" }
    let more = try pruned(half) {
      $0.granularity = "block:2x2"
      $0.amount = 0.6
    }
    for name in PruneTests.weights {
      let a = try Networks.values(half, name), b = try Networks.values(more, name)
      #expect(zip(a, b).allSatisfy { $0 != 0 || $1 == 0 })
    }
  }

  @Test(arguments: [
    "4:2", "0:4", "2:2000", "block:0x4", "block:4", "pixel", ":", "2:4:8", "block:99999999999999999999x1",
  ])
  func impossibleGranularitiesAreNamed(name: String) throws {
    let error = #expect(throws: PruneError.self) {
      try pruned(try matrix()) {
        $0.granularity = name
        $0.amount = 0.5
      }
    }
    #expect(error?.message.contains(name) == true)
  }

  @Test func contradictionsAreSaidBeforeAnyWork() throws {
    func message(_ change: (inout PruneOptions) -> Void) -> String {
      do { _ = try pruned(try Networks.mlp(), change) } catch { return "\(error)" }
      return ""
    }
    #expect(
      message {
        $0.granularity = "2:4"; $0.amount = 0.9
      }.contains("removes 0.5"))
    #expect(
      message {
        $0.granularity = "2:4"; $0.threshold = 0.1
      }.contains("threshold"))
    #expect(
      message {
        $0.strategy = "block"; $0.granularity = "2:4"
      }.contains("block"))
    #expect(
      message {
        $0.strategy = "local"; $0.allocation = "erk"; $0.amount = 0.5
      }.contains("contradict"))
    #expect(
      message {
        $0.allocation = "erk"; $0.threshold = 0.5
      }.contains("threshold"))
    #expect(
      message {
        $0.allocation = "ekr"; $0.amount = 0.5
      }.contains("erk"))
    #expect(
      message {
        $0.allocation = "row"; $0.amount = 0.5; $0.granularity = "kernel"
      }.contains("row"))
    #expect(
      message {
        $0.reconstruct = "obs"; $0.amount = 0.5
      }.contains("data"))
    #expect(
      message {
        $0.reconstruct = "odb"; $0.amount = 0.5
      }.contains("obs"))
  }
}

@Suite struct AllocationTests {
  private func zeros(_ allocation: String, _ amount: Double, _ model: Model, _ criterion: String? = nil) throws -> [Int]
  {
    var options = PruneOptions()
    options.allocation = allocation
    options.amount = amount
    options.criterion = criterion
    let model = try prune(model, options).model
    return try PruneTests.weights.map { try Networks.zeros(model, [$0]) }
  }

  @Test(arguments: [0.3, 0.5, 0.9, 0.98])
  func erkIsExactAndKeepsSmallLayersDenser(amount: Double) throws {
    let counts = [2048, 512, 160]
    let found = try zeros("erk", amount, try Networks.mlp())
    #expect(found.reduce(0, +) == Int((amount * 2720).rounded()))
    let densities = zip(counts, found).map { Double($0 - $1) / Double($0) }
    #expect(densities[0] <= densities[1] && densities[1] <= densities[2])
    if amount == 0.9 {
      // In proportion to (in + out) / (in * out), nothing being denser than it is.
      #expect(abs(densities[0] / densities[1] - (96.0 / 2048) / (48.0 / 512)) < 0.02)
    }
  }

  @Test func lampEmptiesNoLayerBeforeTheLast() throws {
    let found = try zeros("lamp", 0.998, try Networks.mlp())
    #expect(found.reduce(0, +) == Int((0.998 * 2720).rounded()))
    #expect(found[0] < 2048 && found[1] < 512 && found[2] < 160)
    let direct = try zeros("global", 0.9, try Networks.mlp(), "lamp")
    #expect(try zeros("lamp", 0.9, try Networks.mlp()) == direct)
  }

  @Test func rowsLoseTheSame() throws {
    var options = PruneOptions()
    options.allocation = "row"
    options.amount = 0.25
    let model = try prune(try Networks.mlp(), options).model
    let tensor = try #require(model.graph.initializer("fc1.weight"))
    let values = try tensor.array(of: Float.self)
    let isRowMajor = tensor.shape[0] == 32
    for row in 0..<32 {
      let own = (0..<64).count { values[isRowMajor ? row * 64 + $0 : $0 * 32 + row] == 0 }
      #expect(own == 16)
    }
  }

  @Test func wandaComparesWithinOutputsUnlessToldOtherwise() throws {
    var options = PruneOptions()
    options.criterion = "wanda"
    options.data = try Dataset.digits().take(32)
    options.amount = 0.5
    #expect(try prune(try Networks.mlp(), options).report["allocation"]?.text == "row")
    options.strategy = "global"
    #expect(try prune(try Networks.mlp(), options).report["allocation"]?.text == "global")
  }

  @Test func isomorphicClassesAreRankedByThemselves() throws {
    // One class of three Gemms is the global ranking.
    #expect(try zeros("isomorphic", 0.7, try Networks.mlp()) == zeros("global", 0.7, try Networks.mlp()))
  }
}
