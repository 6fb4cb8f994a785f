import PruneData
import PruneEvaluation
import PruneRuntime
import PruneTensor
import PruneTraining

/// Criteria that ask how the loss reacts, on given data, batch by batch: nothing is kept but one number a weight.
/// Averages are over batches, so the batch size is part of the definition, but for Fisher's, which are over samples.
struct GradientImportance: Importance {
  enum Kind: String, CaseIterable, Sendable {
    /// E|g|, how fast the loss changes with the weight.
    case gradient
    /// The first-order change of the loss when the weight goes, as the root of E[(g·w)²] (Molchanov et al., 2019; the
    /// root keeps the order and the unit of the loss).
    case taylor
    /// ½ w² E[g²], of each sample's own gradient: Optimal Brain Damage with the empirical Fisher information in place
    /// of the Hessian's diagonal (Theis et al., 2018).
    case fisher
    /// |ḡ·w| of the mean gradient, divided by its sum over all weights (Lee et al., 2019).
    case snip
  }

  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var name: String { kind.rawValue }
  var needsData: Bool { true }
  var needsTargets: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let pass = try GradientPass(criterion: name, context)
    switch kind {
    case .gradient: return .tensors(try pass.accumulated(.absolute))
    case .taylor: return .tensors(try pass.accumulated(.product))
    case .fisher:
      let squares = try pass.sampleSquares()
      return .tensors(try pass.combined(squares) { square, weight in 0.5 * weight * weight * square })
    case .snip:
      let means = try pass.accumulated(.plain)
      let products = try pass.combined(means) { mean, weight in abs(mean * weight) }
      var total = 0.0
      for tensor in products { total += try tensor.total() }
      guard total > 0 else { return .tensors(products) }
      return .tensors(try pass.combined(products) { product, _ in Float(Double(product) / total) })
    }
  }
}

extension ScoringContext {
  /// Ensures that all ranks score the same weights on the same amount of data.
  func agree(_ criterion: String) throws(PruneError) {
    guard let communicator else { return }
    var values = Fingerprint()
    for weight in weights.weights {
      values.add(weight.name)
      values.add(weight.tensor)
    }
    try communicator.agree(
      "criterion '\(criterion)'",
      [
        .count("the number of samples", data?.count ?? 0), .count("batch_size", batchSize),
        .count("seed", Int(bitPattern: UInt(seed))), .hash("the model", values),
      ])
  }

  /// The weights that the criterion cannot score, and that have no part in its ranking. For one that takes a gradient:
  /// those that the loss does not depend on, as those of another output's layers. For one that looks at the inputs of
  /// layers: the gates of recurrent layers, whose states are no values of the graph.
  /// - Throws: `.unsupported` when that leaves none, and for weights that a node without a gradient cuts off.
  func unreached(by importance: any Importance) throws(PruneError) -> Set<String> {
    if importance.needsTargets { return try GradientPass(criterion: importance.name, self).unreached() }
    guard importance.needsInputs else { return [] }
    return Set(weights.weights.filter { ["LSTM", "GRU", "RNN"].contains($0.operation) }.map(\.name))
  }
}

extension Importance {
  /// What a report says of them, if there are any.
  func note(unreached names: Set<String>, _ what: String = "does not score") -> String? {
    guard !names.isEmpty else { return nil }
    let list = names.sorted().map { "'\($0)'" }.joined(separator: ", ")
    let why = needsInputs ? "what recurrent layers multiply by" : "the loss does not depend on"
    return
      "\(why) \(list)\(needsInputs ? " cannot be observed" : ""): criterion '\(name)' \(what) \(names.count == 1 ? "it" : "them")"
  }
}

/// Gradients of the loss by the scored weights, batch by batch over the data of a scoring.
struct GradientPass {
  let criterion: String
  let context: ScoringContext
  private let data: Dataset
  private let targets: DType

  var weights: [PrunableWeight] { context.weights.weights }

  /// - Throws: `.invalidArgument` when the data has no samples or no targets.
  init(criterion: String, _ context: ScoringContext) throws(PruneError) {
    guard let data = context.data, let targets = data.y, data.count > 0 else {
      throw PruneError(
        .invalidArgument,
        "criterion '\(criterion)' takes the gradient of a loss, and the data has "
          + (context.data?.count == 0 ? "no samples" : "no targets"),
        hint: "give data with labels")
    }
    self.criterion = criterion
    self.context = context
    self.data = data
    self.targets = targets.dtype
  }

