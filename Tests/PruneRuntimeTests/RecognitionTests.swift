import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// What exporters write as many operators runs as one, and gives the same.
struct RecognitionTests {
  private func number(_ value: Float) throws -> Tensor { try Tensor(scalar: value) }

  private func node(_ type: String, _ inputs: [String], _ output: String, _ attributes: [Attribute] = []) -> Node {
    Node(type, inputs: inputs, outputs: [output], attributes: attributes)
  }

  /// Runs the model both ways and expects no more than `steps` steps.
  private func expect(
    _ steps: Int, _ nodes: [Node], _ inputs: [(String, Tensor)], _ constants: [(String, Tensor)],
    tolerance: Double = 1e-5
  ) throws {
    let model = makeModel(nodes, inputs: inputs, constants: constants, opset: 17)
    let program = try Program(model)
    #expect(program.stepCount == steps, "\(program.stepLabels)")
    try expectSame(model, inputs, tolerance: tolerance)
  }

  @Test(arguments: 0..<3)
  func geluByErf(form: Int) throws {
    var random = RandomSource(seed: 1)
    let x = ("x", try random.tensor([3, 50]))
    let constants = [
      ("root", try number(1.41421356)), ("inverse", try number(0.70710678)), ("one", try number(1)),
      ("half", try number(0.5)),
    ]
    var nodes = [
      form == 0 ? node("Div", ["x", "root"], "a") : node("Mul", ["inverse", "x"], "a"), node("Erf", ["a"], "e"),
      node("Add", ["e", "one"], "s"),
    ]
    switch form {
    case 0: nodes += [node("Mul", ["x", "s"], "m"), node("Mul", ["m", "half"], "y")]
    case 1: nodes += [node("Mul", ["half", "x"], "h"), node("Mul", ["h", "s"], "y")]
    default: nodes += [node("Mul", ["s", "half"], "m"), node("Mul", ["m", "x"], "y")]
    }
    try expect(1, nodes, [x], constants)
  }

  @Test(arguments: 0..<3)
  func geluByTanh(form: Int) throws {
    var random = RandomSource(seed: 2)
    let x = ("x", try random.tensor([3, 50]))
    let constants = [
      ("three", try number(3)), ("c", try number(0.044715)), ("r", try number(0.7978845608)), ("one", try number(1)),
      ("half", try number(0.5)),
    ]
    var nodes: [Node]
    switch form {
    case 0: nodes = [node("Pow", ["x", "three"], "p"), node("Mul", ["p", "c"], "q")]
    case 1: nodes = [node("Mul", ["x", "x"], "p1"), node("Mul", ["p1", "x"], "p"), node("Mul", ["c", "p"], "q")]
    default: nodes = [node("Mul", ["x", "c"], "p1"), node("Mul", ["p1", "x"], "p"), node("Mul", ["p", "x"], "q")]
    }
    nodes += [
      node("Add", ["x", "q"], "i"), node("Mul", ["i", "r"], "t"), node("Tanh", ["t"], "h"),
      node("Add", ["h", "one"], "s"),
      node("Mul", ["x", "half"], "b"), node("Mul", ["b", "s"], "y"),
    ]
    try expect(1, nodes, [x], constants)
  }

  @Test func otherActivations() throws {
    var random = RandomSource(seed: 3)
    let x = ("x", try random.tensor([4, 40]))
    try expect(1, [node("Sigmoid", ["x"], "s"), node("Mul", ["s", "x"], "y")], [x], [])
    try expect(
      1, [node("Mul", ["x", "a"], "t"), node("Sigmoid", ["t"], "s"), node("Mul", ["x", "s"], "y")], [x],
      [("a", try number(1.702))])
    try expect(1, [node("Softplus", ["x"], "p"), node("Tanh", ["p"], "t"), node("Mul", ["x", "t"], "y")], [x], [])
    let hard = [Attribute("alpha", .float(1.0 / 6)), Attribute("beta", .float(0.5))]
    try expect(1, [node("HardSigmoid", ["x"], "s", hard), node("Mul", ["x", "s"], "y")], [x], [])
    let constants = [("three", try number(3)), ("zero", try number(0)), ("six", try number(6))]
    let start = [node("Add", ["x", "three"], "a"), node("Clip", ["a", "zero", "six"], "c")]
    try expect(1, start + [node("Mul", ["x", "c"], "m"), node("Div", ["m", "six"], "y")], [x], constants)
    try expect(1, start + [node("Div", ["c", "six"], "m"), node("Mul", ["m", "x"], "y")], [x], constants)
  }

  /// Near misses stay as they are.
  @Test func leavesOthersAlone() throws {
    var random = RandomSource(seed: 4)
    let inputs = [("x", try random.tensor([4, 40])), ("z", try random.tensor([4, 40]))]
    let constants = [("root", try number(1.5)), ("one", try number(1)), ("half", try number(0.5))]
    let nodes = [
      node("Div", ["x", "root"], "a"), node("Erf", ["a"], "e"), node("Add", ["e", "one"], "s"),
      node("Mul", ["x", "s"], "m"),
      node("Mul", ["m", "half"], "y1"), node("Sigmoid", ["x"], "g"), node("Mul", ["g", "z"], "y2"),
      node("Add", ["y1", "y2"], "y"),
    ]
    try expectSame(makeModel(nodes, inputs: inputs, constants: constants), inputs)
  }

