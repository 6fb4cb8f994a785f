import PruneData
import PruneRuntime
import PruneTensor

/// Sums up metrics over the batches of a data set, in double precision and in order.
struct MetricAccumulator {
  private let kind: OutputKind
  private let isCrossEntropyNeeded: Bool
  private var samples = 0
  /// Classes that were told: one a sample, one a position, or one a label.
  private var decisions = 0
  private var numbers = 0
  private var crossEntropy = 0.0
  private var squares = 0.0
  private var magnitudes = 0.0
  /// `ranked[r]` counts the samples whose class has r higher outputs; those with NaN are in none.
  private var ranked: [Int] = []
  /// True positives, predictions and targets of each class.
  private(set) var confusion: [(hits: Int, predicted: Int, actual: Int)] = []
  /// Row by row, how often a class was taken for each; empty where nobody asks, or there are too many classes.
  private(set) var matrix: [Int64] = []
  private let isMatrixNeeded: Bool
  /// Classes of which a matrix is kept: more would take more memory than anyone looks at.
  static let mostClasses = 2048

  /// Scores by class, where the area under the curve is wanted.
  private(set) var curve: RankScores?
  /// The same label by label, where each is told by itself.
  private(set) var labelCurves: [RankScores] = []

  init(_ kind: OutputKind, needsCrossEntropy: Bool, needsCurve: Bool = false, needsMatrix: Bool = false) {
    self.kind = kind
    curve = needsCurve ? RankScores(kind) : nil
    isCrossEntropyNeeded = needsCrossEntropy
    isMatrixNeeded = needsMatrix
  }

  // MARK: - Adding

  /// Adds samples with class numbers. `outputs` holds `width` numbers a sample; one alone is that of class 1 of two.
  /// - Throws: `.mismatch` for a class that the outputs do not have.
  /// - Parameter perSample: classes of a sample, where each of its positions has one; -1 counts nowhere.
  mutating func add(
    _ outputs: Span<Float>, width: Int, classes: Span<Int64>, firstSample: Int, perSample: Int = 1
  ) throws(PruneError) {
    let classCount = width == 1 ? 2 : width
    if ranked.isEmpty {
      ranked = [Int](repeating: 0, count: classCount)
      prepare(classCount)
    }
    for row in 0..<classes.count {
      if perSample > 1, classes[row] == Dataset.ignoredClass { continue }
      guard let actual = Int(exactly: classes[row]), actual >= 0, actual < classCount else {
        throw PruneError(
          .mismatch,
          "sample \(firstSample + row / perSample) has class \(classes[row]), the model tells \(classCount) classes apart",
          hint: perSample > 1
            ? "data:ignore(\(classes[row])) counts those positions nowhere"
            : "data:classes{…} keeps those that a model knows")
      }
      curve?.add(outputs, row * width, width, actual)
      if width == 1 {
        addBinary(outputs[row], actual)
      } else {
        addRow(outputs, row * width, width, actual)
      }
      decisions += 1
    }
    samples += classes.count / perSample
  }

  /// Adds samples of which each has labels that are 0 or 1 by themselves.
  /// - Parameter labels: how many numbers in a row are of different labels.
  mutating func add(_ outputs: Span<Float>, labels: Int, flags: Span<Float>) throws(PruneError) {
    guard labels > 0 else { return }
    if ranked.isEmpty {
      ranked = [0, 0]
      confusion = .init(repeating: (0, 0, 0), count: labels == 1 ? 2 : labels)
      if curve != nil { labelCurves = (0..<labels).map { _ in RankScores(kind) } }
    }
    for index in 0..<flags.count {
      guard flags[index] == 0 || flags[index] == 1 else {
        throw PruneError(
          .mismatch, "sample \(index / labels) of a batch has a target of \(flags[index])",
          hint: "labels are 0 or 1 where accuracy is told by label")
      }
      let wanted = flags[index] > 0.5 ? 1 : 0, label = index % labels
      if !labelCurves.isEmpty { labelCurves[label].add(outputs, index, 1, wanted) }
      addLabel(outputs[index], wanted, labels == 1 ? nil : label)
      decisions += 1
    }
    samples += flags.count / labels
  }

