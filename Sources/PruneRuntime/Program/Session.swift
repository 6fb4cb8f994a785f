import PruneGraph
import PruneTensor
import Synchronization

/// A model and the programs compiled from it, one for each set of input shapes and number of threads it was run with.
package final class Session: @unchecked Sendable {
  package let model: Model
  private let outputs: [String]?
  private let watched: [(name: String, isOrdered: Bool)]
  // Safe: programs only read the variables they do not update; callers that train run one program at a time.
  private let variables: [String: Variable]
  private let programs = Mutex<[Entry]>([])
  private let packed = PackedWeights()

  private struct Entry: Sendable {
    let shapes: [String: Shape]
    let threads: Int
    let program: Program
  }

  /// Programs kept; the one longest unused goes first.
  private static let capacity = 8

  /// - Parameter watched: what `run` shows while it runs.
  package init(
    _ model: Model, outputs: [String]? = nil, watched: [(name: String, isOrdered: Bool)] = [],
    variables: [String: Variable] = [:]
  ) {
    self.model = model
    self.outputs = outputs
    self.watched = watched
    self.variables = variables
  }

  /// Runs the model, compiling it first when these shapes are new.
  package func run(
    _ inputs: [String: Tensor], cancel: CancelFlag? = nil, watch: Program.Watch? = nil
  ) throws(PruneError) -> [String: Tensor] {
    try program(for: inputs.mapValues(\.shape)).run(inputs, cancel: cancel, watch: watch)
  }

  /// The program for these input shapes and the calling thread's number of threads.
  package func program(for shapes: [String: Shape]) throws(PruneError) -> Program {
    let threads = Parallel.threads
    let cached = programs.withLock { entries -> Program? in
      guard let index = entries.lastIndex(where: { $0.threads == threads && $0.shapes == shapes }) else { return nil }
      let entry = entries.remove(at: index)
      entries.append(entry)
      return entry.program
    }
    if let cached { return cached }
    try checkNames(of: shapes)
    // Compiled outside the lock: two threads may both do it, and the later one's is kept as well.
    var options = ProgramOptions(inputShapes: shapes, outputs: outputs, variables: variables)
    options.watched = watched
    let program = try Program(model, options, sharing: packed)
    programs.withLock { entries in
      if entries.count >= Self.capacity { entries.removeFirst() }
      entries.append(Entry(shapes: shapes, threads: threads, program: program))
    }
    return program
  }

  /// Misnamed and missing inputs are told apart before compiling, which would only see shapes that are not known.
  private func checkNames(of shapes: [String: Shape]) throws(PruneError) {
    let names = model.graph.trueInputs.map(\.name)
    for name in shapes.keys.sorted() where !model.graph.inputs.contains(where: { $0.name == name }) {
      throw PruneError(
        .notFound, "the model has no input '\(name)'", hint: "its inputs are: \(names.joined(separator: ", "))")
    }
    if let missing = names.first(where: { shapes[$0] == nil }) {
      throw PruneError(
        .notFound, "input '\(missing)' is missing", hint: "give all of: \(names.joined(separator: ", "))")
    }
  }
}