  @Test(arguments: 0..<6)
  func normalization(form: Int) throws {
    var random = RandomSource(seed: 5)
    let x = ("x", try random.tensor([2, 7, 24]))
    let constants = [
      ("two", try number(2)), ("epsilon", try number(1e-5)), ("one", try number(1)), ("scale", try random.tensor([24])),
      ("bias", try random.tensor([24])),
    ]
    let mean = [Attribute("axes", .integers([-1]))]
    let isCentred = form < 4
    let base = isCentred ? "d" : "x"
    var nodes: [Node] = isCentred ? [node("ReduceMean", ["x"], "m", mean), node("Sub", ["x", "m"], "d")] : []
    nodes += [
      form % 2 == 0 ? node("Pow", [base, "two"], "q") : node("Mul", [base, base], "q"),
      node("ReduceMean", ["q"], "v", mean),
      node("Add", ["v", "epsilon"], "w"), node("Sqrt", ["w"], "r"),
    ]
    if form < 3 {
      nodes.append(node("Div", [base, "r"], "n"))
    } else {
      nodes += [
        form == 4 ? node("Div", ["one", "r"], "i") : node("Reciprocal", ["r"], "i"), node("Mul", [base, "i"], "n"),
      ]
    }
    if form != 2 { nodes.append(node("Mul", ["scale", "n"], "t")) }
    if isCentred { nodes.append(node("Add", [form == 2 ? "n" : "t", "bias"], "y")) }
    try expect(1, nodes, [x], constants)
  }

  // MARK: - Attention

  private func heads(_ name: String, _ order: [Int], _ to: String) -> [Node] {
    [
      node("Reshape", [name, "split"], "\(to)/r"),
      node("Transpose", ["\(to)/r"], to, [Attribute("perm", .integers(order))]),
    ]
  }

  @Test(arguments: 0..<6)
  func attention(form: Int) throws {
    var random = RandomSource(seed: 6)
    let (batch, count, heads, depth) = ([1, 3][form % 2], [9, 70][form / 2 % 2], 4, 12)
    let dims = [batch, count, heads * depth]
    var inputs = [("q", try random.tensor(dims)), ("k", try random.tensor(dims)), ("v", try random.tensor(dims))]
    let constants = [
      ("split", try Tensor([Int64(batch), Int64(count), 4, 12])), ("join", try Tensor(dims.map { Int64($0) })),
      ("scale", try number(0.3)), ("divisor", try number(3.4)),
    ]
    var nodes =
      self.heads("q", [0, 2, 1, 3], "qh") + self.heads("k", [0, 2, 3, 1], "kh") + self.heads("v", [0, 2, 1, 3], "vh")
    switch form % 3 {
    case 0: nodes += [node("MatMul", ["qh", "kh"], "p"), node("Div", ["p", "divisor"], "s")]
    case 1:
      nodes += [
        node("Mul", ["qh", "scale"], "qs"), node("Mul", ["kh", "scale"], "ks"), node("MatMul", ["qs", "ks"], "s"),
      ]
    default: nodes += [node("MatMul", ["qh", "kh"], "p"), node("Mul", ["scale", "p"], "s")]
    }
    if form != 3 {
      inputs.append(
        ("mask", try random.tensor([[batch, 1, 1, count], [count, count], [1, heads, count, 1]][form % 3])))
      nodes.append(node("Add", ["s", "mask"], "t"))
    }
    nodes += [
      node("Softmax", [form == 3 ? "s" : "t"], "w", [Attribute("axis", .int(-1))]), node("MatMul", ["w", "vh"], "o"),
      node("Transpose", ["o"], "c", [Attribute("perm", .integers([0, 2, 1, 3]))]), node("Reshape", ["c", "join"], "y"),
    ]
    try expect(1, nodes, inputs, constants)
  }

