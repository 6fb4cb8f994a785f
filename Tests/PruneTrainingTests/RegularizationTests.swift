import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// One penalty on a weight of a shape.
struct PenaltyCase: Sendable, CustomTestStringConvertible {
  var kind: String
  var shape: [Int]
  var axis = 0

  var testDescription: String { "\(kind) \(shape) axis \(axis)" }

  private func node(_ opType: String, _ inputs: [String], _ attributes: [Attribute]) -> Model {
    var graph = Graph(name: "penalty")
    graph.nodes = [
      Node(
        opType, domain: "ai.libprune", name: "node", inputs: inputs, outputs: ["out"],
        attributes: attributes + [Attribute("axis", .int(Int64(axis)))])
    ]
    var model = Model(graph: graph)
    model.opsets.append(OpsetImport(domain: "ai.libprune", version: 1))
    return model
  }

  func weight() throws -> Tensor {
    var random = RandomSource(seed: 3)
    let size = try Shape(shape)
    return try Tensor((0..<size.count).map { _ in Float(random.normal()) }, size)
  }

  func strength() throws -> Tensor {
    kind == "channels" ? try Tensor((0..<shape[axis]).map { 0.1 * Float($0) }) : try Tensor(scalar: Float(0.3))
  }

  /// What the penalty adds to a gradient of zeros.
  func gradient(optimizes: Bool) throws -> [Float] {
    var model = node(
      "PenaltyGrad", ["w", "g", "strength"] + (kind == "sign" ? ["signs"] : []), [Attribute("kind", .text(kind))])
    let w = try weight()
    if kind == "sign" {
      let signs: [Int8] = (0..<w.count).map { Int8($0 % 3 - 1) }
      model.graph.setInitializer("signs", try Tensor(signs, w.shape))
    }
    model.graph.inputs = [
      ValueInfo(name: "g", type: TensorType(.float32, w.shape)),
      ValueInfo(name: "strength", type: TensorType(.float32, try strength().shape)),
    ]
    let program = try Program(
      model, ProgramOptions(outputs: ["out"], variables: ["w": Variable(name: "w", tensor: w)], optimizes: optimizes))
    #expect(program.referenceLabels.isEmpty == optimizes)
    let inputs = ["g": try Tensor(zeros: .float32, w.shape), "strength": try strength()]
    return try #require(program.run(inputs)["out"]).array(of: Float.self)
  }

  /// - Parameter keepsSigns: projects to signs of 1, -1 and 0 in turn rather than to the bound.
  func projected(bound: Float, optimizes: Bool, keepsSigns: Bool = false, norm: Int64 = 2) throws -> [Float] {
    var model = node(
      "ProjectUpdate", ["w"] + (keepsSigns ? ["signs"] : []),
      [Attribute("bound", .float(bound)), Attribute("norm", .int(norm))])
    if keepsSigns {
      model.graph.setInitializer("signs", try Tensor((0..<weight().count).map { Int8($0 % 3 - 1) }, Shape(shape)))
    }
    let variable = Variable(name: "w", tensor: try weight())
    let program = try Program(model, ProgramOptions(outputs: [], variables: ["w": variable], optimizes: optimizes))
    _ = try program.run([:])
    return try variable.tensor.array(of: Float.self)
  }

  /// Norms of the channels.
  func norms(_ values: [Float]) -> [Double] {
    let inner = shape[(axis + 1)...].reduce(1, *)
    var sums = [Double](repeating: 0, count: shape[axis])
    for index in values.indices { sums[index / inner % shape[axis]] += Double(values[index]) * Double(values[index]) }
    return sums.map { $0.squareRoot() }
  }

  /// The penalty itself.
  func penalty(_ w: [Float]) throws -> Double {
    switch kind {
    case "l1": return w.reduce(0) { $0 + 0.3 * Double(abs($1)) }
    case "l2": return w.reduce(0) { $0 + 0.15 * Double($1) * Double($1) }
    case "groups":
      return norms(w).reduce(0, +) * 0.3 * Double(w.count / shape[axis]).squareRoot()
    case "channels": return norms(w).enumerated().reduce(0) { $0 + 0.05 * Double($1.offset) * $1.element * $1.element }
    default:
      return w.indices.reduce(0) { $0 + (Float($1 % 3 - 1) * w[$1] < 0 ? 0.3 * Double(abs(w[$1])) : 0) }
    }
  }
}

