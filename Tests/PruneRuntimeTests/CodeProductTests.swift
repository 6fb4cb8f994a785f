import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Products with weights that stay codes while the model runs.
@Suite struct CodeProductTests {
  /// What dynamic quantization writes for a product.
  private func dynamic(_ weight: Tensor, scales: Int, bias: Bool, _ x: Tensor) throws -> Model {
    var random = RandomSource(seed: 5)
    let n = weight.shape[1]
    var constants = [
      ("w", weight),
      (
        "ws",
        try Tensor(
          (0..<scales).map { _ in Float(random.uniform() * 0.01 + 0.001) }, scales == 1 ? .scalar : Shape([scales]))
      ),
    ]
    if bias { constants.append(("b", try random.tensor([n]))) }
    var nodes = [
      Node("DynamicQuantizeLinear", name: "q", inputs: ["x"], outputs: ["codes", "step", "zero"]),
      Node("MatMulInteger", name: "product", inputs: ["codes", "w", "zero"], outputs: ["sums"]),
      Node("Cast", name: "cast", inputs: ["sums"], outputs: ["floats"], attributes: [Attribute("to", .int(1))]),
      Node("Mul", name: "both", inputs: ["step", "ws"], outputs: ["factor"]),
      Node("Mul", name: "scaled", inputs: ["floats", "factor"], outputs: ["y"]),
    ]
    if bias { nodes.append(Node("Add", name: "biased", inputs: ["b", "y"], outputs: ["z"])) }
    return makeModel(nodes, inputs: [("x", x)], constants: constants)
  }

