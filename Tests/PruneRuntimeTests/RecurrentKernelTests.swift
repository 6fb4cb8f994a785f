import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Recurrent operators against the reference kernels.
struct RecurrentKernelTests {
  @Test(arguments: ["RNN", "GRU", "LSTM"], 0..<12)
  func sequences(name: String, seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 61)
    let gates = name == "LSTM" ? 4 : name == "GRU" ? 3 : 1
    let direction = ["forward", "reverse", "bidirectional"][seed % 3]
    let directions = direction == "bidirectional" ? 2 : 1
    let (steps, batch) = (random.pick([1, 4, 7]), random.pick([1, 3, 5, 20]))
    let (width, hidden) = (random.pick([1, 6, 33]), random.pick([1, 5, 16, 40]))
    let isBatchFirst = seed % 4 == 3
    let x = ("x", try random.tensor(isBatchFirst ? [batch, steps, width] : [steps, batch, width]))
    var constants = [
      ("w", try random.tensor([directions, gates * hidden, width])),
      ("r", try random.tensor([directions, gates * hidden, hidden])),
    ]
    var names = ["x", "w", "r"]
    func add(_ name: String, _ tensor: Tensor?) {
      names.append(tensor == nil ? "" : name)
      if let tensor { constants.append((name, tensor)) }
    }
    let state = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
    add("b", seed % 2 == 0 ? try random.tensor([directions, 2 * gates * hidden]) : nil)
    add("lengths", seed % 3 == 1 ? try Tensor((0..<batch).map { _ in Int32(random.pick(0...steps)) }) : nil)
    add("h", seed % 2 == 1 ? try random.tensor(state) : nil)
    if gates == 4 {
      add("c", seed % 2 == 1 ? try random.tensor(state) : nil)
      add("p", seed % 5 == 2 ? try random.tensor([directions, 3 * hidden]) : nil)
    }
    var node = Node(
      name, inputs: names, outputs: gates == 4 ? ["y", "yh", "yc"] : ["y", "yh"],
      attributes: [
        Attribute("hidden_size", .int(Int64(hidden))), Attribute("direction", .string(Array(direction.utf8))),
        Attribute("layout", .int(isBatchFirst ? 1 : 0)),
      ])
    if gates == 3 { node.set("linear_before_reset", .int(Int64(seed / 2 % 2))) }
    if gates == 4, seed % 6 == 5 { node.set("input_forget", .int(1)) }
    if seed % 4 == 1 { node.set("clip", .float(0.7)) }
    if seed % 4 == 2 {
      let functions = gates == 4 ? ["HardSigmoid", "Tanh", "Elu"] : gates == 3 ? ["Sigmoid", "Relu"] : ["LeakyRelu"]
      node.set(
        "activations",
        .strings(Array([[String]](repeating: functions, count: directions).joined()).map { Array($0.utf8) }))
    }
    try expectSame(makeModel([node], inputs: [x], constants: constants, opset: 22), [x], tolerance: 3e-5)
  }

  @Test func refusesLengthsBeyondTheSequence() throws {
    var random = RandomSource(seed: 9)
    let inputs = [("x", try random.tensor([2, 1, 3])), ("n", try Tensor([Int32(2)]))]
    let constants = [("w", try random.tensor([1, 4, 3])), ("r", try random.tensor([1, 4, 4]))]
    let node = Node(
      "RNN", inputs: ["x", "w", "r", "", "n"], outputs: ["y"], attributes: [Attribute("hidden_size", .int(4))])
    let program = try Program(makeModel([node], inputs: inputs, constants: constants))
    #expect(program.referenceLabels == [])
    #expect(throws: PruneError.self) { try program.run(["x": inputs[0].1, "n": try Tensor([Int32(3)])]) }
  }
}
