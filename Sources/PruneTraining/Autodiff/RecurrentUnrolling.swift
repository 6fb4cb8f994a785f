import PruneGraph
import PruneTensor

/// RNN, GRU and LSTM written out step by step, so that their gradients are those of products and activations.
struct RecurrentUnrolling {
  /// Longer sequences stay as they are: a graph of that many nodes is of no use.
  static let stepLimit = 1024

  private(set) var nodes: [Node] = []
  private(set) var constants: [(name: String, tensor: Tensor)] = []
  private let node: Node
  private let opset: Int64
  private let prefix: String
  private let gates: Int
  private let steps, batch, hidden, directions: Int
  private let isBatchFirst: Bool
  private let activations: [String]

  /// Why a node cannot be written out, nil when it can.
  static func refusal(of node: Node, shapes: [Shape?]) -> String? {
    guard shapes.count > 2, let x = shapes[0], let r = shapes[2], x.rank == 3, r.rank == 3, x.count > 0, r.count > 0
    else {
      return "the shapes of its inputs are open"
    }
    let steps = x[node.int("layout", default: 0) == 1 ? 1 : 0]
    if steps > stepLimit { return "it has \(steps) steps, a gradient goes through \(stepLimit) at most" }
    if node.attribute("activation_alpha") != nil || node.attribute("activation_beta") != nil {
      return "its activations have parameters"
    }
    let supported = Set(functions.keys)
    return names(node).first { !supported.contains($0) }.map { "its activation '\($0)' has no gradient" }
  }

  private static let functions = [
    "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softsign": "Softsign", "softplus": "Softplus",
  ]

  private static func gateCount(_ opType: String) -> Int { opType == "LSTM" ? 4 : opType == "GRU" ? 3 : 1 }

  /// Activations of all directions.
  private static func names(_ node: Node) -> [String] {
    let usual =
      node.opType == "LSTM" ? ["sigmoid", "tanh", "tanh"] : node.opType == "GRU" ? ["sigmoid", "tanh"] : ["tanh"]
    guard case .strings(let strings)? = node.attribute("activations"), !strings.isEmpty else { return usual + usual }
    let names = strings.map { String(decoding: $0, as: UTF8.self).lowercased() }
    return names.count == usual.count ? names + names : names
  }

  /// - Parameter shapes: of the node's inputs; `refusal` said nothing.
  /// - Throws: `.mismatch` when they do not go together.
  init(_ node: Node, shapes: [Shape?], opset: Int64) throws(PruneError) {
    guard let x = shapes[0], let w = shapes[1], let r = shapes[2] else {
      throw PruneError(.internal, "open shapes", at: node.label)
    }
    self.node = node
    self.opset = opset
    prefix = node.outputs.first { !$0.isEmpty } ?? node.name
    gates = Self.gateCount(node.opType)
    isBatchFirst = node.int("layout", default: 0) == 1
    (steps, batch) = isBatchFirst ? (x[1], x[0]) : (x[0], x[1])
    (directions, hidden) = (r[0], r[2])
    activations = Self.names(node)
    let perDirection = activations.count / 2
    guard w.rank == 3, w.dims == [directions, gates * hidden, x[2]], r[1] == gates * hidden,
      (1...2).contains(directions),
      perDirection * directions <= activations.count
    else { throw PruneError(.mismatch, "weights are \(w) and \(r) for an input \(x)", at: node.label) }
    try write()
  }

  // MARK: - Writing

  private mutating func emit(
    _ opType: String, _ inputs: [String], _ attributes: [Attribute] = [], to name: String? = nil
  ) -> String {
    let output = name ?? "\(prefix)/\(nodes.count)"
    nodes.append(
      Node(opType, name: "\(node.name)/\(nodes.count)", inputs: inputs, outputs: [output], attributes: attributes))
    return output
  }

  private mutating func constant(_ tensor: Tensor) -> String {
    let name = "\(prefix)/constant\(constants.count)"
    constants.append((name, tensor))
    return name
  }

  private mutating func reshape(_ value: String, _ dims: [Int], to name: String? = nil) throws(PruneError) -> String {
    let shape = constant(try Tensor(dims.map(Int64.init)))
    return emit("Reshape", [value, shape], to: name)
  }

  private mutating func split(_ value: String, axis: Int, _ lengths: [Int]) throws(PruneError) -> [String] {
    if lengths.count == 1 { return [value] }
    let outputs = lengths.indices.map { "\(prefix)/\(nodes.count).\($0)" }
    var attributes = [Attribute("axis", .int(Int64(axis)))]
    var inputs = [value]
    // The lengths moved from an attribute to an input in opset 13.
    if opset >= 13 {
      inputs.append(constant(try Tensor(lengths.map(Int64.init))))
    } else {
      attributes.append(Attribute("split", .integers(lengths)))
    }
    nodes.append(
      Node("Split", name: "\(node.name)/\(nodes.count)", inputs: inputs, outputs: outputs, attributes: attributes))
    return outputs
  }

