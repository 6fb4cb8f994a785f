import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// One kind of update, with its attributes.
struct UpdateCase: Sendable, CustomTestStringConvertible {
  var opType: String
  var states: Int
  var attributes: [Attribute] = []
  var isMasked = false

  var testDescription: String { "\(opType) \(attributes.map(\.name)) \(isMasked ? "masked" : "")" }

  static let count = 1000

  /// A weight, its states and one update of it; steps are inputs.
  func program(optimizes: Bool) throws -> (Program, [Variable]) {
    var random = RandomSource(seed: 6)
    func draw() throws -> Tensor {
      try Tensor((0..<Self.count).map { _ in Float(random.normal()) }, Shape([Self.count]))
    }
    var variables = [Variable(name: "w", tensor: try draw())]
    for index in 0..<states {
      variables.append(Variable(name: "s\(index)", tensor: try Tensor(zeros: .float32, Shape([Self.count]))))
    }
    var graph = Graph(name: "update")
    var inputs = ["w", "g"] + variables.dropFirst().map(\.name)
    let slots = opType == "SGDUpdate" ? 1 : 2
    inputs += [String](repeating: "", count: slots - states)
    inputs += [isMasked ? "mask" : "", "rate"] + (opType == "AdamUpdate" ? ["step"] : []) + ["gate"]
    if isMasked { graph.setInitializer("mask", try Tensor((0..<Self.count).map { UInt8($0 % 3 == 0 ? 0 : 1) })) }
    graph.nodes = [
      Node(opType, domain: "ai.libprune", name: "update", inputs: inputs, outputs: ["new"], attributes: attributes)
    ]
    graph.inputs = [ValueInfo(name: "g", type: TensorType(.float32, try Shape([Self.count])))]
    for name in ["rate", "gate"] + (opType == "AdamUpdate" ? ["step"] : []) {
      graph.inputs.append(ValueInfo(name: name, type: TensorType(.float32, .scalar)))
    }
    var model = Model(graph: graph)
    model.opsets.append(OpsetImport(domain: "ai.libprune", version: 1))
    let named = Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0) })
    return (try Program(model, ProgramOptions(outputs: [], variables: named, optimizes: optimizes)), variables)
  }

  func step(_ program: Program, _ number: Int, gate: Float) throws {
    var random = RandomSource(seed: UInt64(100 + number))
    let gradient = try Tensor((0..<Self.count).map { _ in Float(random.normal()) }, Shape([Self.count]))
    var inputs = ["g": gradient, "rate": try Tensor(scalar: Float(0.02)), "gate": try Tensor(scalar: gate)]
    if opType == "AdamUpdate" { inputs["step"] = try Tensor(scalar: Float(number)) }
    _ = try program.run(inputs)
  }
}

@Suite struct UpdateTests {
  static let cases: [UpdateCase] = [
    UpdateCase(opType: "SGDUpdate", states: 0),
    UpdateCase(
      opType: "SGDUpdate", states: 1, attributes: [Attribute("momentum", .float(0.9)), Attribute("nesterov", .int(1))]),
    UpdateCase(
      opType: "SGDUpdate", states: 1,
      attributes: [Attribute("momentum", .float(0.8)), Attribute("weight_decay", .float(0.1))], isMasked: true),
    UpdateCase(opType: "AdamUpdate", states: 2, attributes: [Attribute("clip_value", .float(0.4))], isMasked: true),
    UpdateCase(
      opType: "AdamUpdate", states: 2,
      attributes: [Attribute("decoupled", .int(1)), Attribute("weight_decay", .float(0.1))]),
    UpdateCase(opType: "RMSpropUpdate", states: 1), UpdateCase(opType: "RMSpropUpdate", states: 1, isMasked: true),
    UpdateCase(
      opType: "RMSpropUpdate", states: 2,
      attributes: [
        Attribute("momentum", .float(0.9)), Attribute("weight_decay", .float(0.05)), Attribute("alpha", .float(0.9)),
      ], isMasked: true),
  ]

