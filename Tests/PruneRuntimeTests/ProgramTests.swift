import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Compiling and running: inputs, outputs, errors, variables, cancelling.
struct ProgramTests {
  private func linear() throws -> (Model, [String: Tensor]) {
    let x = try Tensor([Float(1), 2, 3, 4], try Shape([2, 2]))
    let w = try Tensor([Float(1), 0, 0, 1], try Shape([2, 2]))
    let nodes = [
      Node("MatMul", inputs: ["x", "w"], outputs: ["h"]), Node("Relu", inputs: ["h"], outputs: ["y"]),
    ]
    return (makeModel(nodes, inputs: [("x", x)], constants: [("w", w)]), ["x": x])
  }

  @Test func inputsAreChecked() throws {
    let (model, inputs) = try linear()
    let program = try Program(model)
    #expect(program.inputTypes["x"] == TensorType(.float32, [.fixed(2), .fixed(2)]))
    func failure(_ inputs: [String: Tensor]) -> PruneError? {
      #expect(throws: PruneError.self) { try program.run(inputs) }
    }
    #expect(failure([:])?.message.contains("'x' is missing") == true)
    let wrongType = failure(["x": try Tensor([Int64](repeating: 0, count: 4), try Shape([2, 2]))])
    #expect(wrongType?.message == "input 'x' wants float32 [2,2], got int64 [2,2]")
    #expect(failure(["x": try Tensor(zeros: .float32, try Shape([2, 3]))])?.status == .mismatch)
    var extra = inputs
    extra["z"] = inputs["x"]
    #expect(failure(extra)?.message.contains("no input 'z'") == true)
    #expect(try program.run(inputs)["y"]?.array(of: Float.self) == [1, 2, 3, 4])
  }

  @Test func openShapesMustBeGiven() throws {
    var (model, _) = try linear()
    model.graph.inputs[0].type = TensorType(.float32, [.named("N"), .fixed(2)])
    let error = #expect(throws: PruneError.self) { try Program(model) }
    #expect(error?.message.contains("[N,2]") == true)
    let wrong = #expect(throws: PruneError.self) { try Program(model, .init(inputShapes: ["x": try Shape([4, 3])])) }
    #expect(wrong?.status == .mismatch)
    let session = Session(model)
    for rows in [1, 5, 1] {
      let result = try session.run(["x": try Tensor([Float](repeating: 2, count: rows * 2), try Shape([rows, 2]))])
      #expect(result["y"]?.shape.dims == [rows, 2])
    }
  }

  @Test func innerValuesCanBeAskedFor() throws {
    let (model, inputs) = try linear()
    let program = try Program(model, .init(outputs: ["h", "y", "w", "x"]))
    let results = try program.run(inputs)
    #expect(results["h"]?.shape.dims == [2, 2] && results["w"]?.shape.dims == [2, 2])
    #expect(try results["x"]?.array(of: Float.self) == [1, 2, 3, 4])
    let error = #expect(throws: PruneError.self) { try Program(model, .init(outputs: ["nothing"])) }
    #expect(error?.status == .notFound)
  }

