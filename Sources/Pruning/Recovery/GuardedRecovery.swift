import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// The training after a cut, which never loses the better network: of the network as it was cut and the one that was
/// trained further, the one that the guard's metric prefers stays. A training that hurts is taken back, and tried once
/// more at half its rate.
struct GuardedRecovery {
  let metricGuard: MetricGuard?
  /// Nil: nothing is trained.
  @Boxed var settings: FitOptions?
  let data: Dataset?
  /// Whether the step is one of a recipe: the training of the recipe is repeated, without asking a guard.
  var isReplayed = false
  var prescribed: Prescribed?

  /// What a recipe prescribes for the training of a step.
  enum Prescribed {
    case untrained
    /// It is trained at this rate, half of the rate asked for.
    case rate(Double)
  }

  /// The result of a step.
  struct Result {
    var model: Model
    var metric: Double?
    var record: Record?
    /// The caller cancelled while it was trained: the model is the one that was cut.
    var isStopped = false
  }

  /// What the training did, for the journal.
  struct Record {
    enum Outcome: String {
      case kept, halfRate = "kept at half its rate", takenBack = "taken back", cancelled
    }

    var outcome: Outcome
    /// The guard's metric of the network as it was cut, and after each training that was tried; not a number where that
    /// gave none.
    var cut: Double?
    var tried: [Double] = []
    /// The rate of the training that was kept, where it is not that which was asked for.
    var rate: Double?
    /// What the last fit warned of.
    var warnings: [String] = []

    /// For recipes; nil for a training as it was asked for.
    var prescribed: Prescribed? {
      switch outcome {
      case .kept: nil
      case .halfRate: rate.map { .rate($0) }
      case .takenBack, .cancelled: .untrained
      }
    }

    func add(to row: inout Report, _ metricGuard: MetricGuard?) {
      row["recovery"] = .text(outcome.rawValue)
      if let metricGuard, let cut { row["\(metricGuard.options.metric)_cut"] = .number(cut) }
    }

    /// Nil for a training that was kept.
    func note(step: Int, _ metricGuard: MetricGuard?) -> String? {
      func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
      switch outcome {
      case .kept: return nil
      case .cancelled: return "step \(step) was cancelled while it recovered: this is the model as it was cut"
      case .halfRate, .takenBack:
        guard let metricGuard, let cut, let first = tried.first else { return nil }
        let again = tried.count > 1 ? ", \(text(tried[1])) at half its rate" : ""
        let what =
          outcome == .takenBack ? "the recovery was taken back" : "the recovery was done again at half its rate"
        return
          "step \(step): \(what): \(metricGuard.options.metric) was \(text(cut)) after the cut, \(text(first)) after the recovery\(again)"
      }
    }
  }

  func run(_ cut: Model) throws(PruneError) -> Result {
    guard let settings, let data else { return Result(model: cut, metric: try metricGuard?.measure(cut)) }
    guard let metricGuard, !isReplayed else {
      var settings = settings, outcome = Record.Outcome.kept
      switch prescribed {
      case .untrained?:
        return Result(model: cut, metric: try metricGuard?.measure(cut), record: Record(outcome: .takenBack))
      case .rate(let rate)?:
        outcome = .halfRate
        settings.lr = rate
        for index in settings.groups.indices { settings.groups[index].lr /= 2 }
      case nil: break
      }
      let (model, history) = try trained(cut, data, settings)
      guard settings.cancel?.isRequested != true else {
        return Result(model: cut, record: Record(outcome: .cancelled), isStopped: true)
      }
      return Result(
        model: model, metric: try metricGuard?.measure(model),
        record: Record(outcome: outcome, rate: settings.lr, warnings: Self.warnings(history)))
    }
    let before = try metricGuard.measure(cut)
    var result = Result(model: cut, metric: before, record: Record(outcome: .takenBack, cut: before))
    do {
      var settings = settings
      for outcome in [Record.Outcome.kept, .halfRate] {
        let (model, rate) = try attempt(cut, data, settings, &result)
        try settings.cancel?.check()
        let metric = try model.map { model throws(PruneError) in try metricGuard.measure(model) } ?? .nan
        result.record?.tried.append(metric)
        if let model, !metricGuard.prefers(before, to: metric) {
          (result.model, result.metric) = (model, metric)
          result.record?.outcome = outcome
          result.record?.rate = rate
          return result
        }
        settings.lr = rate / 2
        for index in settings.groups.indices { settings.groups[index].lr /= 2 }
      }
    } catch {
      guard error.status == .cancelled else { throw error }
      result.isStopped = true
      result.record?.outcome = .cancelled
    }
    return result
  }

  /// Nil for numbers that ran away, and the rate that it was trained with.
  private func attempt(
    _ cut: Model, _ data: Dataset, _ settings: FitOptions, _ result: inout Result
  ) throws(PruneError) -> (Model?, rate: Double) {
    do {
      let (model, history) = try trained(cut, data, settings)
      result.record?.warnings = Self.warnings(history)
      return (model, history["lr"]?.number ?? 0)
    } catch {
      guard error.status == .numeric else { throw error }
      let kind = Optimizer.Kind(rawValue: settings.optimizer) ?? .adam
      return (nil, settings.lr ?? Optimizer.defaultRate(kind))
    }
  }

  private func trained(_ cut: Model, _ data: Dataset, _ settings: FitOptions) throws(PruneError) -> (Model, Report) {
    var model = cut
    let history = try fit(&model, data, settings)
    return (model, history)
  }

  private static func warnings(_ history: Report) -> [String] {
    guard case .list(let entries)? = history["warnings"] else { return [] }
    return entries.compactMap { if case .text(let text) = $0 { text } else { nil } }
  }
}
