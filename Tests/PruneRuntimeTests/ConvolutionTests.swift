import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Convolutions, pools and their gradients on oneDNN against the reference kernels, over random shapes.
struct ConvolutionTests {
  /// A random window: attributes, and the extents of the input and result along each spatial axis.
  struct Window {
    var attributes: [Attribute] = []
    var kernel: [Int] = []
    var input: [Int] = []
    var output: [Int] = []

    init(_ random: inout RandomSource, rank: Int, dilates: Bool, padLimit: Int) {
      var (strides, dilations, before, after) = ([Int](), [Int](), [Int](), [Int]())
      for _ in 0..<rank {
        let k = random.pick(1...3)
        let d = dilates ? random.pick([1, 1, 2]) : 1
        let s = random.pick(1...2)
        let (p, q) = (random.pick(0...min(padLimit, k - 1)), random.pick(0...min(padLimit, k - 1)))
        let extent = (k - 1) * d + 1
        let size = extent + random.pick(0...7)
        kernel.append(k)
        strides.append(s)
        dilations.append(d)
        before.append(p)
        after.append(q)
        input.append(size)
        output.append((size + p + q - extent) / s + 1)
      }
      attributes = [
        Attribute("strides", .integers(strides)), Attribute("dilations", .integers(dilations)),
        Attribute("pads", .integers(before + after)),
      ]
    }
  }

  private func convolution(_ seed: Int) -> (
    random: RandomSource, rank: Int, batch: Int, group: Int, i: Int, o: Int, window: Window
  ) {
    var random = RandomSource(seed: UInt64(seed) &+ 17)
    let rank = random.pick([1, 2, 2, 2, 2, 3])
    let window = Window(&random, rank: rank, dilates: true, padLimit: 2)
    let isDepthwise = seed % 4 == 0
    let group = isDepthwise ? random.pick([3, 8, 16, 20, 33]) : random.pick([1, 1, 1, 2, 4])
    let i = isDepthwise ? 1 : random.pick([1, 2, 3, 5, 8, 16, 20])
    let o = isDepthwise ? random.pick([1, 2]) : random.pick([1, 2, 7, 8, 16, 25])
    return (random, rank, random.pick([1, 2, 5]), group, i * group, o * group, window)
  }

