import CPrune
import PruneData
import PruneFormats
import PruneTensor
import PruneTraining

/// Fit options of C as those of Swift.
func fitOptions(
  _ pointer: UnsafePointer<prune_fit_options>?, _ context: ContextBox?, _ name: String = "prune_fit_options",
  spreadsGrowth: Bool = false
) throws(PruneError) -> FitOptions {
  let given = try options(pointer, zero: prune_fit_options(), name)
  var result = FitOptions()
  if given.epochs != 0 { result.epochs = Int(given.epochs) }
  if given.batch_size != 0 { result.batchSize = Int(given.batch_size) }
  result.shuffle = given.no_shuffle == 0
  if let optimizer = try optionalText(given.optimizer, "optimizer") { result.optimizer = optimizer }
  if given.lr != 0 { result.lr = try number(given.lr, "lr", in: 0...1e6) }
  result.momentum = try number(given.momentum, "momentum", in: 0...1)
  result.nesterov = given.nesterov != 0
  if given.beta1 != 0 { result.beta1 = try number(given.beta1, "beta1", in: 0...1) }
  if given.beta2 != 0 { result.beta2 = try number(given.beta2, "beta2", in: 0...1) }
  if given.epsilon != 0 { result.epsilon = try number(given.epsilon, "epsilon", in: 0...1) }
  result.weightDecay = try number(given.weight_decay, "weight_decay", in: 0...1e6)
  result.loss = try optionalText(given.loss, "loss")
  result.output = try optionalText(given.output, "output")
  if let schedule = try optionalText(given.schedule, "schedule") { result.schedule = schedule }
  result.validation = try Handles.optional(given.validation, DatasetBox.self)?.dataset
  result.validationSplit = try number(given.validation_split, "validation_split", in: 0...1)
  if given.seed != 0 { result.seed = given.seed }
  result.frozen = try texts(given.frozen, given.frozen_count, "frozen")
  try readLoss(given, &result)
  try readOptimizer(given, &result)
  try readControl(given, &result)
  try readRegularization(given, &result, spreadsGrowth)
  try readTeacher(given, &result)
  result.recomputes = given.checkpointing != 0
  result.palettes = given.palettes != 0
  result.restoresNormalization = given.batch_norm != 0
  if given.augment != nil {
    let wanted = try options(given.augment, zero: prune_augmentation(), "prune_augmentation")
    var augmentation = Augmentation()
    augmentation.flip = wanted.flip != 0
    (augmentation.crop, augmentation.cutout) = (Int(wanted.crop), Int(wanted.cutout))
    (augmentation.mixup, augmentation.cutmix) = (wanted.mixup, wanted.cutmix)
    result.augmentation = augmentation
  }
  result.cancel = context?.cancel
  let sink = EventSink(callback: given.on_event, user: given.user)
  result.onEvent = { event in sink.send(event) }
  return result
}

private func readLoss(_ given: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  result.lossSettings.labelSmoothing = given.label_smoothing
  result.lossSettings.classWeights = try elements(given.class_weights, given.class_weight_count, "class_weights")
  if given.delta != 0 { result.lossSettings.delta = given.delta }
  result.lossSettings.fromProbabilities = given.from_probabilities != 0
  result.lossSettings.graph = try Handles.optional(given.loss_graph, ModelBox.self)?.model
}

private func readOptimizer(_ given: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  if given.rho != 0 { result.rho = try number(given.rho, "rho", in: 0...1) }
  result.clipNorm = try number(given.clip_norm, "clip_norm", in: 0...Double(Float.greatestFiniteMagnitude))
  result.clipValue = try number(given.clip_value, "clip_value", in: 0...Double(Float.greatestFiniteMagnitude))
  for (index, entry) in try elements(given.groups, given.group_count, "groups").enumerated() {
    let name = "groups[\(index)]"
    guard Int(entry.struct_size) == MemoryLayout<prune_parameter_group>.size else {
      throw PruneError(
        .invalidArgument, "\(name).struct_size is \(entry.struct_size)", hint: "set it to sizeof(prune_parameter_group)")
    }
    result.groups.append(
      ParameterGroup(
        try texts(entry.parameters, entry.parameter_count, "\(name).parameters"),
        lr: try number(entry.lr, "\(name).lr", in: 0...1e6),
        weightDecay: entry.no_decay != 0
          ? 0 : entry.weight_decay == 0 ? nil : try number(entry.weight_decay, "\(name).weight_decay", in: 0...1e6)))
  }
  result.warmup = Int(given.warmup)
  result.stepEpochs = Int(given.step_epochs)
  result.patience = Int(given.patience)
  result.gamma = try number(given.gamma, "gamma", in: 0...1)
}

