import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// By which kernels steps run, and why those that were asked before did not take them.
@Suite struct KernelChoiceTests {
  private func choices(
    _ node: Node, x: [Int], constants: [(String, [Int])]
  ) throws -> [(label: String, kernel: String, refusals: [String])] {
    var random = RandomSource(seed: 3)
    let x = try random.tensor(x), constants = try constants.map { ($0.0, try random.tensor($0.1)) }
    let program = try Program(makeModel([node], inputs: [("x", x)], constants: constants))
    return program.kernelChoices.filter { $0.kernel != "reorder" }
  }

  @Test func familiesAreAskedInOrder() {
    #expect(FastKernels.families(of: "Conv") == ["winograd", "pixels", "onednn"])
    #expect(FastKernels.families(of: "ai.libprune.ConvGradInput") == ["winograd", "pixels", "onednn"])
    #expect(FastKernels.families(of: "ai.libprune.ConvGradWeight") == ["winograd", "onednn"])
    #expect(FastKernels.families(of: "ConvTranspose") == ["side_by_side", "onednn"])
    #expect(FastKernels.families(of: "Gemm") == ["narrow", "onednn_packed", "product"])
    #expect(FastKernels.families(of: "MatMul") == ["narrow", "onednn_packed", "product"])
  }

  /// What only one family does is not done twice by accident: a second one would never be asked, or be a surprise.
  @Test func otherOperatorsHaveOneFamily() {
    let several = FastKernels.names.filter { FastKernels.families(of: $0).count > 1 }
    #expect(
      several == [
        "Conv", "ConvTranspose", "Gemm", "MatMul", "ai.libprune.ConvGradInput", "ai.libprune.ConvGradWeight",
      ])
  }

  @Test func aRefusalSaysWhy() throws {
    let node = Node("Conv", name: "c", inputs: ["x", "w"], outputs: ["y"])
    let choice = try #require(try choices(node, x: [1, 64, 14, 14], constants: [("w", [64, 64, 1, 1])]).last)
    #expect(choice.kernel == "onednn")
    #expect(choice.refusals.count == 2)
    #expect(choice.refusals.first?.hasPrefix("winograd: ") ?? false)
    #expect(choice.refusals.last == "pixels: onednn takes less time")
  }

  /// A window of 3x3 with whole blocks of channels: by the transform where there are vectors of 16 numbers.
  @Test func threeByThreeGoesToTheFirstThatTakesIt() throws {
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    let node = Node("Conv", name: "c", inputs: ["x", "w"], outputs: ["y"], attributes: pads)
    let choice = try #require(try choices(node, x: [1, 64, 16, 16], constants: [("w", [64, 64, 3, 3])]).last)
    if choice.kernel == "winograd" {
      #expect(choice.refusals.isEmpty)
    } else {
      #expect(choice.refusals.first == "winograd: the processor has no AVX-512")
    }
  }

  @Test func productsSayTheirs() throws {
    let node = Node("MatMul", name: "m", inputs: ["x", "w"], outputs: ["y"])
    let constant = try #require(try choices(node, x: [16, 32], constants: [("w", [32, 48])]).last)
    #expect(constant.kernel == "onednn_packed")
    let twice = Node("MatMul", name: "m", inputs: ["x", "x"], outputs: ["y"])
    let fed = try #require(try choices(twice, x: [32, 32], constants: []).last)
    #expect(fed.kernel == "product")
    #expect(fed.refusals.contains("onednn_packed: the second matrix is no constant"))
  }

  /// What no fast kernel takes runs by reference, and says so.
  @Test func referenceStepsAreNamed() throws {
    let node = Node("Det", name: "d", inputs: ["x"], outputs: ["y"])
    #expect(try choices(node, x: [3, 3], constants: []).map(\.kernel) == ["reference"])
  }
}
