import PruneData
import PruneTensor
import PruneTraining

/// The options of a fit that a recipe holds, one a line, behind a prefix: "recover." or "train.". Of a teacher, a loss
/// graph and validation data it holds that they are wanted: they are given again with the recipe. Callbacks and
/// checkpoints are those of the call.
enum FitLines {
  private static var texts: [(String, WritableKeyPath<FitOptions, String>)] {
    [("optimizer", \.optimizer), ("schedule", \.schedule)]
  }
  private static var optionals: [(String, WritableKeyPath<FitOptions, String?>)] {
    [("loss", \.loss), ("output", \.output), ("monitor", \.stopping.monitor)]
  }
  private static var integers: [(String, WritableKeyPath<FitOptions, Int>)] {
    [
      ("epochs", \.epochs), ("batch_size", \.batchSize), ("warmup", \.warmup), ("step_epochs", \.stepEpochs),
      ("patience", \.patience),
      ("early_stopping", \.stopping.patience),
    ]
  }
  private static var numbers: [(String, WritableKeyPath<FitOptions, Double>)] {
    [
      ("momentum", \.momentum), ("beta1", \.beta1), ("beta2", \.beta2), ("rho", \.rho), ("epsilon", \.epsilon),
      ("weight_decay", \.weightDecay), ("clip_norm", \.clipNorm), ("clip_value", \.clipValue), ("gamma", \.gamma),
      ("min_delta", \.stopping.minDelta), ("validation_split", \.validationSplit),
      ("label_smoothing", \.lossSettings.labelSmoothing),
      ("delta", \.lossSettings.delta),
    ]
  }
  private static var flags: [(String, WritableKeyPath<FitOptions, Bool>)] {
    [
      ("nesterov", \.nesterov), ("shuffle", \.shuffle), ("restore_best", \.stopping.restoresBest),
      ("from_probabilities", \.lossSettings.fromProbabilities), ("checkpointing", \.recomputes),
      ("batch_norm", \.restoresNormalization), ("keep_zeros", \.keepsZeros), ("deterministic", \.isDeterministic),
    ]
  }
  private static let mark = "given"

  static func lines(_ options: FitOptions, prefix: String) -> [(String, String)] {
    var values: [(String, String)] = []
    for (key, path) in texts { values.append((prefix + key, options[keyPath: path])) }
    for (key, path) in integers { values.append((prefix + key, "\(options[keyPath: path])")) }
    for (key, path) in numbers { values.append((prefix + key, "\(options[keyPath: path])")) }
    for (key, path) in flags { values.append((prefix + key, "\(options[keyPath: path])")) }
    for (key, path) in optionals { if let text = options[keyPath: path] { values.append((prefix + key, text)) } }
    func add(_ key: String, _ parts: [Any]) {
      values.append((prefix + key, parts.map { "\($0)" }.joined(separator: " ")))
    }
    add("seed", [options.seed])
    if let rate = options.lr { add("lr", [rate]) }
    if let dropout = options.dropout { add("dropout", [dropout]) }
    for pattern in options.frozen { add("frozen", [pattern]) }
    for weight in options.lossSettings.classWeights { add("class_weight", [weight]) }
    for regularizer in options.regularizers {
      add(
        "regularizer",
        [regularizer.kind.rawValue, regularizer.strength, regularizer.growth, regularizer.limit, regularizer.interval])
      for pattern in regularizer.scope { add("regularizer_scope", [pattern]) }
    }
    for group in options.groups {
      add("group", [group.lr, group.weightDecay ?? -1])
      for pattern in group.parameters { add("group_parameters", [pattern]) }
    }
    if let changes = options.augmentation {
      add("augment", [changes.flip, changes.crop, changes.cutout, changes.mixup, changes.cutmix])
    }
    if let distillation = options.distillation {
      add("teacher", [distillation.temperature, distillation.alpha, distillation.featureWeight])
      for (student, teacher) in distillation.features {
        add("feature", [student])
        add("feature_of_teacher", [teacher])
      }
    }
    if options.lossSettings.graph != nil { add("loss_graph", [mark]) }
    if options.validation != nil { add("validation", [mark]) }
    return values
  }

  /// Without the lists that a recipe fills.
  static func emptied(_ options: FitOptions?) -> FitOptions {
    var result = options ?? FitOptions()
    (result.frozen, result.regularizers, result.groups, result.augmentation, result.lossSettings.classWeights) = (
      [], [], [], nil, []
    )
    return result
  }