  /// A convolution whose channels are a whole number of vectors, or not; values of every origin.
  @Test(arguments: [16, 5], [true, false])
  func innerValuesAreShownWhileRunning(channels: Int, isOrdered: Bool) throws {
    var random = RandomSource(seed: 4)
    let x = try random.tensor([2, 3, 12, 12])
    let nodes = [
      Node("Conv", inputs: ["x", "w"], outputs: ["c"]), Node("Relu", inputs: ["c"], outputs: ["r"]),
      Node("Conv", inputs: ["r", "v"], outputs: ["d"]), Node("Flatten", inputs: ["d"], outputs: ["f"]),
      Node("Abs", inputs: ["f"], outputs: ["y"]),
      Node("Neg", inputs: ["v"], outputs: ["constant"]),
    ]
    let model = makeModel(
      nodes, inputs: [("x", x)],
      constants: [
        ("w", try random.tensor([channels, 3, 3, 3])), ("v", try random.tensor([channels, channels, 3, 3])),
      ],
      outputs: ["y"])
    let names = ["x", "c", "r", "f", "constant", "y"]
    let wanted = try Program(model, .init(outputs: names)).run(["x": x])
    var options = ProgramOptions(outputs: [])
    options.watched = names.map { ($0, isOrdered: isOrdered) }
    let program = try Program(model, options)
    for _ in 0..<2 {
      var seen: [String: Tensor] = [:]
      #expect(
        try program.run(["x": x], watch: { name, value throws(PruneError) in seen[name] = try value.copied() }).isEmpty)
      #expect(seen.keys.sorted() == names.sorted())
      for (name, tensor) in wanted {
        let (a, b) = (try tensor.array(of: Float.self), try #require(seen[name]).array(of: Float.self))
        #expect(isOrdered ? a == b : a.sorted() == b.sorted(), "\(name)")
      }
    }
    let stop = PruneError(.numeric, "enough")
    let error = #expect(throws: PruneError.self) {
      try program.run(["x": x], watch: { _, _ throws(PruneError) in throw stop })
    }
    #expect(error?.status == .numeric && error?.message == "enough")
    // Nobody looks, nobody is asked.
    #expect(try program.run(["x": x]).isEmpty)
  }

  @Test func anUnknownOperatorIsNamed() throws {
    let x = try Tensor([Float(1)])
    let model = makeModel([Node("Frobnicate", name: "f", inputs: ["x"], outputs: ["y"])], inputs: [("x", x)])
    let error = #expect(throws: PruneError.self) { try Program(model) }
    #expect(error?.status == .unsupported && error?.place == "Frobnicate 'f'" && error?.hint.isEmpty == false)
  }

  @Test func unusedNodesAreNotCompiled() throws {
    let x = try Tensor([Float(1)])
    let nodes = [Node("Frobnicate", inputs: ["x"], outputs: ["z"]), Node("Relu", inputs: ["x"], outputs: ["y"])]
    #expect(try Program(makeModel(nodes, inputs: [("x", x)])).run(["x": x])["y"]?.count == 1)
  }

  @Test func contradictionsNameTheNode() throws {
    let x = try Tensor(zeros: .float32, try Shape([1, 3, 8, 8]))
    let w = try Tensor(zeros: .float32, try Shape([4, 5, 3, 3]))
    let model = makeModel(
      [Node("Conv", name: "c", inputs: ["x", "w"], outputs: ["y"])], inputs: [("x", x)], constants: [("w", w)])
    let error = #expect(throws: PruneError.self) { try Program(model) }
    #expect(error?.place == "Conv 'c'")
  }

  @Test func absurdShapesAreErrors() throws {
    let x = try Tensor(zeros: .float32, try Shape([1]))
    let shape = try Tensor([Int64(1) << 20, 1 << 20])
    let nodes = [Node("Expand", inputs: ["x", "s"], outputs: ["e"]), Node("Relu", inputs: ["e"], outputs: ["y"])]
    let model = makeModel(nodes, inputs: [("x", x)], constants: [("s", shape)])
    let error = #expect(throws: PruneError.self) { try Program(model).run(["x": x]) }
    #expect(error?.status == .outOfMemory)
  }

  /// NonZero's result has as many columns as there are non-zeros: what follows is decided while running.
  @Test func shapesThatOnlyARunTells() throws {
    let nodes = [
      Node("NonZero", inputs: ["x"], outputs: ["n"]), Node("Transpose", inputs: ["n"], outputs: ["t"]),
      Node("Relu", inputs: ["x"], outputs: ["y"]),
    ]
    let x = try Tensor([Float(0), 3, -1, 0], try Shape([2, 2]))
    let model = makeModel(nodes, inputs: [("x", x)], outputs: ["t", "y"])
    guard ReferenceKernels.kernel(for: nodes[0], opset: 17) != nil else { return }
    let program = try Program(model)
    for _ in 0..<2 {
      let results = try program.run(["x": x])
      #expect(results["t"]?.shape.dims == [2, 2])
      #expect(try results["t"]?.array(of: Int64.self) == [0, 1, 1, 0])
    }
    let zero = try program.run(["x": try Tensor(zeros: .float32, x.shape)])
    #expect(zero["t"]?.shape.dims == [0, 2])
  }

  @Test func shapeArithmeticIsFolded() throws {
    let x = try Tensor((0..<24).map { Float($0) }, try Shape([2, 3, 4]))
    let nodes = [
      Node("Shape", inputs: ["x"], outputs: ["s"]), Node("Gather", inputs: ["s", "zero"], outputs: ["n"]),
      Node("Unsqueeze", inputs: ["n", "axes"], outputs: ["u"]),
      Node("Concat", inputs: ["u", "rest"], outputs: ["d"], attributes: [Attribute("axis", .int(0))]),
      Node("Reshape", inputs: ["x", "d"], outputs: ["y"]),
    ]
    guard nodes.allSatisfy({ ReferenceKernels.kernel(for: $0, opset: 17) != nil }) else { return }
    let constants = [
      ("zero", try Tensor(scalar: Int64(0))), ("axes", try Tensor([Int64(0)])), ("rest", try Tensor([Int64(-1)])),
    ]
    let program = try Program(makeModel(nodes, inputs: [("x", x)], constants: constants))
    #expect(program.stepCount == 0)
    #expect(try program.run(["x": x])["y"]?.shape.dims == [2, 12])
  }

  @Test func variablesAreReadAnew() throws {
    let (model, inputs) = try linear()
    let w = Variable(name: "w", tensor: try Tensor([Float(2), 0, 0, 2], try Shape([2, 2])))
    let program = try Program(model, .init(variables: ["w": w]))
    #expect(try program.run(inputs)["y"]?.array(of: Float.self) == [2, 4, 6, 8])
    w.tensor = try Tensor([Float(3), 0, 0, 3], try Shape([2, 2]))
    #expect(try program.run(inputs)["y"]?.array(of: Float.self) == [3, 6, 9, 12])
    w.tensor = try Tensor(zeros: .float32, try Shape([3, 2]))
    #expect(throws: PruneError.self) { try program.run(inputs) }
  }

  @Test func cancelStops() throws {
    let (model, inputs) = try linear()
    let flag = try CancelFlag()
    let program = try Program(model)
    flag.request()
    let error = #expect(throws: PruneError.self) { try program.run(inputs, cancel: flag) }
    #expect(error?.status == .cancelled)
    flag.clear()
    #expect(try program.run(inputs, cancel: flag)["y"]?.count == 4)
  }

  @Test func functionsAreInlined() throws {
    let x = try Tensor([Float(-1), 2])
    var model = makeModel(
      [
        Node(
          "Leak", domain: "local", name: "n", inputs: ["x"], outputs: ["y"],
          attributes: [Attribute("slope", .float(0.5))])
      ], inputs: [("x", x)])
    var function = FunctionDefinition()
    (function.name, function.domain, function.inputs, function.outputs) = ("Leak", "local", ["a"], ["b"])
    function.attributes = ["slope"]
    var leak = Node("LeakyRelu", inputs: ["a"], outputs: ["t"])
    var alpha = Attribute("alpha", .float(0))
    alpha.referenceName = "slope"
    leak.attributes = [alpha]
    function.nodes = [leak, Node("Neg", inputs: ["t"], outputs: ["b"])]
    model.functions = [function]
    #expect(try Program(model).run(["x": x])["y"]?.array(of: Float.self) == [0.5, -2])
  }

  @Test func oneThreadGivesTheSame() throws {
    var random = RandomSource(seed: 4)
    let x = try random.tensor([2, 16, 20, 20])
    let nodes = [Node("Conv", inputs: ["x", "w"], outputs: ["c"]), Node("Relu", inputs: ["c"], outputs: ["y"])]
    let model = makeModel(nodes, inputs: [("x", x)], constants: [("w", try random.tensor([24, 16, 3, 3]))])
    let session = Session(model)
    let many = try #require(try session.run(["x": x])["y"])
    let before = Parallel.threads
    Parallel.threads = 1
    let one = try #require(try session.run(["x": x])["y"])
    Parallel.threads = before
    #expect(try relativeNorm(many, one) < 1e-6)
    let again = try #require(try session.run(["x": x])["y"])
    #expect(again.bytes.isEqual(to: many.bytes))
  }
}