  @Test(arguments: cases) func fastAndReferenceAgree(example: UpdateCase) throws {
    let (fast, variables) = try example.program(optimizes: true)
    let (slow, expected) = try example.program(optimizes: false)
    #expect(fast.referenceLabels.isEmpty && slow.referenceLabels.count == 1)
    for number in 1...3 {
      let gate: Float = number == 2 ? 0.3 : 1
      try example.step(fast, number, gate: gate)
      try example.step(slow, number, gate: gate)
    }
    for (one, other) in zip(variables, expected) {
      let (a, b) = (try one.tensor.array(of: Float.self), try other.tensor.array(of: Float.self))
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($1)) }, "\(one.name)")
      if example.isMasked { #expect(a.indices.allSatisfy { $0 % 3 != 0 || a[$0] == 0 }) }
    }
  }

  @Test(arguments: cases, [true, false]) func aGateOfZeroLeavesEverything(example: UpdateCase, optimizes: Bool) throws {
    let (program, variables) = try example.program(optimizes: optimizes)
    try example.step(program, 1, gate: 1)
    let before = try variables.map { try $0.tensor.array(of: Float.self) }
    try example.step(program, 2, gate: 0)
    #expect(try variables.map { try $0.tensor.array(of: Float.self) } == before)
  }

  /// Norms against sums in double precision; the gate closes for what is no number, in the loss or in a gradient.
  @Test(arguments: [true, false]) func theGate(optimizes: Bool) throws {
    var random = RandomSource(seed: 2)
    let sizes = [3, 1000, 100_000]
    let gradients = sizes.map { count in (0..<count).map { _ in Float(random.normal()) } }
    func run(loss: Float, most: Float, spoilt: Float? = nil) throws -> (gate: Float, norms: [Float]) {
      var graph = Graph(name: "gate")
      var inputs = ["loss": try Tensor(scalar: loss)]
      graph.inputs = [ValueInfo(name: "loss", type: TensorType(.float32, .scalar))]
      for (index, values) in gradients.enumerated() {
        var copy = values
        if index == 1, let spoilt { copy[500] = spoilt }
        inputs["g\(index)"] = try Tensor(copy)
        graph.inputs.append(ValueInfo(name: "g\(index)", type: TensorType(.float32, try Shape([copy.count]))))
      }
      graph.nodes = [
        Node(
          "GradientGate", domain: "ai.libprune", inputs: ["loss", "g0", "g1", "g2"], outputs: ["gate", "norms"],
          attributes: [Attribute("max_norm", .float(most))])
      ]
      var model = Model(graph: graph)
      model.opsets.append(OpsetImport(domain: "ai.libprune", version: 1))
      let results = try Program(model, ProgramOptions(outputs: ["gate", "norms"], optimizes: optimizes)).run(inputs)
      return (
        try #require(results["gate"]).array(of: Float.self)[0], try #require(results["norms"]).array(of: Float.self)
      )
    }
    let squares = gradients.map { $0.reduce(0.0) { $0 + Double($1) * Double($1) } }
    let open = try run(loss: 1, most: 0)
    #expect(open.gate == 1)
    #expect(zip(open.norms, squares).allSatisfy { abs(Double($0) - $1.squareRoot()) < 1e-5 * $1.squareRoot() })
    let total = squares.reduce(0, +).squareRoot()
    #expect(abs(Double(try run(loss: 1, most: 2).gate) - 2 / total) < 1e-6)
    #expect(try run(loss: 1, most: Float(2 * total)).gate == 1)
    #expect(try run(loss: .nan, most: 0).gate == 0 && run(loss: .infinity, most: 1).gate == 0)
    for spoilt in [Float.nan, .infinity] {
      let closed = try run(loss: 1, most: 1, spoilt: spoilt)
      #expect(closed.gate == 0 && !closed.norms[1].isFinite && closed.norms[0].isFinite)
    }
  }
}

@Suite struct ScheduleTests {
  private func factors(_ kind: LearningRateSchedule.Kind, _ change: (inout LearningRateSchedule) -> Void = { _ in })
    -> [Double]
  {
    var schedule = LearningRateSchedule(kind)
    change(&schedule)
    return (0..<20).map { schedule.factor(step: $0, of: 20, perEpoch: 5) }
  }

  @Test func theyGoWhereTheySay() {
    #expect(factors(.constant) == [Double](repeating: 1, count: 20))
    #expect(factors(.linear)[0] == 1 && abs(factors(.linear)[10] - 0.5) < 1e-12)
    #expect(abs(factors(.cosine)[10] - 0.5) < 1e-12 && factors(.cosine)[19] < 0.01)
    #expect(factors(.step)[9] == 1 && abs(factors(.step)[10] - 0.1) < 1e-12 && abs(factors(.step)[15] - 0.01) < 1e-12)
    let stairs = factors(.step) { ($0.stepEpochs, $0.gamma) = (1, 0.5) }
    #expect(stairs[4] == 1 && stairs[5] == 0.5 && stairs[10] == 0.25 && stairs[19] == 0.125)
    let cycle = factors(.oneCycle)
    #expect(abs(cycle[0] - 0.04) < 1e-12 && abs(cycle[6] - 1) < 1e-12 && cycle[19] < 0.02)
    #expect(
      zip(cycle, cycle.dropFirst()).enumerated().allSatisfy {
        $0.offset < 6 ? $0.element.0 < $0.element.1 : $0.element.0 > $0.element.1
      })
  }

  @Test func warmingUpComesFirst() {
    let rising = factors(.linear) { $0.warmup = 4 }
    #expect(rising[..<4].elementsEqual([0.2, 0.4, 0.6, 0.8]))
    #expect(rising[4] == 1 && abs(rising[12] - 0.5) < 1e-12)
  }
}
