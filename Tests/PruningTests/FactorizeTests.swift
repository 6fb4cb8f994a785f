import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

@Suite struct FactorizeTests {
  /// A layer between "x" and "y" whose weight has rank 2 in the matrix that it multiplies by.
  struct Form: CustomTestStringConvertible, Sendable {
    var op: String
    var input: [Int]
    var weight: [Int]
    var operand = 1
    var bias: [Int]? = nil
    var attributes: [Attribute] = []
    var opset: Int64 = 17
    var testDescription: String { "\(op) of \(weight) at \(operand), opset \(opset)" }

    func model() throws -> Model {
      let shape = try Shape(weight)
      let node = Node(
        op, name: "layer", inputs: operand == 0 ? ["w", "x"] : ["x", "w"], outputs: ["y"], attributes: attributes)
      let matrix = try #require(LayerMatrix(shape, node: node, operand: operand))
      var tensor = try Tensor(zeros: .float32, shape)
      for group in 0..<matrix.groups {
        let seed = UInt64(group)
        let left = try SmallGraph.weight([matrix.outputs, 2], seed: seed)
        let right = try SmallGraph.weight([2, matrix.columns], seed: seed + 100)
        try matrix.scatter(try SecondOrder.product(left, right), group: group, into: &tensor)
      }
      var layer = node
      if bias != nil { layer.inputs.append("b") }
      let weights = bias.map { [("b", $0)] } ?? []
      return try SmallGraph.model(
        input.map { .fixed($0) }, weights: weights, constants: [("w", tensor)], [layer], opset: opset)
    }
  }

  static let forms = [
    Form(op: "MatMul", input: [5, 12], weight: [12, 10]),
    Form(op: "MatMul", input: [2, 5, 12], weight: [12, 10]),
    Form(op: "MatMul", input: [12, 5], weight: [10, 12], operand: 0),
    Form(op: "MatMul", input: [3, 5, 12], weight: [3, 12, 10]),
    Form(op: "Gemm", input: [5, 12], weight: [12, 10], bias: [10]),
    Form(op: "Gemm", input: [5, 12], weight: [10, 12], bias: [10], attributes: [Attribute("transB", .int(1))]),
    Form(
      op: "Gemm", input: [12, 5], weight: [12, 10], bias: [10],
      attributes: [Attribute("transA", .int(1)), Attribute("alpha", .float(0.5)), Attribute("beta", .float(2))]),
    Form(
      op: "Gemm", input: [5, 12], weight: [10, 12], operand: 0, bias: [1], attributes: [Attribute("transB", .int(1))]),
    Form(op: "Gemm", input: [5, 12], weight: [12, 10], bias: [10], opset: 9),
    Form(op: "Conv", input: [2, 8, 7, 9], weight: [12, 8, 3, 3], bias: [12]),
    Form(
      op: "Conv", input: [2, 8, 11, 9], weight: [12, 8, 3, 3],
      attributes: [
        Attribute("strides", .integers([2, 1])), Attribute("pads", .integers([1, 0, 1, 2])),
        Attribute("dilations", .integers([1, 2])), Attribute("kernel_shape", .integers([3, 3])),
      ]),
    Form(
      op: "Conv", input: [2, 16, 7, 7], weight: [20, 8, 3, 3], bias: [20], attributes: [Attribute("group", .int(2))]),
    Form(
      op: "Conv", input: [2, 8, 9, 9], weight: [12, 8, 3, 3],
      attributes: [Attribute("auto_pad", .string(Array("SAME_UPPER".utf8)))]),
    Form(op: "Conv", input: [2, 8, 7, 7], weight: [12, 8, 1, 1]),
    Form(op: "Conv", input: [2, 8, 20], weight: [12, 8, 5]),
    Form(op: "Conv", input: [1, 8, 5, 5, 5], weight: [12, 8, 3, 3, 3]),
    Form(
      op: "ConvTranspose", input: [2, 8, 5, 5], weight: [8, 12, 3, 3], bias: [12],
      attributes: [Attribute("strides", .integers([2, 2])), Attribute("output_padding", .integers([1, 1]))]),
    Form(
      op: "ConvTranspose", input: [2, 16, 5, 5], weight: [16, 10, 3, 3], attributes: [Attribute("group", .int(2))]),
  ]