  @Test(arguments: 0..<60)
  func conv(seed: Int) throws {
    var (random, _, batch, group, i, o, window) = convolution(seed)
    let x = try random.tensor([batch, i] + window.input)
    let w = try random.tensor([o, i / group] + window.kernel)
    let attributes = window.attributes + [Attribute("group", .int(Int64(group)))]
    var inputs = ["x", "w"]
    var constants = [("w", w)]
    if random.pick([true, false]) {
      inputs.append("b")
      constants.append(("b", try random.tensor([o])))
    }
    var nodes = [Node("Conv", inputs: inputs, outputs: ["c"], attributes: attributes)]
    var fed = [("x", x)]
    var last = "c"
    if seed % 3 == 1 {
      fed.append(("r", try random.tensor([batch, o] + window.output)))
      nodes.append(Node("Add", inputs: [last, "r"], outputs: ["s"]))
      last = "s"
    }
    if seed % 2 == 1 {
      let kind = random.pick(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSwish"])
      nodes.append(Node(kind, inputs: [last], outputs: ["y"]))
      last = "y"
    }
    let asked = seed % 5 == 0 && last != "c" ? [last, "c"] : [last]
    try expectSame(makeModel(nodes, inputs: fed, constants: constants, outputs: asked), fed, tolerance: 2e-5)
  }

  /// A function, then a sum, then another function.
  @Test(arguments: 0..<60)
  func convWithActivationBeforeSum(seed: Int) throws {
    var (random, _, batch, group, i, o, window) = convolution(seed)
    let fed = [
      ("x", try random.tensor([batch, i] + window.input)), ("r", try random.tensor([batch, o] + window.output)),
    ]
    let constants = [("w", try random.tensor([o, i / group] + window.kernel)), ("b", try random.tensor([o]))]
    let nodes = [
      Node(
        "Conv", inputs: seed % 2 == 0 ? ["x", "w"] : ["x", "w", "b"], outputs: ["c"],
        attributes: window.attributes + [Attribute("group", .int(Int64(group)))]),
      Node(random.pick(["Relu", "Sigmoid", "LeakyRelu", "HardSwish", "Clip"]), inputs: ["c"], outputs: ["a"]),
      Node("Add", inputs: random.pick([["a", "r"], ["r", "a"]]), outputs: ["s"]),
      Node(random.pick(["Relu", "Sigmoid", "LeakyRelu", "HardSwish"]), inputs: ["s"], outputs: ["y"]),
    ]
    try expectSame(makeModel(nodes, inputs: fed, constants: constants), fed, tolerance: 2e-5)
  }

  @Test(arguments: ["Gemm", "ConvTranspose"]) func otherActivationsTwice(_ kind: String) throws {
    var random = RandomSource(seed: 6)
    let isGemm = kind == "Gemm"
    let x = try random.tensor(isGemm ? [7, 40] : [2, 16, 5, 5]),
      r = try random.tensor(isGemm ? [7, 24] : [2, 24, 7, 7])
    let w = try random.tensor(isGemm ? [40, 24] : [16, 24, 3, 3])
    let nodes = [
      Node(kind, inputs: ["x", "w"], outputs: ["c"]), Node("Relu", inputs: ["c"], outputs: ["a"]),
      Node("Add", inputs: ["a", "r"], outputs: ["s"]),
      Node("LeakyRelu", inputs: ["s"], outputs: ["y"]),
    ]
    try expectSame(
      makeModel(nodes, inputs: [("x", x), ("r", r)], constants: [("w", w)]), [("x", x), ("r", r)], tolerance: 2e-5)
  }

  @Test(arguments: 0..<24)
  func convWithBatchNorm(seed: Int) throws {
    var (random, _, batch, group, i, o, window) = convolution(seed)
    let x = try random.tensor([batch, i] + window.input)
    let variance = try Tensor((0..<o).map { _ in Float(random.uniform() + 0.1) })
    let constants = [
      ("w", try random.tensor([o, i / group] + window.kernel)), ("s", try random.tensor([o])),
      ("b", try random.tensor([o])), ("m", try random.tensor([o])), ("v", variance),
    ]
    let nodes = [
      Node(
        "Conv", inputs: ["x", "w"], outputs: ["c"],
        attributes: window.attributes + [Attribute("group", .int(Int64(group)))]),
      Node("BatchNormalization", inputs: ["c", "s", "b", "m", "v"], outputs: ["n"]),
      Node("Relu", inputs: ["n"], outputs: ["y"]),
    ]
    // Asked for, the convolution's own result must not be folded away.
    let model = makeModel(nodes, inputs: [("x", x)], constants: constants, outputs: seed % 3 == 0 ? ["y", "c"] : ["y"])
    try expectSame(model, [("x", x)], tolerance: 2e-5)
  }

  /// A normalization that no convolution takes, as a dense block has it: of the join of earlier results.
  @Test(arguments: 0..<8)
  func batchNormOfConcat(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 3)
    let (i, o) = (random.pick([16, 20]), random.pick([16, 12]))
    let x = try random.tensor([random.pick([1, 2]), i, 9, 7])
    let variance = try Tensor((0..<i + o).map { _ in Float(random.uniform() + 0.1) })
    let constants = [
      ("w", try random.tensor([o, i, 3, 3])), ("s", try random.tensor([i + o])), ("b", try random.tensor([i + o])),
      ("m", try random.tensor([i + o])), ("v", variance), ("w2", try random.tensor([8, i + o, 1, 1])),
    ]
    let nodes = [
      Node("Conv", inputs: ["x", "w"], outputs: ["c"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]),
      Node("Concat", inputs: ["x", "c"], outputs: ["j"], attributes: [Attribute("axis", .int(1))]),
      Node("BatchNormalization", inputs: ["j", "s", "b", "m", "v"], outputs: ["n"]),
      Node("Relu", inputs: ["n"], outputs: ["r"]), Node("Conv", inputs: ["r", "w2"], outputs: ["y"]),
    ]
    let model = makeModel(nodes, inputs: [("x", x)], constants: constants, outputs: seed % 3 == 0 ? ["y", "n"] : ["y"])
    let program = try Program(model)
    #expect(program.stepLabels.contains { $0.hasPrefix("Relu") } == (seed % 3 == 0), "\(program.stepLabels)")
    try expectSame(model, [("x", x)], tolerance: 2e-5)
  }

