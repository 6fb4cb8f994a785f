import Foundation
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// If, Loop and Scan inside programs.
@Suite struct ControlFlowTests {
  private let flag = type(.bool)
  private func bool(_ value: Bool) throws -> Tensor { try Tensor(scalar: UInt8(value ? 1 : 0)).cast(to: .bool) }

  /// y = if c then x + w else relu(x), with x and w from outside.
  private func branching(_ condition: String) throws -> Node {
    Node(
      "If", name: "choice", inputs: [condition], outputs: ["y"],
      attributes: [
        Attribute("then_branch", .graph(makeGraph([node("Add", ["x", "w"], "t")]))),
        Attribute("else_branch", .graph(makeGraph([node("Relu", ["x"], "e")]))),
      ])
  }

  @Test func aBranchIsChosenWhileRunning() throws {
    let graph = makeGraph(
      [try branching("c"), node("Neg", ["y"], "z")], inputs: [("c", flag), ("x", type(.float32, 2))],
      constants: [("w", try floats([10, 20]))])
    let program = try Program(Model(graph: graph))
    // Both branches give float32 [2], so that what follows is planned and fast.
    #expect(program.outputTypes["z"] == type(.float32, 2))
    #expect(program.referenceLabels.isEmpty)
    for _ in 0..<2 {
      let x = try floats([-1, 2])
      #expect(try program.run(["c": bool(true), "x": x])["z"]?.doubles() == [-9, -22])
      #expect(try program.run(["c": bool(false), "x": x])["z"]?.doubles() == [0, -2])
    }
  }

  @Test func aKnownConditionLeavesNoIf() throws {
    let graph = makeGraph(
      [
        node("Shape", ["x"], "s"), node("Squeeze", ["s"], "n"), node("Equal", ["n", "two"], "c"), try branching("c"),
      ], inputs: [("x", TensorType(.float32, [.named("N")]))],
      constants: [("two", try Tensor(scalar: Int64(2))), ("w", try floats([10, 20]))], outputs: ["y"])
    let session = Session(Model(graph: graph))
    #expect(try session.run(["x": floats([-1, 2])])["y"]?.doubles() == [9, 22])
    // The branch that is not taken would not fit: its shapes do not broadcast.
    #expect(try session.run(["x": floats([-1, 2, 3])])["y"]?.doubles() == [0, 2, 3])
    let program = try session.program(for: ["x": try Shape([3])])
    #expect(!program.stepLabels.contains { $0.hasPrefix("If") })
  }

  @Test func branchesMayDifferInShape() throws {
    let other = node("Concat", ["x", "x"], "e", [("axis", .int(0))])
    var choice = try branching("c")
    choice.set("else_branch", .graph(makeGraph([other])))
    let graph = makeGraph(
      [choice, node("Neg", ["y"], "z")], inputs: [("c", flag), ("x", type(.float32, 2))],
      constants: [("w", try floats([10, 20]))])
    let program = try Program(Model(graph: graph))
    let x = try floats([1, 2])
    #expect(try program.run(["c": bool(true), "x": x])["z"]?.doubles() == [-11, -22])
    #expect(try program.run(["c": bool(false), "x": x])["z"]?.doubles() == [-1, -2, -1, -2])
  }

  /// body: value' = body(value), running while iteration < limit.
  private func loop(_ body: Graph, _ inputs: [String], _ outputs: [String]) -> Node {
    Node("Loop", name: "around", inputs: inputs, outputs: outputs, attributes: [Attribute("body", .graph(body))])
  }
  private let counters: [(String, TensorType?)] = [("i", type(.int64)), ("go", type(.bool))]

  @Test func carriedValuesAndScans() throws {
    // Newton's iteration for the root of x, which is captured; every estimate is kept.
    let body = makeGraph(
      [
        node("Div", ["x", "r"], "q"), node("Add", ["r", "q"], "s"), node("Mul", ["s", "half"], "next"),
        node("Identity", ["go"], "more"), node("Identity", ["next"], "kept"),
      ], inputs: counters + [("r", type(.float32))], constants: [("half", try Tensor(scalar: Float(0.5)))],
      outputs: ["more", "next", "kept"])
    let graph = makeGraph(
      [loop(body, ["n", "", "start"], ["root", "steps"])], inputs: [("x", type(.float32)), ("n", type(.int64))],
      constants: [("start", try Tensor(scalar: Float(1)))])
    let program = try Program(Model(graph: graph))
    #expect(program.outputTypes["root"] == type(.float32))
    let results = try program.run(["x": Tensor(scalar: Float(2)), "n": Tensor(scalar: Int64(5))])
    #expect(abs((try results["root"]?.doubles()[0] ?? 0) - 2.0.squareRoot()) < 1e-6)
    #expect(results["steps"]?.shape.dims == [5])
    #expect(try results["steps"]?.doubles()[0] == 1.5)
    let none = try program.run(["x": Tensor(scalar: Float(2)), "n": Tensor(scalar: Int64(0))])
    #expect(try none["root"]?.doubles() == [1])
    #expect(none["steps"]?.count == 0)
  }

