import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Elementwise, matrix, movement, reduction and training kernels against the reference kernels, over random shapes.
struct KernelTests {
  private func shape(_ random: inout RandomSource, ranks: ClosedRange<Int> = 1...5) -> [Int] {
    (0..<random.pick(ranks)).map { _ in random.pick([1, 2, 3, 5, 8, 17]) }
  }

  @Test(arguments: [
    "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "HardSwish", "Exp", "Abs", "Neg", "Reciprocal", "Sqrt",
  ])
  func elementwise(name: String) throws {
    var random = RandomSource(seed: 3)
    for _ in 0..<6 {
      var x = try random.tensor(shape(&random))
      if name == "Sqrt" { try x.withMutableSpan(of: Float.self) { for i in 0..<$0.count { $0[i] = abs($0[i]) } } }
      let node = Node(name, inputs: ["x"], outputs: ["y"])
      try expectSame(makeModel([node], inputs: [("x", x)]), [("x", x)], tolerance: 1e-6)
    }
  }

  /// Extremes and NaN come out as the reference has them.
  @Test(arguments: ["Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "HardSwish", "Exp"])
  func elementwiseExtremes(name: String) throws {
    let x = try Tensor([Float.infinity, -.infinity, 1e30, -1e30, 100, -100, 88.5, -87.4, -103, 0, -0.0, 1e-30, .nan])
    let node = Node(name, inputs: ["x"], outputs: ["y"])
    let model = makeModel([node], inputs: [("x", x)])
    let fast = try #require(try Program(model).run(["x": x])["y"]).array(of: Float.self)
    let slow = try #require(try Program(model, .init(optimizes: false)).run(["x": x])["y"]).array(of: Float.self)
    for (a, b) in zip(fast, slow) {
      #expect(a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-6 * abs(b) + 1e-37, "\(a) \(b)")
    }
  }

  @Test(arguments: 0..<30)
  func broadcasting(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 1)
    let full = shape(&random)
    func part() -> [Int] {
      let dims = full.map { random.pick([true, true, false]) ? $0 : 1 }
      return Array(dims.dropFirst(random.pick(0...max(full.count - 1, 0))))
    }
    let inputs = [("a", try random.tensor(part())), ("b", try random.tensor(part()))]
    for name in ["Add", "Sub", "Mul", "Div", "Max", "Min"] {
      try expectSame(makeModel([Node(name, inputs: ["a", "b"], outputs: ["y"])], inputs: inputs), inputs)
    }
  }

  @Test(arguments: 0..<24)
  func gemm(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 5)
    let (m, n, k) = (random.pick([1, 2, 7, 64]), random.pick([1, 3, 10, 65]), random.pick([1, 5, 33, 100]))
    let (ta, tb) = (seed & 1 != 0, seed & 2 != 0)
    var inputs = [("a", try random.tensor(ta ? [k, m] : [m, k]))]
    let b = try random.tensor(tb ? [n, k] : [k, n])
    inputs.append(("b", b))
    var names = ["a", "b"]
    if seed & 4 != 0 {
      inputs.append(("c", try random.tensor(random.pick([[n], [1, n], [m, n], [m, 1], []]))))
      names.append("c")
    }
    let gemm = Node(
      "Gemm", inputs: names, outputs: ["g"],
      attributes: [
        Attribute("transA", .int(ta ? 1 : 0)), Attribute("transB", .int(tb ? 1 : 0)),
        Attribute("alpha", .float(random.pick([1, 0.5]))), Attribute("beta", .float(random.pick([1, 2]))),
      ])
    var nodes = [gemm, Node("Relu", inputs: ["g"], outputs: ["y"])]
    if seed & 8 != 0 {
      nodes.insert(Node("Add", inputs: ["g", "r"], outputs: ["s"]), at: 1)
      nodes[2].inputs = ["s"]
      inputs.append(("r", try random.tensor([m, n])))
    }
    try expectSame(makeModel(nodes, inputs: inputs), inputs)
  }

  @Test(arguments: [
    ([3, 4], [4, 5]), ([2, 3, 4], [4, 5]), ([2, 3, 4], [2, 4, 5]), ([2, 1, 3, 4], [5, 4, 2]), ([4], [4, 5]),
    ([3, 4], [4]),
    ([4], [4]), ([2, 3, 4], [4]), ([1, 7], [7, 1]),
  ])
  func matmul(a: [Int], b: [Int]) throws {
    var random = RandomSource(seed: 8)
    let inputs = [("a", try random.tensor(a)), ("b", try random.tensor(b))]
    let product = Node("MatMul", inputs: ["a", "b"], outputs: ["p"])
    try expectSame(makeModel([product], inputs: inputs), inputs)
    let columns = b.count > 1 ? b[b.count - 1] : a.count > 1 ? a[a.count - 2] : 1
    let nodes = [
      product, Node("Add", inputs: ["bias", "p"], outputs: ["s"]), Node("Relu", inputs: ["s"], outputs: ["y"]),
    ]
    try expectSame(makeModel(nodes, inputs: inputs, constants: [("bias", try random.tensor([columns]))]), inputs)
  }

