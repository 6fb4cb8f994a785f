import PruneGraph
import PruneTensor

/// Finds out which units of which tensors go together, node by node.
struct AxisSolver {
  /// Weights that are not one weight are apart here; the graph is otherwise as given.
  let model: Model
  /// Types with open extents bound to numbers of their own, so that Reshape can be followed.
  let types: GraphTypes
  /// Types as declared: which extents are open.
  let symbolic: GraphTypes
  var forest = SpaceForest()
  /// The spaces of every value's axes; none for a value of unknown rank.
  private(set) var axes: [String: [SpaceForest.ID]] = [:]
  /// Operands that nodes sum over.
  private(set) var contractions: [Contraction] = []
  /// Axes that nodes take means or variances over, where those may shrink.
  private(set) var statistics: [Statistic] = []
  private(set) var edits: [NodeEdit] = []
  private var repetitions: [Repetition] = []
  /// Stored tensors that some node reads as data: initializers and values of Constant nodes.
  private(set) var stored: [String: Tensor] = [:]
  /// Whether units that normalizations take statistics over may go: the statistics are then those of what is left.
  let followsWidth: Bool
  private var current = 0

  /// An axis of a node's first input that it takes statistics over.
  struct Statistic: Sendable {
    let node: Int
    let axis: Int
  }

  /// An axis of one position that a node makes longer, and the other axes, which it leaves as they are.
  private struct Repetition {
    let space: SpaceForest.ID
    let beside: [SpaceForest.ID]
  }

  /// An axis that a node sums over: masked positions contribute nothing.
  struct Contraction: Sendable {
    let node: Int
    let input: Int
    let axis: Int
  }

  init(_ model: Model, types: GraphTypes, symbolic: GraphTypes, followsWidth: Bool) {
    self.model = model
    self.followsWidth = followsWidth
    self.types = types
    self.symbolic = symbolic
    for initializer in model.graph.initializers { stored[initializer.name] = initializer.tensor }
    for node in model.graph.nodes where node.isStandard && node.opType == "Constant" {
      if let name = node.output(0), let tensor = node.tensor("value") { stored[name] = tensor }
    }
  }

  /// Walks the graph.
  mutating func solve(custom: [String: AxisRule] = [:], opening open: String? = nil) {
    let graph = model.graph
    for input in graph.inputs where stored[input.name] == nil {
      makeOpaque(input.name, Pin(place: "input '\(input.name)'", reason: "these are fixed by the input data"))
    }
    for (index, node) in graph.nodes.enumerated() {
      current = index
      if node.isStandard, node.opType == "Constant", node.tensor("value") != nil { continue }
      visit(node, custom)
    }
    for output in graph.outputs {
      let pin = Pin(place: "output '\(output.name)'", reason: "whoever reads the output expects these")
      let spaces = axesOf(output.name) ?? []
      for space in output.name == open ? spaces.dropLast() : spaces[...] { forest.pin(space, pin) }
    }
    markCopies()
  }

  private mutating func visit(_ node: Node, _ custom: [String: AxisRule]) {
    let name = node.operatorName
    let problem: String?
    if !node.subgraphs.isEmpty {
      problem = "has graphs inside that read this"
    } else if let rule = custom[name] ?? AxisRules.rules[name] {
      problem = rule(&self, node)
    } else {
      problem = "there is no rule for the operator \(name)"
    }
    if let problem { refuse(node, problem) }
    for output in node.outputs where !output.isEmpty { checkSizes(output, node) }
  }

  /// Pins all that a node touches.
  private mutating func refuse(_ node: Node, _ reason: String) {
    let pin = Pin(place: node.label, reason: reason)
    for name in node.allReads { self.pin(name, pin) }
    for output in node.outputs where !output.isEmpty {
      axes[output] = nil
      makeOpaque(output, pin)
    }
  }

