import PruneTensor
import PruneTraining

/// The steps of a prune as text, to be taken again on a model of the same architecture: with the same data and seed bit for
/// bit the same.
///
/// One `key value` a line, behind a first line that says what it is. Data, guard and callbacks are not part of it.
package struct PruneRecipe {
  package let text: String
  /// What each kept step left.
  let steps: [Allocation]
  private let values: [(key: String, value: String)]

  private static let title = "libprune recipe 1"

  /// Nil for criteria that are not libprune's own.
  init?(_ options: PruneOptions, _ plan: PrunePlan, _ steps: [Allocation]) {
    guard options.scores == nil else { return nil }
    var values: [(String, String)] = [
      ("criterion", plan.importance.name), ("granularity", plan.granularity.name),
      ("schedule", plan.schedule.kind.rawValue), ("steps", "\(plan.schedule.steps)"),
      ("batch_size", "\(options.batchSize)"), ("seed", "\(options.seed)"), ("cost", options.cost),
    ]
    if let strategy = options.strategy { values.append(("strategy", strategy)) }
    if case .amount(_, let division) = plan.allocation { values.append(("allocation", division.rawValue)) }
    if let reconstruct = options.reconstruct { values.append(("reconstruct", reconstruct)) }
    for pattern in options.scope { values.append(("scope", pattern)) }
    for pattern in options.ignore { values.append(("ignore", pattern)) }
    if let recover = options.recover {
      for (key, path) in Self.texts { values.append((key, recover[keyPath: path])) }
      for (key, path) in Self.integers { values.append((key, "\(recover[keyPath: path])")) }
      for (key, path) in Self.numbers { values.append((key, "\(recover[keyPath: path])")) }
      for (key, path) in Self.flags { values.append((key, "\(recover[keyPath: path])")) }
      values.append(("recover.seed", "\(recover.seed)"))
      if let loss = recover.loss { values.append(("recover.loss", loss)) }
      for pattern in recover.frozen { values.append(("recover.frozen", pattern)) }
    }
    for step in steps {
      switch step {
      case .amount(let amount, _): values.append(("step", "\(amount)"))
      case .threshold(let threshold): values.append(("step_threshold", "\(threshold)"))
      case .prescribed: values.append(("step", "as granularity"))
      case .counts: return nil
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
    var steps: [Allocation] = []
    for (key, value) in values where key.hasPrefix("step") && key != "steps" {
      switch key {
      case "step" where value == "as granularity": steps.append(.prescribed)
      case "step": steps.append(.amount(try Self.number(key, value), division))
      case "step_threshold": steps.append(.threshold(try Self.number(key, value)))
      default: throw Self.bad(key, value)
      }
    }
    guard !steps.isEmpty else { throw PruneError(.badFormat, "the recipe has no step") }
    self.steps = steps
  }

  /// The options with the recipe's choices in place of theirs; data, guard and callbacks stay.
  func applied(to options: PruneOptions) throws(PruneError) -> PruneOptions {
    guard options.amount == nil, options.threshold == nil, options.scores == nil else {
      throw PruneError(
        .invalidArgument, "a recipe says itself how much goes and by which criterion", hint: "leave amount, threshold and criterion out")
    }
    var result = options
    var recover = options.recover ?? FitOptions()
    recover.frozen = []
    var recovers = false
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
      case "allocation": result.allocation = value
      case "reconstruct": result.reconstruct = value
      case "scope": result.scope.append(value)
      case "ignore": result.ignore.append(value)
      case "recover.seed": recover.seed = UInt64(value) ?? 0
      case "recover.loss": recover.loss = value
      case "recover.frozen": recover.frozen.append(value)
      case "step", "step_threshold": break
      default:
        guard try Self.set(key, value, in: &recover) else { throw Self.bad(key, value) }
        recovers = true
      }
    }
    // The last step is the target; the steps themselves are given to the run.
    switch steps.last {
    case .amount(let amount, _)?: result.amount = amount
    case .threshold(let threshold)?: result.threshold = threshold
    case .prescribed?, .counts?, nil: break
    }
    if recovers { result.recover = recover }
    return result
  }

  // The options of recovery that the text holds; what else a fit takes is that of the call.
  private static var texts: [(String, WritableKeyPath<FitOptions, String>)] {
    [("recover.optimizer", \.optimizer), ("recover.schedule", \.schedule)]
  }
  private static var integers: [(String, WritableKeyPath<FitOptions, Int>)] {
    [
      ("recover.epochs", \.epochs), ("recover.batch_size", \.batchSize), ("recover.warmup", \.warmup),
      ("recover.step_epochs", \.stepEpochs), ("recover.patience", \.patience),
    ]
  }
  private static var numbers: [(String, WritableKeyPath<FitOptions, Double>)] {
    [
      ("recover.lr", \.lr), ("recover.momentum", \.momentum), ("recover.beta1", \.beta1), ("recover.beta2", \.beta2),
      ("recover.rho", \.rho), ("recover.epsilon", \.epsilon), ("recover.weight_decay", \.weightDecay),
      ("recover.clip_norm", \.clipNorm), ("recover.clip_value", \.clipValue), ("recover.gamma", \.gamma),
    ]
  }
  private static var flags: [(String, WritableKeyPath<FitOptions, Bool>)] {
    [("recover.nesterov", \.nesterov), ("recover.shuffle", \.shuffle)]
  }

  /// Sets the option of that key; false when there is none.
  private static func set(_ key: String, _ value: String, in recover: inout FitOptions) throws(PruneError) -> Bool {
    if let (_, path) = texts.first(where: { $0.0 == key }) {
      recover[keyPath: path] = value
    } else if let (_, path) = integers.first(where: { $0.0 == key }) {
      recover[keyPath: path] = try integer(key, value)
    } else if let (_, path) = numbers.first(where: { $0.0 == key }) {
      recover[keyPath: path] = try number(key, value)
    } else if let (_, path) = flags.first(where: { $0.0 == key }) {
      recover[keyPath: path] = value == "true"
    } else {
      return false
    }
    return true
  }

  private static func number(_ key: String, _ value: String) throws(PruneError) -> Double {
    guard let number = Double(value), number.isFinite else { throw bad(key, value) }
    return number
  }

  private static func integer(_ key: String, _ value: String) throws(PruneError) -> Int {
    guard let number = Int(value), (0...1 << 31).contains(number) else { throw bad(key, value) }
    return number
  }

  private static func bad(_ key: String, _ value: String) -> PruneError {
    PruneError(.badFormat, "recipe line '\(key) \(value)' is not understood")
  }
}