  /// Queries, keys and values from one product, with the batch in the middle, as torch's own attention is exported.
  /// With more than one item in the batch, heads of all items lie along one axis of two strides: that costs a copy.
  @Test(arguments: [true, false], [1, 2])
  func attentionOfOneProduct(gathers: Bool, batch: Int) throws {
    var random = RandomSource(seed: 7)
    let x = ("x", try random.tensor([5, batch, 72]))
    var constants = [
      ("parts", try Tensor([Int64(5), Int64(batch), 3, 24])), ("heads", try Tensor([Int64(5), Int64(batch * 4), 6])),
      ("back", try Tensor([Int64(5), Int64(batch), 24])),
      ("zero", try Tensor(scalar: Int64(0))), ("one", try Tensor(scalar: Int64(1))),
      ("two", try Tensor(scalar: Int64(2))),
      ("axis", try Tensor([Int64(0)])), ("ones", try Tensor([Int64(1), 1, 1])),
    ]
    var nodes = [
      node("Reshape", ["x", "parts"], "r"),
      node("Transpose", ["r"], "t", [Attribute("perm", .integers([2, 0, 1, 3]))]),
    ]
    if gathers {
      for (index, name) in [("zero", "q"), ("one", "k"), ("two", "v")] {
        nodes.append(node("Gather", ["t", index], name))
      }
    } else {
      nodes.append(
        Node("Split", inputs: ["t", "ones"], outputs: ["q1", "k1", "v1"], attributes: [Attribute("axis", .int(0))]))
      for name in ["q", "k", "v"] { nodes.append(node("Squeeze", ["\(name)1", "axis"], name)) }
    }
    constants.append(("scale", try number(0.4)))
    for (name, order) in [("q", [1, 0, 2]), ("k", [1, 2, 0]), ("v", [1, 0, 2])] {
      nodes += [
        node("Reshape", [name, "heads"], "\(name)h"),
        node("Transpose", ["\(name)h"], "\(name)t", [Attribute("perm", .integers(order))]),
      ]
    }
    nodes += [
      node("Mul", ["qt", "scale"], "qs"), node("MatMul", ["qs", "kt"], "s"), node("Softmax", ["s"], "w"),
      node("MatMul", ["w", "vt"], "o"), node("Transpose", ["o"], "c", [Attribute("perm", .integers([1, 0, 2]))]),
      node("Reshape", ["c", "back"], "y"),
    ]
    try expect(batch, nodes, [x], constants)
  }

  // MARK: - Products and what follows

  @Test(arguments: 0..<6)
  func transposedOperands(form: Int) throws {
    var random = RandomSource(seed: 14)
    let inputs = [("a", try random.tensor([2, 9, 3, 16])), ("b", try random.tensor([2, 11, 3, 16]))]
    let (left, right) = (
      [[0, 2, 1, 3], [2, 0, 1, 3], [0, 2, 1, 3]][form % 3], [[0, 2, 3, 1], [2, 0, 3, 1], [0, 2, 3, 1]][form % 3]
    )
    var nodes = [
      node("Transpose", ["a"], "l", [Attribute("perm", .integers(left))]),
      node("Transpose", ["b"], "r", [Attribute("perm", .integers(right))]), node("MatMul", ["l", "r"], "y"),
    ]
    if form == 5 { nodes = [nodes[1], node("MatMul", ["c", "r"], "y")] }
    let c = ("c", try random.tensor([5, 16]))
    try expect(1, nodes, form == 5 ? [c, inputs[1]] : inputs, [])
  }

  @Test(
    arguments: [
      ("ij,jk->ik", [4, 7], [7, 5], 1), ("ij,kj->ik", [4, 7], [5, 7], 1), ("bij,bjk->bik", [3, 4, 7], [3, 7, 5], 1),
      ("bhid,bhjd->bhij", [2, 3, 4, 6], [2, 3, 5, 6], 1), ("bihd,bjhd->bhij", [2, 4, 3, 6], [2, 5, 3, 6], 1),
      ("bhij,bjhd->bihd", [2, 3, 4, 5], [2, 5, 3, 6], 1), ("ij,jk->ki", [4, 7], [7, 5], 1), ("i,j->ij", [4], [5], 1),
      ("i,i->", [6], [6], 1), ("bik,kj->bij", [2, 3, 4], [4, 5], 1), ("ij,ij->ij", [3, 4], [3, 4], 1),
    ] as [(String, [Int], [Int], Int)])
  func einsum(equation: String, a: [Int], b: [Int], steps: Int) throws {
    var random = RandomSource(seed: 15)
    let inputs = [("a", try random.tensor(a)), ("b", try random.tensor(b))]
    let einsum = node("Einsum", ["a", "b"], "y", [Attribute("equation", .string(Array(equation.utf8)))])
    try expect(steps, [einsum], inputs, [])
  }

  @Test(arguments: 0..<12)
  func products(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 8)
    let (m, n, k) = (random.pick([1, 5, 33]), random.pick([1, 16, 50]), random.pick([3, 40]))
    let isGemm = seed % 3 == 0
    var inputs = [("x", try random.tensor(isGemm ? [m, k] : [2, m, k]))]
    let constants = [
      ("w", try random.tensor(isGemm && seed % 2 == 0 ? [n, k] : [k, n])), ("b", try random.tensor([n])),
    ]
    var nodes = [
      isGemm
        ? node("Gemm", ["x", "w", "b"], "p", [Attribute("transB", .int(seed % 2 == 0 ? 1 : 0))])
        : node("MatMul", ["x", "w"], "q")
    ]
    if !isGemm { nodes.append(node("Add", ["b", "q"], "p")) }
    var last = "p"
    if seed % 2 == 0 {
      nodes += [node("Sigmoid", [last], "g"), node("Mul", [last, "g"], "u")]
      last = "u"
    }
    if seed % 4 >= 2 {
      inputs.append(("r", try random.tensor(isGemm ? [m, n] : [2, m, n])))
      nodes.append(node("Add", ["r", last], "v"))
      last = "v"
    }
    nodes.append(node(seed % 5 == 0 ? "Tanh" : "Relu", [last], "y"))
    // An input that is not read again is added to in its own place.
    try expect(1, nodes, inputs, constants)
  }
}
