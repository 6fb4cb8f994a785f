// The options of C: their defaults, and how they are read into those of Swift.
// Made by scripts/generate from Sources/Options.
import CPrune
import PruneData
import PruneEvaluation
import PruneFormats
import PruneTensor
import PruneTraining
import Pruning
import Quantization

extension prune_images_options: OptionsOfC {
  static var name: String { "prune_images_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.scale = 0.00392156862745098
    return options
  }
}

@_cdecl("prune_images_options_init") @implementation
public func prune_images_options_init(_ options: UnsafeMutablePointer<prune_images_options>!, _ size: Int) { initialize(options, size) }

extension ImageOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_images_options) throws(PruneError) {
    if let value = try optionalText(given.path, "path") { path = value }
    size = try elements(given.size, given.size_rank, "size").map { Int($0) }
    if let value = try choice(given.resize, "resize", among: ["shorter", "stretch", "pad"]) { resize = value }
    shorter = Int(given.shorter)
    if let value = try choice(given.color, "color", among: ["rgb", "bgr", "gray"]) { color = value }
    mean = try elements(given.mean, given.mean_count, "mean")
    std = try elements(given.std, given.std_count, "std")
    scale = try number(given.scale, "scale", .positive)
    if let value = try choice(given.layout, "layout", among: ["nchw", "nhwc"]) { layout = value }
    strict = given.strict != 0
    check = given.check != 0
  }
}

extension prune_wav_options: OptionsOfC {
  static var name: String { "prune_wav_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    return options
  }
}

@_cdecl("prune_wav_options_init") @implementation
public func prune_wav_options_init(_ options: UnsafeMutablePointer<prune_wav_options>!, _ size: Int) { initialize(options, size) }

extension WaveOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_wav_options) throws(PruneError) {
    if let value = try optionalText(given.path, "path") { path = value }
    window = Int(given.window)
    rate = Int(given.rate)
    hop = Int(given.hop)
    strict = given.strict != 0
  }
}

extension prune_load_options: OptionsOfC {
  static var name: String { "prune_load_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    return options
  }
}

@_cdecl("prune_load_options_init") @implementation
public func prune_load_options_init(_ options: UnsafeMutablePointer<prune_load_options>!, _ size: Int) { initialize(options, size) }

extension LoadOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_load_options) throws(PruneError) {
    copy = given.copy != 0
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
  }
}

extension prune_weights_options: OptionsOfC {
  static var name: String { "prune_weights_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.strict = 1
    return options
  }
}

@_cdecl("prune_weights_options_init") @implementation
public func prune_weights_options_init(_ options: UnsafeMutablePointer<prune_weights_options>!, _ size: Int) { initialize(options, size) }

extension WeightsOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_weights_options) throws(PruneError) {
    mapFrom = try texts(given.map_from, given.map_from_count, "map_from")
    mapTo = try texts(given.map_to, given.map_to_count, "map_to")
    strict = given.strict != 0
  }
}

extension prune_stats_options: OptionsOfC {
  static var name: String { "prune_stats_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    return options
  }
}

@_cdecl("prune_stats_options_init") @implementation
public func prune_stats_options_init(_ options: UnsafeMutablePointer<prune_stats_options>!, _ size: Int) { initialize(options, size) }

extension StatsOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_stats_options) throws(PruneError) {
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
  }
}

extension prune_zoo_options: OptionsOfC {
  static var name: String { "prune_zoo_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.width = 1
    return options
  }
}

@_cdecl("prune_zoo_options_init") @implementation
public func prune_zoo_options_init(_ options: UnsafeMutablePointer<prune_zoo_options>!, _ size: Int) { initialize(options, size) }

extension ZooOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_zoo_options) throws(PruneError) {
    classes = Int(given.classes)
    input = try elements(given.input, given.input_rank, "input").map { Int($0) }
    hidden = try elements(given.hidden, given.hidden_count, "hidden").map { Int($0) }
    if let value = try choice(given.activation, "activation", among: ["relu", "leaky_relu", "tanh", "sigmoid", "hard_swish"]) { activation = value }
    seed = given.seed
    width = try number(given.width, "width", .positive)
    if let value = try choice(given.stem, "stem", among: ["imagenet", "small"]) { stem = value }
    depth = Int(given.depth)
    patch = Int(given.patch)
    heads = Int(given.heads)
  }
}