@Suite struct RegularizationTests {
  static let cases: [PenaltyCase] = ["l1", "l2", "sign", "groups", "channels"].flatMap { kind in
    [
      PenaltyCase(kind: kind, shape: [6, 4, 3, 3]), PenaltyCase(kind: kind, shape: [5, 7], axis: 1),
      PenaltyCase(kind: kind, shape: [3, 8, 5], axis: 1),
    ]
  }

  @Test(arguments: cases) func penaltiesAreTheirGradients(example: PenaltyCase) throws {
    let (fast, slow) = (try example.gradient(optimizes: true), try example.gradient(optimizes: false))
    #expect(zip(fast, slow).allSatisfy { abs($0 - $1) < 1e-5 })
    let w = try example.weight().array(of: Float.self)
    for index in stride(from: 0, to: w.count, by: 5) where abs(w[index]) > 0.01 {
      var (up, down) = (w, w)
      up[index] += 1e-3
      down[index] -= 1e-3
      let numeric = (try example.penalty(up) - example.penalty(down)) / Double(up[index] - down[index])
      #expect(abs(Double(fast[index]) - numeric) < 2e-3, "\(index): \(fast[index]), \(numeric)")
    }
  }

  @Test(arguments: cases.filter { $0.kind == "l2" }, [true, false]) func projectionsKeepSigns(
    example: PenaltyCase, optimizes: Bool
  ) throws {
    let before = try example.weight().array(of: Float.self)
    let after = try example.projected(bound: 1, optimizes: optimizes, keepsSigns: true)
    #expect(after == before.enumerated().map { Float($0.offset % 3 - 1) * $0.element < 0 ? 0 : $0.element })
  }

