import PruneEvaluation
import PruneGraph
import PruneTensor
import Testing

@Suite struct CountingTests {
  @Test(arguments: [0, 1, 7, 1000, 300_001]) func floatsOfEveryWidth(count: Int) throws {
    let values = (0..<count).map { [Float(0), -0.0, 1, .nan, -.infinity, 1e-40][$0 % 6] }
    let expected = values.count { $0 != 0 }
    let tensor = try Tensor(values)
    #expect(tensor.nonzeroCount == expected)
    #expect(try tensor.cast(to: .float64).nonzeroCount == expected)
    let halves = try Tensor((0..<count).map { [UInt16(0), 0x8000, 1, 0x7E00][$0 % 4] })
    let shorts = try Tensor(.float16, Shape([count]), over: halves.bytes)
    #expect(
      shorts.nonzeroCount == (0..<count).count { $0 % 4 > 1 } && halves.nonzeroCount == (0..<count).count { $0 % 4 > 0 }
    )
    #expect(
      try Tensor((0..<count).map { Int8(truncatingIfNeeded: $0 % 3 - 1) }).nonzeroCount
        == (0..<count).count { $0 % 3 != 1 })
    #expect(try Tensor((0..<count).map { Int64($0 % 2) << 40 }).nonzeroCount == count / 2)
  }

  @Test func packedAndMisalignedElements() throws {
    let nibbles = try Tensor(.int4, Shape([3]), over: try Bytes([0x0F, 0xF0]))
    // The fourth is padding.
    #expect(nibbles.nonzeroCount == 1)
    let bytes = try Bytes([0xFF, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x80])
    #expect(try Tensor(.float32, Shape([2]), over: try #require(bytes.slice(1, 9))).nonzeroCount == 1)
    // The negative zero of other formats is the NaN of these.
    let small = try Bytes([0x80, 0])
    #expect(try Tensor(.float8e4m3fnuz, Shape([2]), over: small).nonzeroCount == 1)
    #expect(try Tensor(.float8e4m3fn, Shape([2]), over: small).nonzeroCount == 0)
  }

  @Test func zeroPointsStandForZero() throws {
    let codes = try Tensor([3, 4, 4, 3, 0, 4] as [UInt8], Shape([2, 3]))
    #expect(codes.nonzeroCount(zeroPoint: try Tensor(scalar: UInt8(4)), axis: 0) == 3)
    #expect(codes.nonzeroCount(zeroPoint: try Tensor([3, 4] as [UInt8]), axis: 0) == 4)
    #expect(codes.nonzeroCount(zeroPoint: try Tensor([3, 4, 4] as [UInt8]), axis: -1) == 1)
    #expect(codes.nonzeroCount(zeroPoint: try Tensor([3, 4] as [UInt8]), axis: 1) == nil)
    #expect(codes.nonzeroCount(zeroPoint: try Tensor([3, 4] as [UInt8]), axis: 5) == nil)
  }
}