extension prune_parameter_group: OptionsOfC {
  static var name: String { "prune_parameter_group" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.lr = notGiven
    options.weight_decay = notGiven
    return options
  }
}

@_cdecl("prune_parameter_group_init") @implementation
public func prune_parameter_group_init(_ options: UnsafeMutablePointer<prune_parameter_group>!, _ size: Int) { initialize(options, size) }

extension prune_augmentation: OptionsOfC {
  static var name: String { "prune_augmentation" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    return options
  }
}

@_cdecl("prune_augmentation_init") @implementation
public func prune_augmentation_init(_ options: UnsafeMutablePointer<prune_augmentation>!, _ size: Int) { initialize(options, size) }

extension Augmentation {
  /// Takes over what C gives.
  mutating func read(_ given: prune_augmentation) throws(PruneError) {
    flip = given.flip != 0
    crop = try count(given.crop, "crop", least: 0)
    cutout = try count(given.cutout, "cutout", least: 0)
    mixup = try number(given.mixup, "mixup", .nonnegative)
    cutmix = try number(given.cutmix, "cutmix", .nonnegative)
  }
}

extension prune_regularizer: OptionsOfC {
  static var name: String { "prune_regularizer" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.growth = notGiven
    options.limit = 1
    options.interval = 10
    return options
  }
}

@_cdecl("prune_regularizer_init") @implementation
public func prune_regularizer_init(_ options: UnsafeMutablePointer<prune_regularizer>!, _ size: Int) { initialize(options, size) }

extension Regularizer {
  /// Takes over what C gives.
  mutating func read(_ given: prune_regularizer) throws(PruneError) {
    strength = try number(given.strength, "strength", .nonnegative)
    limit = try number(given.limit, "limit", .positive)
    interval = try count(given.interval, "interval", least: 1)
    scope = try texts(given.scope, given.scope_count, "scope")
  }
}

extension prune_fit_options: OptionsOfC {
  static var name: String { "prune_fit_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.epochs = 1
    options.batch_size = 32
    options.shuffle = 1
    options.lr = notGiven
    options.beta1 = 0.9
    options.beta2 = 0.999
    options.epsilon = 1e-08
    options.rho = 0.99
    options.delta = 1
    options.gamma = 0.1
    options.patience = 5
    options.checkpoint_epochs = 1
    options.dropout = notGiven
    options.temperature = notGiven
    options.alpha = notGiven
    options.feature_weight = notGiven
    return options
  }
}

@_cdecl("prune_fit_options_init") @implementation
public func prune_fit_options_init(_ options: UnsafeMutablePointer<prune_fit_options>!, _ size: Int) { initialize(options, size) }

extension FitOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_fit_options) throws(PruneError) {
    epochs = try count(given.epochs, "epochs", least: 1)
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    shuffle = given.shuffle != 0
    if let value = try choice(given.optimizer, "optimizer", among: ["adam", "adamw", "sgd", "rmsprop"]) { optimizer = value }
    if let value = try optionalNumber(given.lr, "lr", .positive) { lr = value }
    momentum = try number(given.momentum, "momentum", .fraction)
    nesterov = given.nesterov != 0
    beta1 = try number(given.beta1, "beta1", .fraction)
    beta2 = try number(given.beta2, "beta2", .fraction)
    epsilon = try number(given.epsilon, "epsilon", .positive)
    weightDecay = try number(given.weight_decay, "weight_decay", .nonnegative)
    rho = try number(given.rho, "rho", .fraction)
    clipNorm = try number(given.clip_norm, "clip_norm", .nonnegative)
    clipValue = try number(given.clip_value, "clip_value", .nonnegative)
    if let value = try choice(given.loss, "loss", among: ["cross_entropy", "mse", "mae", "huber", "bce", "kl"]) { loss = value }
    if let value = try optionalText(given.output, "output") { output = value }
    lossSettings.labelSmoothing = try number(given.label_smoothing, "label_smoothing", .fraction)
    lossSettings.classWeights = try elements(given.class_weights, given.class_weight_count, "class_weights")
    lossSettings.delta = try number(given.delta, "delta", .positive)
    lossSettings.fromProbabilities = given.from_probabilities != 0
    if let value = try choice(given.schedule, "schedule", among: ["constant", "linear", "cosine", "step", "one_cycle", "reduce_on_plateau"]) { schedule = value }
    warmup = try count(given.warmup, "warmup", least: 0)
    stepEpochs = Int(given.step_epochs)
    gamma = try number(given.gamma, "gamma", .fraction)
    patience = try count(given.patience, "patience", least: 1)
    validation = try Handles.optional(given.validation, DatasetBox.self)?.dataset
    validationSplit = try number(given.validation_split, "validation_split", .fraction)
    stopping.patience = try count(given.early_stopping, "early_stopping", least: 0)
    stopping.minDelta = try number(given.min_delta, "min_delta", .nonnegative)
    if let value = try choice(given.monitor, "monitor", among: ["loss", "accuracy", "validation_loss", "validation_accuracy"]) { stopping.monitor = value }
    stopping.restoresBest = given.restore_best != 0
    checkpointEpochs = try count(given.checkpoint_epochs, "checkpoint_epochs", least: 1)
    if let value = try optionalNumber(given.dropout, "dropout", .fraction) { dropout = value }
    recomputes = given.checkpointing != 0
    palettes = given.palettes != 0
    keepsZeros = given.keep_zeros != 0
    restoresNormalization = given.batch_norm != 0
    seed = given.seed
    frozen = try texts(given.frozen, given.frozen_count, "frozen")
    lossSettings.graph = try Handles.optional(given.loss_graph, ModelBox.self)?.model
    isDeterministic = given.deterministic != 0
  }
}

