import PruneData
import PruneGraph
import PruneTensor

/// Which column of a data set goes to which input of a model: the only one to the only input, several by their names.
package struct InputBinding: Sendable {
  /// In the order of the model's inputs.
  package let bindings: [(input: ValueInfo, column: Int)]
  /// The batch size that the model fixes, or that belongs together; nil when it is open.
  package let fixedBatch: Int?
  /// Whether an input has the batch's extent along another axis too, as the neighbours of a graph's nodes: samples
  /// of a batch belong together.
  package let isJoint: Bool

  package var names: [String] { bindings.map(\.input.name) }

  /// - Parameter ignoringOthers: whether columns that the model has no input for are passed over.
  /// - Throws: `.unsupported` for a model without inputs; `.mismatch` naming the inputs that are missing or too many,
  ///   or the one whose samples are not what the model takes; `.invalidArgument` without samples.
  package init(_ data: Dataset, _ model: Model, ignoringOthers: Bool = false) throws(PruneError) {
    let inputs = model.graph.trueInputs
    guard !inputs.isEmpty else {
      throw PruneError(.unsupported, "the model has no inputs; a data set feeds at least one")
    }
    guard data.count > 0 else { throw PruneError(.invalidArgument, "data set '\(data.name)' has no samples") }
    bindings =
      data.isNamed
      ? try Self.matched(data, inputs, ignoringOthers: ignoringOthers)
      : try Self.only(data, inputs)
    for (input, column) in bindings { try Self.check(input, data.columns[column], data) }
    let sizes = Set(bindings.compactMap { $0.input.type?.dims?.first?.value })
    guard sizes.count < 2 else {
      let all = inputs.map { "'\($0.name)' \($0.type?.description ?? "?")" }.joined(separator: ", ")
      throw PruneError(
        .unsupported, "the model's inputs have different first extents (\(all)): they do not count samples")
    }
    let joint = Self.jointExtent(bindings, data)
    isJoint = sizes.isEmpty && joint != nil
    if isJoint, let joint, joint == 0 || data.count % joint != 0 {
      throw PruneError(
        .mismatch,
        "the samples of data set '\(data.name)' belong together in lots of \(joint), as the nodes of a graph, and there are \(data.count)",
        hint: "give whole graphs: take, subset and split cut rows of an adjacency matrix, not its columns")
    }
    fixedBatch = (sizes.first ?? joint).map { max($0, 1) }
  }

  /// How many samples belong together: the extent of an axis that is named as the one that counts samples.
  private static func jointExtent(_ bindings: [(input: ValueInfo, column: Int)], _ data: Dataset) -> Int? {
    for (input, column) in bindings {
      guard let dims = input.type?.dims, let batch = dims.first, batch.value == nil, batch != .unknown,
        let axis = dims.indices.dropFirst().first(where: { dims[$0] == batch })
      else { continue }
      return data.columns[column].dims[axis]
    }
    return nil
  }

  private static func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }

  private static func only(_ data: Dataset, _ inputs: [ValueInfo]) throws(PruneError) -> [(ValueInfo, Int)] {
    guard inputs.count == 1 else {
      throw PruneError(
        .mismatch,
        "the model has \(inputs.count) inputs (\(list(inputs.map(\.name)))), data set '\(data.name)' has one without a name",
        hint:
          "make the data set of named tensors, one an input: prune.data.tensors({\(inputs[0].name) = …, \(inputs[1].name) = …}, y)"
      )
    }
    return [(inputs[0], 0)]
  }

  private static func matched(
    _ data: Dataset, _ inputs: [ValueInfo], ignoringOthers: Bool
  ) throws(PruneError) -> [(ValueInfo, Int)] {
    let expected = inputs.map(\.name), columns = data.columns.map(\.name)
    let missing = expected.filter { !columns.contains($0) }, others = columns.filter { !expected.contains($0) }
    guard missing.isEmpty, others.isEmpty || ignoringOthers else {
      var complaints: [String] = []
      if !missing.isEmpty { complaints.append("it lacks \(list(missing))") }
      if !others.isEmpty {
        complaints.append("\(list(others)) \(others.count == 1 ? "is" : "are") no input of the model")
      }
      throw PruneError(
        .mismatch,
        "data set '\(data.name)' does not fit the model's inputs (\(list(expected))): \(complaints.joined(separator: ", and "))",
        hint: missing.first.map { Suggestion.hint(for: $0, among: others) } ?? "leave it out of the data set")
    }
    var result: [(ValueInfo, Int)] = []
    for input in inputs {
      if let column = columns.firstIndex(of: input.name) { result.append((input, column)) }
    }
    return result
  }

  private static func check(_ input: ValueInfo, _ column: Dataset.Column, _ data: Dataset) throws(PruneError) {
    if let dtype = input.type?.dtype, !dtype.isFloatingPoint, !dtype.isInteger, dtype != .bool {
      throw PruneError(.unsupported, "input '\(input.name)' of the model is \(dtype.name), a data set feeds numbers")
    }
    guard let dims = input.type?.dims else { return }
    let sample = column.dims.dropFirst()
    guard dims.count == sample.count + 1,
      zip(dims.dropFirst(), sample).allSatisfy({ $0.value == nil || $0.value == $1 })
    else {
      throw PruneError(
        .mismatch,
        "samples of data set '\(data.name)' are \(column.dtype.name) [\(sample.map(String.init).joined(separator: ","))], input '\(input.name)' of the model is \(input.type?.description ?? "?")",
        hint: dims.isEmpty
          ? "a data set feeds inputs whose first axis counts samples: make the scalar a constant of the model"
          : layoutHint(sample, dims, data) ?? mend(Array(sample), dims.dropFirst().map(\.value), input.name))
    }
  }

  /// What to do about samples of another shape than the model takes.
  private static func mend(_ sample: [Int], _ expected: [Int?], _ input: String) -> String {
    func fits(_ dims: [Int]) -> Bool {
      dims.count == expected.count && zip(expected, dims).allSatisfy { $0 == nil || $0 == $1 }
    }
    if sample.count == 3, fits([sample[2], sample[0], sample[1]]) {
      return
        "the samples have their channels last (height, width, channels), the model wants them first: move the axes when the data is made, "
        + "as numpy's x.transpose(0, 3, 1, 2) does; the order of the numbers changes, so a new shape alone will not do"
    }
    if sample.count == 3, fits([sample[1], sample[2], sample[0]]) {
      return
        "the samples have their channels first, the model wants them last (height, width, channels): move the axes when the data is made, "
        + "as numpy's x.transpose(0, 2, 3, 1) does; the order of the numbers changes, so a new shape alone will not do"
    }
    if sample.count == 3, expected.count == 3, expected[0] == sample[0] || expected[0] == nil, let height = expected[1],
      let width = expected[2]
    {
      return "the images have another size: data:resize{\(height), \(width)}"
    }
    if sample.count == 3, expected.count == 3, let channels = expected[0], channels != sample[0] {
      return "the images have \(sample[0]) channel\(sample[0] == 1 ? "" : "s"), the model wants \(channels)"
    }
    if sample.count + 1 == expected.count, expected.contains(1) || expected.contains(nil) {
      return "input '\(input)' has an axis more: give the samples one of extent 1, such as the channel of grey images"
    }
    if expected.count == 1, let count = expected[0],
      sample.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) == count
    {
      return "the model takes each sample as one row of \(count) numbers: give x as [N, \(count)]"
    }
    return "the first extent counts the samples of a batch"
  }

  /// The hint for images whose layout (NCHW or NHWC) is not that of the model.
  private static func layoutHint(_ sample: ArraySlice<Int>, _ dims: [Dim], _ data: Dataset) -> String? {
    guard sample.count == 3, dims.count == 4 else { return nil }
    let extents = Array(sample), other: Layout = data.layout == .nchw ? .nhwc : .nchw
    let swapped = other == .nchw ? [extents[2], extents[0], extents[1]] : [extents[1], extents[2], extents[0]]
    guard zip(dims.dropFirst(), swapped).allSatisfy({ $0.value == nil || $0.value == $1 }) else { return nil }
    let how =
      data.isStream
      ? "give layout = \"\(other.rawValue)\" to prune.data.images"
      : "data:to_layout \"\(other.rawValue)\" makes them fit"
    let (here, there) = other == .nhwc ? ("first", "last") : ("last", "first")
    return
      "the samples have their channels \(here) (\(data.layout.rawValue)), the model wants them \(there) (\(other.rawValue)): \(how)"
  }

  /// Samples a run: as many as the model fixes, or as are wanted (0: 64) and there.
  package func batchSize(_ requested: Int, of data: Dataset) throws(PruneError) -> Int {
    guard requested >= 0 else { throw PruneError(.invalidArgument, "batch_size is \(requested), it must be 0 or more") }
    return fixedBatch ?? max(min(requested == 0 ? 64 : requested, data.count), 1)
  }

  /// The shapes of the inputs for `count` samples.
  package func shapes(of data: Dataset, count: Int) throws(PruneError) -> [String: Shape] {
    var result: [String: Shape] = [:]
    for (input, column) in bindings {
      result[input.name] = try Shape([count] + data.columns[column].dims.dropFirst())
    }
    return result
  }

  /// Extents of a sample by input, where data that fits is there to take them from.
  package static func sampleShapes(_ data: Dataset?, _ model: Model) -> [String: [Int]] {
    guard let data, let inputBinding = try? InputBinding(data, model, ignoringOthers: true) else { return [:] }
    var result: [String: [Int]] = [:]
    for (input, column) in inputBinding.bindings { result[input.name] = Array(data.columns[column].dims.dropFirst()) }
    return result
  }

  /// Samples, of a data set with the columns that this was made for, as the model wants them.
  /// - Parameter size: the last samples are repeated up to it, so that one compiled program serves all; nil for as they
  ///   are.
  /// - Throws: `.mismatch` for numbers that an integer input cannot hold.
  package func inputs(of samples: Dataset, filling size: Int? = nil) throws(PruneError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    let count = samples.count
    for (input, column) in bindings where column < samples.columns.count {
      var tensor = try samples.columns[column].samples()
      if let size, count > 0, count < size {
        // A batch that the model declares may be of any size.
        do throws(PruneError) {
          try Storage.checkAvailable(byteCount: try Shape([size, MemoryLayout<Int>.stride]).count)
        } catch {
          throw error.located(at: "input '\(input.name)', a batch of \(size)")
        }
        tensor = try tensor.gatheringRows((0..<size).map { $0 % count })
      }
      result[input.name] = try Self.converted(tensor, to: input, samples)
    }
    return result
  }

  private static func converted(_ tensor: Tensor, to input: ValueInfo, _ data: Dataset) throws(PruneError) -> Tensor {
    guard let dtype = input.type?.dtype, dtype != tensor.dtype else { return tensor }
    let converted = try tensor.cast(to: dtype)
    // Rounding to a narrower float is what the model asks for; losing what integers cannot hold is a mistake.
    if dtype.isFloatingPoint { return converted }
    guard try converted.cast(to: tensor.dtype).bytes.isEqual(to: tensor.bytes) else {
      throw PruneError(
        .mismatch,
        "input '\(input.name)' of the model is \(dtype.name), samples of data set '\(data.name)' hold \(tensor.dtype.name) numbers that it cannot hold"
      )
    }
    return converted
  }
}