  private mutating func row(_ index: Int, of value: String) throws(PruneError) -> String {
    let position = constant(try Tensor(scalar: Int64(index)))
    return emit("Gather", [value, position], [Attribute("axis", .int(0))])
  }

  private mutating func activation(_ index: Int, _ value: String, _ direction: Int) throws(PruneError) -> String {
    var input = value
    if case .float(let limit)? = node.attribute("clip"), limit > 0 {
      let (low, high) = (constant(try Tensor(scalar: -limit)), constant(try Tensor(scalar: limit)))
      input = emit("Max", [emit("Min", [input, high]), low])
    }
    return emit(Self.functions[activations[direction * activations.count / 2 + index]] ?? "Tanh", [input])
  }

  private mutating func write() throws(PruneError) {
    guard let input = node.input(0), let w = node.input(1), let r = node.input(2) else {
      throw PruneError(.invalidModel, "an input is missing", at: node.label)
    }
    let x = isBatchFirst ? emit("Transpose", [input], [Attribute("perm", .integers([1, 0, 2]))]) : input
    let masks = try stepMasks()
    var (sequences, last, lastCell): ([String], [String], [String]) = ([], [], [])
    let direction = node.string("direction", default: "forward")
    for number in 0..<directions {
      let result = try run(
        x, try row(number, of: w), try row(number, of: r), number, masks,
        isReverse: direction == "reverse" || number == 1)
      sequences.append(result.sequence)
      last.append(result.hidden)
      if let cell = result.cell { lastCell.append(cell) }
    }
    func joined(_ parts: [String], axis: Int, _ order: [Int], _ output: Int) {
      guard let name = node.output(output) else { return }
      let all = parts.count == 1 ? parts[0] : emit("Concat", parts, [Attribute("axis", .int(Int64(axis)))])
      if isBatchFirst {
        _ = emit("Transpose", [all], [Attribute("perm", .integers(order))], to: name)
      } else {
        _ = emit("Identity", [all], to: name)
      }
    }
    joined(sequences, axis: 1, [2, 0, 1, 3], 0)
    joined(last, axis: 0, [1, 0, 2], 1)
    if gates == 4 { joined(lastCell, axis: 0, [1, 0, 2], 2) }
  }

  /// For each step which samples still run, [batch, 1]; nil when all do.
  private mutating func stepMasks() throws(PruneError) -> [String]? {
    guard let lengths = node.input(4) else { return nil }
    let column = try reshape(emit("Cast", [lengths], [Attribute("to", .int(Int64(DType.int64.rawValue)))]), [batch, 1])
    var masks: [String] = []
    for step in 0..<steps { masks.append(emit("Greater", [column, constant(try Tensor(scalar: Int64(step)))])) }
    return masks
  }

  /// One initial state, [batch, hidden]; nil for zeros.
  private mutating func initial(_ index: Int, _ direction: Int) throws(PruneError) -> String? {
    guard let name = node.input(index) else { return nil }
    let position = constant(try Tensor(scalar: Int64(direction)))
    return emit("Gather", [name, position], [Attribute("axis", .int(isBatchFirst ? 1 : 0))])
  }

  private mutating func run(
    _ x: String, _ w: String, _ r: String, _ direction: Int, _ masks: [String]?, isReverse: Bool
  ) throws(PruneError) -> (sequence: String, hidden: String, cell: String?) {
    let rows = gates * hidden
    let transposed = emit("Transpose", [w], [Attribute("perm", .integers([1, 0]))])
    var projection = emit("MatMul", [x, transposed])
    var (inputBias, backBias): (String?, String?) = (nil, nil)
    if let bias = node.input(3) {
      let both = try reshape(bias, [directions * 2, rows])
      inputBias = try row(2 * direction, of: both)
      backBias = try row(2 * direction + 1, of: both)
    }
    if let first = inputBias, let second = backBias, gates != 3 {
      projection = emit("Add", [projection, emit("Add", [first, second])])
    } else if let inputBias {
      projection = emit("Add", [projection, inputBias])
    }
    var cell = Cell(direction: direction, r: r, bias: gates == 3 ? backBias : nil)
    if gates == 4, let peepholes = node.input(7) {
      cell.peepholes = try split(try row(direction, of: peepholes), axis: 0, [hidden, hidden, hidden])
    }
    if gates == 3, node.int("linear_before_reset", default: 0) == 0 {
      cell.parts = try split(r, axis: 0, [2 * hidden, hidden])
      if let bias = backBias { cell.biases = try split(bias, axis: 0, [2 * hidden, hidden]) }
    }
    let pieces = try split(projection, axis: 0, [Int](repeating: 1, count: steps))
    var (h, c) = (try initial(5, direction), gates == 4 ? try initial(6, direction) : nil)
    var outputs = [String](repeating: "", count: steps)
    let zeros = masks == nil ? "" : constant(try Tensor(zeros: .float32, Shape([batch, hidden])))
    for position in 0..<steps {
      let step = isReverse ? steps - 1 - position : position
      let input = try reshape(pieces[step], [batch, rows])
      var (next, nextCell) = try advance(cell, input, h, c)
      var seen = next
      if let masks {
        seen = emit("Where", [masks[step], next, zeros])
        next = emit("Where", [masks[step], next, h ?? zeros])
        nextCell = nextCell.map { emit("Where", [masks[step], $0, c ?? zeros]) }
      }
      (h, c) = (next, nextCell)
      outputs[step] = try reshape(seen, [1, 1, batch, hidden])
    }
    guard let h else { throw PruneError(.mismatch, "there are no steps", at: node.label) }
    let sequence = outputs.count == 1 ? outputs[0] : emit("Concat", outputs, [Attribute("axis", .int(0))])
    let final = try reshape(h, [1, batch, hidden])
    return (sequence, final, try c.map { value throws(PruneError) in try reshape(value, [1, batch, hidden]) })
  }