extension prune_evaluate_options: OptionsOfC {
  static var name: String { "prune_evaluate_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.batch_size = 64
    return options
  }
}

@_cdecl("prune_evaluate_options_init") @implementation
public func prune_evaluate_options_init(_ options: UnsafeMutablePointer<prune_evaluate_options>!, _ size: Int) { initialize(options, size) }

extension EvaluateOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_evaluate_options) throws(PruneError) {
    metrics = try texts(given.metrics, given.metric_count, "metrics")
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    if let value = try choice(given.loss, "loss", among: ["cross_entropy", "mse", "mae", "huber", "bce", "kl"]) { loss = value }
    if let value = try optionalText(given.output, "output") { output = value }
  }
}

extension prune_benchmark_options: OptionsOfC {
  static var name: String { "prune_benchmark_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.batch_size = 1
    options.runs = 50
    options.warmup = 5
    return options
  }
}

@_cdecl("prune_benchmark_options_init") @implementation
public func prune_benchmark_options_init(_ options: UnsafeMutablePointer<prune_benchmark_options>!, _ size: Int) { initialize(options, size) }

extension BenchmarkOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_benchmark_options) throws(PruneError) {
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    threads = Int(given.threads)
    runs = try count(given.runs, "runs", least: 1)
    warmup = try count(given.warmup, "warmup", least: 0)
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
    steps = given.steps != 0
  }
}

extension prune_differences_options: OptionsOfC {
  static var name: String { "prune_differences_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.samples = 32
    return options
  }
}

@_cdecl("prune_differences_options_init") @implementation
public func prune_differences_options_init(_ options: UnsafeMutablePointer<prune_differences_options>!, _ size: Int) { initialize(options, size) }

extension DifferencesOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_differences_options) throws(PruneError) {
    samples = try count(given.samples, "samples", least: 1)
  }
}

extension prune_loss_options: OptionsOfC {
  static var name: String { "prune_loss_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.delta = 1
    return options
  }
}

@_cdecl("prune_loss_options_init") @implementation
public func prune_loss_options_init(_ options: UnsafeMutablePointer<prune_loss_options>!, _ size: Int) { initialize(options, size) }

extension Losses.Settings {
  /// Takes over what C gives.
  mutating func read(_ given: prune_loss_options) throws(PruneError) {
    fromLogits = given.from_logits != 0
    labelSmoothing = try number(given.label_smoothing, "label_smoothing", .fraction)
    classWeights = try elements(given.class_weights, given.class_weight_count, "class_weights")
    delta = try number(given.delta, "delta", .positive)
  }
}

extension prune_significance_options: OptionsOfC {
  static var name: String { "prune_significance_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.batch_size = 64
    return options
  }
}

@_cdecl("prune_significance_options_init") @implementation
public func prune_significance_options_init(_ options: UnsafeMutablePointer<prune_significance_options>!, _ size: Int) { initialize(options, size) }

