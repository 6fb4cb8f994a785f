import PruneTensor
import PruneTraining

/// The options of a fit that a recipe holds, one a line, behind a prefix: "recover." or "train.". What else a fit takes is that
/// of the call.
enum FitLines {
  private static var texts: [(String, WritableKeyPath<FitOptions, String>)] {
    [("optimizer", \.optimizer), ("schedule", \.schedule)]
  }
  private static var integers: [(String, WritableKeyPath<FitOptions, Int>)] {
    [
      ("epochs", \.epochs), ("batch_size", \.batchSize), ("warmup", \.warmup), ("step_epochs", \.stepEpochs), ("patience", \.patience),
    ]
  }
  private static var numbers: [(String, WritableKeyPath<FitOptions, Double>)] {
    [
      ("lr", \.lr), ("momentum", \.momentum), ("beta1", \.beta1), ("beta2", \.beta2), ("rho", \.rho), ("epsilon", \.epsilon),
      ("weight_decay", \.weightDecay), ("clip_norm", \.clipNorm), ("clip_value", \.clipValue), ("gamma", \.gamma),
    ]
  }
  private static var flags: [(String, WritableKeyPath<FitOptions, Bool>)] { [("nesterov", \.nesterov), ("shuffle", \.shuffle)] }

  static func lines(_ options: FitOptions, prefix: String) -> [(String, String)] {
    var values: [(String, String)] = []
    for (key, path) in texts { values.append((prefix + key, options[keyPath: path])) }
    for (key, path) in integers { values.append((prefix + key, "\(options[keyPath: path])")) }
    for (key, path) in numbers { values.append((prefix + key, "\(options[keyPath: path])")) }
    for (key, path) in flags { values.append((prefix + key, "\(options[keyPath: path])")) }
    values.append((prefix + "seed", "\(options.seed)"))
    if let loss = options.loss { values.append((prefix + "loss", loss)) }
    if let dropout = options.dropout { values.append((prefix + "dropout", "\(dropout)")) }
    for pattern in options.frozen { values.append((prefix + "frozen", pattern)) }
    for regularizer in options.regularizers {
      let numbers = [regularizer.strength, regularizer.growth, regularizer.limit].map { "\($0)" }
      let head = [regularizer.kind.rawValue] + numbers + ["\(regularizer.interval)"]
      values.append((prefix + "regularizer", head.joined(separator: " ")))
      for pattern in regularizer.scope { values.append((prefix + "regularizer_scope", pattern)) }
    }
    return values
  }

  /// Sets the option of a key without its prefix.
  /// - Throws: `.badFormat` for one that is not understood.
  static func set(_ key: String, _ value: String, in options: inout FitOptions) throws(PruneError) {
    if let (_, path) = texts.first(where: { $0.0 == key }) {
      options[keyPath: path] = value
    } else if let (_, path) = integers.first(where: { $0.0 == key }) {
      options[keyPath: path] = try PruneRecipe.integer(key, value)
    } else if let (_, path) = numbers.first(where: { $0.0 == key }) {
      options[keyPath: path] = try PruneRecipe.number(key, value)
    } else if let (_, path) = flags.first(where: { $0.0 == key }) {
      options[keyPath: path] = value == "true"
    } else {
      switch key {
      case "seed": options.seed = UInt64(value) ?? 0
      case "loss": options.loss = value
      case "dropout": options.dropout = try PruneRecipe.number(key, value)
      case "frozen": options.frozen.append(value)
      case "regularizer": options.regularizers.append(try regularizer(value))
      case "regularizer_scope":
        guard let last = options.regularizers.indices.last else { throw PruneRecipe.bad(key, value) }
        options.regularizers[last].scope.append(value)
      default: throw PruneRecipe.bad(key, value)
      }
    }
  }

  private static func regularizer(_ text: String) throws(PruneError) -> Regularizer {
    let parts = text.split(separator: " ").map(String.init)
    guard parts.count == 5, let kind = Regularizer.Kind(rawValue: parts[0]) else { throw PruneRecipe.bad("regularizer", text) }
    return Regularizer(
      kind, try PruneRecipe.number("strength", parts[1]), growth: try PruneRecipe.number("growth", parts[2]),
      limit: try PruneRecipe.number("limit", parts[3]), interval: try PruneRecipe.integer("interval", parts[4]))
  }
}
