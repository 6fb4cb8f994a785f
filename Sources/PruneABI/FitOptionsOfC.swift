import CPrune
import PruneData
import PruneFormats
import PruneTensor
import PruneTraining

/// Fit options of C as those of Swift.
func fitOptions(
  _ pointer: UnsafePointer<prune_fit_options>?, _ context: ContextBox?, at place: String = "",
  spreadsGrowth: Bool = false
) throws(PruneError) -> FitOptions {
  let request = try options(pointer, at: place)
  var result = FitOptions()
  do throws(PruneError) {
    try result.read(request)
    result.groups = try optionsList(request.groups, request.group_count, "groups").map { (group) throws(PruneError) in
      ParameterGroup(
        try texts(group.parameters, group.parameter_count, "parameters"),
        lr: try optionalNumber(group.lr, "groups: lr", .positive) ?? 0,
        weightDecay: try optionalNumber(group.weight_decay, "groups: weight_decay", .nonnegative))
    }
    for entry in try optionsList(request.regularizers, request.regularizer_count, "regularizers") {
      var regularizer = Regularizer(try Regularizer.kind(try text(entry.kind, "kind")), 0)
      try regularizer.read(entry)
      if let growth = try optionalNumber(entry.growth, "growth", .nonnegative) {
        regularizer.growth = growth
      } else if spreadsGrowth, [.greg1, .greg2].contains(regularizer.kind) {
        regularizer.growth = 0
      }
      result.regularizers.append(regularizer)
    }
    if request.augment != nil {
      var augmentation = Augmentation()
      try augmentation.read(try options(request.augment))
      result.augmentation = augmentation
    }
    try readCheckpoints(request, &result)
    try readTeacher(request, &result)
  } catch { throw place.isEmpty ? error : error.located(at: place) }
  result.cancel = context?.cancel
  result.communicator = context?.communicator
  let sink = EventSink(callback: request.on_event, user: request.user)
  result.onEvent = { event in sink.send(event) }
  return result
}

private func readCheckpoints(_ request: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  if let path = try optionalText(request.checkpoint, "checkpoint") {
    result.onCheckpoint = { (state) throws(PruneError) in
      try Npz.save(try state.tensors(), path: path, compressed: false)
    }
  }
  let file = try optionalText(request.resume, "resume")
  guard file == nil || request.resume_optimizer == 0 else {
    throw PruneError(
      .invalidArgument, "both resume and resume_optimizer are given", hint: "a checkpoint has the optimizer's state")
  }
  if request.resume_optimizer != 0 { result.resume = .optimizer }
  guard let file else { return }
  do { result.resume = .checkpoint(try FitState(tensors: try Npz.load(path: file))) } catch {
    throw error.located(at: file)
  }
}

private func readTeacher(_ request: prune_fit_options, _ result: inout FitOptions) throws(PruneError) {
  let features = try texts(request.features, request.feature_count, "features")
  let teacherFeatures = try texts(request.teacher_features, request.teacher_feature_count, "teacher_features")
  let temperature = try optionalNumber(request.temperature, "temperature", .positive)
  let alpha = try optionalNumber(request.alpha, "alpha", .fraction)
  let weight = try optionalNumber(request.feature_weight, "feature_weight", .positive)
  guard let teacher = try Handles.optional(request.teacher, ModelBox.self)?.model else {
    guard features.isEmpty, teacherFeatures.isEmpty, temperature == nil, alpha == nil, weight == nil else {
      throw PruneError(
        .invalidArgument, "options for learning from a teacher are given, but no teacher",
        hint: "give teacher = a model")
    }
    return
  }
  guard teacherFeatures.isEmpty || teacherFeatures.count == features.count else {
    throw PruneError(
      .invalidArgument, "there are \(features.count) features and \(teacherFeatures.count) teacher_features")
  }
  var distillation = Distillation(teacher: teacher)
  if let temperature { distillation.temperature = temperature }
  if let alpha { distillation.alpha = alpha }
  if let weight { distillation.featureWeight = weight }
  distillation.features = zip(features, teacherFeatures.isEmpty ? features : teacherFeatures).map {
    (student: $0, teacher: $1)
  }
  result.distillation = distillation
}
