import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Batches that are run in parts, and those that must not be. Serialized: the number of threads is the process's.
@Suite(.serialized) struct BatchDivisionTests {
  private static let side = 96

  /// 32 channels of a large image, and whatever follows.
  private func model(_ batch: Int, _ rest: [Node], constants: [(String, Tensor)] = [], outputs: [String]? = nil) throws
    -> (Model, Tensor)
  {
    var random = RandomSource(seed: 4)
    let x = try random.tensor([batch, 3, Self.side, Self.side])
    let w = ("w", try random.tensor([64, 3, 3, 3])), v = ("v", try random.tensor([10, 64]))
    let first = Node(
      "Conv", inputs: ["x", "w"], outputs: ["c"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))])
    return (makeModel([first] + rest, inputs: [("x", x)], constants: [w, v] + constants, outputs: outputs), x)
  }

  /// With the first axis of the input open, as exporters leave it.
  private func opened(_ model: Model) -> Model {
    var model = model
    model.graph.inputs[0].type = TensorType(.float32, [.named("N"), .fixed(3), .fixed(Self.side), .fixed(Self.side)])
    return model
  }

  private func expectSame(_ model: Model, _ x: Tensor, isDivided: Bool) throws {
    let open = opened(model), batch = x.shape.dims[0]
    let program = try Program(open, .init(inputShapes: ["x": x.shape]))
    let fast = try program.run(["x": x]), slow = try Program(model, .init(optimizes: false)).run(["x": x])
    for (name, expected) in slow {
      let got = try #require(fast[name])
      #expect(got.shape == expected.shape)
      let distance = try relativeNorm(got, expected)
      #expect(distance < 1e-4, "\(name) differs by \(distance)")
    }
    #expect(program.outputTypes.values.allSatisfy { $0.dims?.first == .fixed(batch) } || !isDivided)
    // A division takes the memory of a part.
    #expect(
      isDivided == (program.arenaByteCount < batch * 64 * Self.side * Self.side * 4), "\(program.arenaByteCount) bytes")
  }

  private let pool = Node("GlobalAveragePool", inputs: ["c"], outputs: ["p"])

  @Test(arguments: [7, 12], [1, 2]) func networks(batch: Int, threads: Int) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = threads
    var random = RandomSource(seed: 8)
    let constants = [
      ("d", try random.tensor([64, 1, 3, 3])), ("s", try random.tensor([64])), ("b", try random.tensor([64])),
      ("m", try random.tensor([64])),
      ("t", try Tensor((0..<64).map { _ in Float(random.uniform() + 0.1) })), ("bias", try random.tensor([10])),
    ]
    let nodes = [
      Node("BatchNormalization", inputs: ["c", "s", "b", "m", "t"], outputs: ["n"]),
      Node("Relu", inputs: ["n"], outputs: ["r"]),
      Node(
        "Conv", inputs: ["r", "d"], outputs: ["e"],
        attributes: [Attribute("group", .int(64)), Attribute("pads", .integers([1, 1, 1, 1]))]),
      Node("Add", inputs: ["e", "r"], outputs: ["a"]),
      Node("Concat", inputs: ["a", "c"], outputs: ["j"], attributes: [Attribute("axis", .int(-3))]),
      Node(
        "MaxPool", inputs: ["j"], outputs: ["q"],
        attributes: [Attribute("kernel_shape", .integers([2, 2])), Attribute("strides", .integers([2, 2]))]),
      Node("GlobalAveragePool", inputs: ["a"], outputs: ["p"]), Node("Flatten", inputs: ["p"], outputs: ["f"]),
      Node("Gemm", inputs: ["f", "v", "bias"], outputs: ["g"], attributes: [Attribute("transB", .int(1))]),
      Node("Softmax", inputs: ["g"], outputs: ["y"], attributes: [Attribute("axis", .int(-1))]),
    ]
    let (made, x) = try model(batch, nodes, constants: constants, outputs: ["q", "y"])
    try expectSame(made, x, isDivided: true)
  }

  /// Whatever is elementwise by the table of operators, not only what somebody thought of.
  @Test(arguments: ["Selu", "Softsign", "Sin", "Celu", "ThresholdedRelu", "Floor", "Atan", "Mod", "Mean", "Sum"])
  func elementwise(_ operation: String) throws {
    let isUnary = Operator[name: operation]?.kind == .unary
    let attributes = operation == "Mod" ? [Attribute("fmod", .int(1))] : []
    let nodes = [
      Node(operation, inputs: isUnary ? ["c"] : ["c", "k"], outputs: ["e"], attributes: attributes),
      Node("GlobalLpPool", inputs: ["e"], outputs: ["y"]),
    ]
    let (made, x) = try model(12, nodes, constants: [("k", try Tensor([0.75] as [Float]))])
    try expectSame(made, x, isDivided: true)
  }

  /// What depends on other samples, or may.
  @Test(arguments: ["across", "mean", "turned", "squares", "merged", "sized", "shifted", "labels"]) func dependence(
    _ kind: String
  ) throws {
    let flat = Node("Flatten", inputs: ["p"], outputs: ["f"])
    func ints(_ values: [Int64]) throws -> Tensor { try Tensor(values, try Shape([values.count])) }
    var random = RandomSource(seed: 3)
    let (nodes, constants): ([Node], [(String, Tensor)]) =
      switch kind {
      case "across":
        ([pool, flat, Node("Softmax", inputs: ["f"], outputs: ["y"], attributes: [Attribute("axis", .int(0))])], [])
      case "mean":
        (
          [
            pool, flat,
            Node("ReduceMean", inputs: ["f"], outputs: ["u"], attributes: [Attribute("axes", .integers([0]))]),
            Node("Sub", inputs: ["f", "u"], outputs: ["y"]),
          ],
          []
        )
      case "turned":
        (
          [
            pool, flat,
            Node("Transpose", inputs: ["f"], outputs: ["y"], attributes: [Attribute("perm", .integers([1, 0]))]),
          ], []
        )
      case "squares":
        (
          [
            pool, flat,
            Node("Transpose", inputs: ["f"], outputs: ["u"], attributes: [Attribute("perm", .integers([1, 0]))]),
            Node("MatMul", inputs: ["f", "u"], outputs: ["y"]),
          ], []
        )
      case "merged": ([pool, Node("Reshape", inputs: ["p", "to"], outputs: ["y"])], [("to", try ints([4, 192]))])
      case "sized":
        (
          [
            pool, Node("Reshape", inputs: ["p", "to"], outputs: ["f"]),
            Node("Mul", inputs: ["f", "f"], outputs: ["y"]),
          ], [("to", try ints([12, 64]))]
        )
      case "shifted":
        ([pool, flat, Node("Add", inputs: ["f", "k"], outputs: ["y"])], [("k", try random.tensor([12, 64]))])
      default:
        (
          [pool, flat, Node("Concat", inputs: ["f", "k"], outputs: ["y"], attributes: [Attribute("axis", .int(1))])],
          [("k", try random.tensor([12, 3]))]
        )
      }
    let (made, x) = try model(12, nodes, constants: constants)
    try expectSame(made, x, isDivided: false)
  }
}
