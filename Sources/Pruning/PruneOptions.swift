import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining

/// What to prune, how much, and under which conditions. Every field has a default but the target: exactly one of
/// `amount`, `threshold` and `target`.
package struct PruneOptions {
  /// A name of `Strategy`; nil picks global for an amount and threshold for a threshold.
  package var strategy: String?
  /// One of `Criterion.names`; nil is "magnitude", and for channels and heads "gate" with labelled data, else "l2".
  package var criterion: String?
  /// In place of a criterion: a score for each element of a weight, given its name and values.
  package var scores: ((String, Tensor) throws(PruneError) -> Tensor)?
  /// What is removed as one: see `Granularity.names`.
  package var granularity = "weight"
  /// The fraction of all units in scope that are zero afterwards, those that already were included: 0...1.
  package var amount: Double?
  /// Amounts by layer, in place of one amount. Layers that no pattern matches stay as they are.
  package var amounts: [LayerAmounts.Entry] = []
  /// How the amount is divided over layers: "global", "local" ("uniform"), "row", "lamp", "erk", "isomorphic" or
  /// "sensitivity"; nil is what the strategy says, and "row" for Wanda.
  package var allocation: String?
  /// "obs": the weights that stay make up for those that went, layer by layer, on `data`; "sparsegpt" also chooses
  /// which go on the way. For channels and heads "least_squares": layers that read what changed are fitted to what they
  /// gave before. Nil is that for channels and heads that are removed with `data`; "none" and otherwise nil leave them
  /// as they are.
  package var reconstruct: String?
  /// Units that score below this go.
  package var threshold: Double?
  /// In place of an amount: the fractions of costs that are kept, of several each at most. With masks zeros cost
  /// nothing.
  package var targets: [CostTarget] = []
  /// The one target, or the first.
  package var target: CostTarget? {
    get { targets.first }
    set { targets = newValue.map { [$0] } ?? [] }
  }
  /// "mask": removed weights become zeros and stay in place. "remove": the model shrinks. Nil is remove for channels
  /// and heads, mask for weights.
  package var mode: String?
  /// For criteria that look at data; also recovers and calibrates where no other data is given.
  package var data: Dataset?
  /// The output that the targets of all data are of: losses and metrics are taken of it, in guard, recover and train
  /// where those name none. Nil is the first.
  package var output: String?
  /// Metrics on this data go into the report, before and after.
  package var validate: Dataset?
  /// Extents that the model's inputs leave open; those of data come after, then what the model implies, then an
  /// assumption.
  package var shapes = ShapeBinding()
  package var device = "cpu"
  /// "one_shot", "linear", "cubic" or "dynamic": how the target is approached. Nil: see `PrunePlan.schedule`.
  package var schedule: String?
  /// Steps of the schedule; 0 is 1 for one_shot and 5 for the others.
  package var steps = 0
  /// Training after every step; pruned weights stay zero.
  @Boxed package var recover: FitOptions? = nil
  /// What `recover` trains on; nil means `data`.
  package var recoverData: Dataset?
  @Boxed package var `guard`: GuardOptions? = nil
  /// What the weights that stay go back to after every step, before it recovers: the network at the start of its
  /// training gives lottery tickets (Frankle and Carbin, 2019), one from a little later their stable kind.
  package var rewind: Model?
  /// What a cost-aware strategy saves: a name of `CostTarget.Kind`; nil is "params", or what the target is of.
  package var cost: String?
  /// What divisions by curves may not lose; nil is the guard's metric, without one the loss.
  package var metric: String?
  /// In place of a metric by name.
  package var custom: CustomMetric?
  /// Training before each cut, of the strategies "penalty" and "regularized", with their regularizers; nil is theirs.
  @Boxed package var train: FitOptions? = nil
  /// What `train` trains on; nil means `data`.
  package var trainData: Dataset?
  /// For "local", of a weight that several layers use: "one" (nil) prunes the first use of it, "all" every use.
  package var shared: String?
  /// The text of `PruneOutcome.recipe`: its choices and steps in place of those here.
  package var recipe: String?
  /// Patterns (`*`, `?`) on layer or weight names; empty means all.
  package var scope: [String] = []
  package var ignore: [String] = []
  /// The batch size of data-driven criteria and of evaluation; 0 is 64.
  package var batchSize = 0
  /// For random choices.
  package var seed: UInt64 = 0
  /// Whether to compare outputs with those of the masked network at the end. Nil: yes, except for more than 4 million
  /// weights of a model that pruning does not run otherwise.
  package var certifies: Bool?
  /// For channels and heads: what is left of a group is a multiple of this. 0 is not given: 1, and for channels whose
  /// time counts `machineRounding`.
  package var roundTo = 0
  /// The multiple that this machine's kernels like. C's PRUNE_ROUND_TO_MACHINE.
  package static let machineRounding = Int(UInt32.max)
  /// The largest share of a group that may go; nil is 0.9, or the amount when that is more.
  package var maxFraction: Double?
  /// "mean", "sum" or "max": how the scores of a group's tensors become a unit's.
  package var reduction: String?
  /// "mean", "max", "lamp" or "none": how groups are made comparable; nil is "mean", and "none" for network slimming.
  package var normalization: String?
  /// Whether channels of residual streams may go. Nil: only where `scope` names layers, or those inside blocks are not
  /// enough.
  package var prunesStreams: Bool?
  /// Whether groups are ranked only among those of the same kind and size.
  package var isIsomorphic = false
  /// Whether units that layer normalizations take statistics over, the width of a transformer, may go as well.
  package var followsWidth = false
  /// Whether batch normalizations of a shrunk model measure their statistics anew on the data.
  package var reestimates = false
  /// Whether latency before and after is measured.
  package var benchmarks = false
  /// For operators of other domains, by `domain.name`.
  package var rules: [String: CustomRule] = [:]
  package var cancel: CancelFlag?
  /// The ranks that prune together: scores, metrics and training are shared out, and every rank cuts alike. Nil is one
  /// alone.
  package var communicator: Communicator?
  /// Called after every step; true stops after it.
  package var onStep: ((PruneEvent) throws(PruneError) -> Bool)?

  package init() {}
}