@Suite struct StatsTests {
  private func weight(_ dims: Int..., zeros: Int = 0) throws -> Tensor {
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { Float($0 < zeros ? 0 : 1) }, shape)
  }

  @Test func convolutionsAndProducts() throws {
    let model = chain(
      [
        Node(
          "Conv", name: "conv", inputs: ["x", "w", "b"], outputs: ["c"],
          attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]),
        Node("Relu", name: "relu", inputs: ["c"], outputs: ["r"]),
        Node("Flatten", name: "flat", inputs: ["r"], outputs: ["f"]),
        Node("Gemm", name: "fc", inputs: ["f", "v", "d"], outputs: ["y"], attributes: [Attribute("transB", .int(1))]),
      ],
      features: [.fixed(3), .fixed(8), .fixed(8)],
      constants: [
        ("w", try weight(16, 3, 3, 3, zeros: 108)), ("b", try weight(16)), ("v", try weight(10, 1024)),
        ("d", try weight(10, zeros: 10)),
      ])
    let stats = try ModelStats.of(model)
    #expect(stats.params == 432 + 16 + 10_240 + 10 && stats.nonzero == stats.params - 118)
    #expect(stats.bytes == stats.params * 4)
    #expect(stats.macs == 16 * 64 * 27 + 10_240)
    #expect(stats.effectiveMacs == 16 * 64 * 27 * 3 / 4 + 10_240)
    #expect(stats.layers.map(\.name) == ["conv", "relu", "flat", "fc"])
    #expect(stats.layers[0].weightNames == ["w", "b"])
    #expect(stats.layers[0].outputType.description == "float32 [N,16,8,8]")
    #expect(abs(stats.layers[0].sparsity - 108.0 / 448) < 1e-12)
    #expect(stats.report.number("layers.1.params") == 10_250)
  }

  @Test func sharedWeightsCountOnceAndPruneBoth() throws {
    let model = chain(
      [
        Node("MatMul", name: "a", inputs: ["x", "w"], outputs: ["h"]),
        Node("Transpose", name: "t", inputs: ["w"], outputs: ["v"]),
        Node("MatMul", name: "b", inputs: ["h", "v"], outputs: ["y"]),
      ], features: [.fixed(4)], constants: [("w", try weight(4, 4, zeros: 8))])
    let stats = try ModelStats.of(model)
    #expect(stats.params == 16 && stats.nonzero == 8 && stats.macs == 32 && stats.effectiveMacs == 16)
    #expect(stats.layers.map(\.params) == [16, 0, 0])
    #expect(stats.layers.map(\.weightNames) == [["w"], [], ["w"]])
  }

  @Test func quantizedWeightsAreOneByteAndKeepTheirZeros() throws {
    let codes = try Tensor([5, 7, 7, 7, 5, 9, 0, 7] as [UInt8], Shape([2, 4]))
    let model = chain(
      [
        Node("DequantizeLinear", inputs: ["q", "s", "z"], outputs: ["w"], attributes: [Attribute("axis", .int(0))]),
        Node("MatMul", name: "fc", inputs: ["x", "w"], outputs: ["y"]),
      ], features: [.fixed(2)],
      constants: [("q", codes), ("s", try Tensor([0.5, 0.5] as [Float])), ("z", try Tensor([5, 7] as [UInt8]))])
    let stats = try ModelStats.of(model)
    #expect(stats.params == 8 && stats.nonzero == 6 && stats.bytes == 8 + 8 + 2)
    #expect(stats.layers[1].effectiveMacs == 6 && stats.layers[1].bytes == 18 && stats.layers[0].isPlumbing)
  }

  @Test func settingsAndShapesAreNotParameters() throws {
    let model = chain(
      [
        Node("Clip", inputs: ["x", "low", "high"], outputs: ["c"]),
        Node("Reshape", inputs: ["c", "shape"], outputs: ["r"]),
        Node("Mul", inputs: ["r", "two"], outputs: ["m"]),
        Node("Add", inputs: ["m", "bias"], outputs: ["y"]),
      ], features: [.fixed(4)],
      constants: [
        ("low", try Tensor(scalar: Float(0))), ("high", try Tensor([6] as [Float])),
        ("shape", try Tensor([-1, 4] as [Int64])),
        ("two", try Tensor(scalar: Float(2))), ("bias", try weight(4)),
      ])
    #expect(try ModelStats.of(model).params == 4)
  }

  @Test func aModelWithoutParametersHasNoSparsity() throws {
    let stats = try ModelStats.of(echo(3))
    #expect(stats.params == 0 && stats.sparsity == 0 && stats.macs == 0)
    #expect(try ModelStats.of(Model(graph: Graph())).layers.isEmpty)
  }

  /// Parameters as the files hold them, MACs by hand: a 3x3 convolution from C to D channels on S pixels is 9·C·D·S.
  @Test(
    .enabled(if: Shared.isPresent, "needs ../shared"),
    arguments: [
      ("resnet_cifar/resnet20_cifar10", 269_034, 40_551_040), ("resnet_cifar/resnet56_cifar10", 850_986, 125_485_696),
      ("mobilenet_v2/mobilenet_v2_imagenet", 3_487_816, 300_774_272),
    ])
  func realNetworks(path: String, params: Int, macs: Int) throws {
    let stats = try ModelStats.of(try Shared.model(path))
    #expect(stats.params == params)
    #expect(stats.macs == macs)
  }

  @Test(
    .enabled(if: Shared.isPresent, "needs ../shared"),
    arguments: [
      "topologies/densenet", "topologies/encoder_separate_qkv", "topologies/gru_bidirectional", "topologies/lstm",
      "topologies/vit_merged_qkv", "topologies/yolo_split_concat_resize", "topologies/two_inputs_two_outputs",
      "topologies/resnet_basic_bn", "silero_vad/silero_vad", "tied/siamese_resnet20_tied",
      "mobilenet_v2/mobilenet_v2_imagenet",
    ], [40, 60, 80, 120])
  func summariesFitTheirWidth(path: String, width: Int) throws {
    let text = try summary(try Shared.model(path), color: false, width: width)
    let widest = text.split(separator: "\n").map { Draw.width(String($0)) }.max() ?? 0
    #expect(widest <= max(width, 60), "\(widest) columns")
    #expect(text.contains("Parameters"))
  }
}
