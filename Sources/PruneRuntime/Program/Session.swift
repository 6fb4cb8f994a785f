import PruneGraph
import PruneTensor

/// A model and the programs compiled from it, one for each set of input shapes it was run with.
package final class Session {
  package let model: Model
  private let outputs: [String]?
  private let variables: [String: Variable]
  private var programs: [[String: Shape]: Program] = [:]

  package init(_ model: Model, outputs: [String]? = nil, variables: [String: Variable] = [:]) {
    self.model = model
    self.outputs = outputs
    self.variables = variables
  }

  /// Runs the model, compiling it first when these shapes are new.
  package func run(_ inputs: [String: Tensor], cancel: CancelFlag? = nil) throws(PruneError) -> [String: Tensor] {
    try program(for: inputs.mapValues(\.shape)).run(inputs, cancel: cancel)
  }

  /// The program for these input shapes.
  package func program(for shapes: [String: Shape]) throws(PruneError) -> Program {
    if let program = programs[shapes] { return program }
    let program = try Program(
      model, ProgramOptions(inputShapes: shapes, outputs: outputs, variables: variables))
    programs[shapes] = program
    return program
  }
}
