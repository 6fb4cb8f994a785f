import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// How a model is evaluated.
package struct EvaluateOptions {
  /// Samples a run; 0 is 64.
  package var batchSize = 0
  /// Names of metrics, see `Metric`. Empty: the loss, and the accuracy where targets are classes.
  package var metrics: [String] = []
  /// A name of `LossKind`; nil: cross-entropy where targets are classes, else the mean squared error.
  package var loss: String?
  /// The output to evaluate; nil is the first one.
  package var output: String?
  package var cancel: CancelFlag?
  /// The ranks that evaluate together: each runs its share of the batches, and all get the same report. Nil is one alone.
  package var communicator: Communicator?

  package init() {}
}

/// A number that tells how well predictions meet their targets.
enum Metric: Hashable {
  /// Mean cross-entropy or mean squared error, whichever the loss is.
  case loss
  case crossEntropy
  /// The share of samples whose highest output is the target's class, and the share where it is not.
  case accuracy, error
  /// The share of samples whose class is among the k highest outputs.
  case top(Int)
  /// Over all numbers of all samples: mean of squares, root of that mean, mean of absolute values of the differences.
  case meanSquaredError, rootMeanSquaredError, meanAbsoluteError
  /// The mean over classes of 2 TP / (2 TP + FP + FN), classes that never occur left out.
  case macroF1
  /// The means over classes of TP / (TP + FP) and TP / (TP + FN), classes that never occur left out.
  case macroPrecision, macroRecall
  /// A row a class, and how often each class was taken for each other: no numbers, so no guard can hold to them.
  case perClass, confusion
  /// The mean over classes of TP / (TP + FP + FN), classes that never occur left out.
  case meanIntersectionOverUnion
  /// e to the mean cross-entropy.
  case perplexity
  /// The receiver operating characteristic: a row a class with points of it and the area under it.
  case curve
  /// The area under the receiver operating characteristic: how often a sample of a class scores higher for it than one
  /// of another, ties counting half; of more than two classes the mean over them, each against the rest.
  case areaUnderCurve

  static let names = [
    "loss", "accuracy", "error", "top5", "f1", "precision", "recall", "auc", "per_class", "confusion",
    "miou", "perplexity", "roc", "cross_entropy", "mse", "rmse", "mae",
  ]

  /// - Throws: `.invalidArgument` with the names there are.
  init(_ name: String) throws(PruneError) {
    switch name {
    case "loss": self = .loss
    case "cross_entropy": self = .crossEntropy
    case "accuracy", "acc": self = .accuracy
    case "error": self = .error
    case "mse": self = .meanSquaredError
    case "rmse": self = .rootMeanSquaredError
    case "mae": self = .meanAbsoluteError
    case "f1": self = .macroF1
    case "precision": self = .macroPrecision
    case "recall": self = .macroRecall
    case "per_class": self = .perClass
    case "confusion": self = .confusion
    case "auc": self = .areaUnderCurve
    case "roc": self = .curve
    case "miou": self = .meanIntersectionOverUnion
    case "perplexity": self = .perplexity
    case "top_k": self = .top(5)
    default:
      let digits = name.hasPrefix("top_") ? name.dropFirst(4) : name.dropFirst(3)
      guard name.hasPrefix("top"), let k = Int(digits), k > 0 else {
        throw PruneError(
          .invalidArgument, "there is no metric '\(name)'", hint: Suggestion.hint(for: name, among: Self.names))
      }
      self = .top(k)
    }
  }

  /// Whether it compares classes.
  var wantsClasses: Bool {
    switch self {
    case .accuracy, .error, .top, .macroF1, .macroPrecision, .macroRecall, .perClass, .confusion, .areaUnderCurve,
      .meanIntersectionOverUnion, .perplexity, .curve:
      true
    default: false
    }
  }

  /// Whether it is rows rather than a number.
  var isTable: Bool { self == .perClass || self == .confusion || self == .curve }
}

extension Dataset {
  /// What to say of a loss that was left to be chosen, where the choice may surprise.
  /// - Parameter isChance: whether what was chosen takes targets of 0 and 1 for chances.
  package func warning(ofLoss name: String?, isChance: Bool) -> String? {
    guard name == nil else { return nil }
    if !isChance, targetForm == .flags {
      return
        "the targets are all 0 or 1, as labels are, and the loss is the mean squared error, as it is for values: "
        + "name loss = \"bce\", or \"mse\" if that is wanted"
    }
    guard hasDistributions else { return nil }
    return
      "each row of the targets sums to 1, as probabilities of classes do, and the loss is the mean squared error, as it is for values: "
      + "name loss = \"cross_entropy\", or \"mse\" if that is wanted"
  }
}

/// What a loss is taken of.
package enum LossKind: String, Choice {
  case crossEntropy = "cross_entropy", meanSquaredError = "mse", meanAbsoluteError = "mae", huber,
    binaryCrossEntropy = "bce", divergence = "kl"

  /// The metric that is the same number; nil for losses that are summed by `LossSum`.
  var metric: Metric? {
    switch self {
    case .crossEntropy: .crossEntropy
    case .meanSquaredError: .meanSquaredError
    case .meanAbsoluteError: .meanAbsoluteError
    case .huber, .binaryCrossEntropy, .divergence: nil
    }
  }

  /// The loss by its name, or as targets and output have it: cross-entropy for classes, binary cross-entropy for labels of
  /// 0 and 1 that the output gives chances of, else the mean squared error.
  /// - Throws: `.invalidArgument` for an unknown name.
  init(
    _ name: String?, _ form: TargetForm, areClasses: Bool, _ kind: OutputKind, _ output: ValueInfo
  ) throws(PruneError) {
    if let name {
      try self.init("loss", named: name)
    } else if Self.areChances(form, isSigmoid: kind == .sigmoid, output) {
      self = .binaryCrossEntropy
    } else {
      self = areClasses ? .crossEntropy : .meanSquaredError
    }
  }

  /// Whether targets are labels of 0 and 1, and the output says how likely each is.
  package static func areChances(_ form: TargetForm, isSigmoid: Bool, _ output: ValueInfo) -> Bool {
    switch form {
    case .plain: false
    case .flags: isSigmoid
    case .dense(let dims):
      output.type?.dims.map { ClassAxis.isOneNumber($0.map(\.value), targets: dims) } ?? false
    }
  }
}
