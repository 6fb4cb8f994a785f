import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Kernels on elements of any type, and of one row, against the reference kernels over random shapes.
struct ElementKernelTests {
  private func shape(_ random: inout RandomSource, ranks: ClosedRange<Int> = 1...4) -> [Int] {
    (0..<random.pick(ranks)).map { _ in random.pick([1, 2, 3, 5, 8, 17]) }
  }

  @Test(arguments: [
    "Erf", "Gelu", "Swish", "HardSigmoid", "Softsign", "Selu", "ThresholdedRelu", "Floor", "Ceil", "Round", "Sign",
    "Softplus", "Log", "Sin", "Cos", "Mish",
  ])
  func functions(name: String) throws {
    var random = RandomSource(seed: 5)
    for _ in 0..<4 {
      var x = try random.tensor(shape(&random))
      try x.withMutableSpan(of: Float.self) { for i in 0..<$0.count { $0[i] = name == "Log" ? abs($0[i]) : 3 * $0[i] } }
      let opset: Int64 = name == "Swish" ? 24 : 20
      try expectSame(
        makeModel([Node(name, inputs: ["x"], outputs: ["y"])], inputs: [("x", x)], opset: opset), [("x", x)],
        tolerance: 1e-6)
    }
    let x = try random.tensor([3, 40])
    let gelu = Node(
      "Gelu", inputs: ["x"], outputs: ["y"], attributes: [Attribute("approximate", .string(Array("tanh".utf8)))])
    try expectSame(makeModel([gelu], inputs: [("x", x)], opset: 20), [("x", x)], tolerance: 1e-6)
  }

  @Test(arguments: [Float(1), 2, 3, 0.5, -1.5, 0])
  func powers(exponent: Float) throws {
    var random = RandomSource(seed: 6)
    var x = try random.tensor([4, 33])
    try x.withMutableSpan(of: Float.self) { for i in 0..<$0.count { $0[i] = abs($0[i]) + 0.1 } }
    let node = Node("Pow", inputs: ["x", "e"], outputs: ["y"])
    try expectSame(
      makeModel([node], inputs: [("x", x)], constants: [("e", try Tensor(scalar: exponent))]), [("x", x)],
      tolerance: 1e-6)
  }