  @Test func aLoopMayGrowWhatItCarries() throws {
    let body = makeGraph(
      [
        node("Unsqueeze", ["i", "zero"], "item"), node("Concat", ["list", "item"], "longer", [("axis", .int(0))]),
        node("Less", ["i", "last"], "more"),
      ], inputs: counters + [("list", TensorType(.int64, [.unknown]))],
      constants: [("zero", try longs([0])), ("last", try Tensor(scalar: Int64(40)))], outputs: ["more", "longer"])
    let graph = makeGraph(
      [loop(body, ["", "go", "empty"], ["all"]), node("Neg", ["all"], "y")], inputs: [("go", flag)],
      constants: [("empty", try Tensor(zeros: .int64, Shape([0])))])
    let results = try runBoth(Model(graph: graph), ["go": bool(true)])
    #expect(try results["y"]?.integers() == (0...40).map { -$0 })
    #expect(try runBoth(Model(graph: graph), ["go": bool(false)])["y"]?.count == 0)
  }

  @Test func graphsInsideGraphsSeeOuterValues() throws {
    // for i in 0..<4: sum += (i == 2) ? x : w
    let choice = Node(
      "If", name: "inner", inputs: ["is"], outputs: ["part"],
      attributes: [
        Attribute("then_branch", .graph(makeGraph([node("Identity", ["x"], "t")]))),
        Attribute("else_branch", .graph(makeGraph([node("Mul", ["w", "one"], "e")]))),
      ])
    let body = makeGraph(
      [
        node("Equal", ["i", "two"], "is"), choice, node("Add", ["sum", "part"], "next"),
        node("Identity", ["go"], "more"),
      ], inputs: counters + [("sum", type(.float32, 2))], constants: [("two", try Tensor(scalar: Int64(2)))],
      outputs: ["more", "next"])
    let graph = makeGraph(
      [node("Relu", ["u"], "x"), loop(body, ["four", "", "zeros"], ["y"])], inputs: [("u", type(.float32, 2))],
      constants: [
        ("four", try Tensor(scalar: Int64(4))), ("zeros", try floats([0, 0])), ("w", try floats([1, 2])),
        ("one", try Tensor(scalar: Float(1))),
      ])
    #expect(try runBoth(Model(graph: graph), ["u": floats([100, -5])])["y"]?.doubles() == [103, 6])
  }

  @Test func functionsAreInlinedInsideGraphs() throws {
    // local.Pick(c, v) = if c then factor * v else v; called from inside a branch.
    var pick = FunctionDefinition()
    (pick.name, pick.domain, pick.inputs, pick.outputs) = ("Pick", "local", ["c", "v"], ["o"])
    pick.attributes = ["factor"]
    var constant = Node("Constant", inputs: [], outputs: ["f"])
    var value = Attribute("value_float", .float(0))
    value.referenceName = "factor"
    constant.attributes = [value]
    pick.nodes = [
      node("Neg", ["v"], "minus"),
      Node(
        "If", inputs: ["c"], outputs: ["o"],
        attributes: [
          Attribute("then_branch", .graph(makeGraph([constant, node("Mul", ["minus", "f"], "t")]))),
          Attribute("else_branch", .graph(makeGraph([], outputs: ["minus"]))),
        ]),
    ]
    let call = Node(
      "Pick", domain: "local", name: "call", inputs: ["c", "x"], outputs: ["t"],
      attributes: [Attribute("factor", .float(3))])
    let choice = Node(
      "If", inputs: ["c"], outputs: ["y"],
      attributes: [
        Attribute("then_branch", .graph(makeGraph([call]))),
        Attribute("else_branch", .graph(makeGraph([node("Identity", ["x"], "e")]))),
      ])
    var model = Model(graph: makeGraph([choice], inputs: [("c", flag), ("x", type(.float32, 2))]))
    model.functions = [pick]
    #expect(try runBoth(model, ["c": bool(true), "x": floats([1, 2])])["y"]?.doubles() == [-3, -6])
    #expect(try runBoth(model, ["c": bool(false), "x": floats([1, 2])])["y"]?.doubles() == [1, 2])
  }

