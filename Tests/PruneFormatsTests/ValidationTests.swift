import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct ValidationTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    let model: [UInt8]
    let words: [String]
    var testDescription: String { name }
    init(_ name: String, _ model: [UInt8], _ words: String...) {
      (self.name, self.model, self.words) = (name, model, words)
    }
    init(_ name: String, graph: [UInt8], _ words: String...) {
      (self.name, self.model, self.words) = (name, Proto.model(graph: graph), words)
    }
  }

  private static let ends = Proto.input("x") + Proto.output("y")
  private static let relu = Proto.node("Relu", ["x"], ["y"])

  private static func nested(_ depth: Int) -> [UInt8] {
    depth == 0 ? relu : Proto.node("If", ["x"], ["y"], more: Proto.subgraph("then_branch", nested(depth - 1) + ends))
  }

  static let broken: [Case] = [
    Case("no opset", Proto.model(graph: relu + ends, opset: nil), "opset_import"),
    Case("opset 0", Proto.model(graph: relu + ends, opset: Wire.int(2, 0)), "opset version 0"),
    Case("no graph", Wire.int(1, 8) + Wire.bytes(8, Wire.int(2, 17)), "no graph"),
    Case("no outputs", graph: relu + Proto.input("x"), "no outputs"),
    Case(
      "unknown domain", graph: Proto.node("Relu", ["x"], ["y"], more: Wire.text(7, "my.ops")) + ends, "my.ops", "import"
    ),
    Case("no operator", graph: Proto.node("", ["x"], ["y"], name: "n") + ends, "no operator type"),
    Case("dangling input", graph: Proto.node("Add", ["x", "ghost"], ["y"], name: "n") + ends, "Add 'n'", "'ghost'"),
    Case("dangling output", graph: relu + Proto.input("x") + Proto.output("z"), "output 'z'"),
    Case("written twice", graph: relu + relu + ends, "writes 'y'", "Relu"),
    Case("writes an input", graph: Proto.node("Relu", ["x"], ["x"]) + ends, "writes 'x'"),
    Case("two inputs", graph: relu + Proto.input("x") + ends, "two inputs", "'x'"),
    Case(
      "two initializers", graph: relu + ends + Proto.weight("w", [1], [1]) + Proto.weight("w", [1], [1]),
      "two initializers", "'w'"),
    Case("unnamed initializer", graph: relu + ends + Proto.weight("", [1], [1]), "no name"),
    Case("feeds itself", graph: Proto.node("Relu", ["y"], ["y"], name: "loop") + ends, "cycle", "Relu 'loop'"),
    Case(
      "cycle of two",
      graph: Proto.node("Add", ["x", "b"], ["a"], name: "first") + Proto.node("Relu", ["a"], ["b"], name: "second")
        + Proto.node("Relu", ["b"], ["y"]) + ends, "cycle", "'first'", "'second'"),
    Case(
      "out of order",
      graph: Proto.node("Relu", ["a"], ["y"], name: "last") + Proto.node("Relu", ["x"], ["a"], name: "early") + ends,
      "Relu 'last'", "before it is written", "Relu 'early'", "sort"),
    Case(
      "a branch captures what comes later",
      graph: Proto.node(
        "If", ["x"], ["a"], name: "if",
        more: Proto.subgraph("then_branch", Proto.node("Relu", ["b"], ["t"]) + Proto.output("t")))
        + Proto.node("Relu", ["x"], ["b"]) + Proto.node("Add", ["a", "b"], ["y"]) + ends, "'b'", "before it is written"),
    Case(
      "a cycle through a branch",
      graph: Proto.node(
        "If", ["x"], ["y"], name: "if",
        more: Proto.subgraph("then_branch", Proto.node("Relu", ["b"], ["t"]) + Proto.output("t")))
        + Proto.node("Relu", ["y"], ["b"]) + ends, "cycle", "If 'if'"),
    Case(
      "a branch's inner value used outside",
      graph: Proto.node(
        "If", ["x"], ["a"], more: Proto.subgraph("then_branch", Proto.node("Relu", ["x"], ["t"]) + Proto.output("t")))
        + Proto.node("Add", ["a", "t"], ["y"]) + ends, "'t'"),
    Case("few bytes", graph: relu + ends + Proto.weight("w", [2, 2], [1, 2, 3]), "initializer 'w'", "16 bytes", "12"),
    Case("negative extent", graph: relu + ends + Proto.weight("w", [-1], []), "initializer 'w'", "[-1]"),
    Case(
      "absurd extent", graph: relu + ends + Proto.weight("w", [1 << 40, 1 << 40], []), "initializer 'w'", "not possible"
    ),
    Case("overflow beside zero", graph: relu + ends + Proto.weight("w", [.max, 0, .max], []), "initializer 'w'"),
    Case("too many axes", graph: relu + ends + Proto.weight("w", [Int64](repeating: 1, count: 1000), [1]), "1000 axes"),
    Case(
      "no data type", graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [1], dtype: 0, data: [])), "no data type"),
    Case(
      "unknown data type", graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [1], dtype: 77, data: [])),
      "data type 77"),
    Case(
      "data type beyond 32 bits", graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [1], dtype: -1, data: [])),
      "data type"),
    Case(
      "wrong typed field", graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [1], dtype: 7, data: Wire.int(5, 1))),
      "int64", "field 7"),
    Case(
      "raw and typed",
      graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [1], data: Wire.float(4, 1) + Wire.bytes(9, [0, 0, 0, 0]))),
      "twice"),
    Case(
      "strings missing", graph: relu + ends + Wire.bytes(5, Proto.tensor("w", [3], dtype: 8, data: Wire.text(6, "a"))),
      "3 strings"),
    Case(
      "an input contradicts its weight", graph: relu + ends + Proto.input("w", dims: [2]) + Proto.weight("w", [1], [1]),
      "'w'", "[2]", "[1]"),
    Case(
      "negative extent of a value", graph: relu + Proto.input("x", dims: [-7]) + Proto.output("y"), "value 'x'", "-7"),
    Case("a name that is not text", graph: Wire.bytes(1, Wire.bytes(1, [0xFF]) + Wire.text(4, "Relu")) + ends, "UTF-8"),
    Case("deep nesting", graph: nested(200) + ends, "nested"),
    Case(
      "a function that calls itself",
      Proto.model(
        graph: Proto.node("F", ["x"], ["y"], more: Wire.text(7, "f")) + ends,
        more: Wire.bytes(8, Wire.text(1, "f") + Wire.int(2, 1))
          + Wire.bytes(
            25,
            Wire.text(1, "F") + Wire.text(10, "f") + Wire.text(4, "a") + Wire.text(5, "b")
              + Wire.bytes(7, Wire.text(1, "a") + Wire.text(2, "b") + Wire.text(4, "F") + Wire.text(7, "f")))),
      "calls itself"),
  ]

  @Test(arguments: broken) func eachIsRefusedAndNamed(broken: Case) throws {
    let error = try #require(failure { _ = try ONNX.decode(try Bytes(broken.model), folder: nil) })
    for word in broken.words { #expect(error.description.contains(word), "\(error)") }
  }

  @Test func whatIsUnusualButAllowedLoads() throws {
    let fine = [
      relu(Proto.node("Relu", [""], ["", "y"])), relu(Self.nested(20)),
      relu(Self.relu) + Wire.text(50, "unknown"), relu(Self.relu + Proto.weight("empty", [0, 5], [])),
      // A branch may give its value a name that exists outside.
      relu(
        Proto.node(
          "If", ["x"], ["y"], more: Proto.subgraph("then_branch", Proto.node("Relu", ["x"], ["y"]) + Proto.output("y")))
      ),
    ]
    for graph in fine { _ = try ONNX.decode(try Bytes(Proto.model(graph: graph)), folder: nil) }
  }

  private func relu(_ nodes: [UInt8]) -> [UInt8] { nodes + Self.ends }
}