extension SignificanceOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_significance_options) throws(PruneError) {
    if let value = try choice(given.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    seed = given.seed
    if let value = try optionalText(given.output, "output") { output = value }
    scope = try texts(given.scope, given.scope_count, "scope")
    ignore = try texts(given.ignore, given.ignore_count, "ignore")
  }
}

extension prune_sensitivity_options: OptionsOfC {
  static var name: String { "prune_sensitivity_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.max_drop = 0.01
    options.batch_size = 64
    return options
  }
}

@_cdecl("prune_sensitivity_options_init") @implementation
public func prune_sensitivity_options_init(_ options: UnsafeMutablePointer<prune_sensitivity_options>!, _ size: Int) { initialize(options, size) }

extension SensitivityOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_sensitivity_options) throws(PruneError) {
    data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    amounts = try elements(given.amounts, given.amount_count, "amounts")
    if let value = try optionalText(given.metric, "metric") { metric = value }
    maxDrop = try number(given.max_drop, "max_drop", .nonnegative)
    if let value = try choice(given.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    if let value = try optionalText(given.granularity, "granularity") { granularity = value }
    scope = try texts(given.scope, given.scope_count, "scope")
    ignore = try texts(given.ignore, given.ignore_count, "ignore")
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    seed = given.seed
    if let value = try optionalText(given.output, "output") { output = value }
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
  }
}

extension prune_guard: OptionsOfC {
  static var name: String { "prune_guard" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.max_drop = notGiven
    options.bound = notGiven
    return options
  }
}

@_cdecl("prune_guard_init") @implementation
public func prune_guard_init(_ options: UnsafeMutablePointer<prune_guard>!, _ size: Int) { initialize(options, size) }

extension prune_prune_options: OptionsOfC {
  static var name: String { "prune_prune_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.amount = notGiven
    options.threshold = notGiven
    options.batch_size = 64
    options.max_fraction = notGiven
    options.target_macs = notGiven
    options.target_params = notGiven
    options.target_bytes = notGiven
    options.target_latency = notGiven
    options.residual = PRUNE_FLAG_NOT_GIVEN
    return options
  }
}

@_cdecl("prune_prune_options_init") @implementation
public func prune_prune_options_init(_ options: UnsafeMutablePointer<prune_prune_options>!, _ size: Int) { initialize(options, size) }

extension PruneOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_prune_options) throws(PruneError) {
    if let value = try choice(given.strategy, "strategy", among: ["global", "local", "threshold", "block", "cost_aware", "layerwise", "shared", "penalty", "regularized"]) { strategy = value }
    if let value = try choice(given.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    if let value = try optionalText(given.granularity, "granularity") { granularity = value }
    if let value = try choice(given.allocation, "allocation", among: ["global", "local", "uniform", "row", "lamp", "erk", "isomorphic", "sensitivity"]) { allocation = value }
    if let value = try choice(given.reconstruct, "reconstruct", among: ["none", "obs", "sparsegpt", "least_squares"]) { reconstruct = value }
    if let value = try choice(given.cost, "cost", among: ["params", "macs", "bytes", "latency"]) { cost = value }
    if let value = try optionalText(given.metric, "metric") { metric = value }
    if let value = try choice(given.shared, "shared", among: ["one", "all"]) { shared = value }
    if let value = try optionalText(given.recipe, "recipe") { recipe = value }
    rewind = try Handles.optional(given.rewind, ModelBox.self)?.model
    if let value = try optionalNumber(given.amount, "amount", .any) { amount = value }
    if let value = try optionalNumber(given.threshold, "threshold", .any) { threshold = value }
    if let value = try choice(given.mode, "mode", among: ["mask", "remove"]) { mode = value }
    if let value = try optionalText(given.device, "device") { device = value }
    data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    validate = try Handles.optional(given.validate, DatasetBox.self)?.dataset
    if let value = try choice(given.schedule, "schedule", among: ["one_shot", "linear", "cubic", "dynamic"]) { schedule = value }
    scope = try texts(given.scope, given.scope_count, "scope")
    ignore = try texts(given.ignore, given.ignore_count, "ignore")
    batchSize = try count(given.batch_size, "batch_size", least: 1)
    seed = given.seed
    if let value = try optionalText(given.output, "output") { output = value }
    if let value = try optionalNumber(given.max_fraction, "max_fraction", .fraction) { maxFraction = value }
    roundTo = Int(given.round_to)
    isIsomorphic = given.isomorphic != 0
    followsWidth = given.width != 0
    if let value = try choice(given.reduce, "reduce", among: ["mean", "sum", "max"]) { reduction = value }
    if let value = try choice(given.normalize, "normalize", among: ["mean", "max", "lamp", "none"]) { normalization = value }
    benchmarks = given.benchmark != 0
    reestimates = given.reestimate != 0
    steps = Int(given.schedule_steps)
    recoverData = try Handles.optional(given.recover_data, DatasetBox.self)?.dataset
    trainData = try Handles.optional(given.train_data, DatasetBox.self)?.dataset
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
    if given.residual != PRUNE_FLAG_NOT_GIVEN { prunesStreams = given.residual != 0 }
  }
}