  @Test func functionsThatMultiplyAreRefused() throws {
    var model = Model(
      graph: makeGraph(
        [Node("F0", domain: "local", name: "bomb", inputs: ["x"], outputs: ["y"])], inputs: [("x", type(.float32, 1))]))
    for level in 0..<30 {
      var function = FunctionDefinition()
      (function.name, function.domain, function.inputs, function.outputs) = ("F\(level)", "local", ["a"], ["b"])
      let inner = level == 29 ? "Relu" : "F\(level + 1)"
      let domain = level == 29 ? "" : "local"
      function.nodes = [
        Node(inner, domain: domain, inputs: ["a"], outputs: ["m"]),
        Node(inner, domain: domain, inputs: ["m"], outputs: ["b"]),
      ]
      model.functions.append(function)
    }
    let error = #expect(throws: PruneError.self) { try Program(model) }
    #expect(error?.status == .invalidModel)
  }

  @Test func anEndlessLoopCanBeCancelled() throws {
    let body = makeGraph(
      [node("Identity", ["go"], "more"), node("Add", ["v", "v"], "next")], inputs: counters + [("v", type(.float32))],
      outputs: ["more", "next"])
    let graph = makeGraph([loop(body, ["", "", "x"], ["y"])], inputs: [("x", type(.float32))])
    let program = try Program(Model(graph: graph))
    let stop = try CancelFlag()
    Thread.detachNewThread {
      usleep(50_000)
      stop.request()
    }
    let error = #expect(throws: PruneError.self) { try program.run(["x": Tensor(scalar: Float(0))], cancel: stop) }
    #expect(error?.status == .cancelled)
    #expect(error?.place == "Loop 'around'")
    // The program is as good as new.
    #expect(throws: PruneError.self) { try program.run([:]) }
  }

  @Test func errorsInsideNameTheInnerNode() throws {
    let body = makeGraph(
      [node("Identity", ["go"], "more"), node("Gather", ["x", "i"], "picked")], inputs: counters,
      outputs: ["more", "picked"])
    let graph = makeGraph([loop(body, ["n", ""], ["y"])], inputs: [("x", type(.float32, 3)), ("n", type(.int64))])
    let program = try Program(Model(graph: graph))
    let x = try floats([1, 2, 3])
    #expect(try program.run(["x": x, "n": Tensor(scalar: Int64(3))])["y"]?.doubles() == [1, 2, 3])
    let error = #expect(throws: PruneError.self) { try program.run(["x": x, "n": Tensor(scalar: Int64(4))]) }
    #expect(error?.place == "Gather 'the picked'")
  }

  @Test func malformedControlFlowIsAnError() throws {
    let x = try Tensor(scalar: Float(1))
    func failure(_ node: Node) -> PruneError? {
      let graph = makeGraph([node], inputs: [("x", type(.float32)), ("c", flag)])
      return #expect(throws: PruneError.self, "\(node)") {
        try Program(Model(graph: graph)).run(["x": x, "c": bool(true)])
      }
    }
    let empty = makeGraph([], outputs: [])
    let dangling = makeGraph([node("Relu", ["nowhere"], "t")])
    #expect(failure(Node("If", name: "n", inputs: ["c"], outputs: ["y"]))?.place == "If 'n'")
    for graph in [empty, dangling] {
      let branches = [Attribute("then_branch", .graph(graph)), Attribute("else_branch", .graph(graph))]
      _ = failure(Node("If", inputs: ["c"], outputs: ["y"], attributes: branches))
      let body = [Attribute("body", .graph(graph))]
      _ = failure(Node("Loop", inputs: ["", "c", "x"], outputs: ["y"], attributes: body))
      _ = failure(Node("Loop", inputs: [], outputs: ["y"], attributes: body))
      for count in [-1, 0, 1, Int64.max] {
        _ = failure(
          Node("Scan", inputs: ["x"], outputs: ["y"], attributes: body + [Attribute("num_scan_inputs", .int(count))]))
      }
    }
    var nested = dangling
    for _ in 0..<40 {
      nested = makeGraph([
        Node(
          "If", inputs: ["c"], outputs: ["t"],
          attributes: [Attribute("then_branch", .graph(nested)), Attribute("else_branch", .graph(empty))])
      ])
    }
    _ = failure(
      Node(
        "If", inputs: ["c"], outputs: ["y"],
        attributes: [Attribute("then_branch", .graph(nested)), Attribute("else_branch", .graph(empty))]))
  }
}
