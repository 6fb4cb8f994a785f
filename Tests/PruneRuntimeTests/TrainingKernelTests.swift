import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Losses, normalization and updates against the reference kernels, and what updates do to their variables.
struct TrainingKernelTests {
  @Test(arguments: 0..<12)
  func lossAndGradient(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed))
    let (rows, classes) = (random.pick([1, 3, 64]), random.pick([2, 10, 100]))
    let logits = try random.tensor([rows, classes])
    let target: Tensor
    if seed & 1 == 0 {
      target = try Tensor((0..<rows).map { _ in Int64(random.pick(0...(classes - 1))) })
    } else {
      target = try Tensor((0..<rows * classes).map { _ in Float(random.uniform()) }, logits.shape)
    }
    let node = Node(
      "SoftmaxCrossEntropy", domain: "ai.libprune", inputs: ["x", "t"], outputs: ["loss", "dx"],
      attributes: [Attribute("label_smoothing", .float(random.pick([0, 0.1])))])
    let inputs = [("x", logits), ("t", target)]
    try expectSame(makeModel([node], inputs: inputs), inputs, tolerance: 1e-5)
  }

  /// Of a prediction that is read again, and of one whose place the gradient may take.
  @Test(arguments: [1, 17, 40_000, 100_003], [false, true])
  func squaredErrorAndGradient(count: Int, isLast: Bool) throws {
    var random = RandomSource(seed: UInt64(count))
    let inputs = [("p", try random.tensor([count])), ("t", try random.tensor([1, count]))]
    var nodes = [
      Node("Neg", inputs: ["p"], outputs: ["x"]),
      Node("MeanSquaredError", domain: "ai.libprune", inputs: ["x", "t"], outputs: ["loss", "dx"]),
    ]
    var outputs = ["loss", "dx"]
    if !isLast {
      nodes.append(Node("Exp", inputs: ["x"], outputs: ["e"]))
      outputs.append("e")
    }
    try expectSame(makeModel(nodes, inputs: inputs, outputs: outputs), inputs)
  }

  @Test func aLabelOutsideTheClassesIsAnError() throws {
    let node = Node("SoftmaxCrossEntropy", domain: "ai.libprune", inputs: ["x", "t"], outputs: ["loss", "dx"])
    let inputs = [
      ("x", try Tensor([Float](repeating: 0, count: 6), try Shape([2, 3]))), ("t", try Tensor([Int64(0), 3])),
    ]
    let program = try Program(makeModel([node], inputs: inputs))
    let error = #expect(throws: PruneError.self) { try program.run(Dictionary(uniqueKeysWithValues: inputs)) }
    #expect(error?.status == .mismatch)
  }

  @Test(arguments: ["ReluGrad", "SigmoidGrad", "TanhGrad"])
  func activationGradients(name: String) throws {
    var random = RandomSource(seed: 6)
    let inputs = [("dy", try random.tensor([3, 20, 5, 5])), ("y", try random.tensor([3, 20, 5, 5]))]
    try expectSame(
      makeModel([Node(name, domain: "ai.libprune", inputs: ["dy", "y"], outputs: ["dx"])], inputs: inputs), inputs)
  }

  @Test(arguments: [[2, 3], [4, 16, 5], [3, 20, 7, 6], [2, 5, 3, 4, 2]])
  func batchNormalization(dims: [Int]) throws {
    var random = RandomSource(seed: 5)
    let channels = [dims[1]]
    let variance = try Tensor((0..<dims[1]).map { _ in Float(random.uniform() + 0.5) })
    let inputs = [
      ("x", try random.tensor(dims)), ("dy", try random.tensor(dims)), ("s", try random.tensor(channels)),
      ("b", try random.tensor(channels)), ("m", try random.tensor(channels)), ("v", variance),
    ]
    let nodes = [
      Node(
        "BatchNormTrain", domain: "ai.libprune", inputs: ["x", "s", "b", "m", "v"],
        outputs: ["y", "mean", "inverse", "m2", "v2"], attributes: [Attribute("momentum", .float(0.8))]),
      Node(
        "BatchNormGrad", domain: "ai.libprune", inputs: ["dy", "x", "s", "mean", "inverse"],
        outputs: ["dx", "ds", "db"]),
      Node("BatchNormalization", inputs: ["x", "s", "b", "m", "v"], outputs: ["z"]),
    ]
    let model = makeModel(nodes, inputs: inputs, outputs: ["y", "mean", "inverse", "m2", "v2", "dx", "ds", "db", "z"])
    try expectSame(model, inputs, tolerance: 1e-4)
  }

  /// Blocks of channels that are not full hold zeros behind the last channel, whatever lies behind its parameters: the
  /// convolutions behind multiply those lanes by zero weights.
  @Test(arguments: [5, 30, 45])
  func normalizationsInBlocksThatAreNotFull(channels: Int) throws {
    var random = RandomSource(seed: 13)
    func parameter(_ low: Float) throws -> Tensor {
      let values =
        (0..<channels).map { _ in Float(random.uniform()) + low } + [Float](repeating: .nan, count: 3 * channels)
      return try Tensor(values, try Shape([4, channels])).rows(0, 1).reshaped(try Shape([channels]))
    }
    var constants = [
      ("s", try parameter(0.5)), ("b", try parameter(0)), ("m", try parameter(0)), ("v", try parameter(0.5)),
    ]
    constants += [("w", try random.tensor([channels, 16, 3, 3])), ("u", try random.tensor([32, channels, 3, 3]))]
    let inputs = [("x", try random.tensor([2, 16, 8, 8])), ("g", try random.tensor([2, 16, 8, 8]))]
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    func conv(_ input: String, _ weight: String, _ output: String) -> Node {
      Node("Conv", inputs: [input, weight], outputs: [output], attributes: pads)
    }
    let nodes = [
      conv("x", "w", "c"), conv("g", "w", "dy"),
      Node(
        "BatchNormTrain", domain: "ai.libprune", inputs: ["c", "s", "b", "m", "v"],
        outputs: ["y", "mean", "inverse", "m2", "v2"],
        attributes: [Attribute("momentum", .float(0.8))]),
      Node(
        "BatchNormGrad", domain: "ai.libprune", inputs: ["dy", "c", "s", "mean", "inverse"],
        outputs: ["dx", "ds", "db"]),
      conv("y", "u", "forward"), conv("dx", "u", "backward"),
    ]
    try expectSame(
      makeModel(nodes, inputs: inputs, constants: constants, outputs: ["forward", "backward", "ds", "db", "m2", "v2"]),
      inputs,
      tolerance: 1e-4)
  }

  /// A linear model with each optimizer: the variables move as by the reference kernels, masked weights stay zero, and
  /// the memory they lie in stays where it is.
  @Test(arguments: ["sgd", "momentum", "nesterov", "adam", "adamw"], [false, true])
  func updates(kind: String, isMasked: Bool) throws {
    var random = RandomSource(seed: 12)
    let weight = try random.tensor([7, 5])
    let mask = try Tensor((0..<35).map { _ in UInt8(random.pick(0...1)) }, weight.shape)
    let zeros = try Tensor(zeros: .float32, weight.shape)
    func variables() -> [String: Variable] {
      var made = ["w": Variable(name: "w", tensor: weight)]
      if kind != "sgd" { made["m"] = Variable(name: "m", tensor: zeros) }
      if kind.hasPrefix("adam") { made["v"] = Variable(name: "v", tensor: zeros) }
      return made
    }
    let maskName = isMasked ? "mask" : ""
    let update =
      kind.hasPrefix("adam")
      ? Node(
        "AdamUpdate", domain: "ai.libprune", inputs: ["w", "dw", "m", "v", maskName, "lr", "step"], outputs: ["done"],
        attributes: [Attribute("weight_decay", .float(0.01)), Attribute("decoupled", .int(kind == "adamw" ? 1 : 0))])
      : Node(
        "SGDUpdate", domain: "ai.libprune", inputs: ["w", "dw", kind == "sgd" ? "" : "m", maskName, "lr"],
        outputs: ["done"],
        attributes: [
          Attribute("momentum", .float(0.9)), Attribute("weight_decay", .float(0.01)),
          Attribute("nesterov", .int(kind == "nesterov" ? 1 : 0)),
        ])
    let x = try random.tensor([4, 7])
    let dy = try random.tensor([4, 5])
    let nodes = [
      Node("Gemm", inputs: ["x", "dy"], outputs: ["dw"], attributes: [Attribute("transA", .int(1))]), update,
      // Reads the weight after the update in the list; must still see the old one.
      Node("MatMul", inputs: ["x", "w"], outputs: ["y"]),
    ]
    let rate = try Tensor(scalar: Float(0.1))
    let inputs = [("x", x), ("dy", dy), ("lr", rate), ("step", rate)]
    let model = makeModel(nodes, inputs: inputs, constants: [("w", weight), ("mask", mask)], outputs: ["y"])
    let (fast, slow) = (variables(), variables())
    let program = try Program(model, .init(variables: fast))
    #expect(program.referenceLabels == [])
    let oracle = try Program(model, .init(variables: slow, optimizes: false))
    var kept: Tensor?
    for step in 1...3 {
      let fed: [String: Tensor] = ["x": x, "dy": dy, "lr": rate, "step": try Tensor(scalar: Float(step))]
      let (a, b) = (try program.run(fed), try oracle.run(fed))
      #expect(try relativeNorm(try #require(a["y"]), try #require(b["y"])) < 1e-5)
      for name in fast.keys.sorted() {
        let (u, v) = (try #require(fast[name]?.tensor), try #require(slow[name]?.tensor))
        #expect(try relativeNorm(u, v) < 1e-5, "\(name)")
        if isMasked, step > 1 {
          let (values, flags) = (try u.array(of: Float.self), try mask.array(of: UInt8.self))
          #expect(zip(values, flags).allSatisfy { $1 != 0 || $0 == 0 })
        }
      }
      // A copy taken between runs keeps its values.
      if step == 2 {
        let copy = try #require(fast["w"]?.tensor)
        let before = try copy.array(of: Float.self)
        _ = try program.run(fed)
        _ = try oracle.run(fed)
        #expect(try copy.array(of: Float.self) == before)
        kept = copy
      }
    }
    let last = try #require(fast["w"]?.tensor)
    #expect(try #require(kept).sharesStorage(with: last) == false)
    #expect(try weight.array(of: Float.self) != last.array(of: Float.self))
  }

  /// Few rows of one number, as palettes have, and others.
  @Test(arguments: [[3], [256], [257], [5, 4], [2, 7, 3]], [DType.int32, .int64])
  func gradientOfPickedRows(dims: [Int], type: DType) throws {
    var random = RandomSource(seed: 8)
    let axis = dims.count / 2, extent = dims[axis]
    let indices = try Tensor((0..<1000).map { _ in Int64(random.pick(-extent...(extent - 1))) }).cast(to: type)
    let shape = Array(dims[..<axis]) + [1000] + Array(dims[(axis + 1)...])
    let inputs = [("dy", try random.tensor(shape)), ("i", indices)]
    let node = Node(
      "GatherGrad", domain: "ai.libprune", inputs: ["dy", "i"], outputs: ["dx"],
      attributes: [Attribute("axis", .int(Int64(axis))), Attribute("input_shape", .integers(dims))])
    try expectSame(makeModel([node], inputs: inputs), inputs, tolerance: 1e-4)
    let outside = try Tensor([Int64](repeating: Int64(extent), count: 1000)).cast(to: type)
    let program = try Program(makeModel([node], inputs: inputs))
    #expect(throws: PruneError.self) { try program.run(["dy": inputs[0].1, "i": outside]) }
  }
}
