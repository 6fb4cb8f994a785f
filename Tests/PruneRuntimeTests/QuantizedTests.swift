import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Operations on 8-bit codes against the reference kernels, which dequantize, compute in float and quantize.
///
/// Both round a number to the nearest code; it comes from exact sums of products times float32 factors, which the two
/// multiply in different orders. So a number in the middle between two codes may go to either: no code may differ by
/// more than one, and few may differ at all.
struct QuantizedTests {
  /// Makes graphs between QuantizeLinear and DequantizeLinear.
  struct Builder {
    var random: RandomSource
    var nodes: [Node] = []
    var inputs: [(String, Tensor)] = []
    var constants: [(String, Tensor)] = []
    var isSigned = false
    private var count = 0

    init(seed: Int) { random = RandomSource(seed: UInt64(seed) &+ 71) }

    mutating func name() -> String {
      count += 1
      return "v\(count)"
    }

    mutating func constant(_ tensor: Tensor) -> String {
      let name = name()
      constants.append((name, tensor))
      return name
    }

    mutating func add(_ type: String, _ sources: [String], _ attributes: [Attribute] = []) -> String {
      let result = name()
      nodes.append(Node(type, inputs: sources, outputs: [result], attributes: attributes))
      return result
    }

    /// Names of a scale and zero point for numbers of about `spread`.
    mutating func scheme(spread: Double) throws -> [String] {
      let scale = Float(spread / 50 * (0.5 + random.uniform()))
      let zero = random.pick([0, 0, 3, -20])
      return [
        constant(try Tensor(scalar: scale)),
        constant(isSigned ? try Tensor(scalar: Int8(zero)) : try Tensor(scalar: UInt8(128 + zero))),
      ]
    }

    mutating func quantize(_ value: String, _ scheme: [String]) -> String { add("QuantizeLinear", [value] + scheme) }
    mutating func dequantize(_ codes: String, _ scheme: [String]) -> String {
      add("DequantizeLinear", [codes] + scheme)
    }
    mutating func pair(_ value: String, spread: Double) throws -> String {
      let scheme = try scheme(spread: spread)
      return dequantize(quantize(value, scheme), scheme)
    }

    /// A fed value as its codes leave it.
    mutating func input(_ dims: [Int]) throws -> String {
      let name = name()
      inputs.append((name, try random.tensor(dims)))
      return try pair(name, spread: 1)
    }

    /// Weights of random codes, a scale a channel or one for all.
    mutating func weight(_ dims: [Int], axis: Int) throws -> (name: String, scales: [Float]) {
      let shape = try Shape(dims)
      let codes = try Tensor((0..<shape.count).map { _ in Int8(random.pick(-127...127)) }, shape)
      let perChannel = random.pick([true, true, false])
      let scales = (0..<(perChannel ? dims[axis] : 1)).map { _ in Float(0.002 * (0.5 + random.uniform())) }
      let scale = constant(perChannel ? try Tensor(scales) : try Tensor(scalar: scales[0]))
      let zero = constant(
        perChannel ? try Tensor([Int8](repeating: 0, count: scales.count)) : try Tensor(scalar: Int8(0)))
      let attributes = perChannel ? [Attribute("axis", .int(Int64(axis)))] : []
      return (add("DequantizeLinear", [constant(codes), scale, zero], attributes), scales)
    }

    mutating func activation(_ value: String) throws -> String {
      switch random.pick(["", "Relu", "Relu", "Clip", "LeakyRelu", "HardSwish"]) {
      case "": value
      case "Clip": add("Clip", [value, constant(try Tensor(scalar: Float(0))), constant(try Tensor(scalar: Float(6)))])
      case let name: add(name, [value])
      }
    }

    func model(_ outputs: [String]) -> Model {
      makeModel(nodes, inputs: inputs, constants: constants, outputs: outputs)
    }
  }