  /// Joins that begin with the same parts share memory: none may write over what another still reads.
  @Test(arguments: [1, 2], [16, 20])
  func denseBlock(batch: Int, growth: Int) throws {
    var random = RandomSource(seed: 12)
    let x = try random.tensor([batch, 32, 8, 8])
    var constants: [(String, Tensor)] = []
    var nodes = [
      Node("Conv", inputs: ["x", "w0"], outputs: ["f0"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))])
    ]
    constants.append(("w0", try random.tensor([32, 32, 3, 3])))
    var parts = ["f0"]
    var channels = 32
    for layer in 1...4 {
      constants.append(("w\(layer)", try random.tensor([growth, channels, 3, 3])))
      let joined = layer == 1 ? "f0" : "j\(layer)"
      if layer > 1 {
        nodes.append(Node("Concat", inputs: parts, outputs: [joined], attributes: [Attribute("axis", .int(1))]))
      }
      // The sigmoid would run in place, were the join not part of the next one.
      nodes.append(Node("Sigmoid", inputs: [joined], outputs: ["s\(layer)"]))
      nodes.append(
        Node(
          "Conv", inputs: ["s\(layer)", "w\(layer)"], outputs: ["f\(layer)"],
          attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]))
      parts.append("f\(layer)")
      channels += growth
    }
    nodes.append(Node("Concat", inputs: parts, outputs: ["y"], attributes: [Attribute("axis", .int(1))]))
    try expectSame(makeModel(nodes, inputs: [("x", x)], constants: constants), [("x", x)], tolerance: 2e-5)
  }

  @Test(arguments: 0..<32)
  func convTranspose(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 41)
    let rank = random.pick([1, 2, 2, 2, 3])
    let group = random.pick([1, 1, 2, 8])
    let (i, o) = (group * random.pick([1, 3, 8]), group * random.pick([1, 2, 16]))
    let x = try random.tensor([random.pick([1, 2]), i] + (0..<rank).map { _ in random.pick(2...6) })
    let kernel = (0..<rank).map { _ in random.pick(2...4) }
    let strides = (0..<rank).map { _ in random.pick(1...2) }
    let constants = [("w", try random.tensor([i, o / group] + kernel)), ("b", try random.tensor([o]))]
    let attributes = [
      Attribute("group", .int(Int64(group))), Attribute("strides", .integers(strides)),
      Attribute("pads", .integers((0..<2 * rank).map { _ in random.pick(0...1) })),
      Attribute("dilations", .integers((0..<rank).map { _ in random.pick([1, 1, 2]) })),
    ]
    let nodes = [
      Node(
        "ConvTranspose", inputs: seed % 2 == 0 ? ["x", "w", "b"] : ["x", "w"], outputs: ["c"], attributes: attributes),
      Node(random.pick(["Relu", "Sigmoid", "LeakyRelu"]), inputs: ["c"], outputs: ["y"]),
    ]
    try expectSame(makeModel(nodes, inputs: [("x", x)], constants: constants), [("x", x)], tolerance: 2e-5)
  }

  /// As many channels as larger networks have, behind and before others, with a step of two and of one.
  @Test(arguments: [(64, 80), (96, 64), (256, 128), (64, 64)], [1, 2]) func wideConvolutions(
    _ channels: (i: Int, o: Int), step: Int
  ) throws {
    var random = RandomSource(seed: UInt64(channels.i + step))
    for (batch, side) in [(1, 7), (1, 14), (3, 9)] {
      let x = try random.tensor([batch, channels.i, side, side]),
        r = try random.tensor([batch, channels.o, side, side])
      let u = try random.tensor([channels.i, channels.i, 1, 1]), w = try random.tensor([channels.o, channels.i, 3, 3])
      let nodes = [
        Node("Conv", inputs: ["x", "u"], outputs: ["a"]),
        Node(
          "Conv", inputs: ["a", "w"], outputs: ["c"],
          attributes: [Attribute("pads", .integers([1, 1, 1, 1])), Attribute("strides", .integers([step, step]))]),
        step == 1 ? Node("Add", inputs: ["c", "r"], outputs: ["s"]) : Node("Sigmoid", inputs: ["c"], outputs: ["s"]),
        Node("Relu", inputs: ["s"], outputs: ["y"]),
      ]
      let fed = step == 1 ? [("x", x), ("r", r)] : [("x", x)]
      try expectSame(makeModel(nodes, inputs: fed, constants: [("u", u), ("w", w)]), fed, tolerance: 2e-5)
    }
  }

  /// Windows side by side, as where images are doubled: channels that fill blocks and channels that do not.
  @Test(arguments: [(3, 5), (16, 8), (32, 16), (20, 48), (64, 33)], [(2, 2), (3, 3), (2, 4)])
  func convTransposedSideBySide(_ channels: (inputs: Int, outputs: Int), _ window: (rows: Int, columns: Int)) throws {
    var random = RandomSource(seed: UInt64(channels.inputs + window.columns))
    let x = try random.tensor([2, channels.inputs, 5, 6]), b = try random.tensor([channels.outputs])
    let w = try random.tensor([channels.inputs, channels.outputs, window.rows, window.columns])
    for hasBias in [true, false] {
      let attributes = [Attribute("strides", .integers([window.rows, window.columns]))]
      let nodes = [
        Node("ConvTranspose", inputs: hasBias ? ["x", "w", "b"] : ["x", "w"], outputs: ["c"], attributes: attributes),
        Node("Relu", inputs: ["c"], outputs: ["y"]),
      ]
      try expectSame(
        makeModel(nodes, inputs: [("x", x)], constants: [("w", w), ("b", b)], outputs: ["y"]), [("x", x)],
        tolerance: 2e-5)
    }
  }

  @Test(arguments: [2, 3], ["DCR", "CRD"]) func depthAndSpace(block: Int, mode: String) throws {
    var random = RandomSource(seed: UInt64(block))
    let x = try random.tensor([2, 7 * block * block, 3 * block, 4 * block]),
      size = Attribute("blocksize", .int(Int64(block)))
    let wide = Node("DepthToSpace", inputs: ["x"], outputs: ["y"], attributes: [size, Attribute("mode", .text(mode))])
    try expectSame(makeModel([wide], inputs: [("x", x)]), [("x", x)], tolerance: 0)
    try expectSame(
      makeModel([Node("SpaceToDepth", inputs: ["x"], outputs: ["y"], attributes: [size])], inputs: [("x", x)]),
      [("x", x)], tolerance: 0)
    let codes = try x.cast(to: .int8)
    try expectSame(makeModel([wide], inputs: [("x", codes)]), [("x", codes)])
  }

  @Test(arguments: 0..<40)
  func convGradients(seed: Int) throws {
    var (random, _, batch, group, i, o, window) = convolution(seed)
    let x = try random.tensor([batch, i] + window.input)
    let w = try random.tensor([o, i / group] + window.kernel)
    let dy = try random.tensor([batch, o] + window.output)
    let attributes = window.attributes + [Attribute("group", .int(Int64(group)))]
    let nodes = [
      Node(
        "ConvGradInput", domain: "ai.libprune", inputs: ["dy", "w"], outputs: ["dx"],
        attributes: attributes + [Attribute("input_shape", .integers(x.shape.dims))]),
      Node(
        "ConvGradWeight", domain: "ai.libprune", inputs: ["dy", "x"], outputs: seed % 2 == 0 ? ["dw", "db"] : ["dw"],
        attributes: attributes + [Attribute("weight_shape", .integers(w.shape.dims))]),
    ]
    let inputs = [("x", x), ("w", w), ("dy", dy)]
    let outputs = seed % 2 == 0 ? ["dx", "dw", "db"] : ["dx", "dw"]
    try expectSame(makeModel(nodes, inputs: inputs, outputs: outputs), inputs, tolerance: 2e-5)
  }

  @Test(arguments: 0..<60)
  func pools(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 99)
    let window = Window(&random, rank: random.pick([1, 2, 2, 3]), dilates: seed % 3 == 0, padLimit: 1)
    let dims = [random.pick([1, 3]), random.pick([1, 3, 16, 20])] + window.input
    let x = try random.tensor(dims)
    let isMax = seed % 2 == 0
    var attributes = window.attributes + [Attribute("kernel_shape", .integers(window.kernel))]
    if !isMax { attributes.removeAll { $0.name == "dilations" } }
    if random.pick([true, false]) { attributes.append(Attribute("ceil_mode", .int(1))) }
    if !isMax, random.pick([true, false]) { attributes.append(Attribute("count_include_pad", .int(1))) }
    let node = Node(isMax ? "MaxPool" : "AveragePool", inputs: ["x"], outputs: ["y"], attributes: attributes)
    try expectSame(makeModel([node], inputs: [("x", x)]), [("x", x)])
    let global = Node(isMax ? "GlobalMaxPool" : "GlobalAveragePool", inputs: ["x"], outputs: ["y"])
    try expectSame(makeModel([global], inputs: [("x", x)]), [("x", x)])
  }

  /// With the forward pool in the graph its record is used, without it the maxima are found again; ties go to the
  /// first.
  @Test(arguments: 0..<40)
  func poolGradients(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 7)
    let window = Window(&random, rank: random.pick([1, 2, 2, 3]), dilates: false, padLimit: 1)
    let (batch, channels) = (random.pick([1, 3]), random.pick([1, 3, 16, 20]))
    let shape = try Shape([batch, channels] + window.input)
    // Few distinct values, so that there are ties.
    let x = try Tensor((0..<shape.count).map { _ in Float(random.pick(0...5)) }, shape)
    let dy = try random.tensor([batch, channels] + window.output)
    let attributes = window.attributes + [Attribute("kernel_shape", .integers(window.kernel))]
    var nodes = [
      Node("MaxPoolGrad", domain: "ai.libprune", inputs: ["dy", "x"], outputs: ["dx"], attributes: attributes),
      Node(
        "AveragePoolGrad", domain: "ai.libprune", inputs: ["dy"], outputs: ["da"],
        attributes: attributes + [
          Attribute("input_shape", .integers(shape.dims)), Attribute("count_include_pad", .int(Int64(seed % 2))),
        ]),
    ]
    var outputs = ["dx", "da"]
    if seed % 3 != 0 {
      nodes.insert(Node("MaxPool", inputs: ["x"], outputs: ["y"], attributes: attributes), at: 0)
      outputs.append("y")
    }
    let inputs = [("x", x), ("dy", dy)]
    try expectSame(makeModel(nodes, inputs: inputs, outputs: outputs), inputs)
  }
}
