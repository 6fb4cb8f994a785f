import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Which calibrator, and whether corrected biases and ranges evened out between layers, bring the quantized model's
/// outputs closest to the float model's, on samples that the ranges were not taken from.
struct CalibratorChoice {
  /// What one of them gave.
  struct Trial {
    let calibrator: String
    let correctsBiases: Bool
    /// Whether ranges of channels were evened out between layers first.
    let equalizes: Bool
    /// The relative distance of the outputs.
    let distance: Double

    var report: Report {
      Report(
        title: "",
        entries: [
          ("calibrator", .text(calibrator)), ("bias_correction", .flag(correctsBiases)),
          ("equalize", .flag(equalizes)), ("distance", .number(distance)),
        ])
    }
  }

  /// How much better "percentile" has to be: it cuts off values that occur, and few samples hardly show those.
  private static let worthCutting = 1.05
  /// Samples to choose on, at most.
  private static let most = 32

  /// The samples that ranges are taken from, and those to choose on: every fourth, or all for both where there are few.
  static func divided(_ data: Dataset, _ model: Model) throws(PruneError) -> (ranges: Dataset, choice: Dataset) {
    guard data.count >= 16, try !InputBinding(data, model).isJoint else { return (data, data) }
    let held = min(data.count / 4, most), step = data.count / held
    let chosen = (0..<held).map { $0 * step + step / 2 }, others = Set(chosen)
    return (try data.subset((0..<data.count).filter { !others.contains($0) }), try data.subset(chosen))
  }

  /// The float model's outputs on samples to choose on; nil where outputs cannot be compared, as those that are not
  /// finite numbers.
  static func probe(_ model: Model, _ data: Dataset, cancel: CancelFlag?) throws(PruneError) -> OutputProbe? {
    do throws(PruneError) {
      return try OutputProbe(model, data, count: most, cancel: cancel)
    } catch let error where error.status == .numeric {
      return nil
    }
  }

  /// - Parameters:
  ///   - calibrators: the ones to try, equally good ones taken in this order.
  ///   - hasCorrections: whether corrected biases are to be tried, too.
  ///   - equalizes: what the trials say of the model that is built from.
  ///   - build: the model with a calibrator's ranges, its biases corrected or not.
  /// - Returns: the trials, the best one first.
  static func trials(
    _ probe: OutputProbe, of calibrators: [String], hasCorrections: Bool, equalizes: Bool, cancel: CancelFlag?,
    _ build: (_ calibrator: String, _ correctsBiases: Bool) throws(PruneError) -> Model
  ) throws(PruneError) -> [Trial] {
    var trials: [Trial] = []
    func attempt(_ calibrator: String, _ corrects: Bool) throws(PruneError) {
      try cancel?.check()
      let distance = try probe.distance(of: try build(calibrator, corrects))
      if distance.isFinite {
        trials.append(
          Trial(calibrator: calibrator, correctsBiases: corrects, equalizes: equalizes, distance: distance))
      }
    }
    func sorted() -> [Trial] {
      var order = trials.enumerated().sorted { ($0.element.distance, $0.offset) < ($1.element.distance, $1.offset) }
        .map(\.element)
      guard let first = order.first, first.calibrator == PercentileObserver.name,
        let other = order.firstIndex(where: {
          $0.calibrator != PercentileObserver.name && $0.distance < first.distance * Self.worthCutting
        })
      else { return order }
      order.insert(order.remove(at: other), at: 0)
      return order
    }
    for calibrator in calibrators { try attempt(calibrator, hasCorrections) }
    // Corrected biases seldom harm: that they help is made sure of for the best.
    if hasCorrections, let best = sorted().first { try attempt(best.calibrator, false) }
    return sorted()
  }

  /// How much better evened-out ranges have to be, which change every weight between two layers.
  private static let worthEqualizing = 1.03

  /// All trials, the ones without evened-out ranges first unless those are clearly better.
  static func merged(_ plain: [Trial], _ evened: [Trial]) -> [Trial] {
    guard let first = plain.first else { return evened }
    let isBetter = evened.first.map { $0.distance * worthEqualizing < first.distance } ?? false
    let (front, rest) = isBetter ? (evened, plain) : (plain, evened)
    let others = (front.dropFirst() + rest).enumerated()
      .sorted { ($0.element.distance, $0.offset) < ($1.element.distance, $1.offset) }.map(\.element)
    return front.prefix(1) + others
  }
}
