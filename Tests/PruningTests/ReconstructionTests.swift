import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

@Suite struct ReconstructionTests {
  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var options = PruneOptions()
    change(&options)
    return options
  }

  /// Inputs whose features lean on each other, so that some weights can stand in for others.
  private func correlated(_ samples: Int, _ width: Int) throws -> Tensor {
    var random = RandomSource(seed: 11)
    var values: [Float] = []
    for _ in 0..<samples {
      var last = Float(random.normal())
      for _ in 0..<width {
        last = 0.9 * last + 0.4 * Float(random.normal())
        values.append(last)
      }
    }
    return try Tensor(values, Shape([samples, width]))
  }

  private func layer(_ width: Int, _ outputs: Int) throws -> Model {
    var graph = Graph(name: "layer")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(width)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(outputs)]))]
    var random = RandomSource(seed: 4)
    graph.setInitializer(
      "w", try Tensor((0..<width * outputs).map { _ in Float(random.normal()) }, Shape([width, outputs])))
    graph.nodes = [Node("MatMul", name: "layer", inputs: ["x", "w"], outputs: ["y"])]
    return Model(graph: graph)
  }

  private func error(_ a: Model, _ b: Model, _ x: Tensor) throws -> Double {
    let input = a.graph.trueInputs[0].name, output = a.graph.outputs[0].name
    let left = try #require(try Session(a).run([input: x])[output]).array(of: Float.self)
    let right = try #require(try Session(b).run([input: x])[output]).array(of: Float.self)
    return zip(left, right).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
  }

  @Test func whatStaysMakesUpForWhatWent() throws {
    let model = try layer(32, 16), x = try correlated(400, 32), data = try Dataset.tensors(x, nil)
    let masked = try prune(
      model,
      options {
        $0.amount = 0.5; $0.strategy = "local"
      }
    ).model
    let moved = try prune(
      model,
      options {
        $0.amount = 0.5; $0.strategy = "local"; $0.data = data; $0.reconstruct = "obs"
      }
    ).model
    let chosen = try prune(
      model,
      options {
        $0.amount = 0.5; $0.strategy = "local"; $0.data = data; $0.reconstruct = "sparsegpt"
      }
    ).model
    let plain = try error(model, masked, x), first = try error(model, moved, x), second = try error(model, chosen, x)
    #expect(first < 0.5 * plain)
    #expect(second < first)
    #expect(try Networks.zeros(chosen, ["w"]) == 256)
    #expect(try zip(Networks.values(masked, "w"), Networks.values(moved, "w")).allSatisfy { ($0 == 0) == ($1 == 0) })
  }

  /// One weight of each of two outputs goes: the rest must solve the least squares problem of the kept columns that
  /// come behind it, which for the first column is all of them.
  @Test func removingTheFirstColumnIsLeastSquares() throws {
    let x = try correlated(200, 3)
    var values: [Float] = try x.array(of: Float.self)
    for index in values.indices { values[index] = (values[index] * 64).rounded() / 64 }
    var h = [Float](repeating: 0, count: 9)
    for sample in 0..<200 {
      for i in 0..<3 { for j in 0..<3 { h[i * 3 + j] += values[sample * 3 + i] * values[sample * 3 + j] / 200 } }
    }
    let factor = try SecondOrder.inverseFactor(try Tensor(h, Shape([3, 3])), damping: 0)
    var weights = try Tensor([1, 2, 3] as [Float], Shape([1, 3]))
    var removed: [UInt8] = [1, 0, 0]
    try SecondOrder.sweep(&weights, factor: factor, removed: &removed, .nothing)
    let found = try weights.array(of: Float.self)
    // Normal equations of the two that stay: [h11 h12; h21 h22] d = [h10; h20] * w0.
    let determinant = h[4] * h[8] - h[5] * h[7]
    let d1 = (h[8] * h[3] - h[5] * h[6]) / determinant, d2 = (h[4] * h[6] - h[7] * h[3]) / determinant
    #expect(found[0] == 0)
    #expect(abs(found[1] - (2 + d1)) < 1e-3)
    #expect(abs(found[2] - (3 + d2)) < 1e-3)
  }

  @Test func theFactorIsThatOfTheInverse() throws {
    let h: [Float] = [4, 1, 0.5, 1, 3, 0.2, 0.5, 0.2, 2]
    let u = try SecondOrder.inverseFactor(try Tensor(h, Shape([3, 3])), damping: 0).array(of: Float.self)
    // (UᵀU) H = 1.
    for i in 0..<3 {
      for j in 0..<3 {
        var sum: Float = 0
        for k in 0..<3 { for l in 0..<3 { sum += u[k * 3 + i] * u[k * 3 + l] * h[l * 3 + j] } }
        #expect(abs(sum - (i == j ? 1 : 0)) < 1e-5)
        if i > j { #expect(u[i * 3 + j] == 0) }
      }
    }
    #expect(throws: PruneError.self) {
      try SecondOrder.inverseFactor(try Tensor([1, 2, 2, 1] as [Float], Shape([2, 2])), damping: 0)
    }
  }

  @Test(arguments: ["2:4", "block:2x2"])
  func patternsStayPatterns(granularity: String) throws {
    let model = try layer(32, 16), x = try correlated(400, 32), data = try Dataset.tensors(x, nil)
    func run(_ reconstruct: String?) throws -> Model {
      try prune(
        model,
        options {
          $0.granularity = granularity
          if granularity != "2:4" { $0.amount = 0.5 }
          $0.data = data
          $0.reconstruct = reconstruct
        }
      ).model
    }
    let plain = try error(model, run(nil), x), found = try run("sparsegpt")
    #expect(try error(model, found, x) < plain)
    let values = try Networks.values(found, "w")
    for output in 0..<16 where granularity == "2:4" {
      for first in stride(from: 0, to: 32, by: 4) {
        #expect((first..<first + 4).count { values[$0 * 16 + output] != 0 } == 2)
      }
    }
    #expect(values.count { $0 == 0 } == 256)
  }

  @Test(arguments: [1, 2])
  func convolutionsAreReconstructedThroughTheirPatches(groups: Int) throws {
    let model = try Networks.convolution(channels: 4, outputs: 8, groups: groups, kernel: 3, stride: 2, pad: 1, size: 8)
    var random = RandomSource(seed: 6)
    var values = [Float](repeating: 0, count: 40 * 4 * 64)
    for index in values.indices {
      values[index] = (index % 8 == 0 ? 0 : values[index - 1] * 0.8) + Float(random.normal())
    }
    let x = try Tensor(values, Shape([40, 4, 8, 8])), data = try Dataset.tensors(x, nil)
    let plain = try prune(model, options { $0.amount = 0.6 }).model
    let found = try prune(
      model,
      options {
        $0.amount = 0.6; $0.data = data; $0.reconstruct = "sparsegpt"
      }
    ).model
    #expect(try error(model, found, x) < (groups == 1 ? 0.7 : 0.9) * error(model, plain, x))
  }

  @Test func reconstructedNetworksBeatMaskedOnes() throws {
    // The later layers see what the earlier ones became.
    let model = try Networks.mlp([32, 16]), x = try Dataset.digits().take(300).x, data = try Dataset.tensors(x, nil)
    let plain = try prune(
      model,
      options {
        $0.amount = 0.7; $0.strategy = "local"
      }
    ).model
    let found = try prune(
      model,
      options {
        $0.amount = 0.7; $0.strategy = "local"; $0.data = data; $0.reconstruct = "sparsegpt"
      }
    ).model
    #expect(try error(model, found, x) < 0.7 * error(model, plain, x))
    #expect(found.maskedParameters.count == 3)
  }
}