  @Test(arguments: cases.filter { $0.kind == "l2" }, [true, false]) func projectionsBoundChannels(
    example: PenaltyCase, optimizes: Bool
  ) throws {
    let before = try example.weight().array(of: Float.self)
    let norms = example.norms(before)
    let bound = norms.sorted()[norms.count / 2]
    let after = try example.projected(bound: Float(bound), optimizes: optimizes)
    for (old, new) in zip(norms, example.norms(after)) { #expect(abs(new - min(old, bound)) < 1e-5) }
  }

  /// What is left of each channel is what it was less one threshold, and sums to the bound.
  @Test(arguments: cases.filter { $0.kind == "l2" }, [true, false])
  func projectionsOnBallsOfL1AreTheNearest(example: PenaltyCase, optimizes: Bool) throws {
    let before = try example.weight().array(of: Float.self), inner = example.shape[(example.axis + 1)...].reduce(1, *)
    func channel(_ values: [Float], _ number: Int) -> [Float] {
      values.enumerated().filter { $0.offset / inner % example.shape[example.axis] == number }.map(\.element)
    }
    func sizes(_ values: [Float]) -> [Double] {
      (0..<example.shape[example.axis]).map { channel(values, $0).reduce(0) { $0 + Double(abs($1)) } }
    }
    let sums = sizes(before), bound = sums.sorted()[sums.count / 2] * 0.7
    let after = try example.projected(bound: Float(bound), optimizes: optimizes, norm: 1)
    for (old, new) in zip(sums, sizes(after)) { #expect(abs(new - min(old, bound)) < 1e-4 * max(bound, 1)) }
    for number in sums.indices where sums[number] > bound {
      let pairs = zip(channel(before, number), channel(after, number)).filter { $1 != 0 }
      let lost = pairs.map { abs($0) - abs($1) }
      #expect((lost.max() ?? 0) - (lost.min() ?? 0) < 1e-4)
      #expect(pairs.allSatisfy { $0 * $1 > 0 })
      let gone = zip(channel(before, number), channel(after, number)).filter { $1 == 0 }.map { abs($0.0) }
      #expect((gone.max() ?? 0) <= (lost.max() ?? 0) + 1e-4)
    }
  }

  @Test func dropoutDropsByElementAndStepAlone() throws {
    let count = 20_000
    func run(step: Float, optimizes: Bool, key: Int64 = 5) throws -> [Float] {
      var graph = Graph(name: "dropout")
      graph.nodes = [
        Node(
          "DropoutTrain", domain: "ai.libprune", inputs: ["x", "step"], outputs: ["y"],
          attributes: [Attribute("ratio", .float(0.3)), Attribute("key", .int(key))])
      ]
      graph.inputs = [
        ValueInfo(name: "x", type: TensorType(.float32, try Shape([count]))),
        ValueInfo(name: "step", type: TensorType(.float32, .scalar)),
      ]
      var model = Model(graph: graph)
      model.opsets.append(OpsetImport(domain: "ai.libprune", version: 1))
      let x = try Tensor([Float](repeating: 1, count: count))
      let results = try Program(model, ProgramOptions(outputs: ["y"], optimizes: optimizes)).run([
        "x": x, "step": try Tensor(scalar: step),
      ])
      return try #require(results["y"]).array(of: Float.self)
    }
    let (fast, slow) = (try run(step: 7, optimizes: true), try run(step: 7, optimizes: false))
    #expect(fast == slow)
    #expect(Set(fast) == [0, Float(1 / 0.7)])
    let dropped = Double(fast.count { $0 == 0 }) / Double(count)
    #expect(abs(dropped - 0.3) < 0.015)
    // Neighbouring steps and other layers drop others.
    for other in [try run(step: 8, optimizes: true), try run(step: 7, optimizes: true, key: 6)] {
      let same = Double(zip(fast, other).count { $0 == $1 }) / Double(count)
      #expect(abs(same - 0.58) < 0.02)
    }
  }

  // MARK: - In a fit

  private func trained(_ regularizers: [Regularizer], _ change: (inout FitOptions) -> Void = { _ in }) throws
    -> [String: [Float]]
  {
    var model = try Fixture.network(hidden: [32])
    var options = FitOptions()
    options.epochs = 4
    options.lr = 5e-3
    options.regularizers = regularizers
    change(&options)
    let history = try fit(&model, Fixture.digits(256), options)
    #expect(try #require(history["epochs.\(options.epochs - 1).loss"]?.number) < 2.5)
    return try Fixture.weights(model)
  }

  @Test func penaltiesDoWhatTheyAreFor() throws {
    let plain = try trained([])
    func small(_ weights: [String: [Float]]) -> Int { (weights["fc1.weight"] ?? []).count { abs($0) < 0.005 } }
    #expect(small(try trained([Regularizer(.l1, 2e-3)])) > 3 * small(plain))
    func size(_ weights: [String: [Float]]) -> Double {
      (weights["fc1.weight"] ?? []).reduce(0) { $0 + Double($1 * $1) }
    }
    #expect(size(try trained([Regularizer(.l2, 5e-2)])) < 0.5 * size(plain))
    // Biases are no weights of two axes.
    #expect(size(try trained([Regularizer(.l2, 5e-2, scope: ["fc2.*"])])) > 0.7 * size(plain))
    let example = PenaltyCase(kind: "groups", shape: [32, 64])
    func spread(_ weights: [String: [Float]]) -> Double {
      let norms = example.norms(weights["fc1.weight"] ?? [])
      return (norms.min() ?? 0) / (norms.max() ?? 1)
    }
    #expect(spread(try trained([Regularizer(.groupLasso, 2e-3)])) < 0.5 * spread(plain))
    let growing = Regularizer(.growing, 0, growth: 5e-3, limit: 0.5, interval: 1)
    #expect(spread(try trained([growing])) < 0.8 * spread(plain))
    // GReg pulls at what was selected alone.
    var selected = Regularizer(.greg1, 0, growth: 0.05, limit: 1, interval: 1)
    selected.selection["fc1.weight"] = try Tensor((0..<2048).map { $0 < 1024 ? 1 : 0 as Float }, Shape([32, 64]))
    let driven = try trained([selected])["fc1.weight"] ?? [], free = plain["fc1.weight"] ?? []
    func half(_ weights: [Float], _ first: Bool) -> Double {
      weights.enumerated().reduce(0) { $0 + (($1.offset < 1024) == first ? Double($1.element * $1.element) : 0) }
    }
    #expect(half(driven, true) < 0.25 * half(free, true))
    #expect(half(driven, false) > 0.5 * half(free, false))
    #expect(size(try trained([Regularizer(.greg2, 0, growth: 5e-3, limit: 0.2, interval: 1)])) < 0.5 * size(plain))
    let bounded = try trained([Regularizer(.maxNorm, 0.9)])
    #expect(example.norms(bounded["fc1.weight"] ?? []).allSatisfy { $0 < 0.9001 })
    #expect(example.norms(plain["fc1.weight"] ?? []).contains { $0 > 0.9001 })
    let sparse = try trained([Regularizer(.maxNormL1, 2)])["fc1.weight"] ?? []
    #expect((0..<32).allSatisfy { row in sparse[(row * 64)..<(row * 64 + 64)].reduce(0) { $0 + abs($1) } < 2.001 })
    #expect(sparse.count { $0 == 0 } > 200)
  }

  @Test func signsAreKept() throws {
    let before = try Fixture.weights(Fixture.network(hidden: [32]))
    func changed(_ weights: [String: [Float]]) -> Int {
      zip(before["fc1.weight"] ?? [], weights["fc1.weight"] ?? []).count { $0 * $1 < 0 }
    }
    let free = changed(try trained([]))
    #expect(changed(try trained([Regularizer(.sign, 0.05)])) < free / 4)
    let held = try trained([Regularizer(.signConstraint, 0)])
    #expect(changed(held) == 0)
    // What wanted to change is exactly zero.
    #expect((held["fc1.weight"] ?? []).count { $0 == 0 } > free / 4)
  }

  @Test func regularizersThatMakeNoSenseAreNamed() throws {
    func message(_ regularizer: Regularizer) -> String {
      do { _ = try trained([regularizer]) } catch { return "\(error)" }
      return ""
    }
    #expect(message(Regularizer(.l1, -1)).contains("strength is -1"))
    #expect(message(Regularizer(.l1, 0)).contains("regularizer l1"))
    #expect(message(Regularizer(.greg1, 1)).contains("nothing is selected"))
    #expect(message(Regularizer(.scales, 1e-3)).contains("no batch normalization"))
    #expect(message(Regularizer(.l2, 1e-3, scope: ["fc7*"])).contains("fc7*"))
    #expect(throws: PruneError.self) { try Regularizer.kind("l3") }
  }

  /// The graph's own Dropout nodes drop in training, and only there.
  @Test func dropoutNodesDropInTraining() throws {
    func losses(_ ratio: Double?, seed: UInt64 = 1, nodes: Bool = true) throws -> (
      training: Double, validation: Double, weights: [Float]
    ) {
      var model = try Fixture.network(hidden: [32])
      if nodes {
        let index = try #require(model.graph.nodes.firstIndex { $0.name == "fc2" })
        let input = model.graph.nodes[index].inputs[0]
        model.graph.setInitializer("ratio", try Tensor(scalar: Float(0.5)))
        model.graph.nodes.insert(
          Node("Dropout", name: "drop", inputs: [input, "ratio"], outputs: ["dropped"]), at: index)
        model.graph.nodes[index + 1].inputs[0] = "dropped"
      }
      var options = FitOptions()
      options.dropout = ratio
      options.optimizer = "sgd"
      options.lr = 1e-12
      options.seed = seed
      options.shuffle = false
      options.validation = try Fixture.digits(256)
      let history = try fit(&model, Fixture.digits(256), options)
      return (
        try #require(history["epochs.0.loss"]?.number), try #require(history["epochs.0.validation_loss"]?.number),
        try #require(Fixture.weights(model)["fc2.weight"])
      )
    }
    let (none, own, given, inserted) = (try losses(0), try losses(nil), try losses(0.5), try losses(0.5, nodes: false))
    #expect(abs(none.training - none.validation) < 1e-4)
    #expect(abs(own.training - none.training) > 1e-3 && abs(own.validation - none.validation) < 1e-5)
    #expect(own.training == given.training && own.training == inserted.training)
    #expect(try losses(nil, seed: 2).training != own.training && losses(nil).training == own.training)
    #expect(throws: PruneError.self) { try losses(1.5) }
  }
}