  private func int8(_ dims: [Int]) throws -> Tensor {
    var random = RandomSource(seed: 9)
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Int8(truncatingIfNeeded: Int(random.next() % 255) - 127) }, shape)
  }

  @Test(arguments: [[1, 1, 1], [1, 17, 31], [7, 33, 19], [64, 96, 48], [13, 16, 7]], [false, true])
  func dynamicProductsAreOneStepAndExact(sizes: [Int], perChannel: Bool) throws {
    var random = RandomSource(seed: 3)
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    let x = try random.tensor([m, k])
    for bias in [false, true] {
      let model = try dynamic(try int8([k, n]), scales: perChannel ? n : 1, bias: bias, x)
      try expectSame(model, [("x", x)], tolerance: 1e-6)
      #expect(try Program(model).stepLabels.count == 1)
    }
  }

  @Test(arguments: [[Float](repeating: 0, count: 8), [1, 2, 3, 4, 5, 6, 7, 8], [-1, -2, -3, -4, -5, -6, -7, -1e30]])
  func rangesOfOneSideHaveTheCodesOfTheStandard(values: [Float]) throws {
    let x = try Tensor(values, Shape([1, 8]))
    try expectSame(try dynamic(try int8([8, 5]), scales: 5, bias: true, x), [("x", x)], tolerance: 1e-6)
  }

  @Test func whatIsNoNumberStaysNone() throws {
    let x = try Tensor([1, .nan, 2, 3] as [Float], Shape([1, 4]))
    let y = try #require(try Program(try dynamic(try int8([4, 3]), scales: 3, bias: false, x)).run(["x": x])["y"])
    #expect(try y.array(of: Float.self).allSatisfy(\.isNaN))
  }

  @Test func valuesThatSomebodyWantsAreThere() throws {
    var random = RandomSource(seed: 3)
    let x = try random.tensor([2, 8])
    var model = try dynamic(try int8([8, 5]), scales: 5, bias: false, x)
    model.graph.outputs.append(ValueInfo(name: "sums", type: nil))
    let found = try Program(model).run(["x": x])
    #expect(found["sums"]?.dtype == .int32 && found["y"] != nil)
  }

  @Test(arguments: [[1, 24, 64], [1, 17, 40], [3, 9, 100], [4, 5, 32], [5, 7, 48]], [4, 8])
  func blocksOfFewRowsAreComputedFromTheirCodes(sizes: [Int], bits: Int) throws {
    var random = RandomSource(seed: 3)
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    for (size, zeros, bias) in [(16, false, false), (32, true, true), (32, false, true)] {
      let blocks = (k + size - 1) / size
      func bytes(_ count: Int) throws -> Tensor {
        try Tensor((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
      }
      var constants = [
        ("codes", try bytes(n * blocks * size * bits / 8).reshaped(Shape([n, blocks, size * bits / 8]))),
        ("scales", try Tensor((0..<n * blocks).map { _ in Float(random.uniform() + 0.1) })),
      ]
      if zeros { constants.append(("zeros", try bytes(n * ((blocks * bits + 7) / 8)))) }
      if bias { constants.append(("bias", try random.tensor([n]))) }
      let x = try random.tensor([1, m, k])
      let node = Node(
        "MatMulNBits", domain: "com.microsoft", name: "product",
        inputs: ["x", "codes", "scales", zeros ? "zeros" : "", "", bias ? "bias" : ""], outputs: ["y"],
        attributes: [("K", k), ("N", n), ("bits", bits), ("block_size", size)].map {
          Attribute($0.0, .int(Int64($0.1)))
        })
      let model = makeModel([node], inputs: [("x", x)], constants: constants)
      try expectSame(model, [("x", x)])
      #expect(try Program(model).stepLabels.contains { $0.contains("MatMulNBits") } == (m <= 4))
    }
  }

  @Test(arguments: ["forward", "bidirectional"], [false, true])
  func recurrentWeightsOfCodesAreRead(direction: String, perGate: Bool) throws {
    var random = RandomSource(seed: 3)
    let directions = direction == "forward" ? 1 : 2, (width, hidden) = (6, 5)
    let (w, r) = (try int8([directions, width, 4 * hidden]), try int8([directions, hidden, 4 * hidden]))
    let count = perGate ? directions * 4 * hidden : directions
    let shape = try Shape(perGate ? [directions, 4 * hidden] : [directions])
    func scales() throws -> Tensor {
      try Tensor((0..<count).map { _ in Float(random.uniform() * 0.01 + 0.001) }, shape)
    }
    let (ws, rs) = (try scales(), try scales()), zero = try Tensor(zeros: .int8, shape)
    let x = try random.tensor([4, 2, width]), bias = try random.tensor([directions, 8 * hidden])
    let attributes = [
      Attribute("hidden_size", .int(Int64(hidden))), Attribute("direction", .string(Array(direction.utf8))),
    ]
    let coded = makeModel(
      [
        Node(
          "DynamicQuantizeLSTM", domain: "com.microsoft", name: "lstm",
          inputs: ["x", "w", "r", "b", "", "", "", "", "ws", "z", "rs", "z"], outputs: ["y", "h", "c"],
          attributes: attributes)
      ],
      inputs: [("x", x)], constants: [("w", w), ("r", r), ("b", bias), ("ws", ws), ("rs", rs), ("z", zero)])
    func float(_ codes: Tensor, _ steps: Tensor) throws -> Tensor {
      let (values, scales) = (try codes.array(of: Int8.self), try steps.array(of: Float.self)), inputs = codes.shape[1],
        gates = 4 * hidden
      var result = [Float](repeating: 0, count: values.count)
      for (place, value) in values.enumerated() {
        let (d, i, g) = (place / (inputs * gates), place / gates % inputs, place % gates)
        result[(d * gates + g) * inputs + i] = Float(value) * scales[perGate ? d * gates + g : d]
      }
      return try Tensor(result, Shape([directions, gates, inputs]))
    }
    let plain = makeModel(
      [Node("LSTM", name: "lstm", inputs: ["x", "w", "r", "b"], outputs: ["y", "h", "c"], attributes: attributes)],
      inputs: [("x", x)], constants: [("w", try float(w, ws)), ("r", try float(r, rs)), ("b", bias)])
    let (a, b) = (try Program(coded).run(["x": x]), try Program(plain).run(["x": x]))
    for name in ["y", "h", "c"] { #expect(try relativeNorm(try #require(a[name]), try #require(b[name])) < 1e-6) }
  }
}
