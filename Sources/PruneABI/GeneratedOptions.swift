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
  mutating func read(_ request: prune_images_options) throws(PruneError) {
    if let value = try optionalText(request.path, "path") { path = value }
    size = try elements(request.size, request.size_rank, "size").map { Int($0) }
    if let value = try choice(request.resize, "resize", among: ["shorter", "stretch", "pad"]) { resize = value }
    shorter = Int(request.shorter)
    if let value = try choice(request.color, "color", among: ["rgb", "bgr", "gray"]) { color = value }
    mean = try elements(request.mean, request.mean_count, "mean")
    std = try elements(request.std, request.std_count, "std")
    scale = try number(request.scale, "scale", .positive)
    if let value = try choice(request.layout, "layout", among: ["nchw", "nhwc"]) { layout = value }
    strict = request.strict != 0
    check = request.check != 0
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
  mutating func read(_ request: prune_wav_options) throws(PruneError) {
    if let value = try optionalText(request.path, "path") { path = value }
    window = Int(request.window)
    rate = Int(request.rate)
    hop = Int(request.hop)
    strict = request.strict != 0
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
  mutating func read(_ request: prune_load_options) throws(PruneError) {
    copy = request.copy != 0
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
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
  mutating func read(_ request: prune_weights_options) throws(PruneError) {
    mapFrom = try texts(request.map_from, request.map_from_count, "map_from")
    mapTo = try texts(request.map_to, request.map_to_count, "map_to")
    strict = request.strict != 0
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
  mutating func read(_ request: prune_stats_options) throws(PruneError) {
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
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
  mutating func read(_ request: prune_zoo_options) throws(PruneError) {
    classes = Int(request.classes)
    input = try elements(request.input, request.input_rank, "input").map { Int($0) }
    hidden = try elements(request.hidden, request.hidden_count, "hidden").map { Int($0) }
    if let value = try choice(request.activation, "activation", among: ["relu", "leaky_relu", "tanh", "sigmoid", "hard_swish"]) { activation = value }
    seed = request.seed
    width = try number(request.width, "width", .positive)
    if let value = try choice(request.stem, "stem", among: ["imagenet", "small"]) { stem = value }
    depth = Int(request.depth)
    patch = Int(request.patch)
    heads = Int(request.heads)
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
  mutating func read(_ request: prune_augmentation) throws(PruneError) {
    flip = request.flip != 0
    crop = try count(request.crop, "crop", least: 0)
    cutout = try count(request.cutout, "cutout", least: 0)
    mixup = try number(request.mixup, "mixup", .nonnegative)
    cutmix = try number(request.cutmix, "cutmix", .nonnegative)
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
  mutating func read(_ request: prune_regularizer) throws(PruneError) {
    strength = try number(request.strength, "strength", .nonnegative)
    limit = try number(request.limit, "limit", .positive)
    interval = try count(request.interval, "interval", least: 1)
    scope = try texts(request.scope, request.scope_count, "scope")
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
  mutating func read(_ request: prune_fit_options) throws(PruneError) {
    epochs = try count(request.epochs, "epochs", least: 1)
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    shuffle = request.shuffle != 0
    if let value = try choice(request.optimizer, "optimizer", among: ["adam", "adamw", "sgd", "rmsprop"]) { optimizer = value }
    if let value = try optionalNumber(request.lr, "lr", .positive) { lr = value }
    momentum = try number(request.momentum, "momentum", .fraction)
    nesterov = request.nesterov != 0
    beta1 = try number(request.beta1, "beta1", .fraction)
    beta2 = try number(request.beta2, "beta2", .fraction)
    epsilon = try number(request.epsilon, "epsilon", .positive)
    weightDecay = try number(request.weight_decay, "weight_decay", .nonnegative)
    rho = try number(request.rho, "rho", .fraction)
    clipNorm = try number(request.clip_norm, "clip_norm", .nonnegative)
    clipValue = try number(request.clip_value, "clip_value", .nonnegative)
    if let value = try choice(request.loss, "loss", among: ["cross_entropy", "mse", "mae", "huber", "bce", "kl"]) { loss = value }
    if let value = try optionalText(request.output, "output") { output = value }
    lossSettings.labelSmoothing = try number(request.label_smoothing, "label_smoothing", .fraction)
    lossSettings.classWeights = try elements(request.class_weights, request.class_weight_count, "class_weights")
    lossSettings.delta = try number(request.delta, "delta", .positive)
    lossSettings.fromProbabilities = request.from_probabilities != 0
    if let value = try choice(request.schedule, "schedule", among: ["constant", "linear", "cosine", "step", "one_cycle", "reduce_on_plateau"]) { schedule = value }
    warmup = try count(request.warmup, "warmup", least: 0)
    stepEpochs = Int(request.step_epochs)
    gamma = try number(request.gamma, "gamma", .fraction)
    patience = try count(request.patience, "patience", least: 1)
    validation = try Handles.optional(request.validation, DatasetBox.self)?.dataset
    validationSplit = try number(request.validation_split, "validation_split", .fraction)
    stopping.patience = try count(request.early_stopping, "early_stopping", least: 0)
    stopping.minDelta = try number(request.min_delta, "min_delta", .nonnegative)
    if let value = try choice(request.monitor, "monitor", among: ["loss", "accuracy", "validation_loss", "validation_accuracy"]) { stopping.monitor = value }
    stopping.restoresBest = request.restore_best != 0
    checkpointEpochs = try count(request.checkpoint_epochs, "checkpoint_epochs", least: 1)
    if let value = try optionalNumber(request.dropout, "dropout", .fraction) { dropout = value }
    recomputes = request.checkpointing != 0
    palettes = request.palettes != 0
    keepsZeros = request.keep_zeros != 0
    restoresNormalization = request.batch_norm != 0
    seed = request.seed
    frozen = try texts(request.frozen, request.frozen_count, "frozen")
    lossSettings.graph = try Handles.optional(request.loss_graph, ModelBox.self)?.model
    isDeterministic = request.deterministic != 0
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
  mutating func read(_ request: prune_evaluate_options) throws(PruneError) {
    metrics = try texts(request.metrics, request.metric_count, "metrics")
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    if let value = try choice(request.loss, "loss", among: ["cross_entropy", "mse", "mae", "huber", "bce", "kl"]) { loss = value }
    if let value = try optionalText(request.output, "output") { output = value }
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
  mutating func read(_ request: prune_benchmark_options) throws(PruneError) {
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    threads = Int(request.threads)
    runs = try count(request.runs, "runs", least: 1)
    warmup = try count(request.warmup, "warmup", least: 0)
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
    steps = request.steps != 0
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
  mutating func read(_ request: prune_differences_options) throws(PruneError) {
    samples = try count(request.samples, "samples", least: 1)
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
  mutating func read(_ request: prune_loss_options) throws(PruneError) {
    fromLogits = request.from_logits != 0
    labelSmoothing = try number(request.label_smoothing, "label_smoothing", .fraction)
    classWeights = try elements(request.class_weights, request.class_weight_count, "class_weights")
    delta = try number(request.delta, "delta", .positive)
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
  mutating func read(_ request: prune_significance_options) throws(PruneError) {
    if let value = try choice(request.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    seed = request.seed
    if let value = try optionalText(request.output, "output") { output = value }
    scope = try texts(request.scope, request.scope_count, "scope")
    ignore = try texts(request.ignore, request.ignore_count, "ignore")
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
  mutating func read(_ request: prune_sensitivity_options) throws(PruneError) {
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    amounts = try elements(request.amounts, request.amount_count, "amounts")
    if let value = try optionalText(request.metric, "metric") { metric = value }
    maxDrop = try number(request.max_drop, "max_drop", .nonnegative)
    if let value = try choice(request.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    if let value = try optionalText(request.granularity, "granularity") { granularity = value }
    scope = try texts(request.scope, request.scope_count, "scope")
    ignore = try texts(request.ignore, request.ignore_count, "ignore")
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    seed = request.seed
    if let value = try optionalText(request.output, "output") { output = value }
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
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
  mutating func read(_ request: prune_prune_options) throws(PruneError) {
    if let value = try choice(request.strategy, "strategy", among: ["global", "local", "threshold", "block", "cost_aware", "layerwise", "shared", "penalty", "regularized"]) { strategy = value }
    if let value = try choice(request.criterion, "criterion", among: ["magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm", "cosine", "mutual", "lamp", "random", "gate"]) { criterion = value }
    if let value = try optionalText(request.granularity, "granularity") { granularity = value }
    if let value = try choice(request.allocation, "allocation", among: ["global", "local", "uniform", "row", "lamp", "erk", "isomorphic", "sensitivity"]) { allocation = value }
    if let value = try choice(request.reconstruct, "reconstruct", among: ["none", "obs", "sparsegpt", "least_squares"]) { reconstruct = value }
    if let value = try choice(request.cost, "cost", among: ["params", "macs", "bytes", "latency"]) { cost = value }
    if let value = try optionalText(request.metric, "metric") { metric = value }
    if let value = try choice(request.shared, "shared", among: ["one", "all"]) { shared = value }
    if let value = try optionalText(request.recipe, "recipe") { recipe = value }
    rewind = try Handles.optional(request.rewind, ModelBox.self)?.model
    if let value = try optionalNumber(request.amount, "amount", .any) { amount = value }
    if let value = try optionalNumber(request.threshold, "threshold", .any) { threshold = value }
    if let value = try choice(request.mode, "mode", among: ["mask", "remove"]) { mode = value }
    if let value = try optionalText(request.device, "device") { device = value }
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    validate = try Handles.optional(request.validate, DatasetBox.self)?.dataset
    if let value = try choice(request.schedule, "schedule", among: ["one_shot", "linear", "cubic", "dynamic"]) { schedule = value }
    scope = try texts(request.scope, request.scope_count, "scope")
    ignore = try texts(request.ignore, request.ignore_count, "ignore")
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    seed = request.seed
    if let value = try optionalText(request.output, "output") { output = value }
    if let value = try optionalNumber(request.max_fraction, "max_fraction", .fraction) { maxFraction = value }
    roundTo = Int(request.round_to)
    isIsomorphic = request.isomorphic != 0
    followsWidth = request.width != 0
    if let value = try choice(request.reduce, "reduce", among: ["mean", "sum", "max"]) { reduction = value }
    if let value = try choice(request.normalize, "normalize", among: ["mean", "max", "lamp", "none"]) { normalization = value }
    benchmarks = request.benchmark != 0
    reestimates = request.reestimate != 0
    steps = Int(request.schedule_steps)
    recoverData = try Handles.optional(request.recover_data, DatasetBox.self)?.dataset
    trainData = try Handles.optional(request.train_data, DatasetBox.self)?.dataset
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
    if request.residual != PRUNE_FLAG_NOT_GIVEN { prunesStreams = request.residual != 0 }
  }
}

extension prune_factorize_options: OptionsOfC {
  static var name: String { "prune_factorize_options" }
  static var defaults: Self {
    var options = Self()
    options.struct_size = UInt32(MemoryLayout<Self>.size)
    options.struct_tag = UInt32(PRUNE_STRUCT_TAG)
    options.energy = notGiven
    options.round_to = 8
    options.batch_size = 64
    options.target_macs = notGiven
    options.target_params = notGiven
    options.target_bytes = notGiven
    return options
  }
}

@_cdecl("prune_factorize_options_init") @implementation
public func prune_factorize_options_init(_ options: UnsafeMutablePointer<prune_factorize_options>!, _ size: Int) { initialize(options, size) }

extension FactorizeOptions {
  /// Takes over what C gives.
  mutating func read(_ request: prune_factorize_options) throws(PruneError) {
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    if let value = try optionalNumber(request.energy, "energy", .fraction) { energy = value }
    rank = Int(request.rank)
    if let value = try choice(request.form, "form", among: ["channel", "spatial"]) { form = value }
    roundTo = try count(request.round_to, "round_to", least: 1)
    scope = try texts(request.scope, request.scope_count, "scope")
    ignore = try texts(request.ignore, request.ignore_count, "ignore")
    validate = try Handles.optional(request.validate, DatasetBox.self)?.dataset
    batchSize = try count(request.batch_size, "batch_size", least: 1)
    if let value = try optionalText(request.output, "output") { output = value }
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
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
  mutating func read(_ request: prune_ensemble_options) throws(PruneError) {
    if let value = try choice(request.method, "method", among: ["average", "vote", "stack"]) { method = value }
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    epochs = try count(request.epochs, "epochs", least: 1)
    seed = request.seed
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
  mutating func read(_ request: prune_search_options) throws(PruneError) {
    data = try Handles.optional(request.data, DatasetBox.self)?.dataset
    calibration = try Handles.optional(request.calibration, DatasetBox.self)?.dataset
    if let value = try choice(request.objective, "objective", among: ["macs", "bytes", "latency"]) { objective = value }
    if let value = try optionalText(request.metric, "metric") { metric = value }
    maxDrop = try number(request.max_drop, "max_drop", .nonnegative)
    budget = try number(request.budget, "budget", .positive)
    seed = request.seed
    if let value = try optionalText(request.output, "output") { output = value }
    shapes = try shapeBinding(request.shapes, request.shape_count, "shapes")
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
  mutating func read(_ request: prune_quantize_options) throws(PruneError) {
    if let value = try choice(request.scheme, "scheme", among: ["static", "dynamic", "weight_only", "float32", "float16", "bfloat16", "float8", "palette", "joint"]) { scheme = value }
    bits = Int(request.bits)
    perChannel = request.per_channel != 0
    symmetric = request.symmetric != 0
    blockSize = Int(request.block_size)
    percentile = try number(request.percentile, "percentile", .positive)
    groupSize = Int(request.group_size)
    fisher = request.fisher != 0
    equalize = request.equalize != 0
    biasCorrection = request.bias_correction != 0
    mixed = request.mixed != 0
    qat = request.qat != 0
    if let value = try choice(request.rounding, "rounding", among: ["nearest", "gptq", "adaround", "awq", "hqq"]) { rounding = value }
    smooth = try number(request.smooth, "smooth", .fraction)
    learnScales = request.learn_scales != 0
    keepFaster = request.keep_faster != 0
    if let value = try optionalNumber(request.bytes, "bytes", .positive) { bytes = value }
    calibration = try Handles.optional(request.calibration, DatasetBox.self)?.dataset
    if let value = try choice(request.calibrator, "calibrator", among: ["auto", "minmax", "moving_average", "percentile", "entropy", "mse"]) { calibrator = value }
    if let value = try choice(request.format, "format", among: ["qdq", "qoperator", "matmul_nbits"]) { format = value }
    validate = try Handles.optional(request.validate, DatasetBox.self)?.dataset
    ignore = try texts(request.ignore, request.ignore_count, "ignore")
    batchSize = Int(request.batch_size)
  }
}