  /// Adds samples with wanted numbers, as many as there are outputs: values, or the probability of each class.
  mutating func add(_ outputs: Span<Float>, width: Int, values: Span<Float>) {
    guard width > 0 else { return }
    for index in 0..<values.count { addDifference(Double(outputs[index]), Double(values[index])) }
    let rows = values.count / width
    samples += rows
    decisions += rows
    guard width > 1 else {
      for row in 0..<rows { curve?.add(outputs, row, 1, values[row] > 0.5 ? 1 : 0) }
      return
    }
    if ranked.isEmpty {
      ranked = [Int](repeating: 0, count: width)
      prepare(width)
    }
    for row in 0..<rows {
      let start = row * width
      if isCrossEntropyNeeded {
        for index in 0..<width where values[start + index] != 0 {
          crossEntropy -= Double(values[start + index]) * logProbability(outputs, start, width, index)
        }
      }
      if let actual = Self.highest(values, start, width) {
        curve?.add(outputs, start, width, actual)
        rank(outputs, start, width, actual)
      }
    }
  }

  /// Makes it that of all ranks.
  mutating func sum(over communicator: Communicator) throws(PruneError) {
    // A rank without a batch does not know the classes yet.
    let widths = try communicator.max([ranked.count, confusion.count, matrix.count])
    ranked += [Int](repeating: 0, count: widths[0] - ranked.count)
    confusion += .init(repeating: (0, 0, 0), count: widths[1] - confusion.count)
    matrix += [Int64](repeating: 0, count: widths[2] - matrix.count)
    let numbersOfAll = try communicator.sum([crossEntropy, squares, magnitudes])
    (crossEntropy, squares, magnitudes) = (numbersOfAll[0], numbersOfAll[1], numbersOfAll[2])
    var counts = [samples, numbers, decisions] + ranked
    for entry in confusion { counts += [entry.hits, entry.predicted, entry.actual] }
    counts = try communicator.sum(counts + matrix.map { Int($0) })
    (samples, numbers, decisions) = (counts[0], counts[1], counts[2])
    for index in ranked.indices { ranked[index] = counts[3 + index] }
    let first = 3 + ranked.count
    for index in confusion.indices {
      let place = first + 3 * index
      confusion[index] = (counts[place], counts[place + 1], counts[place + 2])
    }
    matrix = counts[(first + 3 * confusion.count)...].map { Int64($0) }
    try curve?.gather(over: communicator)
    // A rank without a batch has no label yet.
    let labels = try communicator.max([labelCurves.count])[0]
    labelCurves += (0..<labels - labelCurves.count).map { _ in RankScores(kind) }
    for index in labelCurves.indices { try labelCurves[index].gather(over: communicator) }
  }

  private mutating func prepare(_ classes: Int) {
    confusion = .init(repeating: (0, 0, 0), count: classes)
    if isMatrixNeeded, classes <= Self.mostClasses { matrix = [Int64](repeating: 0, count: classes * classes) }
  }

  private mutating func count(_ predicted: Int, _ actual: Int) {
    confusion[predicted].predicted += 1
    if predicted == actual { confusion[actual].hits += 1 }
    if !matrix.isEmpty { matrix[actual * confusion.count + predicted] += 1 }
  }

  private mutating func addRow(_ outputs: Span<Float>, _ start: Int, _ width: Int, _ actual: Int) {
    if isCrossEntropyNeeded { crossEntropy -= logProbability(outputs, start, width, actual) }
    for index in 0..<width { addDifference(Double(outputs[start + index]), index == actual ? 1 : 0) }
    rank(outputs, start, width, actual)
  }

  private mutating func addBinary(_ output: Float, _ actual: Int) { addLabel(output, actual, nil) }

  /// A number that tells 1 from 0.
  /// - Parameter label: which of several labels it is of, whose hits are counted; nil counts those of both classes.
  private mutating func addLabel(_ output: Float, _ actual: Int, _ label: Int?) {
    let value = Double(output)
    let probability = kind == .logits ? 1 / (1 + exponential(-value)) : value
    if isCrossEntropyNeeded {
      // -log(sigmoid(±z)) without overflow.
      let signed = actual == 1 ? value : -value
      crossEntropy +=
        kind == .logits
        ? max(-signed, 0) + logarithm(1 + exponential(-signed.magnitude))
        : -Self.clippedLogarithm(actual == 1 ? probability : 1 - probability)
    }
    addDifference(probability, Double(actual))
    if let label { confusion[label].actual += actual } else { confusion[actual].actual += 1 }
    guard !probability.isNaN else { return }
    let predicted = probability > 0.5 ? 1 : 0
    if let label {
      confusion[label].predicted += predicted
      confusion[label].hits += predicted * actual
    } else {
      count(predicted, actual)
    }
    ranked[predicted == actual ? 0 : 1] += 1
  }

