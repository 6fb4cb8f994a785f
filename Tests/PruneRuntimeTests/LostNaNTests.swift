import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// NaN and infinity come out of fast kernels where they come out of the reference kernels, wherever they come from.
@Suite struct LostNaNTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What makes the numbers; nil for the operator alone.
    var layer: String?
    var operation: String
    var attributes: [Attribute] = []
  }

  static let cases: [Case] =
    [
      "Relu", "LeakyRelu", "Elu", "Celu", "Selu", "Sigmoid", "Tanh", "Softplus", "HardSwish", "HardSigmoid", "Mish",
      "Gelu", "Softsign",
    ].map {
      Case(testDescription: $0, operation: $0)
    }
    + ["ReduceMax", "ReduceMin"].map {
      Case(testDescription: $0, operation: $0, attributes: [Attribute("axes", .ints([-1]))])
    }
    + [
      Case(testDescription: "Clip", operation: "Clip"),
      Case(testDescription: "MaxPool", operation: "MaxPool", attributes: [Attribute("kernel_shape", .ints([2, 2]))]),
      Case(testDescription: "GlobalMaxPool", operation: "GlobalMaxPool"),
    ] + fused

  static let fused = [
    "Conv 1", "Conv 3", "Conv 7", "Conv depthwise", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization",
  ].flatMap { (layer: String) in
    ["Relu", "Clip", "LeakyRelu", "Elu", "HardSwish"].map {
      Case(testDescription: "\(layer) and \($0)", layer: layer, operation: $0)
    }
  }

  private func isFlat(_ test: Case) -> Bool { ["Gemm", "MatMul"].contains(test.layer) }
  private func dims(_ test: Case) -> [Int] { isFlat(test) ? [3, 24] : [2, 16, 12, 12] }

  /// The layer of 16 inputs (or 24), and the operator behind it.
  private func model(_ test: Case, _ x: Tensor, poisoned: Float? = nil) throws -> Model {
    var random = RandomSource(seed: 9)
    var nodes: [Node] = []
    var constants: [(String, Tensor)] = []
    var value = "x"
    func constant(_ name: String, _ dims: [Int]) throws -> String {
      var numbers = try random.tensor(dims).array(of: Float.self).map { abs($0) + 0.1 }
      if name == "w", let poisoned { numbers[0] = poisoned }
      constants.append((name, try Tensor(numbers, try Shape(dims))))
      return name
    }
    if let layer = test.layer {
      var attributes: [Attribute] = []
      let inputs: [String]
      switch layer.split(separator: " ").first {
      case "Conv":
        let size = layer.last?.wholeNumberValue ?? 3
        let groups = layer.hasSuffix("depthwise") ? 16 : 1
        attributes = [Attribute("group", .int(Int64(groups)))]
        inputs = [value, try constant("w", [16, 16 / groups, size, size])]
      case "ConvTranspose": inputs = [value, try constant("w", [16, 16, 2, 2])]
      case "BatchNormalization": inputs = [value] + (try ["w", "b", "m", "v"].map { try constant($0, [16]) })
      default: inputs = [value, try constant("w", [24, 20])]
      }
      nodes.append(Node(String(layer.split(separator: " ")[0]), inputs: inputs, outputs: ["z"], attributes: attributes))
      value = "z"
    }
    var inputs = [value]
    if test.operation == "Clip" {
      constants.append(("low", try Tensor(scalar: Float(-1))))
      constants.append(("high", try Tensor(scalar: Float(6))))
      inputs += ["low", "high"]
    }
    nodes.append(Node(test.operation, inputs: inputs, outputs: ["y"], attributes: test.attributes))
    return makeModel(nodes, inputs: [("x", x)], constants: constants)
  }

  private func kinds(_ tensor: Tensor?) throws -> [String] {
    try #require(tensor).array(of: Float.self).map {
      $0.isNaN ? "NaN" : $0 == .infinity ? "+" : $0 == -.infinity ? "-" : "finite"
    }
  }

  @Test(arguments: cases, [Float.nan, .infinity])
  func inAnInput(test: Case, odd: Float) throws {
    var random = RandomSource(seed: 4)
    let shape = try Shape(dims(test))
    var numbers = try random.tensor(shape.dims).array(of: Float.self)
    numbers[30] = odd
    let x = try Tensor(numbers, shape)
    let model = try model(test, x)
    let program = try Program(model)
    let found = try kinds(program.run(["x": x])["y"]),
      wanted = try kinds(Program(model, .init(optimizes: false)).run(["x": x])["y"])
    #expect(found == wanted)
    if odd.isNaN { #expect(found.contains("NaN")) }
    // And the next run without is that of the faster program.
    numbers[30] = 1
    let alarms = program.alarms
    #expect(try !kinds(program.run(["x": try Tensor(numbers, shape)])["y"]).contains("NaN"))
    #expect(program.alarms == alarms)
  }

  @Test(arguments: fused)
  func inAWeight(test: Case) throws {
    var random = RandomSource(seed: 6)
    let x = try random.tensor(dims(test))
    let model = try model(test, x, poisoned: .nan)
    let program = try Program(model)
    let wanted = try kinds(Program(model, .init(optimizes: false)).run(["x": x])["y"])
    // However often it runs: after a few alarms a program looks more closely.
    for _ in 0..<6 { #expect(try kinds(program.run(["x": x])["y"]) == wanted) }
    #expect(wanted.contains("NaN"))
  }

  /// Finite inputs and finite weights: what is infinite is made on the way, in both directions, and summed up.
  @Test(
    arguments: fused.filter {
      ["Conv 1", "Conv 3", "Conv 7", "Gemm", "MatMul"].contains($0.layer) && ["Relu", "Clip"].contains($0.operation)
    })
  func madeInside(test: Case) throws {
    let shape = try Shape(dims(test)), inner = isFlat(test) ? 1 : 144
    let x = try Tensor((0..<shape.count).map { Float($0 / inner % 2 == 0 ? 1e20 : -1e20) }, shape)
    var model = try model(test, x)
    model.graph.setInitializer("large", try Tensor(scalar: Float(1e30)))
    model.graph.nodes[0].inputs[0] = "p"
    model.graph.nodes.insert(Node("Mul", inputs: ["x", "large"], outputs: ["p"]), at: 0)
    let program = try Program(model)
    for _ in 0..<2 { #expect(try kinds(program.run(["x": x])["y"]).allSatisfy { $0 == "NaN" }) }
  }

  /// What happens in the body of a loop neither hides in it nor hides what came before.
  @Test(arguments: [false, true])
  func inAndAroundALoop(inside: Bool) throws {
    var random = RandomSource(seed: 2)
    let dims = [1, 16, 8, 8], names: [Dim] = dims.map(Dim.fixed)
    let good = try random.tensor([16, 16, 1, 1])
    var numbers = try good.array(of: Float.self)
    numbers[0] = .nan
    let bad = try Tensor(numbers, good.shape)
    func layer(_ input: String, _ isBad: Bool, _ output: String) -> [Node] {
      [
        Node("Conv", inputs: [input, isBad ? "bad" : "good"], outputs: [output + "z"]),
        Node("Relu", inputs: [output + "z"], outputs: [output]),
      ]
    }
    var body = Graph(name: "body")
    body.inputs = [
      ValueInfo(name: "i", type: TensorType(.int64, [])), ValueInfo(name: "on", type: TensorType(.bool, [])),
      ValueInfo(name: "v", type: TensorType(.float32, names)),
    ]
    body.nodes = [Node("Identity", inputs: ["on"], outputs: ["still"])] + layer("v", inside, "next")
    body.outputs = [
      ValueInfo(name: "still", type: TensorType(.bool, [])), ValueInfo(name: "next", type: TensorType(.float32, names)),
    ]
    let loop = Node(
      "Loop", inputs: ["count", "", "first"], outputs: ["y"], attributes: [Attribute("body", .graph(body))])
    let x = try random.tensor(dims)
    let whole = makeModel(
      layer("x", !inside, "first") + [loop], inputs: [("x", x)],
      constants: [("good", good), ("bad", bad), ("count", try Tensor(scalar: Int64(2)))])
    let program = try Program(whole)
    for _ in 0..<2 { #expect(try kinds(program.run(["x": x])["y"]).contains("NaN")) }
  }

  /// Ordinary numbers raise no alarm, which would cost a second run.
  @Test func ordinaryRunsAreDoneOnce() throws {
    var random = RandomSource(seed: 12)
    for test in Self.fused {
      let x = try random.tensor(dims(test))
      let program = try Program(model(test, x))
      for _ in 0..<3 { _ = try program.run(["x": x]) }
      #expect(program.alarms == 0, "\(test.testDescription)")
    }
  }
}
