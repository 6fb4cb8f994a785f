import PruneEvaluation
import PruneGraph
import PruneTensor

/// What takes units out of a model, and proves what that did to it: by zeros that stay in place, or by surgery.
///
/// `PruneRun` decides how far a step goes, what is trained before and after it, and whether it is kept. A cutter knows
/// its units, makes candidates of models that it is given, and reports what is its own.
protocol Cutter {
  /// What a cutter knows of a candidate besides its model.
  associatedtype Detail

  var context: PruneContext { get }
  /// The options, with what the model decided where they leave it open.
  var settledOptions: PruneOptions { get }
  /// The model that the run begins with: the given one, in the form that is cut.
  var start: Model { get }

  /// - Throws: `.invalidArgument` when there is nothing to cut.
  init(_ context: PruneContext) throws(PruneError)

  /// The weights of a model on the way.
  func weights(of model: Model) throws(PruneError) -> PrunableWeights
  /// What a step would take of a model, for training that drives it to zero first.
  func selection(in model: Model, _ goal: StepGoal) throws(PruneError) -> CutSelection
  /// The model without what the step takes.
  /// - Parameter units: those that were selected before the training, by group; nil chooses.
  func candidate(of base: Model, _ goal: StepGoal, units: [[Int]]?) throws(PruneError) -> Candidate<Detail>
  /// Looks again at a candidate that was trained since it was cut.
  func recount(_ candidate: inout Candidate<Detail>) throws(PruneError)
  func size(of candidate: Candidate<Detail>) throws(PruneError) -> CutSize
  /// What a step from `kept` takes, layer by layer, in the units that `Allocation.counts` prescribes;
  /// nil where a step cannot be of some layers alone.
  func layerSteps(_ kept: Model, _ goal: StepGoal) throws(PruneError) -> [LayerStep]?
  /// Whether units that are gone count again in the next step, as zeros do.
  var keepsCounting: Bool { get }
  /// The guard allows it: later candidates go on from here.
  mutating func keep(_ candidate: Candidate<Detail>) throws(PruneError)

  /// Bytes of the last kept model that the given one does not share.
  var ownBytes: Int { get }
  /// A model of the run in the form that is given back.
  func finished(_ model: Model) throws(PruneError) -> Model
  /// Whether what was kept differs from the given model.
  func isChanged(_ model: Model) -> Bool

  // The cutter's own of the report, in its order.
  func addChoices(to report: inout Report) throws(PruneError)
  func addUnits(to report: inout Report)
  func addLayers(to report: inout Report)
  func certify(_ model: Model, _ report: inout Report)
  /// How a row of the journal calls what went.
  static var removedKey: String { get }
  /// The time of the last kept model relative to the original, where it was measured.
  var latency: LatencyPair? { get }
  /// What a reader should know besides the numbers, before and after what the loop has to say.
  var openingNotes: [String] { get }
  /// Why less was done than was asked for, when that is so and the guard has no part in it; also among the closing
  /// notes.
  func shortcoming(_ ending: PruneEnding) throws(PruneError) -> String?
  func closingNotes(_ ending: PruneEnding) throws(PruneError) -> [String]
}

/// How a run ended.
struct PruneEnding {
  let isStopped: Bool
  /// Whether the guard took a step back.
  let isRolledBack: Bool

  /// Whether all that was asked for was tried.
  var isWhole: Bool { !isStopped && !isRolledBack }
}

/// The goal of a step.
struct StepGoal {
  /// The progress of the whole run, 0...1.
  let progress: Double
  /// What the step of a recipe took; nil where the plan says it.
  let prescribed: Allocation?
  /// Whether the step is one of a recipe, and what a guard made of the training after it then.
  var isReplayed = false
  var recovery: GuardedRecovery.Prescribed?
}

/// What a step would take of a model.
struct CutSelection {
  /// 1 where an element of a weight goes; weights that lose nothing are left out.
  let marks: [String: Tensor]
  /// The units of each group, where the cut after the training is to take those.
  var units: [[Int]]?

  /// - Parameter weights: before and after the cut, of one shape.
  static func marks(
    _ weights: [(name: String, before: Tensor, after: Tensor)]
  ) throws(PruneError) -> [String: Tensor] {
    var marks: [String: Tensor] = [:]
    for (name, before, after) in weights where after.shape == before.shape && !after.bytes.isEqual(to: before.bytes) {
      let mark = try after.zipped(with: before) { $0 == 0 && $1 != 0 ? 1 : 0 }
      if try mark.total() > 0 { marks[name] = mark }
    }
    return marks
  }
}

extension PrunableWeights {
  /// The share of the squared norm of all weights that others in their place do not have.
  func normShare(lostBy others: [Tensor]) throws(PruneError) -> Double {
    var before = 0.0, after = 0.0
    for (weight, other) in zip(weights, others) {
      before += try weight.tensor.zipped(with: weight.tensor, *).total()
      after += try other.zipped(with: other, *).total()
    }
    return before > 0 ? max(1 - after / before, 0) : 0
  }
}

/// What a step would make of the model.
struct Candidate<Detail> {
  var model: Model
  /// The weights that constraints of a recovery look at.
  let weights: PrunableWeights
  /// The step for recipes.
  let allocation: Allocation
  /// After training before the cut: the share of the weights' squared norm that the cut took.
  var normCut: Double?
  var detail: Detail
}

/// What went by a step, and what is left of costs.
struct CutSize: Sendable {
  let removed: Int
  /// The share of all units that is gone.
  let amount: Double
  /// Nil while those of a layer depend on an extent that is not known.
  let macs: Int?
  /// Nil where the cut leaves parameters in place.
  var params: Int?
  let bytes: Int
}

extension Cutter {
  var plan: PrunePlan { context.plan }
  var options: PruneOptions { context.options }
  var settledOptions: PruneOptions { options }
  var original: Model { context.original }
  var extents: BoundExtents { context.extents }
  var latency: LatencyPair? { nil }
}
