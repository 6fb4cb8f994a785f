import PruneGraph
import PruneTensor
import Testing

@Suite struct InferenceTests {
  /// A model of one float32 input and the nodes given.
  private func model(
    _ input: [Dim], _ nodes: [Node], weights: [(String, Tensor)] = [], opset: Int64 = 17
  ) -> Model {
    var graph = Graph(name: "g")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, input))]
    graph.nodes = nodes
    for (name, tensor) in weights { graph.setInitializer(name, tensor) }
    return Model(graph: graph, opset: opset)
  }

  private func weight(_ dims: Int...) throws -> Tensor { try Tensor(zeros: .float32, Shape(dims)) }

  @Test func symbolsKeepTheirNames() throws {
    let net = model(
      [.named("N"), .fixed(3), .fixed(32), .fixed(32)],
      [
        Node(
          "Conv", inputs: ["x", "w"], outputs: ["c"],
          attributes: [
            Attribute("pads", .ints([1, 1, 1, 1])), Attribute("strides", .ints([2, 2])),
          ]),
        Node("Relu", inputs: ["c"], outputs: ["r"]),
        Node("GlobalAveragePool", inputs: ["r"], outputs: ["p"]),
        Node("Flatten", inputs: ["p"], outputs: ["y"]),
      ], weights: [("w", try weight(8, 3, 3, 3))])
    let found = try ShapeInference.run(net)
    #expect(
      found.types["c"] == TensorType(.float32, [.named("N"), .fixed(8), .fixed(16), .fixed(16)]))
    #expect(found.types["y"] == TensorType(.float32, [.named("N"), .fixed(8)]))
    let batch = try ShapeInference.run(
      net, inputs: ["x": TensorType(.float32, [.fixed(5), .fixed(3), .fixed(32), .fixed(32)])])
    #expect(batch.types["y"] == TensorType(.float32, [.fixed(5), .fixed(8)]))
  }

  @Test func shapeArithmeticIsFollowed() throws {
    let net = model(
      [.named("N"), .named("L"), .fixed(384)],
      [
        Node("Shape", inputs: ["x"], outputs: ["s"]),
        Node("Gather", inputs: ["s", "zero"], outputs: ["n"]),
        Node("Gather", inputs: ["s", "one"], outputs: ["l"]),
        Node("Unsqueeze", inputs: ["n", "axis"], outputs: ["n1"]),
        Node("Unsqueeze", inputs: ["l", "axis"], outputs: ["l1"]),
        Node(
          "Concat", inputs: ["n1", "l1", "heads"], outputs: ["target"],
          attributes: [Attribute("axis", .int(0))]),
        Node("Reshape", inputs: ["x", "target"], outputs: ["y"]),
        Node(
          "Transpose", inputs: ["y"], outputs: ["z"],
          attributes: [Attribute("perm", .ints([0, 2, 1, 3]))]),
      ],
      weights: [
        ("zero", try Tensor(scalar: 0 as Int64)), ("one", try Tensor(scalar: 1 as Int64)),
        ("axis", try Tensor([0] as [Int64])),
        ("heads", try Tensor([12, -1] as [Int64])),
      ])
    let found = try ShapeInference.run(net)
    #expect(found.types["z"]?.dims == [.named("N"), .fixed(12), .named("L"), .fixed(32)])
  }

  /// PyTorch computes pads in a table: a constant, filled up with zeros, its rows reversed, transposed.
  @Test func computedPadsAreFollowed() throws {
    let net = model(
      [.named("N"), .fixed(16), .fixed(8), .fixed(8)],
      [
        Node(
          "ConstantOfShape", inputs: ["four"], outputs: ["zeros"],
          attributes: [
            Attribute("value", .tensor(TensorValue(name: "", tensor: try Tensor([0] as [Int64]))))
          ]),
        Node(
          "Concat", inputs: ["pads", "zeros"], outputs: ["all"],
          attributes: [Attribute("axis", .int(0))]),
        Node("Reshape", inputs: ["all", "pairs"], outputs: ["table"]),
        Node("Slice", inputs: ["table", "last", "first", "axis", "last"], outputs: ["reversed"]),
        Node(
          "Transpose", inputs: ["reversed"], outputs: ["columns"],
          attributes: [Attribute("perm", .ints([1, 0]))]),
        Node("Reshape", inputs: ["columns", "last"], outputs: ["flat"]),
        Node("Pad", inputs: ["x", "flat"], outputs: ["y"]),
      ],
      weights: [
        ("four", try Tensor([4] as [Int64])), ("pads", try Tensor([0, 1, 2, 3] as [Int64])),
        ("pairs", try Tensor([-1, 2] as [Int64])),
        ("last", try Tensor([-1] as [Int64])), ("first", try Tensor([Int64.min + 1])),
        ("axis", try Tensor([0] as [Int64])),
      ])
    let found = try ShapeInference.run(net)
    #expect(found.values["flat"]?.integers == [0, 0, 2, 0, 0, 0, 3, 1])
    #expect(found.types["y"]?.dims == [.named("N"), .fixed(16), .fixed(13), .fixed(9)])
  }

  @Test func contradictionsNameTheNode() throws {
    let net = model(
      [.fixed(1), .fixed(4), .fixed(8), .fixed(8)],
      [Node("Conv", name: "stem", inputs: ["x", "w"], outputs: ["y"])],
      weights: [("w", try weight(8, 3, 3, 3))])
    let error = #expect(throws: PruneError.self) { try ShapeInference.run(net) }
    #expect(error?.status == .mismatch)
    #expect(error?.place == "Conv 'stem'")
  }

  @Test(arguments: [
    ("Conv", [Attribute("strides", .ints([0, 1]))]), ("Conv", [Attribute("group", .int(0))]),
    ("Conv", [Attribute("group", .int(.max))]),
    ("Conv", [Attribute("pads", .ints([-1, 0, 0, 0]))]),
    ("Conv", [Attribute("dilations", .ints([.max, .max]))]),
    ("Conv", [Attribute("auto_pad", .text("SOMETIMES"))]),
    ("ConvTranspose", [Attribute("strides", .ints([.max, 1]))]),
    ("ConvTranspose", [Attribute("group", .int(-3))]),
    ("Concat", [Attribute("axis", .int(.min))]), ("Softmax", [Attribute("axis", .int(.max))]),
    ("MaxPool", [Attribute("kernel_shape", .ints([.max, .max]))]),
    ("MaxPool", [Attribute("kernel_shape", .ints([]))]),
    ("Flatten", [Attribute("axis", .int(.min))]),
    ("Transpose", [Attribute("perm", .ints([0, 0, 0, 0]))]),
    ("DepthToSpace", [Attribute("blocksize", .int(0))]),
    ("DepthToSpace", [Attribute("blocksize", .int(.max))]),
    ("LRN", [Attribute("size", .int(.max))]), ("Cast", [Attribute("to", .int(.max))]),
  ])
  func absurdAttributesAreErrors(op: String, attributes: [Attribute]) throws {
    let net = model(
      [.fixed(1), .fixed(4), .fixed(8), .fixed(8)],
      [Node(op, inputs: ["x", "w"], outputs: ["y"], attributes: attributes)],
      weights: [("w", try weight(4, 4, 3, 3))])
    #expect(throws: PruneError.self) { try ShapeInference.run(net) }
  }

  @Test func unknownOperatorsStopNothing() throws {
    let net = model(
      [.fixed(2)],
      [
        Node("Frobnicate", domain: "example", inputs: ["x"], outputs: ["u"]),
        Node("Relu", inputs: ["x"], outputs: ["y"]),
      ])
    let found = try ShapeInference.run(net)
    #expect(found.types["u"] == nil)
    #expect(found.types["y"]?.dims == [.fixed(2)])
  }

  @Test func overridesAreChecked() throws {
    let net = model([.named("N"), .fixed(3)], [])
    #expect(throws: PruneError.self) {
      try ShapeInference.run(net, inputs: ["z": TensorType(.float32, [])])
    }
    #expect(throws: PruneError.self) {
      try ShapeInference.run(net, inputs: ["x": TensorType(.float32, [.fixed(1), .fixed(4)])])
    }
    #expect(throws: PruneError.self) {
      try ShapeInference.run(net, inputs: ["x": TensorType(.int64, [.fixed(1), .fixed(3)])])
    }
  }

  @Test func axesMoveFromAttributeToInput() throws {
    let old = model(
      [.fixed(2), .fixed(1), .fixed(3)],
      [Node("Squeeze", inputs: ["x"], outputs: ["y"], attributes: [Attribute("axes", .ints([1]))])],
      opset: 11)
    #expect(try ShapeInference.run(old).types["y"]?.dims == [.fixed(2), .fixed(3)])
    let new = model(
      [.fixed(2), .fixed(1), .fixed(3)], [Node("Squeeze", inputs: ["x", "a"], outputs: ["y"])],
      weights: [("a", try Tensor([1] as [Int64]))])
    #expect(try ShapeInference.run(new).types["y"]?.dims == [.fixed(2), .fixed(3)])
  }

  @Test func macsOfConvolutionsAndProducts() throws {
    let x = TensorType(.float32, [.fixed(1), .fixed(16), .fixed(8), .fixed(8)])
    let w = TensorType(.float32, [.fixed(16), .fixed(1), .fixed(3), .fixed(3)])
    let conv = Node(
      "Conv", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("group", .int(16))])
    #expect(NodeCost.macs(conv, inputs: [x, w], outputs: [x]) == 16 * 64 * 9)
    let a = TensorType(.float32, [.fixed(5), .fixed(7)])
    let b = TensorType(.float32, [.fixed(7), .fixed(3)])
    let y = TensorType(.float32, [.fixed(5), .fixed(3)])
    #expect(
      NodeCost.macs(
        Node("MatMul", inputs: ["a", "b"], outputs: ["y"]), inputs: [a, b], outputs: [y]) == 105)
  }

  /// What the body gives back with the extents it took keeps them; what grows does not.
  @Test func loopsKeepTheExtentsThatTheirBodiesKeep() throws {
    func found(_ step: Node) throws -> TensorType? {
      var body = Graph(name: "body")
      body.inputs = ["i", "go", "v"].map { ValueInfo(name: $0, type: nil) }
      body.outputs = ["go", "w"].map { ValueInfo(name: $0, type: nil) }
      body.nodes = [step]
      let loop = Node(
        "Loop", inputs: ["count", "", "x"], outputs: ["y"], attributes: [Attribute("body", .graph(body))])
      let net = model(
        [.named("N"), .fixed(4), .fixed(3)], [loop], weights: [("count", try Tensor(scalar: 5 as Int64))])
      return try ShapeInference.run(net).types["y"]
    }
    let kept = try found(Node("Relu", inputs: ["v"], outputs: ["w"]))
    #expect(kept == TensorType(.float32, [.named("N"), .fixed(4), .fixed(3)]))
    let grown = try found(Node("Concat", inputs: ["v", "v"], outputs: ["w"], attributes: [Attribute("axis", .int(1))]))
    #expect(grown == TensorType(.float32, [.named("N"), .unknown, .fixed(3)]))
    let turned = try found(
      Node("Transpose", inputs: ["v"], outputs: ["w"], attributes: [Attribute("perm", .ints([0, 2, 1]))]))
    #expect(turned == TensorType(.float32, [.named("N"), .unknown, .unknown]))
    let flat = try found(Node("Flatten", inputs: ["v"], outputs: ["w"]))
    #expect(flat?.dtype == .float32 && flat?.dims?.contains(.fixed(4)) != true)
  }
}