  private func integers(_ random: inout RandomSource, _ dims: [Int], _ type: DType) throws -> Tensor {
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Int64(random.pick(-3...3)) }, shape).cast(to: type)
  }

  @Test(arguments: [DType.float32, .float64, .int8, .uint8, .int32, .int64, .bool])
  func pairs(type: DType) throws {
    var random = RandomSource(seed: 7)
    for _ in 0..<6 {
      let full = shape(&random)
      func part() -> [Int] {
        Array(full.map { random.pick([true, true, false]) ? $0 : 1 }.dropFirst(random.pick(0...(full.count - 1))))
      }
      let inputs = [("a", try integers(&random, part(), type)), ("b", try integers(&random, part(), type))]
      var names = ["Equal"]
      if type == .bool {
        names += ["And", "Or", "Xor"]
      } else {
        names += ["Greater", "Less", "GreaterOrEqual", "LessOrEqual"]
      }
      if type == .int32 || type == .int64 { names += ["Add", "Sub", "Mul", "Max", "Min"] }
      for name in names {
        try expectSame(makeModel([Node(name, inputs: ["a", "b"], outputs: ["y"])], inputs: inputs), inputs)
      }
      for target in [DType.float32, .float64, .int8, .uint8, .int32, .int64, .bool] {
        let cast = Node(
          "Cast", inputs: ["a"], outputs: ["y"], attributes: [Attribute("to", .int(Int64(target.rawValue)))])
        try expectSame(makeModel([cast], inputs: [inputs[0]]), [inputs[0]])
      }
      let condition = ("c", try integers(&random, part(), .bool))
      let all = [condition] + inputs
      try expectSame(makeModel([Node("Where", inputs: ["c", "a", "b"], outputs: ["y"])], inputs: all), all)
      if type == .bool {
        try expectSame(makeModel([Node("Not", inputs: ["a"], outputs: ["y"])], inputs: [inputs[0]]), [inputs[0]])
      }
    }
  }

  @Test func castsOfExtremes() throws {
    let x = try Tensor([Float.nan, .infinity, -.infinity, 1e20, -1e20, 300.7, -1.5, 0])
    for target in [DType.int64, .int32, .uint8, .bool] {
      let cast = Node(
        "Cast", inputs: ["x"], outputs: ["y"], attributes: [Attribute("to", .int(Int64(target.rawValue)))])
      try expectSame(makeModel([cast], inputs: [("x", x)]), [("x", x)])
    }
  }

  @Test(arguments: [DType.int32, .int64])
  func division(type: DType) throws {
    let a = try Tensor([Int64(7), -7, 5, Int64.min]).cast(to: type)
    let model = makeModel([Node("Div", inputs: ["a", "b"], outputs: ["y"])], inputs: [("a", a), ("b", a)])
    let b = try Tensor([Int64(2), 2, -3, -1]).cast(to: type)
    let program = try Program(model)
    #expect(program.referenceLabels == [])
    let y = try #require(try program.run(["a": a, "b": b])["y"]).cast(to: .int64).array(of: Int64.self)
    #expect(Array(y.prefix(3)) == [3, -3, -1])
    let zero = try Tensor([Int64(1), 1, 0, 1]).cast(to: type)
    let error = #expect(throws: PruneError.self) { try program.run(["a": a, "b": zero]) }
    #expect(error?.status == .numeric)
  }

  @Test(arguments: 0..<12)
  func gather(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 31)
    let dims = shape(&random, ranks: 1...4)
    let axis = random.pick(0...(dims.count - 1))
    let indices = try Tensor(
      (0..<6).map { _ in Int64(random.pick(-dims[axis]...(dims[axis] - 1))) },
      try Shape(random.pick([[6], [2, 3], [6, 1]])))
    let node = Node("Gather", inputs: ["x", "i"], outputs: ["y"], attributes: [Attribute("axis", .int(Int64(axis)))])
    for type in [DType.float32, .int64, .uint8] {
      for index in [DType.int64, .int32] {
        let inputs = [("x", try integers(&random, dims, type)), ("i", try indices.cast(to: index))]
        try expectSame(makeModel([node], inputs: inputs), inputs)
      }
    }
    let outside = try Tensor([Int64](repeating: Int64(dims[axis]), count: 6), indices.shape)
    let x = try random.tensor(dims)
    let program = try Program(makeModel([node], inputs: [("x", x), ("i", indices)]))
    #expect(throws: PruneError.self) { try program.run(["x": x, "i": outside]) }
  }

  @Test(arguments: 0..<12)
  func normalization(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 41)
    let dims = [random.pick([1, 3]), random.pick([4, 8]), random.pick([1, 5, 16]), random.pick([7, 33])]
    let x = try random.tensor(dims)
    let axis = random.pick(1...3)
    let scale = ("s", try random.tensor(Array(dims[axis...])))
    let bias = ("b", try random.tensor(Array(dims[axis...])))
    let at = Attribute("axis", .int(Int64(axis)))
    let layer = Node(
      "LayerNormalization", inputs: seed % 2 == 0 ? ["x", "s", "b"] : ["x", "s"],
      outputs: seed % 3 == 0 ? ["y", "mean", "inverse"] : ["y"], attributes: [at, Attribute("epsilon", .float(1e-3))])
    // Means are sums that cancel out.
    try expectSame(
      makeModel([layer], inputs: [("x", x)], constants: [scale, bias]), [("x", x)],
      tolerance: seed % 3 == 0 ? 1e-3 : 1e-5)
    let root = Node("RMSNormalization", inputs: ["x", "s"], outputs: ["y"], attributes: [at])
    try expectSame(makeModel([root], inputs: [("x", x)], constants: [scale], opset: 23), [("x", x)])
    let channels = [("s", try random.tensor([dims[1]])), ("b", try random.tensor([dims[1]]))]
    let instance = Node("InstanceNormalization", inputs: ["x", "s", "b"], outputs: ["y"])
    try expectSame(makeModel([instance], inputs: [("x", x)], constants: channels), [("x", x)])
    let group = Node(
      "GroupNormalization", inputs: ["x", "s", "b"], outputs: ["y"], attributes: [Attribute("num_groups", .int(2))])
    try expectSame(makeModel([group], inputs: [("x", x)], constants: channels, opset: 21), [("x", x)])
  }
}