  private mutating func addDifference(_ output: Double, _ actual: Double) {
    let difference = output - actual
    squares += difference * difference
    magnitudes += difference.magnitude
    numbers += 1
  }

  private mutating func rank(_ outputs: Span<Float>, _ start: Int, _ width: Int, _ actual: Int) {
    confusion[actual].actual += 1
    // An output with a NaN is no prediction.
    guard let best = Self.highest(outputs, start, width) else { return }
    count(best, actual)
    let score = outputs[start + actual]
    var higher = 0
    // Equal outputs rank by class number, as argmax takes the first.
    for index in 0..<width where outputs[start + index] > score || (outputs[start + index] == score && index < actual) {
      higher += 1
    }
    ranked[higher] += 1
  }

  /// The position of the first highest number, nil when one is NaN.
  static func highest(_ values: Span<Float>, _ start: Int, _ width: Int) -> Int? {
    var best = 0
    for index in 0..<width {
      if values[start + index].isNaN { return nil }
      if values[start + index] > values[start + best] { best = index }
    }
    return best
  }

  private func logProbability(_ outputs: Span<Float>, _ start: Int, _ width: Int, _ actual: Int) -> Double {
    let value = Double(outputs[start + actual])
    switch kind {
    case .probabilities, .sigmoid: return Self.clippedLogarithm(value)
    case .logProbabilities: return value
    case .logits:
      var peak = -Double.infinity
      for index in 0..<width { peak = max(peak, Double(outputs[start + index])) }
      var sum = 0.0
      for index in 0..<width { sum += exponential(Double(outputs[start + index]) - peak) }
      return value - peak - logarithm(sum)
    }
  }

  /// log p, p not below 1e-15; NaN stays NaN.
  static func clippedLogarithm(_ p: Double) -> Double { logarithm(p < 1e-15 ? 1e-15 : p) }

  // MARK: - Results

  /// The metric over the added samples; nil when the data has no such metric.
  func value(_ metric: Metric, loss: LossKind) -> Double? {
    let count = Double(decisions)
    guard samples > 0 else { return nil }
    // Positions may all be ignored.
    if metric.wantsClasses || metric == .crossEntropy, decisions == 0 { return ranked.isEmpty ? nil : .nan }
    switch metric {
    case .loss: return loss.metric.flatMap { value($0, loss: loss) }
    case .crossEntropy: return ranked.isEmpty ? nil : crossEntropy / count
    case .accuracy: return ranked.first.map { Double($0) / count }
    case .error: return ranked.first.map { 1 - Double($0) / count }
    case .top(let k): return ranked.isEmpty ? nil : Double(ranked.prefix(k).reduce(0, +)) / count
    case .meanSquaredError: return squares / Double(numbers)
    case .rootMeanSquaredError: return (squares / Double(numbers)).squareRoot()
    case .meanAbsoluteError: return magnitudes / Double(numbers)
    case .areaUnderCurve:
      guard !labelCurves.isEmpty else { return curve?.area }
      let areas = labelCurves.compactMap(\.area)
      return areas.isEmpty ? nil : areas.reduce(0, +) / Double(areas.count)
    case .meanIntersectionOverUnion: return mean { Double($0.hits) / Double($0.predicted + $0.actual - $0.hits) }
    case .perplexity: return ranked.isEmpty ? nil : exponential(crossEntropy / count)
    case .macroF1: return mean { 2 * Double($0.hits) / Double($0.predicted + $0.actual) }
    // A class that is never told scores 0, as its recall does.
    case .macroPrecision: return mean { $0.predicted > 0 ? Double($0.hits) / Double($0.predicted) : 0 }
    case .macroRecall: return mean { $0.actual > 0 ? Double($0.hits) / Double($0.actual) : 0 }
    case .perClass, .confusion, .curve: return nil
    }
  }

  /// The mean over the classes that occur.
  private func mean(_ value: ((hits: Int, predicted: Int, actual: Int)) -> Double) -> Double? {
    let present = confusion.filter { $0.predicted + $0.actual > 0 }
    return present.isEmpty ? nil : present.reduce(0) { $0 + value($1) } / Double(present.count)
  }
}