private func readControl(_ given: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  result.stopping.patience = Int(given.early_stopping)
  result.stopping.restoresBest = given.restore_best != 0
  result.stopping.minDelta = given.min_delta
  result.stopping.monitor = try optionalText(given.monitor, "monitor")
  result.checkpointEpochs = Int(given.checkpoint_epochs)
  if let path = try optionalText(given.checkpoint, "checkpoint") {
    result.onCheckpoint = { (state) throws(PruneError) in try Npz.save(try state.tensors(), path: path, compressed: false) }
  }
  let file = try optionalText(given.resume, "resume")
  guard file == nil || given.resume_optimizer == 0 else {
    throw PruneError(.invalidArgument, "both resume and resume_optimizer are given", hint: "a checkpoint has the optimizer's state")
  }
  if given.resume_optimizer != 0 { result.resume = .optimizer }
  guard let file else { return }
  do { result.resume = .checkpoint(try FitState(tensors: try Npz.load(path: file))) } catch { throw error.located(at: file) }
}

private func readRegularization(
  _ given: prune_fit_options, _ result: inout FitOptions, _ spreadsGrowth: Bool
) throws(PruneError) {
  for (index, entry) in try elements(given.regularizers, given.regularizer_count, "regularizers").enumerated() {
    let name = "regularizers[\(index)]"
    guard Int(entry.struct_size) == MemoryLayout<prune_regularizer>.size else {
      throw PruneError(.invalidArgument, "\(name).struct_size is \(entry.struct_size)", hint: "set it to sizeof(prune_regularizer)")
    }
    var regularizer = Regularizer(
      try Regularizer.kind(try text(entry.kind, "\(name).kind")), entry.strength,
      scope: try texts(entry.scope, entry.scope_count, "\(name).scope"))
    // Not given, a prune spreads it over its training.
    if entry.growth != 0 || spreadsGrowth && [.greg1, .greg2].contains(regularizer.kind) { regularizer.growth = entry.growth }
    if entry.limit != 0 { regularizer.limit = entry.limit }
    if entry.interval != 0 { regularizer.interval = Int(entry.interval) }
    result.regularizers.append(regularizer)
  }
  if given.dropout != 0 { result.dropout = given.dropout }
  guard given.no_dropout != 0 else { return }
  guard given.dropout == 0 else { throw PruneError(.invalidArgument, "both dropout and no_dropout are given") }
  result.dropout = 0
}

private func readTeacher(_ given: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  let features = try texts(given.features, given.feature_count, "features")
  let theirs = try texts(given.teacher_features, given.teacher_feature_count, "teacher_features")
  guard let teacher = try Handles.optional(given.teacher, ModelBox.self)?.model else {
    guard features.isEmpty, theirs.isEmpty, given.temperature == 0, given.alpha == 0, given.feature_weight == 0 else {
      throw PruneError(.invalidArgument, "options for learning from a teacher are given, but no teacher")
    }
    return
  }
  guard theirs.isEmpty || theirs.count == features.count else {
    throw PruneError(.invalidArgument, "there are \(features.count) features and \(theirs.count) teacher_features")
  }
  var distillation = Distillation(teacher: teacher)
  if given.temperature != 0 { distillation.temperature = given.temperature }
  if given.alpha != 0 { distillation.alpha = given.alpha }
  if given.feature_weight != 0 { distillation.featureWeight = given.feature_weight }
  distillation.features = zip(features, theirs.isEmpty ? features : theirs).map { (student: $0, teacher: $1) }
  result.distillation = distillation
}