  /// Names of the weights that the loss does not depend on.
  func unreached() throws(PruneError) -> Set<String> {
    let model = context.weights.model, inputBinding = try InputBinding(data, model), fixed = inputBinding.fixedBatch
    let batch = try data.rows(0, min(fixed ?? context.batchSize, data.count), filling: fixed)
    let source = try LossGradients(
      model, targets: targets, form: data.targetForm, output: context.output, parameters: weights.map(\.name))
    try source.checkLabels(of: data)
    guard let y = batch.y, let first = weights.first else { return [] }
    let names = try source.unreached(inputBinding.inputs(of: batch), y)
    guard names.count < weights.count else { throw missing(first, source) }
    return Set(names)
  }

  /// What a kind of accumulation makes of the gradients of all batches, one tensor a weight: of zeros where the loss
  /// does not depend on it.
  /// - Parameter moved: values in place of the weights; nil leaves them as they are.
  func accumulated(_ kind: ScoreAccumulator.Kind, at moved: [Tensor]? = nil) throws(PruneError) -> [Tensor] {
    var model = context.weights.model
    for (weight, tensor) in zip(weights, moved ?? []) { model.graph.setInitializer(weight.name, tensor) }
    let inputBinding = try InputBinding(data, model)
    let source = try LossGradients(
      model, targets: targets, form: data.targetForm, output: context.output, parameters: weights.map(\.name))
    try source.checkLabels(of: data)
    var accumulators: [ScoreAccumulator] = []
    for weight in weights { accumulators.append(try ScoreAccumulator(kind, weight: weight.tensor)) }
    let fixed = inputBinding.fixedBatch, size = fixed ?? context.batchSize
    try eachBatch(of: size) { (first, last) throws(PruneError) in
      // A model of one batch size leaves out what does not fill the last batch, and repeats what does not fill the first.
      if fixed != nil, last - first < size, first > 0 { return }
      let batch = try data.rows(first, last, filling: fixed)
      guard let y = batch.y else { return }
      let gradients = try source.run(inputBinding.inputs(of: batch), y, cancel: context.cancel).gradients
      for (index, weight) in weights.enumerated() {
        guard let gradient = gradients[weight.name] else {
          guard !gradients.isEmpty, !source.blocked.contains(where: { $0.parameters.contains(weight.name) }) else {
            throw missing(weight, source)
          }
          continue
        }
        try accumulators[index].add(gradient, share: Float(last - first) / Float(data.count))
      }
    }
    return try summed(accumulators, kind)
  }

  /// Runs this rank's share of the batches.
  private func eachBatch(of size: Int, _ body: (Int, Int) throws(PruneError) -> Void) throws(PruneError) {
    try context.agree(criterion)
    try context.communicator.each { () throws(PruneError) in
      for (index, first) in stride(from: 0, to: data.count, by: size).enumerated()
      where context.communicator.owns(index) {
        try context.cancel?.check()
        try body(first, min(first + size, data.count))
      }
    }
  }

  /// The scores over the batches of all ranks.
  private func summed(
    _ accumulators: [ScoreAccumulator], _ kind: ScoreAccumulator.Kind
  ) throws(PruneError) -> [Tensor] {
    let scores = try accumulators.map { accumulator throws(PruneError) in try accumulator.scores() }
    guard let communicator = context.communicator else { return scores }
    var result: [Tensor] = []
    for tensor in scores {
      // A root of sums is no sum of roots.
      var sum = kind == .product ? try tensor.zipped(with: tensor, *) : tensor
      try communicator.sum(&sum)
      result.append(kind == .product ? try sum.zipped(with: sum) { value, _ in value.squareRoot() } : sum)
    }
    return result
  }

  /// Means, over all samples, of the squared gradients of each sample's loss, one tensor a weight. The batch size has
  /// no say in them.
  func sampleSquares() throws(PruneError) -> [Tensor] {
    let model = context.weights.model, inputBinding = try InputBinding(data, model)
    guard !inputBinding.isJoint else {
      throw PruneError(
        .unsupported,
        "criterion '\(criterion)' looks at each sample by itself, and the samples of a batch belong together here",
        hint: "use criterion = \"taylor\"")
    }
    let source = try LossGradients(
      model, targets: targets, form: data.targetForm, output: context.output, parameters: weights.map(\.name),
      squaresSamples: true)
    try source.checkLabels(of: data)
    func squares(_ samples: [Int]) throws(PruneError) -> [String: Tensor] {
      let batch = try data.subset(samples)
      guard let y = batch.y else { return [:] }
      return try source.run(inputBinding.inputs(of: batch), y, cancel: context.cancel).gradients
    }
    // A model of one batch size sees a sample alone as a batch that is full of it.
    let fixed = inputBinding.fixedBatch, copies = fixed ?? 1
    func single(_ sample: Int) throws(PruneError) -> [String: Tensor] {
      try squares([Int](repeating: sample, count: copies))
    }
    let largest = weights.map(\.tensor.count).max() ?? 1
    var size = fixed ?? max(min(context.batchSize, Self.sampleElements / max(largest, 1)), 1)
    size = min(size, data.count)
    if size > 1 {
      if let fixed, size < fixed {
        size = 1
      } else if try !isSeparable(samples: fixed ?? 2, copies, squares, single) {
        size = 1
      }
    }
    var accumulators: [ScoreAccumulator] = []
    for weight in weights { accumulators.append(try ScoreAccumulator(.plain, weight: weight.tensor)) }
    func add(_ gradients: [String: Tensor], share: Float) throws(PruneError) {
      for (index, weight) in weights.enumerated() {
        guard let sum = gradients[weight.name] else {
          guard !gradients.isEmpty, !source.blocked.contains(where: { $0.parameters.contains(weight.name) }) else {
            throw missing(weight, source)
          }
          continue
        }
        try accumulators[index].add(sum, share: share / Float(data.count))
      }
    }
    try eachBatch(of: size) { (first, last) throws(PruneError) in
      let count = Float(last - first)
      // The loss of a batch is the mean of its samples'.
      if size > 1, fixed == nil || last - first == size {
        try add(squares(Array(first..<last)), share: count * count)
      } else {
        for sample in first..<last { try add(single(sample), share: Float(copies)) }
      }
    }
    return try summed(accumulators, .plain)
  }