/// The progress of a running prune, given to `PruneOptions.onStep` after every step.
package struct PruneEvent: Sendable {
  /// 1-based.
  package var step: Int
  package var steps: Int
  /// The share of zeros among the weights in scope that the step reached.
  package var sparsity: Double
  /// The guard's metric after the step, when there is a guard.
  package var metric: Double?
  /// False when the guard took the step back.
  package var isKept: Bool
}

extension PruneOptions {
  /// The same with the output named wherever something is measured or trained that names none of its own.
  /// - Throws: `.notFound` for an output that the model does not have.
  func withOutput(of model: Model) throws(PruneError) -> PruneOptions {
    guard let output, try model.output(named: output) != nil else { return self }
    var result = self
    if result.guard?.output == nil { result.guard?.output = output }
    if result.recover?.output == nil { result.recover?.output = output }
    if result.train?.output == nil { result.train?.output = output }
    return result
  }
}

extension PruneOptions {
  /// The same with every data set that it holds replaced: what criteria, recovery, training, guard and validation look
  /// at.
  func mappingData(_ transform: (Dataset) throws(PruneError) -> Dataset) throws(PruneError) -> PruneOptions {
    var result = self
    for path in [\PruneOptions.data, \.validate, \.recoverData, \.trainData] {
      if let data = self[keyPath: path] { result[keyPath: path] = try transform(data) }
    }
    if let data = self.guard?.data { result.guard?.data = try transform(data) }
    if let data = recover?.validation { result.recover?.validation = try transform(data) }
    if let data = train?.validation { result.train?.validation = try transform(data) }
    return result
  }
}
