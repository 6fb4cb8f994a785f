import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// How programs use threads, and what they keep of their weights.
@Suite(.serialized) struct PlanTests {
  private static let padded = [Attribute("pads", .integers([1, 1, 1, 1]))]

  /// Two convolutions of 3x3 over `channels`, the first followed by a function and a sum, and a join.
  private func network(_ channels: Int, pixels: Int, batch: Int = 1) throws -> (model: Model, x: Tensor) {
    var random = RandomSource(seed: 4)
    let x = try random.tensor([batch, channels, pixels, pixels])
    let constants = [
      ("w1", try random.tensor([channels, channels, 3, 3])), ("w2", try random.tensor([channels, channels, 3, 3])),
    ]
    let nodes = [
      Node("Conv", inputs: ["x", "w1"], outputs: ["c"], attributes: Self.padded),
      Node("Sigmoid", inputs: ["c"], outputs: ["s"]),
      Node("Mul", inputs: ["c", "s"], outputs: ["m"]), Node("Add", inputs: ["m", "x"], outputs: ["a"]),
      Node("Conv", inputs: ["a", "w2"], outputs: ["d"], attributes: Self.padded),
      Node("Relu", inputs: ["d"], outputs: ["r"]),
      Node("Concat", inputs: ["r", "x"], outputs: ["y"], attributes: [Attribute("axis", .int(1))]),
    ]
    var model = makeModel(nodes, inputs: [("x", x)], constants: constants)
    let open: [Dim] = [.named("N"), .fixed(channels), .fixed(pixels), .fixed(pixels)]
    model.graph.inputs[0].type = TensorType(.float32, open)
    return (model, x)
  }

  private func withThreads<R>(_ threads: Int, _ body: () throws -> R) rethrows -> R {
    let before = Parallel.threads
    Parallel.threads = threads
    defer { Parallel.threads = before }
    return try body()
  }

  @Test func smallNetworksLeaveOtherThreadsAsleep() throws {
    try withThreads(2) {
      let (small, x) = try network(16, pixels: 8)
      let program = try Program(small, .init(inputShapes: ["x": x.shape]))
      #expect(program.lonelyLabels == program.stepLabels)
      _ = try program.run(["x": x])
      #expect(Parallel.threads == 2)
      let (large, y) = try network(64, pixels: 64)
      let other = try Program(large, .init(inputShapes: ["x": y.shape]))
      #expect(!other.lonelyLabels.contains { $0.hasPrefix("Conv") })
      _ = try other.run(["x": y])
      #expect(Parallel.threads == 2)
    }
  }

  @Test(arguments: [(16, 8), (24, 20), (64, 32)])
  func resultsAreThoseOfTheReferenceForEveryNumberOfThreads(channels: Int, pixels: Int) throws {
    let (model, x) = try network(channels, pixels: pixels)
    let shapes = ["x": x.shape]
    let wanted = try #require(try Program(model, .init(inputShapes: shapes, optimizes: false)).run(["x": x])["y"])
    for threads in 1...3 {
      try withThreads(threads) {
        let program = try Program(model, .init(inputShapes: shapes))
        let first = try #require(try program.run(["x": x])["y"])
        // Made for one number of threads, run on another.
        let second = try #require(try withThreads(threads % 3 + 1) { try program.run(["x": x])["y"] })
        for result in [first, second] {
          let difference = try relativeNorm(result, wanted)
          #expect(difference < 2e-5)
        }
      }
    }
  }

  private func weights(of program: Program) -> Set<ObjectIdentifier> {
    Set(program.constants.filter { $0.byteCount > 4096 }.map { ObjectIdentifier($0.storage) })
  }

  @Test func programsOfOneSessionShareTheirPackedWeights() throws {
    try withThreads(1) {
      // One image alone may be packed for otherwise: with AVX-512 it is.
      let (model, x) = try network(32, pixels: 8, batch: 2)
      let session = Session(model)
      let twice = try Tensor(try x.array(of: Float.self) + x.array(of: Float.self), try Shape([4, 32, 8, 8]))
      let one = try session.program(for: ["x": x.shape])
      let two = try session.program(for: ["x": twice.shape])
      #expect(!weights(of: one).isEmpty && weights(of: one) == weights(of: two))
      let alone = try Program(model, .init(inputShapes: ["x": x.shape]))
      #expect(weights(of: one).isDisjoint(with: weights(of: alone)))
      let single = try #require(try one.run(["x": x])["y"])
      let both = try #require(try two.run(["x": twice])["y"])
      let difference = try relativeNorm(try both.rows(2, 4), single)
      #expect(difference < 1e-6)
    }
  }

  /// Constants are let go of once packed, but not those that something still reads or that were asked for.
  @Test func weightsReadTwiceAndAskedForStay() throws {
    var random = RandomSource(seed: 6)
    let x = try random.tensor([2, 32, 6, 6])
    let constants = [("w", try random.tensor([32, 32, 3, 3])), ("v", try random.tensor([32, 32, 3, 3]))]
    let nodes = [
      Node("Conv", inputs: ["x", "w"], outputs: ["c"], attributes: Self.padded),
      Node("Conv", inputs: ["c", "w"], outputs: ["d"], attributes: Self.padded),
      Node("Conv", inputs: ["d", "v"], outputs: ["e"], attributes: Self.padded),
      Node("ReduceSum", inputs: ["w"], outputs: ["s"], attributes: [Attribute("keepdims", .int(0))]),
      Node("Add", inputs: ["e", "s"], outputs: ["y"]),
    ]
    try expectSame(
      makeModel(nodes, inputs: [("x", x)], constants: constants, outputs: ["y", "v"]), [("x", x)], tolerance: 2e-5,
      isFast: false)
  }

  @Test(arguments: [[4, 24], [2, 24, 1], [2, 24, 5], [3, 16, 4, 4], [2, 5, 3, 3, 3]], [false, true])
  func normalizationOfWhatDoesNotLieInBlocks(dims: [Int], hasRelu: Bool) throws {
    var random = RandomSource(seed: 8)
    let x = try random.tensor(dims)
    let variance = try Tensor((0..<dims[1]).map { _ in Float(random.uniform() + 0.1) })
    var constants = [("v", variance)]
    for name in ["s", "b", "m"] { constants.append((name, try random.tensor([dims[1]]))) }
    var nodes = [Node("BatchNormalization", inputs: ["x", "s", "b", "m", "v"], outputs: ["n"])]
    if hasRelu { nodes.append(Node("Relu", inputs: ["n"], outputs: ["y"])) }
    try expectSame(makeModel(nodes, inputs: [("x", x)], constants: constants), [("x", x)])
  }
}