  /// A rule and shape inference must agree; where they do not, nothing may change.
  private mutating func checkSizes(_ name: String, _ node: Node) {
    guard let dims = types.types[name]?.dims else {
      if axes[name] != nil { pin(name, Pin(place: node.label, reason: "the shape of its result is not known")) }
      return
    }
    guard let spaces = axes[name] else {
      return makeOpaque(name, Pin(place: node.label, reason: "its result is not followed"))
    }
    let agree =
      spaces.count == dims.count
      && zip(spaces, dims).allSatisfy { $1.value == nil || forest.size($0) < 0 || forest.size($0) == $1.value }
    if !agree { refuse(node, "shapes before and after it do not fit each other") }
  }

  // MARK: - What rules read

  /// The spaces of an input's axes; nil when it is absent or of unknown rank.
  mutating func input(_ node: Node, _ index: Int) -> [SpaceForest.ID]? { node.input(index).flatMap { axesOf($0) } }

  mutating func axesOf(_ name: String) -> [SpaceForest.ID]? {
    if let cached = axes[name] { return cached }
    guard let tensor = stored[name] else { return nil }
    // Extents, axes and indices are no weights.
    let isPlain = tensor.dtype == .int64 || tensor.dtype == .bool || tensor.dtype == .string
    let pins = isPlain ? [Pin(place: "constant '\(name)'", reason: "it holds \(tensor.dtype.name) numbers")] : []
    let spaces = tensor.shape.dims.map { forest.leaf($0, pins: pins) }
    axes[name] = spaces
    return spaces
  }

  func tensor(_ node: Node, _ index: Int) -> Tensor? { node.input(index).flatMap { stored[$0] } }

  /// The numbers of an integer input, where they are known without running.
  func integers(_ node: Node, _ index: Int) -> [Int]? {
    guard let name = node.input(index) else { return nil }
    if let tensor = stored[name], tensor.count <= 1 << 16 { return try? tensor.integers() }
    return types.values[name]?.integers
  }

  /// Integers of an input that are the same whenever the model runs.
  func constants(_ node: Node, _ index: Int) -> [Int]? {
    guard let name = node.input(index) else { return nil }
    if let tensor = stored[name] { return tensor.count <= 1 << 16 ? try? tensor.integers() : nil }
    return symbolic.values[name]?.integers
  }

  var opset: Int64 { model.opset() ?? 1 }

  /// Whether an axis of a value has an extent that is only known when the model runs.
  func isOpen(_ name: String, _ axis: Int) -> Bool {
    guard let dims = symbolic.types[name]?.dims, axis < dims.count else { return true }
    return dims[axis].value == nil
  }

  func dims(_ name: String) -> [Int]? {
    guard let dims = types.types[name]?.dims else { return nil }
    return dims.map { $0.value ?? -1 }
  }

  // MARK: - What rules write

  mutating func define(_ node: Node, _ output: Int = 0, _ spaces: [SpaceForest.ID]) {
    if let name = node.output(output) { axes[name] = spaces }
  }

  /// New spaces for an axis of an output: pinned when its extent is open.
  mutating func fresh(_ node: Node, _ axis: Int, output: Int = 0, pin reason: String? = nil) -> SpaceForest.ID {
    guard let name = node.output(output) else { return forest.leaf(-1) }
    let dims = dims(name) ?? [], size = axis < dims.count ? dims[axis] : -1
    var pins: [Pin] = []
    if let reason { pins = [Pin(place: node.label, reason: reason)] }
    if pins.isEmpty, size < 0 || isOpen(name, axis) { pins = [Pin(place: node.label, reason: "this extent is open")] }
    return forest.leaf(size, pins: pins)
  }

  /// Couples two spaces; pins both when their structures do not go together.
  mutating func unify(_ a: SpaceForest.ID, _ b: SpaceForest.ID, _ node: Node) {
    guard !forest.unify(a, b) else { return }
    let pin = Pin(place: node.label, reason: "the structures it joins do not line up")
    forest.pin(a, pin)
    forest.pin(b, pin)
  }

  mutating func pin(_ space: SpaceForest.ID, _ node: Node, _ reason: String) {
    forest.pin(space, Pin(place: node.label, reason: reason))
  }

  private mutating func pin(_ name: String, _ pin: Pin) {
    for space in axesOf(name) ?? [] { forest.pin(space, pin) }
  }

  mutating func contract(_ input: Int, axis: Int) {
    contractions.append(Contraction(node: current, input: input, axis: axis))
  }

