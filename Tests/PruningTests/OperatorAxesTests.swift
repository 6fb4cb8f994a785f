import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Operators whose rules the stored topologies do not show: each between two layers, half of what is between them taken
/// out.
@Suite struct OperatorAxesTests {
  private static func tensor(_ dims: [Int], _ seed: UInt64) throws -> Tensor {
    var random = RandomSource(seed: seed)
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Float(random.normal()) / 2 }, shape)
  }

  private func shrink(_ graph: Graph) throws -> (Model, Report) {
    var model = Model(graph: graph)
    model.opsets = [OpsetImport(domain: "", version: 17), OpsetImport(domain: "com.microsoft", version: 1)]
    var options = PruneOptions()
    options.granularity = "channel"
    options.criterion = "l2"
    options.amount = 0.5
    return try prune(model, options)
  }

  private static func graph(_ input: [Dim], _ tensors: [(String, [Int])], _ nodes: [Node]) throws -> Graph {
    var graph = Graph(name: "operators")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, input))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    for (index, entry) in tensors.enumerated() { graph.setInitializer(entry.0, try tensor(entry.1, UInt64(index))) }
    graph.nodes = nodes
    return graph
  }

  @Test func ellipsesOfEinsumBroadcast() throws {
    let (slim, report) = try shrink(
      try Self.graph(
        [.named("N"), .named("L"), .fixed(6)], [("a", [6, 8]), ("b", [8, 5])],
        [
          Node(
            "Einsum", name: "first", inputs: ["x", "a"], outputs: ["h"],
            attributes: [Attribute("equation", .text("...i, ij -> ...j"))]),
          Node("Relu", name: "relu", inputs: ["h"], outputs: ["r"]),
          Node(
            "Einsum", name: "second", inputs: ["r", "b"], outputs: ["y"],
            attributes: [Attribute("equation", .text("...j,jk->...k"))]),
        ]))
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("a")?.shape.dims == [6, 4])
    #expect(slim.graph.initializer("b")?.shape.dims == [4, 5])
  }

  @Test func fusedProductsShrink() throws {
    let (slim, report) = try shrink(
      try Self.graph(
        [.named("N"), .fixed(6)], [("a", [8, 6]), ("bias", [8]), ("b", [8, 5])],
        [
          Node(
            "FusedGemm", domain: "com.microsoft", name: "first", inputs: ["x", "a", "bias"], outputs: ["h"],
            attributes: [Attribute("transB", .int(1)), Attribute("activation", .text("Relu"))]),
          Node(
            "FusedMatMul", domain: "com.microsoft", name: "second", inputs: ["h", "b"], outputs: ["y"],
            attributes: [Attribute("alpha", .float(0.5))]),
        ]))
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("a")?.shape.dims == [4, 6])
    #expect(slim.graph.initializer("b")?.shape.dims == [4, 5])
  }

  /// A fused convolution adds what the first one gives: their channels go together.
  @Test func whatAFusedConvolutionAddsGoesWithIt() throws {
    let (slim, report) = try shrink(
      try Self.graph(
        [.named("N"), .fixed(3), .fixed(4), .fixed(4)],
        [("a", [8, 3, 1, 1]), ("b", [8, 8, 1, 1]), ("bias", [8]), ("c", [2, 8, 1, 1])],
        [
          Node("Conv", name: "first", inputs: ["x", "a"], outputs: ["h"]),
          Node(
            "FusedConv", domain: "com.microsoft", name: "second", inputs: ["h", "b", "bias", "h"], outputs: ["s"],
            attributes: [Attribute("activation", .text("Relu"))]),
          Node("Conv", name: "third", inputs: ["s", "c"], outputs: ["y"]),
        ]))
    #expect(try #require(report["certificate"]?.number) <= 1e-5)
    #expect(slim.graph.initializer("b")?.shape.dims == [4, 4, 1, 1])
    #expect(slim.graph.initializer("c")?.shape.dims == [2, 4, 1, 1])
  }
}
