import PruneTensor
import PruneTraining

/// The steps of a prune as text, to be taken again on a model of the same architecture: with the same data and seed bit
/// for bit the same.
///
/// One `key value` a line, behind a first line that says what it is. Data, guard and callbacks are not part of it, and
/// of models (a teacher, weights to rewind to) only that they are to be given again. What a guard made of the training
/// after a step is: `recovery none` behind a step whose training was taken back, `recovery 0.0005` behind one that was
/// trained anew at this rate.
package struct PruneRecipe {
  package let text: String
  let steps: [Step]
  private let values: [(key: String, value: String)]

  /// A step that was kept.
  struct Step {
    /// What it left.
    let allocation: Allocation
    /// What the guard made of the training after it; nil where it was trained as asked for.
    var recovery: GuardedRecovery.Prescribed?
  }

  private static let title = "libprune recipe 1"

  /// Nil for criteria that are not libprune's own.
  init?(_ options: PruneOptions, _ plan: PrunePlan, _ steps: [Step]) {
    // A step of channels says how many channels are removed in all, not of which layer.
    guard options.scores == nil, plan.layerAmounts == nil || !plan.granularity.isStructural else { return nil }
    // One that nobody named looks at a part of the data, and is implied again.
    var values: [(String, String)] = []
    if !plan.impliesCriterion || !plan.importance.needsData { values.append(("criterion", plan.importance.name)) }
    values += [
      ("granularity", plan.granularity.name),
      ("schedule", plan.schedule.kind.rawValue), ("steps", "\(plan.schedule.steps)"),
      ("batch_size", "\(options.batchSize)"), ("seed", "\(options.seed)"),
    ]
    if let strategy = options.strategy { values.append(("strategy", strategy)) }
    switch plan.allocation {
    case .amount(_, let division), .target(_, let division): values.append(("allocation", division.rawValue))
    case .threshold, .prescribed, .counts: break
    }
    if let residual = options.prunesStreams { values.append(("residual", "\(residual)")) }
    let fit = plan.fitsLayers ? Reconstruction.leastSquares.rawValue : nil
    if let reconstruct = options.reconstruct ?? fit { values.append(("reconstruct", reconstruct)) }
    for pattern in options.scope { values.append(("scope", pattern)) }
    for pattern in options.ignore { values.append(("ignore", pattern)) }
    let optional: [(String, String?)] = [
      ("cost", options.cost), ("metric", options.metric), ("shared", options.shared), ("mode", options.mode),
      ("output", options.output), ("reduce", options.reduction),
    ]
    for (key, value) in optional { if let value { values.append((key, value)) } }
    if options.reestimates { values.append(("reestimate", "true")) }
    if options.followsWidth { values.append(("width", "true")) }
    if options.rewind != nil { values.append(("rewind", "given")) }
    if let recover = options.recover { values += FitLines.lines(recover, prefix: "recover.") }
    if let train = options.train { values += FitLines.lines(train, prefix: "train.") }
    for step in steps {
      switch step.allocation {
      case .amount(let amount, _): values.append(("step", "\(amount)"))
      case .threshold(let threshold): values.append(("step_threshold", "\(threshold)"))
      case .prescribed: values.append(("step", "as granularity"))
      case .counts(let counts): values.append(("step_units", counts.map(String.init).joined(separator: " ")))
      case .target: return nil
      }
      switch step.recovery {
      case .untrained?: values.append(("recovery", "none"))
      case .rate(let rate)?: values.append(("recovery", "\(rate)"))
      case nil: break
      }
    }
    self.values = values
    self.steps = steps
    text = ([Self.title] + values.map { "\($0.0) \($0.1)" }).joined(separator: "\n") + "\n"
  }

  /// - Throws: `.badFormat` with the line that is not understood.
  package init(_ text: String) throws(PruneError) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    guard lines.first == Self.title else {
      throw PruneError(.badFormat, "the text is not a recipe", hint: "its first line is \"\(Self.title)\"")
    }
    var values: [(String, String)] = []
    for line in lines.dropFirst() {
      guard let space = line.firstIndex(of: " ") else {
        throw PruneError(.badFormat, "recipe line '\(line)' is not a key and a value")
      }
      values.append((String(line[..<space]), String(line[line.index(after: space)...])))
    }
    self.text = text
    self.values = values
    let name = values.last { $0.0 == "allocation" }?.1
    let division = Allocation.Division(rawValue: name ?? "") ?? .global
    var steps: [Step] = []
    for (key, value) in values where key.hasPrefix("step") && key != "steps" || key == "recovery" {
      switch key {
      case "step" where value == "as granularity": steps.append(Step(allocation: .prescribed))
      case "step": steps.append(Step(allocation: .amount(try Self.number(key, value), division)))
      case "step_units":
        var counts: [Int] = []
        for part in value.split(separator: " ") { counts.append(try Self.integer(key, String(part))) }
        steps.append(Step(allocation: .counts(counts)))
      case "step_threshold": steps.append(Step(allocation: .threshold(try Self.number(key, value))))
      case "recovery" where !steps.isEmpty:
        steps[steps.count - 1].recovery = value == "none" ? .untrained : .rate(try Self.number(key, value))
      default: throw Self.bad(key, value)
      }
    }
    guard !steps.isEmpty else { throw PruneError(.badFormat, "the recipe has no step") }
    self.steps = steps
  }

  /// The options with the recipe's choices in place of theirs; data, guard and callbacks stay.
  func applied(to options: PruneOptions) throws(PruneError) -> PruneOptions {
    guard options.amount == nil, options.threshold == nil, options.target == nil, options.scores == nil else {
      throw PruneError(
        .invalidArgument, "a recipe says itself how much goes and by which criterion",
        hint: "leave amount, threshold, target and criterion out")
    }
    var result = options
    var recover = FitLines.emptied(options.recover), train = FitLines.emptied(options.train)
    var recovers = false, trains = false
    for (key, value) in values {
      switch key {
      case "strategy": result.strategy = value
      case "criterion": result.criterion = value
      case "granularity": result.granularity = value
      case "schedule": result.schedule = value
      case "steps": result.steps = try Self.integer(key, value)
      case "batch_size": result.batchSize = try Self.integer(key, value)
      case "seed": result.seed = UInt64(value) ?? 0
      case "cost": result.cost = value
      case "metric": result.metric = result.custom == nil ? value : nil
      case "shared": result.shared = value
      case "mode": result.mode = value
      case "reduce": result.reduction = value
      case "output": result.output = value
      case "reestimate": result.reestimates = value == "true"
      case "residual": result.prunesStreams = value == "true"
      case "width": result.followsWidth = value == "true"
      case "rewind":
        guard options.rewind != nil else {
          throw PruneError(
            .invalidArgument,
            "the recipe was made with weights to rewind to, which a text cannot hold, and none are given with it",
            at: "recipe", hint: "give them again: rewind = …")
        }
      case "allocation": result.allocation = value
      case "reconstruct": result.reconstruct = value
      case "scope": result.scope.append(value)
      case "ignore": result.ignore.append(value)
      case "step", "step_threshold", "step_units", "recovery": break
      default:
        if try FitLines.set(key, value, of: "recover", in: &recover) {
          recovers = true
        } else if try FitLines.set(key, value, of: "train", in: &train) {
          trains = true
        } else {
          throw Self.bad(key, value)
        }
      }
    }
    // The last step is the target; the steps themselves are given to the run.
    switch steps.last?.allocation {
    case .amount(let amount, _)?: result.amount = amount
    case .threshold(let threshold)?: result.threshold = threshold
    // What the counts themselves do not say, nothing else does. Recipes that do not speak of residual streams took from
    // all.
    case .counts?:
      result.amount = 1
      let isStructural = try Granularity(name: result.granularity).isStructural
      if isStructural, !values.contains(where: { $0.key == "residual" }) { result.prunesStreams = true }
    case .prescribed?, .target?, nil: break
    }
    if recovers { result.recover = recover }
    if trains { result.train = train }
    return result
  }

  static func number(_ key: String, _ value: String) throws(PruneError) -> Double {
    guard let number = Double(value), number.isFinite else { throw bad(key, value) }
    return number
  }

  static func integer(_ key: String, _ value: String) throws(PruneError) -> Int {
    guard let number = Int(value), (0...1 << 31).contains(number) else { throw bad(key, value) }
    return number
  }

  static func bad(_ key: String, _ value: String) -> PruneError {
    PruneError(.badFormat, "recipe line '\(key) \(value)' is not understood")
  }
}