  mutating func measure(axis: Int) { statistics.append(Statistic(node: current, axis: axis)) }

  /// Notes axes of a result that repeat their one position.
  /// - Parameter repeated: by axis.
  mutating func `repeat`(_ repeated: [Bool], of result: [SpaceForest.ID]) {
    for axis in result.indices where repeated[axis] {
      let left = result.indices[..<axis].last { !repeated[$0] }
      let right = result.indices[(axis + 1)...].first { !repeated[$0] }
      repetitions.append(Repetition(space: result[axis], beside: [left, right].compactMap { $0 }.map { result[$0] }))
    }
  }

  /// A repeated axis holds copies of units where it becomes one axis together with units that it repeats: key heads of
  /// grouped queries, channels that are repeated. Any other, such as a state that begins as one number, has the units
  /// of what it meets.
  private mutating func markCopies() {
    guard !repetitions.isEmpty else { return }
    let joined = forest.products(in: axes.values.joined())
    for repetition in repetitions where forest.size(repetition.space) > 1 {
      let copies = forest.leaves(repetition.space)
      let units = repetition.beside.flatMap { forest.leaves($0) }.filter { leaf in
        forest.size(leaf) > 1 && (forest.pins(leaf).isEmpty || forest.roles(leaf).contains(.head))
      }
      if joined.contains(where: { !$0.isDisjoint(with: units) && !$0.isDisjoint(with: copies) }) {
        forest.mark(repetition.space, .copies)
      }
    }
  }

  mutating func edit(_ kind: NodeEdit.Kind) { edits.append(NodeEdit(node: current, kind: kind)) }

  /// Axes that nothing may be removed from.
  private mutating func makeOpaque(_ name: String, _ pin: Pin) {
    guard let dims = dims(name) else { return }
    axes[name] = dims.map { forest.leaf($0, pins: [pin]) }
  }

  /// Spaces of operands unified as in broadcasting: from the last axis on, those of one unit are stretched.
  mutating func broadcast(_ operands: [[SpaceForest.ID]], _ node: Node) -> [SpaceForest.ID] {
    let rank = operands.map(\.count).max() ?? 0
    var result: [SpaceForest.ID] = []
    for axis in 0..<rank {
      var chosen: SpaceForest.ID?
      for operand in operands {
        let place = axis - (rank - operand.count)
        guard place >= 0 else { continue }
        let space = operand[place]
        if forest.size(space) == 1 {
          chosen = chosen ?? space
        } else if let other = chosen, forest.size(other) != 1 {
          unify(other, space, node)
        } else {
          chosen = space
        }
      }
      result.append(chosen ?? forest.leaf(1))
    }
    return result
  }
}

/// How a node's output axes relate to its inputs'. Nil when all is said; else why the node cannot be followed, and all
/// it touches stays.
typealias AxisRule = @Sendable (inout AxisSolver, Node) -> String?

/// What of a node follows when spaces shrink.
struct NodeEdit: Sendable {
  enum Kind: Sendable {
    /// An integer attribute that is a count of units.
    case attribute(String, SpaceForest.ID)
    /// An integer attribute that is a product of counts.
    case product(String, [SpaceForest.ID])
    /// An attribute that lists something for each unit.
    case elements(String, SpaceForest.ID)
    /// A factor that the operator computes from a size unless it is stated: it stays what it was.
    case constant(String, Float, SpaceForest.ID)
    /// An input that holds the extents of the output.
    case shape(input: Int)
    /// How often a Tile repeats its one position along an axis.
    case repeats(axis: Int)
    /// The sizes of a Split's outputs along an axis.
    case split([SpaceForest.ID])
    /// A Slice's bounds along an axis: what lies before it, and what it takes.
    case slice(axis: Int, before: SpaceForest.ID?, part: SpaceForest.ID)
    /// The positions along an axis that a Gather, or a Slice that steps, picks from a space.
    case pick(axis: Int, from: SpaceForest.ID, positions: [Int])
    /// A Pad's counts along an axis.
    case pads(axis: Int, before: SpaceForest.ID?, after: SpaceForest.ID?)
  }
  let node: Int
  let kind: Kind
}
