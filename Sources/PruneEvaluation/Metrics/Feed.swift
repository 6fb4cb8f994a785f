import PruneData
import PruneGraph
import PruneTensor

/// Feeds the samples of a data set to the one input of a model, in batches of one size.
struct Feed {
  let input: ValueInfo
  private let data: Dataset
  private let dtype: DType
  /// Samples a run. The last batch repeats its samples up to it, so that one compiled program serves all.
  let batchSize: Int

  /// - Throws: `.unsupported` for a model of no input or several; `.mismatch` when the samples are not what the input
  ///   takes; `.invalidArgument` without samples.
  init(_ data: Dataset, _ model: Model, batchSize wanted: Int) throws(PruneError) {
    let inputs = model.graph.trueInputs
    guard inputs.count == 1 else {
      let names = inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw PruneError(
        .unsupported, "the model has \(inputs.count) inputs\(names.isEmpty ? "" : " (\(names))"); a data set feeds exactly one")
    }
    input = inputs[0]
    self.data = data
    guard data.count > 0 else { throw PruneError(.invalidArgument, "data set '\(data.name)' has no samples") }
    guard wanted >= 0 else { throw PruneError(.invalidArgument, "batch_size is \(wanted), it must be 0 or more") }
    dtype = input.type?.dtype ?? data.x.dtype
    if let dims = input.type?.dims {
      let sample = data.sampleShape
      guard dims.count == sample.count + 1, zip(dims.dropFirst(), sample).allSatisfy({ $0.value == nil || $0.value == $1 })
      else {
        let same = sample.reduce(1, *) == dims.dropFirst().reduce(1) { $0.multipliedReportingOverflow(by: $1.value ?? 0).partialValue }
        throw PruneError(
          .mismatch,
          "samples of data set '\(data.name)' are \(data.x.dtype.name) [\(sample.map(String.init).joined(separator: ","))], input '\(input.name)' of the model is \(input.type?.description ?? "?")",
          hint: same ? "there are as many numbers in a sample: reshape x" : "the first extent counts the samples of a batch")
      }
    }
    let preferred = min(wanted == 0 ? 64 : wanted, data.count)
    batchSize = max(input.type?.dims?.first?.value ?? preferred, 1)
  }

  /// Samples first..<last as the model wants them, the last ones repeated to fill the batch.
  func batch(_ first: Int, _ last: Int) throws(PruneError) -> Tensor {
    var x = try data.rows(first, last).x
    if last - first < batchSize {
      x = try x.gatheringRows((0..<batchSize).map { $0 % (last - first) })
    }
    guard x.dtype != dtype else { return x }
    let converted = try x.cast(to: dtype)
    // Rounding to a narrower float is what the model asks for; losing what integers cannot hold is a mistake.
    if dtype.isFloatingPoint { return converted }
    guard try converted.cast(to: x.dtype).bytes.isEqual(to: x.bytes) else {
      throw PruneError(
        .mismatch,
        "input '\(input.name)' of the model is \(dtype.name), samples \(first) to \(last - 1) of data set '\(data.name)' hold \(x.dtype.name) numbers that it cannot hold"
      )
    }
    return converted
  }
}
