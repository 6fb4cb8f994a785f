import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// A model's first output for all samples of a data set, in order, computed in batches.
/// - Throws: `.mismatch` when the data does not fit the model, or when the output does not have a row a sample.
package func predict(
  _ session: Session, _ data: Dataset, batchSize: Int = 0, cancel: CancelFlag? = nil
) throws(PruneError) -> Tensor {
  guard let output = session.model.graph.outputs.first?.name else {
    throw PruneError(.invalidModel, "the model has no output")
  }
  let inputBinding = try InputBinding(data, session.model), size = try inputBinding.batchSize(batchSize, of: data)
  var parts: [Tensor] = []
  for first in stride(from: 0, to: data.count, by: size) {
    let last = min(first + size, data.count)
    let results = try session.run(try inputBinding.inputs(of: data.rows(first, last), filling: size), cancel: cancel)
    guard let result = results[output] else { throw PruneError(.internal, "the run gave no '\(output)'") }
    guard let rows = result.shape.dims.first, rows == size else {
      throw PruneError(
        .mismatch, "output '\(output)' is \(result.shape) for \(size) samples: it does not have a row for each of them",
        hint: "run takes inputs by name, whatever the output")
    }
    // Rows behind the data's are padding.
    parts.append(try result.rows(0, last - first))
  }
  return try Tensor(joiningRowsOf: parts)
}