  /// Expects the same codes but for ties.
  private func expectCodes(
    _ model: Model, _ inputs: [(String, Tensor)], uses label: String?, share: Double = 0.001
  ) throws {
    let fed = Dictionary(uniqueKeysWithValues: inputs)
    let program = try Program(model)
    // A machine that cannot multiply bytes dequantizes first.
    if let label, OneDNN.multipliesBytes {
      #expect(program.referenceLabels == [])
      #expect(program.stepLabels.contains { $0.hasPrefix("ai.libprune.Quantized\(label)") }, "\(program.stepLabels)")
    }
    let fast = try program.run(fed)
    let slow = try Program(model, .init(optimizes: false)).run(fed)
    for output in model.graph.outputs {
      let (a, b) = (try #require(fast[output.name]), try #require(slow[output.name]))
      #expect(a.dtype == b.dtype && a.shape == b.shape)
      guard a.dtype != .float32 else {
        #expect(try relativeNorm(a, b) <= 1e-5)
        continue
      }
      let (x, y) = (try codes(a), try codes(b))
      let differing = zip(x, y).count { $0 != $1 }
      #expect(zip(x, y).allSatisfy { abs($0 - $1) <= 1 }, "\(model.graph.nodes.map(\.label))")
      #expect(Double(differing) <= max(2, share * Double(x.count)), "\(differing) of \(x.count)")
      // A layer that saturates everywhere would prove nothing.
      #expect(Set(y).count > 8 || y.count < 32)
    }
  }

  private func codes(_ tensor: Tensor) throws -> [Int] {
    tensor.dtype == .int8
      ? try tensor.array(of: Int8.self).map { Int($0) } : try tensor.array(of: UInt8.self).map { Int($0) }
  }

  @Test(arguments: 0..<60)
  func convolution(seed: Int) throws {
    var builder = Builder(seed: seed)
    builder.isSigned = seed % 5 == 4
    let rank = builder.random.pick([1, 2, 2, 2, 3])
    let window = ConvolutionTests.Window(&builder.random, rank: rank, dilates: true, padLimit: 2)
    let isDepthwise = seed % 4 == 0
    let group = isDepthwise ? builder.random.pick([8, 16, 20, 33]) : builder.random.pick([1, 1, 1, 2])
    let i = isDepthwise ? 1 : builder.random.pick([1, 3, 8, 16, 20])
    let o = group * (isDepthwise ? 1 : builder.random.pick([2, 8, 16, 25]))
    let batch = builder.random.pick([1, 3])
    let x = try builder.input([batch, i * group] + window.input)
    let (weight, scales) = try builder.weight([o, i] + window.kernel, axis: 0)
    var sources = [x, weight]
    if builder.random.pick([true, false]) {
      let sums = try Tensor((0..<o).map { _ in Int32(builder.random.pick(-4000...4000)) })
      let steps = scales.map { $0 * 0.02 }
      sources.append(
        builder.add(
          "DequantizeLinear",
          [
            builder.constant(sums),
            builder.constant(steps.count > 1 ? try Tensor(steps) : try Tensor(scalar: steps[0])),
          ],
          [Attribute("axis", .int(0))]))
    }
    var value = builder.add("Conv", sources, window.attributes + [Attribute("group", .int(Int64(group)))])
    let spread = 0.2 * Double(i * window.kernel.reduce(1, *)).squareRoot()
    if seed % 3 != 0 {
      if builder.random.pick([true, false]) { value = try builder.activation(value) }
      if seed % 3 == 1 { value = try builder.pair(value, spread: spread) }
      let other = try builder.input([batch, o] + window.output)
      value = builder.add("Add", builder.random.pick([[value, other], [other, value]]))
    }
    value = try builder.activation(value)
    let scheme = try builder.scheme(spread: spread)
    let result = builder.quantize(value, scheme)
    // For one of them oneDNN has no kernel: it runs as the float operations it was made of.
    try expectCodes(builder.model([result]), builder.inputs, uses: seed == 49 ? nil : seed % 3 == 2 ? "" : "Conv")
  }

  @Test(arguments: 0..<24)
  func products(seed: Int) throws {
    var builder = Builder(seed: seed)
    builder.isSigned = seed % 3 == 2
    let (m, k, n) = (
      builder.random.pick([1, 4, 33]), builder.random.pick([3, 64, 100]), builder.random.pick([10, 64, 77])
    )
    let isGemm = seed % 2 == 0, isRow = builder.random.pick([true, false])
    let x = try builder.input(isGemm ? [m, k] : [2, m, k])
    let weight = try builder.weight(isGemm && isRow ? [n, k] : [k, n], axis: isGemm && isRow ? 0 : 1).name
    var value: String
    if isGemm {
      let bias = builder.constant(try builder.random.tensor([n]))
      value = builder.add("Gemm", [x, weight, bias], [Attribute("transB", .int(isRow ? 1 : 0))])
    } else {
      value = builder.add("MatMul", [x, weight])
    }
    if seed % 4 < 2 {
      value = try builder.activation(value)
      value = builder.quantize(value, try builder.scheme(spread: 0.15 * Double(k).squareRoot()))
      try expectCodes(builder.model([value]), builder.inputs, uses: isGemm ? "Gemm" : "MatMul")
    } else {
      try expectCodes(builder.model([value]), builder.inputs, uses: isGemm ? "Gemm" : "MatMul")
    }
  }

  /// What lies between layers: pools, sums, normalizations, functions, joins and reshapes.
  @Test(
    arguments: [
      "Add", "AveragePool", "GlobalAveragePool", "BatchNormalization", "Concat", "HardSwish", "Rescale", "MaxPool",
    ], 0..<4)
  func between(kind: String, seed: Int) throws {
    var builder = Builder(seed: seed)
    builder.isSigned = seed == 3
    let channels = builder.random.pick([3, 16, 20])
    let dims = [2, channels, 9, 7]
    let scheme = try builder.scheme(spread: 1)
    builder.inputs.append(("x", try builder.random.tensor(dims)))
    let codes = builder.quantize("x", scheme)
    let x = builder.dequantize(codes, scheme)
    var value: String
    var label = kind
    switch kind {
    case "Add": value = builder.add("Relu", [builder.add("Add", [x, try builder.input(dims)])])
    case "AveragePool":
      value = builder.add(
        kind, [x],
        [
          Attribute("kernel_shape", .integers([3, 2])), Attribute("strides", .integers([2, 1])),
          Attribute("pads", .integers([1, 0, 1, 1])), Attribute("count_include_pad", .int(Int64(seed % 2))),
        ])
    case "BatchNormalization":
      let variance = try Tensor((0..<channels).map { _ in Float(builder.random.uniform() + 0.3) })
      var sources = [x]
      for _ in 0..<3 { sources.append(builder.constant(try builder.random.tensor([channels]))) }
      value = builder.add("Relu", [builder.add(kind, sources + [builder.constant(variance)])])
    case "Concat": value = builder.add(kind, [x, try builder.input(dims), x], [Attribute("axis", .int(1))])
    case "Rescale": value = x
    case "MaxPool":
      value = builder.add(
        kind, [x], [Attribute("kernel_shape", .integers([2, 3])), Attribute("strides", .integers([2, 2]))])
      value = builder.dequantize(builder.quantize(value, scheme), scheme)
      label = "Rescale"
    default: value = builder.add(kind, [x])
    }
    value = builder.quantize(value, try builder.scheme(spread: 2))
    try expectCodes(builder.model([value]), builder.inputs, uses: label)
  }

  /// Codes that are only moved are not computed on: they come out as they went in.
  @Test func moves() throws {
    var builder = Builder(seed: 1)
    builder.inputs.append(("x", try builder.random.tensor([2, 6, 4, 4])))
    let scheme = try builder.scheme(spread: 1)
    var value = builder.quantize("x", scheme)
    for (type, attributes) in [
      ("MaxPool", [Attribute("kernel_shape", .integers([2, 2]))]),
      ("Transpose", [Attribute("perm", .integers([0, 2, 3, 1]))]),
      ("Flatten", []),
    ] {
      value = builder.quantize(builder.add(type, [builder.dequantize(value, scheme)], attributes), scheme)
    }
    let model = builder.model([value])
    let program = try Program(model)
    let count = program.stepLabels.count { $0.hasPrefix("QuantizeLinear") }
    #expect(count == (OneDNN.multipliesBytes ? 1 : 4), "\(program.stepLabels)")
    try expectSame(model, builder.inputs)
  }

  @Test(arguments: 0..<12)
  func integerOperators(seed: Int) throws {
    var builder = Builder(seed: seed)
    builder.isSigned = seed % 3 == 2
    let isConv = seed % 2 == 0
    let dims = isConv ? [2, 8, 9, 9] : [3, 5, 16]
    let source = try builder.scheme(spread: 1), target = try builder.scheme(spread: 2)
    builder.inputs.append(("x", try builder.random.tensor(dims)))
    let x = builder.quantize("x", source)
    // Unsigned weights around 128, as other quantizers write them.
    let shape = try Shape(isConv ? [12, 8, 3, 3] : [16, 12])
    let isUnsigned = seed % 4 < 2
    let codes = (0..<shape.count).map { _ in builder.random.pick(-127...127) }
    let weight =
      isUnsigned ? try Tensor(codes.map { UInt8($0 + 128) }, shape) : try Tensor(codes.map { Int8($0) }, shape)
    let zero = isUnsigned ? try Tensor(scalar: UInt8(128)) : try Tensor(scalar: Int8(0))
    var sources =
      [x] + source + [
        builder.constant(weight), builder.constant(try Tensor(scalar: Float(0.003))), builder.constant(zero),
      ]
    sources += target
    if isConv { sources.append(builder.constant(try Tensor((0..<12).map { Int32($0 * 500 - 3000) }))) }
    let value = builder.add(
      isConv ? "QLinearConv" : "QLinearMatMul", sources, isConv ? [Attribute("pads", .integers([1, 1, 1, 1]))] : [])
    try expectCodes(builder.model([value]), builder.inputs, uses: isConv ? "Conv" : "MatMul")
  }
}