extension prune_ensemble_options: OptionsOfC {
  static var name: String { "prune_ensemble_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.epochs = 5
    return options
  }
}

@_cdecl("prune_ensemble_options_init") @implementation
public func prune_ensemble_options_init(_ options: UnsafeMutablePointer<prune_ensemble_options>!, _ size: Int) { initialize(options, size) }

extension EnsembleOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_ensemble_options) throws(PruneError) {
    if let value = try choice(given.method, "method", among: ["average", "vote", "stack"]) { method = value }
    data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    epochs = try count(given.epochs, "epochs", least: 1)
    seed = given.seed
  }
}

extension prune_search_options: OptionsOfC {
  static var name: String { "prune_search_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.max_drop = 0.01
    options.budget = 10
    return options
  }
}

@_cdecl("prune_search_options_init") @implementation
public func prune_search_options_init(_ options: UnsafeMutablePointer<prune_search_options>!, _ size: Int) { initialize(options, size) }

extension SearchOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_search_options) throws(PruneError) {
    data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    calibration = try Handles.optional(given.calibration, DatasetBox.self)?.dataset
    if let value = try choice(given.objective, "objective", among: ["macs", "bytes", "latency"]) { objective = value }
    if let value = try optionalText(given.metric, "metric") { metric = value }
    maxDrop = try number(given.max_drop, "max_drop", .nonnegative)
    budget = try number(given.budget, "budget", .positive)
    seed = given.seed
    if let value = try optionalText(given.output, "output") { output = value }
    shapes = try shapeBinding(given.shapes, given.shape_count, "shapes")
  }
}

extension prune_quantize_options: OptionsOfC {
  static var name: String { "prune_quantize_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.per_channel = 1
    options.percentile = 99.99
    options.bytes = notGiven
    return options
  }
}

@_cdecl("prune_quantize_options_init") @implementation
public func prune_quantize_options_init(_ options: UnsafeMutablePointer<prune_quantize_options>!, _ size: Int) { initialize(options, size) }

extension QuantizeOptions {
  /// Takes over what C gives.
  mutating func read(_ given: prune_quantize_options) throws(PruneError) {
    if let value = try choice(given.scheme, "scheme", among: ["static", "dynamic", "weight_only", "float32", "float16", "bfloat16", "palette", "joint"]) { scheme = value }
    bits = Int(given.bits)
    perChannel = given.per_channel != 0
    symmetric = given.symmetric != 0
    blockSize = Int(given.block_size)
    percentile = try number(given.percentile, "percentile", .positive)
    groupSize = Int(given.group_size)
    fisher = given.fisher != 0
    equalize = given.equalize != 0
    biasCorrection = given.bias_correction != 0
    mixed = given.mixed != 0
    qat = given.qat != 0
    if let value = try choice(given.rounding, "rounding", among: ["nearest", "gptq", "adaround", "awq"]) { rounding = value }
    smooth = try number(given.smooth, "smooth", .fraction)
    learnScales = given.learn_scales != 0
    keepFaster = given.keep_faster != 0
    if let value = try optionalNumber(given.bytes, "bytes", .positive) { bytes = value }
    calibration = try Handles.optional(given.calibration, DatasetBox.self)?.dataset
    if let value = try choice(given.calibrator, "calibrator", among: ["auto", "minmax", "moving_average", "percentile", "entropy", "mse"]) { calibrator = value }
    if let value = try choice(given.format, "format", among: ["qdq", "qoperator", "matmul_nbits"]) { format = value }
    validate = try Handles.optional(given.validate, DatasetBox.self)?.dataset
    ignore = try texts(given.ignore, given.ignore_count, "ignore")
    batchSize = Int(given.batch_size)
  }
}