  // MARK: - Cells

  private struct Cell {
    var direction: Int
    var r: String
    /// GRU: what the recurrent part adds.
    var bias: String?
    var parts: [String] = []
    var biases: [String] = []
    var peepholes: [String] = []
  }

  /// h R^T + c, or either of them.
  private mutating func product(_ h: String, _ r: String, plus c: String? = nil) -> String {
    emit("Gemm", [h, r] + (c.map { [$0] } ?? []), [Attribute("transB", .int(1))])
  }

  private mutating func advance(
    _ cell: Cell, _ input: String, _ h: String?, _ c: String?
  ) throws(PruneError) -> (hidden: String, cell: String?) {
    switch gates {
    case 1:
      let sum = h.map { product($0, cell.r, plus: input) } ?? input
      return (try activation(0, sum, cell.direction), nil)
    case 3: return (try gru(cell, input, h), nil)
    default: return try lstm(cell, input, h, c)
    }
  }

  private mutating func lstm(
    _ cell: Cell, _ input: String, _ h: String?, _ c: String?
  ) throws(PruneError) -> (String, String?) {
    let sums = try split(
      h.map { product($0, cell.r, plus: input) } ?? input, axis: 1, [Int](repeating: hidden, count: 4))
    func peeking(_ gate: String, _ index: Int, _ at: String?) -> String {
      guard index < cell.peepholes.count, let at else { return gate }
      return emit("Add", [gate, emit("Mul", [at, cell.peepholes[index]])])
    }
    let i = try activation(0, peeking(sums[0], 0, c), cell.direction)
    let new = emit("Mul", [i, try activation(1, sums[3], cell.direction)])
    var next = new
    if let c {
      let forget: String
      if node.int("input_forget", default: 0) != 0 {
        forget = emit("Sub", [constant(try Tensor(scalar: Float(1))), i])
      } else {
        forget = try activation(0, peeking(sums[2], 2, c), cell.direction)
      }
      next = emit("Add", [emit("Mul", [forget, c]), new])
    }
    let o = try activation(0, peeking(sums[1], 1, next), cell.direction)
    return (
      emit(
        "Mul", [o, emit(Self.functions[activations[cell.direction * activations.count / 2 + 2]] ?? "Tanh", [next])]),
      next
    )
  }

  private mutating func gru(_ cell: Cell, _ input: String, _ h: String?) throws(PruneError) -> String {
    let inputParts = try split(input, axis: 1, [2 * hidden, hidden])
    var (gated, candidate) = (inputParts[0], inputParts[1])
    var back: String?
    if cell.parts.isEmpty {
      // The recurrent part of all three, its candidate's weighted by the reset gate afterwards.
      var all = h.map { product($0, cell.r) }
      if let bias = cell.bias { all = all.map { emit("Add", [$0, bias]) } ?? reshapedRow(bias) }
      if let all {
        let pieces = try split(all, axis: 1, [2 * hidden, hidden])
        gated = emit("Add", [gated, pieces[0]])
        back = pieces[1]
      }
    } else {
      if let h { gated = product(h, cell.parts[0], plus: gated) }
      if let bias = cell.biases.first { gated = emit("Add", [gated, bias]) }
    }
    let both = try split(try activation(0, gated, cell.direction), axis: 1, [hidden, hidden])
    if let back { candidate = emit("Add", [candidate, emit("Mul", [both[1], back])]) }
    if !cell.parts.isEmpty {
      if let h { candidate = product(emit("Mul", [both[1], h]), cell.parts[1], plus: candidate) }
      if let bias = cell.biases.last { candidate = emit("Add", [candidate, bias]) }
    }
    let new = try activation(1, candidate, cell.direction)
    // (1 - z) new + z h
    let difference = h.map { emit("Sub", [$0, new]) } ?? emit("Neg", [new])
    return emit("Add", [new, emit("Mul", [both[0], difference])])
  }

  /// A bias as a row for every sample.
  private mutating func reshapedRow(_ bias: String) -> String {
    let dims = (try? Tensor([Int64(batch), Int64(gates * hidden)])).map { constant($0) } ?? ""
    return emit("Expand", [bias, dims])
  }
}
