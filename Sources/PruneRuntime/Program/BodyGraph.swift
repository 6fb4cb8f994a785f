import PruneGraph
import PruneTensor
import Synchronization

/// A graph inside If, Loop or Scan, with the outer values it reads, and the programs compiled from it: one for each
/// set of input types it was run with.
final class BodyGraph: Sendable {
  let outputNames: [String]
  /// The graph's own inputs, then the values it captures.
  private let inputNames: [String]
  private let model: Model
  // Safe: never changed, and they hold no variable.
  private nonisolated(unsafe) let options: ProgramOptions
  private let state = Mutex(State())
  private let packed = PackedWeights()

  private struct Entry: Sendable {
    /// The types it was compiled for.
    let types: [TensorType]
    let open: Set<Int>
    let threads: Int
    let program: Program

    func takes(_ requested: [TensorType]) -> Bool {
      types.indices.allSatisfy {
        open.contains($0) ? types[$0].dtype == requested[$0].dtype : types[$0] == requested[$0]
      }
    }
  }

  private struct State: Sendable {
    var entries: [Entry] = []
    /// Inputs whose shape changes all the time, as in a loop that appends to what it carries.
    var open: Set<Int> = []
  }

  /// Programs kept; the oldest goes first.
  private static let capacity = 8
  /// After this many programs, inputs whose shapes differ are left open.
  private static let patience = 4
  private static let depthLimit = 32

  /// - Parameters:
  ///   - model: what the graph's nodes belong to; only its operator sets are used.
  ///   - captured: names of outer values that are fed after the graph's own inputs.
  ///   - constants: outer values that are known.
  /// - Throws: `.invalidModel` when graphs are nested too deeply.
  init(
    _ graph: Graph, of model: Model, captured: [String], constants: [(String, Tensor)], options: ProgramOptions
  ) throws(PruneError) {
    guard options.depth < Self.depthLimit else {
      throw PruneError(.invalidModel, "graphs are nested more than \(Self.depthLimit) deep")
    }
    let names = graph.inputs.map(\.name)
    inputNames = names + captured
    outputNames = graph.outputs.map(\.name)
    guard Set(inputNames).count == inputNames.count else {
      throw PruneError(.invalidModel, "graph '\(graph.name)' has two inputs of one name")
    }
    var body = graph
    // What is fed needs no default.
    body.removeInitializers { names.contains($0.name) }
    for (name, tensor) in constants where !body.hasInitializer(name) { body.setInitializer(name, tensor) }
    var copy = Model(graph: body)
    copy.opsets = model.opsets
    self.model = copy
    var inner = options
    // What is watched are values of the outermost graph; a body may use their names for its own.
    (inner.inputShapes, inner.outputs, inner.watched, inner.variables, inner.openInputs) = ([:], nil, [], [:], [])
    inner.depth = options.depth + 1
    self.options = inner
  }

  /// Runs the graph on its inputs, captured values included.
  func run(_ inputs: [Tensor], cancel: CancelFlag?) throws(PruneError) -> [Tensor] {
    try cancel?.check()
    let program = try program(for: inputs.map { TensorType($0.dtype, $0.shape) })
    let feeds = Dictionary(zip(inputNames, inputs), uniquingKeysWith: { first, _ in first })
    let results = try program.run(feeds, cancel: cancel)
    var ordered: [Tensor] = []
    for name in outputNames {
      guard let tensor = results[name] else { throw PruneError(.internal, "output '\(name)' was not computed") }
      ordered.append(tensor)
    }
    return ordered
  }

  /// The types of the outputs when the inputs are of these.
  func outputTypes(_ inputs: [TensorType]) throws(PruneError) -> [TensorType] {
    let program = try program(for: inputs)
    return outputNames.map { program.outputTypes[$0] ?? TensorType(nil, nil) }
  }

  private func program(for types: [TensorType]) throws(PruneError) -> Program {
    guard types.count == inputNames.count else {
      throw PruneError(.invalidModel, "the graph takes \(inputNames.count) values, got \(types.count)")
    }
    let threads = Parallel.threads
    let (cached, open) = state.withLock { state -> (Program?, Set<Int>) in
      if let entry = state.entries.last(where: { $0.threads == threads && $0.takes(types) }) {
        return (entry.program, [])
      }
      if state.entries.count >= Self.patience, let last = state.entries.last {
        state.open.formUnion(types.indices.filter { last.types[$0].dims != types[$0].dims })
      }
      return (nil, state.open)
    }
    if let cached { return cached }
    var (model, options) = (model, options)
    model.graph.inputs = zip(inputNames, types).map { ValueInfo(name: $0, type: $1) }
    options.openInputs = Set(open.map { inputNames[$0] })
    let program = try Program(model, options, sharing: packed)
    state.withLock { state in
      if state.entries.count >= Self.capacity { state.entries.removeFirst() }
      state.entries.append(Entry(types: types, open: open, threads: threads, program: program))
    }
    return program
  }
}