  private func options(_ change: (inout FactorizeOptions) -> Void) -> FactorizeOptions {
    var options = FactorizeOptions()
    options.roundTo = 1
    change(&options)
    return options
  }

  private func outputs(_ model: Model, _ x: Tensor) throws -> [Float] {
    try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func distance(_ a: Model, _ b: Model, _ x: Tensor) throws -> Double {
    let left = try outputs(a, x), right = try outputs(b, x)
    #expect(left.count == right.count)
    let error = zip(left, right).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (error / left.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }

  @Test(arguments: forms) func aWeightOfRankTwoIsAProductOfTwo(_ form: Form) throws {
    let model = try form.model(), x = try SmallGraph.weight(form.input, seed: 7)
    let (small, report) = try factorize(model, options { $0.rank = 2 })
    #expect(small.graph.nodes.count == 2)
    #expect(try distance(model, small, x) < 1e-5)
    #expect(try ModelStats.of(small).params < ModelStats.of(model).params)
    let before = try #require(try ModelStats.of(model).macs), after = try #require(try ModelStats.of(small).macs)
    #expect(after < before)
    #expect(report["layers"]?.list?.first?.report?.number("energy") ?? 0 > 0.99999)
    // What a rank costs is reckoned before it is built.
    let target = options { $0.targets = [CostTarget(.macs, Double(after) / Double(before) + 1e-9)] }
    #expect(try ModelStats.of(factorize(model, target).model).macs == after)
  }

  @Test(arguments: forms) func dataLoseNothingOfIt(_ form: Form) throws {
    let model = try form.model()
    // Samples stand along the first axis.
    guard form.operand == 1, form.attributes.allSatisfy({ $0.name != "transA" }),
      form.weight.count != 3 || form.op == "Conv"
    else { return }
    let x = try SmallGraph.weight(form.input, seed: 7)
    let small = try factorize(
      model,
      options {
        $0.rank = 2; $0.data = try? Dataset.tensors(x, nil)
      }
    ).model
    #expect(small.graph.nodes.count == 2)
    #expect(try distance(model, small, x) < 1e-3)
  }

  @Test func aKernelOfColumnsAndRowsIsCutIntoThem() throws {
    var values: [Float] = []
    let columns = try SmallGraph.weight([2, 6, 3], seed: 1).array(of: Float.self)
    let rows = try SmallGraph.weight([8, 2, 5], seed: 2).array(of: Float.self)
    for output in 0..<8 {
      for input in 0..<6 {
        for y in 0..<3 {
          for x in 0..<5 {
            values.append(
              (0..<2).reduce(0) { $0 + columns[($1 * 6 + input) * 3 + y] * rows[(output * 2 + $1) * 5 + x] })
          }
        }
      }
    }
    let attributes = [
      Attribute("pads", .integers([1, 2, 0, 1])), Attribute("strides", .integers([1, 2])),
      Attribute("kernel_shape", .integers([3, 5])),
    ]
    let model = try SmallGraph.model(
      [.fixed(2), .fixed(6), .fixed(9), .fixed(11)], weights: [("b", [8])],
      constants: [("w", try Tensor(values, Shape([8, 6, 3, 5])))],
      [Node("Conv", name: "layer", inputs: ["x", "w", "b"], outputs: ["y"], attributes: attributes)])
    let small = try factorize(
      model,
      options {
        $0.rank = 2; $0.form = "spatial"
      }
    ).model
    #expect(small.graph.nodes.count == 2)
    #expect(try distance(model, small, SmallGraph.weight([2, 6, 9, 11], seed: 3)) < 1e-5)
  }

  @Test(arguments: [(24, 16), (16, 24)]) func dataKeepMoreOfWhatTheLayerComputes(_ extents: (Int, Int)) throws {
    let (inputs, outputs) = extents
    var random = RandomSource(seed: 5)
    // A few directions hold nearly all of the inputs.
    let mix = try SmallGraph.weight([4, inputs], seed: 9), parts = try SmallGraph.weight([300, 4], seed: 10)
    let x = try SecondOrder.product(parts, mix)
    let noisy = try Tensor(x.array(of: Float.self).map { $0 + 0.05 * Float(random.normal()) }, x.shape)
    let model = try SmallGraph.model(
      [.named("N"), .fixed(inputs)], weights: [("w", [inputs, outputs])],
      [Node("MatMul", name: "layer", inputs: ["x", "w"], outputs: ["y"])])
    let plain = try factorize(model, options { $0.rank = 4 }).model
    let aware = try factorize(
      model,
      options {
        $0.rank = 4; $0.data = try? Dataset.tensors(noisy, nil)
      }
    ).model
    let blind = try distance(model, plain, noisy), seeing = try distance(model, aware, noisy)
    #expect(seeing < 0.1)
    #expect(seeing < blind / 4)
  }

  @Test func halfStaysHalf() throws {
    let form = Form(op: "MatMul", input: [5, 12], weight: [12, 10])
    var model = try form.model()
    model.graph.inputs[0].type = TensorType(.float16, [.fixed(5), .fixed(12)])
    let weight = try #require(model.graph.initializer("w"))
    model.graph.setInitializer("w", try weight.cast(to: .float16))
    let small = try factorize(model, options { $0.rank = 2 }).model
    #expect(small.graph.initializers.allSatisfy { $0.tensor.dtype == .float16 })
    #expect(small.graph.nodes.count == 2)
    #expect(try ShapeInference.run(small).types["y"]?.dtype == .float16)
  }

  @Test func oneWeightOfTwoLayersStaysOne() throws {
    let form = Form(op: "MatMul", input: [5, 12], weight: [12, 12])
    var model = try form.model()
    model.graph.nodes = [
      Node("MatMul", name: "a", inputs: ["x", "w"], outputs: ["h"]),
      Node("MatMul", name: "b", inputs: ["h", "w"], outputs: ["y"]),
    ]
    let small = try factorize(model, options { $0.rank = 2 }).model
    #expect(small.graph.nodes.count == 4)
    #expect(small.graph.initializers.count == 2)
    #expect(try distance(model, small, SmallGraph.weight([5, 12], seed: 3)) < 1e-5)
  }

  @Test func usesKeepTheirOwnStrides() throws {
    let form = Form(op: "Conv", input: [2, 12, 9, 9], weight: [12, 12, 3, 3])
    var model = try form.model()
    let pads = Attribute("pads", .integers([1, 1, 1, 1]))
    model.graph.nodes = [
      Node("Conv", name: "a", inputs: ["x", "w"], outputs: ["h"], attributes: [pads]),
      Node(
        "Conv", name: "b", inputs: ["h", "w"], outputs: ["y"],
        attributes: [pads, Attribute("strides", .integers([2, 2]))]),
    ]
    let small = try factorize(model, options { $0.rank = 2 }).model
    #expect(small.graph.nodes.count == 4)
    #expect(try distance(model, small, SmallGraph.weight([2, 12, 9, 9], seed: 3)) < 1e-5)
  }

  @Test func aWeightThatIsReadElsewhereStays() throws {
    var model = try Form(op: "MatMul", input: [5, 12], weight: [12, 10]).model()
    model.graph.nodes.append(Node("Identity", name: "copy", inputs: ["w"], outputs: ["z"]))
    model.graph.outputs.append(ValueInfo(name: "z", type: nil))
    let (same, report) = try factorize(model, options { $0.rank = 2 })
    #expect(same.graph.nodes.count == 2)
    #expect(report["skipped"]?.list?.first?.report?["reason"]?.text == "something else reads it as well")
  }

  @Test(arguments: [1e-22, 1e-30, 1e19]) func scalesOfAnySizeAreFactored(_ scale: Double) throws {
    let form = Form(op: "MatMul", input: [5, 12], weight: [12, 10])
    var model = try form.model()
    let weight = try #require(model.graph.initializer("w")).array(of: Float.self)
    model.graph.setInitializer("w", try Tensor(weight.map { $0 * Float(scale) }, Shape([12, 10])))
    let small = try factorize(model, options { $0.rank = 2 }).model
    let x = try Tensor(
      SmallGraph.weight([5, 12], seed: 3).array(of: Float.self).map { $0 / Float(scale).squareRoot() }, Shape([5, 12]))
    let before = try outputs(model, x), after = try outputs(small, x)
    let largest = before.map(\.magnitude).max() ?? 0
    #expect(largest > 0)
    for (a, b) in zip(before, after) { #expect((a - b).magnitude < 1e-4 * largest) }
  }

  @Test func whatSavesNothingStaysWhole() throws {
    let model = try SmallGraph.model(
      [.fixed(1), .fixed(8), .fixed(6), .fixed(6)], weights: [("w", [8, 1, 3, 3])],
      [
        Node(
          "Conv", name: "depthwise", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("group", .int(8))])
      ])
    let (same, report) = try factorize(model, FactorizeOptions())
    #expect(same.graph.nodes.count == 1)
    #expect(report.headline?.contains("no layer was factored") ?? false)
    #expect(report["skipped"]?.list?.first?.report?["reason"]?.text == "no rank saves anything")
  }

  @Test func badChoicesAreRefused() throws {
    let model = try Form(op: "MatMul", input: [5, 12], weight: [12, 10]).model()
    func status(_ change: (inout FactorizeOptions) -> Void) -> Status? {
      do throws(PruneError) {
        _ = try factorize(model, options(change))
        return nil
      } catch { return error.status }
    }
    #expect(
      status {
        $0.rank = 2; $0.energy = 0.5
      } == .invalidArgument)
    #expect(status { $0.targets = [CostTarget(.latency, 0.5)] } == .unsupported)
    #expect(status { $0.targets = [CostTarget(.params, 0.01)] } == .invalidArgument)
    #expect(status { $0.targets = [CostTarget(.params, 0)] } == .invalidArgument)
    #expect(status { $0.energy = 0 } == .invalidArgument)
    #expect(status { $0.scope = ["nobody"] } == .notFound)
    #expect(status { $0.data = try? Dataset.tensors(Tensor(zeros: .float32, Shape([4, 3])), nil) } != nil)
  }

  @Test func whatIsNotFiniteIsNamed() throws {
    var model = try Form(op: "MatMul", input: [5, 12], weight: [12, 10]).model()
    var values = try #require(model.graph.initializer("w")).array(of: Float.self)
    values[3] = .nan
    model.graph.setInitializer("w", try Tensor(values, Shape([12, 10])))
    #expect {
      try factorize(model, FactorizeOptions())
    } throws: {
      ($0 as? PruneError)?.status == .numeric && ($0 as? PruneError)?.place.contains("layer") == true
    }
  }

  @Test(arguments: [1, 2, 3, 17, 60]) func eigenvectorsRebuildTheMatrix(_ count: Int) throws {
    let a = try SmallGraph.weight([count, max(count / 2, 1)], seed: UInt64(count))
    let h = try SecondOrder.product(a, a, transposesB: true)
    let (values, vectors) = try SecondOrder.eigen(h)
    #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    let rows = try vectors.array(of: Float.self)
    let scaled = try Tensor(
      rows.enumerated().map { Float(values[$0.offset / count]) * $0.element }, vectors.shape)
    let back = try SecondOrder.product(vectors, scaled, transposesA: true).array(of: Float.self)
    let largest = values.first ?? 1
    for (x, y) in zip(back, try h.array(of: Float.self)) { #expect(abs(Double(x - y)) < 1e-5 * max(largest, 1)) }
  }
}