  /// Sets the option of a key, which may be one of "recover" or "train".
  /// - Returns: false for a key of another phase.
  /// - Throws: `.badFormat` for one that is not understood, `.invalidArgument` for what is to be given with the recipe
  ///   and is not.
  static func set(_ line: String, _ value: String, of phase: String, in options: inout FitOptions) throws(PruneError)
    -> Bool
  {
    guard line.hasPrefix(phase + ".") else { return false }
    let key = String(line.dropFirst(phase.count + 1))
    if let (_, path) = texts.first(where: { $0.0 == key }) {
      options[keyPath: path] = value
    } else if let (_, path) = optionals.first(where: { $0.0 == key }) {
      options[keyPath: path] = value
    } else if let (_, path) = integers.first(where: { $0.0 == key }) {
      options[keyPath: path] = try PruneRecipe.integer(key, value)
    } else if let (_, path) = numbers.first(where: { $0.0 == key }) {
      options[keyPath: path] = try PruneRecipe.number(key, value)
    } else if let (_, path) = flags.first(where: { $0.0 == key }) {
      options[keyPath: path] = value == "true"
    } else {
      try setOther(key, value, of: phase, in: &options)
    }
    return true
  }

  private static func setOther(_ key: String, _ value: String, of phase: String, in options: inout FitOptions)
    throws(PruneError)
  {
    let parts = value.split(separator: " ").map(String.init)
    func wants(_ count: Int) throws(PruneError) { if parts.count != count { throw PruneRecipe.bad(key, value) } }
    func number(_ place: Int) throws(PruneError) -> Double { try PruneRecipe.number(key, parts[place]) }
    func wants(_ isGiven: Bool, _ what: String, _ option: String) throws(PruneError) {
      guard !isGiven else { return }
      throw PruneError(
        .invalidArgument,
        "the recipe was made with \(what) for \(phase), which a text cannot hold, and none is given with it",
        at: "recipe", hint: "give it again: \(phase) = {\(option) = …}")
    }
    switch key {
    case "seed": options.seed = UInt64(value) ?? 0
    case "lr":
      // Recipes wrote 0 for none.
      let rate = try PruneRecipe.number(key, value)
      options.lr = rate == 0 ? nil : rate
    case "dropout": options.dropout = try PruneRecipe.number(key, value)
    case "frozen": options.frozen.append(value)
    case "class_weight": options.lossSettings.classWeights.append(try PruneRecipe.number(key, value))
    case "regularizer":
      try wants(5)
      guard let kind = Regularizer.Kind(rawValue: parts[0]) else { throw PruneRecipe.bad(key, value) }
      options.regularizers.append(
        Regularizer(
          kind, try number(1), growth: try number(2), limit: try number(3),
          interval: try PruneRecipe.integer(key, parts[4])))
    case "regularizer_scope" where !options.regularizers.isEmpty:
      options.regularizers[options.regularizers.count - 1].scope.append(value)
    case "group":
      try wants(2)
      let decay = try number(1)
      options.groups.append(ParameterGroup([], lr: try number(0), weightDecay: decay < 0 ? nil : decay))
    case "group_parameters" where !options.groups.isEmpty:
      options.groups[options.groups.count - 1].parameters.append(value)
    case "augment":
      // Recipes had four parts before there was cutmix.
      if parts.count != 4 { try wants(5) }
      var changes = Augmentation()
      changes.flip = parts[0] == "true"
      (changes.crop, changes.cutout) = (try PruneRecipe.integer(key, parts[1]), try PruneRecipe.integer(key, parts[2]))
      changes.mixup = try number(3)
      if parts.count > 4 { changes.cutmix = try number(4) }
      options.augmentation = changes
    case "teacher":
      try wants(3)
      try wants(options.distillation != nil, "a teacher", "teacher")
      options.distillation?.temperature = try number(0)
      options.distillation?.alpha = try number(1)
      options.distillation?.featureWeight = try number(2)
      options.distillation?.features = []
    case "feature": options.distillation?.features.append((value, value))
    case "feature_of_teacher":
      if let last = options.distillation?.features.indices.last { options.distillation?.features[last].teacher = value }
    case "loss_graph": try wants(options.lossSettings.graph != nil, "a loss graph", "loss")
    case "validation": try wants(options.validation != nil, "validation data", "validation")
    default: throw PruneRecipe.bad(key, value)
    }
  }
}
