import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Certificates know what rounding is: what is exact passes, however much rounding shows, and what is wrong does not.
@Suite struct CertificateTests {
  /// x [N, 16] -> MatMul a [16, 256] -> Relu -> MatMul b [256, 64] -> MatMul c - MatMul d -> y [N, 64].
  /// - Parameters:
  ///   - apart: how far c and d lie apart. Where that is little, little is left of the digits.
  ///   - isQuantized: whether steps of an eighth, and a MatMul behind them, follow.
  private func network(softmax: Bool = false, apart: Float, isQuantized: Bool = false) throws -> Model {
    let c = try SmallGraph.weight([64, 64], seed: 5), noise = try SmallGraph.weight([64, 64], seed: 6)
    let d = try Tensor(zip(c.array(of: Float.self), noise.array(of: Float.self)).map { $0 + apart * $1 }, c.shape)
    // So large that the steps are some of its values.
    let gain = try Tensor([(softmax ? 200 : 1) / apart] as [Float])
    var nodes = [
      Node("MatMul", name: "first", inputs: ["x", "a"], outputs: ["h"]),
      Node(softmax ? "Softmax" : "Relu", name: "act", inputs: ["h"], outputs: ["r"]),
      Node("MatMul", name: "second", inputs: ["r", "b"], outputs: ["s"]),
      Node("MatMul", name: "left", inputs: ["s", "c"], outputs: ["t1"]),
      Node("MatMul", name: "right", inputs: ["s", "d"], outputs: ["t2"]),
      Node("Sub", name: "apart", inputs: ["t1", "t2"], outputs: ["z"]),
      Node("Mul", name: "gain", inputs: ["z", "gain"], outputs: [isQuantized ? "v" : "y"]),
    ]
    var constants = [("c", c), ("d", d), ("gain", gain)]
    if isQuantized {
      nodes += [
        Node("QuantizeLinear", name: "q", inputs: ["v", "scale", "zero"], outputs: ["q"]),
        Node("DequantizeLinear", name: "dq", inputs: ["q", "scale", "zero"], outputs: ["w"]),
        Node("MatMul", name: "third", inputs: ["w", "e"], outputs: ["y"]),
      ]
      constants += [
        ("scale", try Tensor(scalar: Float(0.125))), ("zero", try Tensor(scalar: Float(0)).cast(to: .int8)),
        ("e", try SmallGraph.weight([64, 8], seed: 9)),
      ]
    }
    return try SmallGraph.model(
      [.named("N"), .fixed(16)], weights: [("a", [16, 256]), ("b", [256, 64])], constants: constants, nodes)
  }

  /// What is wrong: that a softmax lets units go.
  private var lie: [String: CustomRule] {
    [
      "Softmax": CustomRule { question in
        (0..<(question.inputs.first??.count ?? 0)).map { .carry(input: 0, axis: $0, output: 0, outputAxis: $0) }
      }
    ]
  }

  @Test(arguments: [0.25, 0.5], [1, 2, 3] as [UInt64])
  func anExactCutOfANetworkOfFewDigitsPasses(amount: Double, seed: UInt64) throws {
    var options = SmallGraph.channels(amount)
    options.seed = seed
    let report = try prune(try network(apart: 1e-4), options).report
    let certificate = try #require(report["certificate"]?.number)
    // It passes by what rounding was seen to do.
    #expect(certificate > 1e-4 && certificate < 1e-2)
    #expect(try #require(report["certificate_rounding"]?.number) > certificate / 8)
  }

  @Test(arguments: [0.25, 0.5], [1, 2, 3] as [UInt64])
  func anExactCutOfAQuantizedNetworkPasses(amount: Double, seed: UInt64) throws {
    var options = SmallGraph.channels(amount)
    options.seed = seed
    let report = try prune(try network(apart: 1e-4, isQuantized: true), options).report
    #expect(try #require(report["certificate"]?.number) > 1e-4)
    #expect(report["certificate_rounding"]?.number != nil)
  }

  /// Nor does rounding that is large hide it.
  @Test(arguments: [false, true], [0.05, 0.5])
  func aWrongCutIsRefused(isQuantized: Bool, amount: Double) throws {
    for apart in [1, 1e-4] as [Float] {
      let model = try network(softmax: true, apart: apart, isQuantized: isQuantized)
      var options = SmallGraph.channels(amount)
      options.rules = lie
      let error = #expect(throws: PruneError.self) { try prune(model, options) }
      #expect(error?.status == .refused)
      #expect(error?.message.contains("outputs differ by") == true)
    }
  }

  @Test func inputsTooLargeToComputeOnAreNotComputedOn() throws {
    let model = try SmallGraph.model(
      [.fixed(1 << 42), .fixed(16)], weights: [("w", [16, 16])],
      [Node("MatMul", name: "layer", inputs: ["x", "w"], outputs: ["y"])])
    var options = PruneOptions()
    options.amount = 0.5
    let report = try prune(model, options).report
    #expect(report["certificate"] == nil)
    #expect(report["certificate_missing"]?.text?.contains("too large") ?? false)
    #expect(try simplify(model).report["certificate"] == nil)
  }

  @Test func roundingIsAskedForOnlyWhereItMatters() throws {
    let report = try prune(try network(apart: 1), SmallGraph.channels(0.5)).report
    #expect(try #require(report["certificate"]?.number) < 1e-4)
    #expect(report["certificate_rounding"] == nil)
  }
}