  /// The most gradient numbers that are kept for the samples of a batch.
  private static let sampleElements = 1 << 24
  /// How far the squares of samples together may be from those of each, relative to the largest.
  private static let tolerance: Float = 1e-3

  /// Whether a batch gives the same gradients as its samples one by one: samples must not depend on
  /// each other.
  /// - Parameter copies: how often a sample stands in a batch of only this sample.
  private func isSeparable(
    samples count: Int, _ copies: Int, _ squares: ([Int]) throws(PruneError) -> [String: Tensor],
    _ single: (Int) throws(PruneError) -> [String: Tensor]
  ) throws(PruneError) -> Bool {
    let together: [String: Tensor]
    do throws(PruneError) { together = try squares(Array(0..<count)) } catch {
      guard error.status == .unsupported else { throw error }
      return false
    }
    var each: [[String: Tensor]] = []
    for sample in 0..<count { each.append(try single(sample)) }
    // The loss of a batch is the mean: each sample has a part of its own gradient.
    let share = Float(copies) / Float(count * count)
    for (name, sum) in together.sorted(by: { $0.key < $1.key }) {
      guard var all = each.first?[name] else { return false }
      for other in each.dropFirst() {
        guard let next = other[name] else { return false }
        all = try all.zipped(with: next, +)
      }
      let off = try all.zipped(with: sum) { abs(share * $0 - $1) }.finiteRange()
      guard let range = try all.finiteRange(), let off,
        off.high <= Self.tolerance * max(share * range.high, 1e-30)
      else { return false }
    }
    return true
  }

  /// A function of two tensors a weight, the second the weight's values.
  func combined(_ tensors: [Tensor], _ function: (Float, Float) -> Float) throws(PruneError) -> [Tensor] {
    var result: [Tensor] = []
    for (tensor, weight) in zip(tensors, weights) { result.append(try tensor.zipped(with: weight.tensor, function)) }
    return result
  }

  /// Why a weight has no gradient.
  private func missing(_ weight: PrunableWeight, _ source: LossGradients) -> PruneError {
    let block = source.blocked.first { $0.parameters.contains(weight.name) }
    return PruneError(
      .unsupported,
      "criterion '\(criterion)' cannot score weight '\(weight.name)': "
        + (block.map { "\($0.node) \($0.reason)" } ?? "the loss does not depend on it"),
      at: "\(weight.operation) '\(weight.layer)'",
      hint: "leave it out with ignore = …, or use criterion = \"magnitude\"")
  }
}

extension Dataset {
  /// The samples first..<last, repeated up to the size of a batch where a model fixes it.
  func rows(_ first: Int, _ last: Int, filling size: Int?) throws(PruneError) -> Dataset {
    guard let size, last > first, last - first < size else { return try rows(first, last) }
    return try subset((0..<size).map { first + $0 % (last - first) })
  }
}

extension Tensor {
  /// Element by element with another of the same count; both float32.
  func zipped(with other: Tensor, _ function: (Float, Float) -> Float) throws(PruneError) -> Tensor {
    guard count == other.count else { throw PruneError(.mismatch, "\(shape) and \(other.shape) have different counts") }
    var result = self
    try other.withSpan(of: Float.self) { others throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for index in span.indices { span[index] = function(span[index], others[index]) }
      }
    }
    return result
  }

  /// The sum of all elements, float32.
  func total() throws(PruneError) -> Double {
    try withSpan(of: Float.self) { span throws(PruneError) in
      var sum = 0.0
      for index in span.indices { sum += Double(span[index]) }
      return sum
    }
  }
}