  @Test(arguments: 0..<24)
  func movement(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 21)
    let dims = shape(&random, ranks: 2...5)
    let x = try random.tensor(dims)
    let labels = try Tensor((0..<x.count).map { Int64($0) }, x.shape)
    for (name, tensor) in [("x", x), ("i", labels)] {
      let perm = random.permutation(dims.count)
      try expectSame(
        makeModel(
          [Node("Transpose", inputs: [name], outputs: ["y"], attributes: [Attribute("perm", .integers(perm))])],
          inputs: [(name, tensor)]),
        [(name, tensor)])
      let axis = random.pick(0...(dims.count - 1))
      try expectSame(
        makeModel(
          [
            Node(
              "Concat", inputs: [name, name, name], outputs: ["y"],
              attributes: [Attribute("axis", .int(Int64(axis - dims.count)))])
          ],
          inputs: [(name, tensor)]), [(name, tensor)])
      let step = random.pick([1, 2, -1])
      let slice = [
        ("starts", try Tensor([step < 0 ? Int64.max : random.pick([0, Int64.min])])),
        ("ends", try Tensor([Int64(step < 0 ? -dims[axis] - 1 : Int(Int32.max))])),
        ("axes", try Tensor([Int64(axis)])), ("steps", try Tensor([Int64(step)])),
      ]
      try expectSame(
        makeModel(
          [Node("Slice", inputs: [name, "starts", "ends", "axes", "steps"], outputs: ["y"])], inputs: [(name, tensor)],
          constants: slice), [(name, tensor)])
    }
    if dims[0] >= 2 {
      let sizes = try Tensor([1, Int64(dims[0] - 1)])
      try expectSame(
        makeModel(
          [Node("Split", inputs: ["x", "sizes"], outputs: ["a", "b"], attributes: [Attribute("axis", .int(0))])],
          inputs: [("x", x)], constants: [("sizes", sizes)]), [("x", x)])
    }
    let amounts = try Tensor((0..<2 * dims.count).map { _ in Int64(random.pick(0...2)) })
    var pad = Node("Pad", inputs: ["x", "pads"], outputs: ["y"])
    var constants = [("pads", amounts)]
    if seed % 2 == 0 {
      pad.inputs.append("v")
      constants.append(("v", try Tensor(scalar: Float(1.5))))
    }
    try expectSame(makeModel([pad], inputs: [("x", x)], constants: constants), [("x", x)])
    let expanded = try Tensor((dims + [3]).map { Int64($0) })
    try expectSame(
      makeModel(
        [
          Node("Unsqueeze", inputs: ["x", "axes"], outputs: ["u"]),
          Node("Expand", inputs: ["u", "shape"], outputs: ["e"]),
          Node("Relu", inputs: ["e"], outputs: ["y"]),
        ], inputs: [("x", x)], constants: [("axes", try Tensor([Int64(-1)])), ("shape", expanded)]), [("x", x)])
  }

  @Test(arguments: 0..<24)
  func reductions(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 2)
    let dims = shape(&random, ranks: 1...5)
    let x = try random.tensor(dims)
    let axes = dims.indices.filter { _ in random.pick([true, false]) }
    let keeps = Attribute("keepdims", .int(Int64(random.pick(0...1))))
    let sum = Node("ReduceSum", inputs: ["x", "axes"], outputs: ["y"], attributes: [keeps])
    try expectSame(
      makeModel([sum], inputs: [("x", x)], constants: [("axes", try Tensor(axes.map { Int64($0) }))]), [("x", x)],
      tolerance: 1e-4)
    var mean = Node("ReduceMean", inputs: ["x"], outputs: ["y"], attributes: [keeps])
    if !axes.isEmpty { mean.set("axes", .integers(axes)) }
    try expectSame(makeModel([mean], inputs: [("x", x)]), [("x", x)], tolerance: 1e-4)
    let target = Array(dims.map { random.pick([true, false]) ? $0 : 1 }.dropFirst(random.pick(0...(dims.count - 1))))
    let back = Node(
      "SumToShape", domain: "ai.libprune", inputs: ["x"], outputs: ["y"],
      attributes: [Attribute("shape", .integers(target))])
    try expectSame(makeModel([back], inputs: [("x", x)]), [("x", x)], tolerance: 1e-4)
    for name in ["Softmax", "LogSoftmax"] {
      for opset: Int64 in [11, 17] {
        let axis = Attribute("axis", .int(Int64(random.pick(0...(dims.count - 1)))))
        try expectSame(
          makeModel([Node(name, inputs: ["x"], outputs: ["y"], attributes: [axis])], inputs: [("x", x)], opset: opset),
          [("x", x)])
      }
    }
  }

  @Test(arguments: 0..<16)
  func quantization(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 4)
    let dims = [random.pick([1, 3]), random.pick([1, 5, 16]), random.pick([1, 7, 300])]
    let x = try random.tensor(dims)
    let perChannel = seed & 1 != 0
    let count = perChannel ? dims[1] : 1
    let scales = (0..<count).map { _ in Float(random.uniform() * 0.05 + 0.001) }
    let shape = perChannel ? try Shape([count]) : Shape.scalar
    let zero =
      seed & 2 != 0
      ? try Tensor((0..<count).map { _ in UInt8(random.pick(0...255)) }, shape)
      : try Tensor((0..<count).map { _ in Int8(random.pick(-128...127)) }, shape)
    let nodes = [
      Node("QuantizeLinear", inputs: ["x", "s", "z"], outputs: ["q"]),
      Node("DequantizeLinear", inputs: ["q", "s", "z"], outputs: ["y"]),
    ]
    let model = makeModel(
      nodes, inputs: [("x", x)], constants: [("s", try Tensor(scales, shape)), ("z", zero)], outputs: ["y", "q"])
    try expectSame(model, [("x", x)], tolerance: 1e-6)
  }
}
