import CPrune
import PruneEvaluation
import PruneTensor
import Pruning
import Quantization

@_cdecl("prune_model_significance") @implementation
public func prune_model_significance(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_significance_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    let request = try PruneABI.options(options)
    var settings = SignificanceOptions()
    try settings.read(request)
    settings.scores = try userScores(request.scores, request.on_score, request.user)
    (settings.cancel, settings.communicator) = (box.cancel, box.communicator)
    give(try significance(box.model, settings), out)
  }
}

@_cdecl("prune_model_sensitivity") @implementation
public func prune_model_sensitivity(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_sensitivity_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    let request = try PruneABI.options(options)
    var settings = SensitivityOptions()
    try settings.read(request)
    settings.custom = customMetric(request.on_metric, request.user, request.lower_is_better, box.context)
    (settings.cancel, settings.communicator) = (box.cancel, box.communicator)
    let sink = EventSink(callback: request.on_event, user: request.user)
    settings.onLayer = { progress in
      var event = EventSink.blank(PRUNE_EVENT_PRUNE)
      event.step = UInt32(clamping: progress.layer)
      event.steps = UInt32(clamping: progress.layers)
      event.metric = progress.lowest
      event.seconds = progress.seconds
      event.eta_seconds = progress.seconds / Double(max(progress.layer, 1)) * Double(progress.layers - progress.layer)
      return sink.send(event, name: progress.name)
    }
    give(try sensitivity(box.model, settings), out)
  }
}

/// Scores of the caller's own, from named tensors or a callback; nil when there are neither.
private func userScores(
  _ tensors: OpaquePointer?, _ callback: prune_score_callback?, _ user: UnsafeMutableRawPointer?
) throws(PruneError) -> ((String, Tensor) throws(PruneError) -> Tensor)? {
  if let scoreTensors = try Handles.optional(tensors, TensorsBox.self) {
    guard callback == nil else {
      throw PruneError(.invalidArgument, "both scores and on_score are given", hint: "give one of the two")
    }
    return { name, _ throws(PruneError) in
      guard let scores = scoreTensors[name] else {
        throw PruneError(
          .notFound, "there are no scores of weight '\(name)'",
          hint: Suggestion.hint(for: name, among: scoreTensors.names))
      }
      return scores
    }
  }
  guard let callback else { return nil }
  return { name, weight throws(PruneError) in
    var scores = try Tensor(zeros: .float32, weight.shape)
    let base = try scores.mutableBase()
    let handle = Handles.make(TensorBox(weight))
    // Safe: the callback gets room for as many floats as the weight has elements, all of them written to before.
    let status = name.withCString { callback($0, handle, base.assumingMemoryBound(to: Float.self), user) }
    Handles.free(handle, TensorBox.self)
    guard status == 0 else { throw PruneError(.cancelled, "the callback that scores weights asked to stop", at: name) }
    return scores
  }
}

/// A guard of C as that of Swift.
func guardOptions(_ pointer: UnsafePointer<prune_guard>?, _ context: ContextBox?) throws(PruneError) -> GuardOptions? {
  guard pointer != nil else { return nil }
  let request = try options(pointer, at: "guard")
  let data = try Handles.optional(request.data, DatasetBox.self)?.dataset
  let custom = customMetric(request.on_metric, request.user, request.lower_is_better, context)
  guard data != nil || custom != nil else {
    throw PruneError(
      .invalidArgument, "the guard has no data",
      hint: "set guard.data to the data its metric is measured on, or guard.on_metric to a metric of your own")
  }
  guard request.lower_is_better == 0 || custom != nil else {
    throw PruneError(.invalidArgument, "guard.lower_is_better is of a metric of your own, and there is none")
  }
  let implied = custom != nil ? "metric" : data?.y?.dtype == .int64 ? "accuracy" : "loss"
  return GuardOptions(
    data: data, metric: try optionalText(request.metric, "guard.metric") ?? implied,
    maxDrop: try optionalNumber(request.max_drop, "guard.max_drop", .nonnegative),
    bound: try optionalNumber(request.bound, "guard.bound", .any), custom: custom,
    output: try optionalText(request.output, "guard.output"))
}

/// The costs that a call aims at: those that were given.
private func targets(_ fields: [(CostTarget.Kind, Double)]) throws(PruneError) -> [CostTarget] {
  var result: [CostTarget] = []
  for (kind, fraction) in fields where fraction != notGiven {
    result.append(CostTarget(kind, try number(fraction, "target \(kind.rawValue)", .fraction)))
  }
  return result
}

@_cdecl("prune_model_groups") @implementation
public func prune_model_groups(
  _ model: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    give(try unitGroups(box.model, rules: box.context?.rules ?? [:]), out)
  }
}

@_cdecl("prune_model_draw") @implementation
public func prune_model_draw(_ model: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model)
    try GraphDrawing(box.model, rules: box.context?.rules ?? [:]).save(try text(path, "path"))
  }
}

/// Options of C as those of Swift.
private func pruneOptions(
  _ options: UnsafePointer<prune_prune_options>?, _ box: ModelBox
) throws(PruneError) -> PruneOptions {
  let request = try PruneABI.options(options)
  var settings = PruneOptions()
  try settings.read(request)
  if request.recover != nil { settings.recover = try fitOptions(request.recover, box.context, at: "recover") }
  if request.train != nil {
    settings.train = try fitOptions(request.train, box.context, at: "train", spreadsGrowth: true)
  }
  settings.guard = try guardOptions(request.guard, box.context)
  settings.custom = customMetric(request.on_metric, request.user, request.lower_is_better, box.context)
  settings.scores = try userScores(request.scores, request.on_score, request.user)
  settings.targets = try targets([
    (.macs, request.target_macs), (.params, request.target_params), (.bytes, request.target_bytes),
    (.latency, request.target_latency),
  ])
  settings.amounts = try layerAmounts(request)
  (settings.cancel, settings.communicator) = (box.cancel, box.communicator)
  settings.rules = box.context?.rules ?? [:]
  let sink = EventSink(callback: request.on_event, user: request.user)
  settings.onStep = { step in
    var event = EventSink.blank(PRUNE_EVENT_PRUNE)
    event.step = UInt32(clamping: step.step)
    event.steps = UInt32(clamping: step.steps)
    event.metric = step.metric ?? .nan
    event.amount = step.sparsity
    return sink.send(event)
  }
  return settings
}

/// Amounts by layer: patterns, and a fraction for each.
private func layerAmounts(_ request: prune_prune_options) throws(PruneError) -> [LayerAmounts.Entry] {
  let layers = try texts(request.amount_layers, request.amount_layer_count, "amount_layers")
  let values = try elements(request.amount_values, request.amount_value_count, "amount_values")
  guard layers.count == values.count else {
    throw PruneError(
      .invalidArgument, "there are \(layers.count) amount_layers and \(values.count) amount_values: one belongs to each"
    )
  }
  return zip(layers, values).map { LayerAmounts.Entry($0, $1) }
}

@_cdecl("prune_model_prune") @implementation
public func prune_model_prune(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_prune_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let outcome = try pruned(box.model, try pruneOptions(options, box))
    out.pointee = Handles.make(ModelBox(outcome.model, box.context))
    if let out_report {
      let report = ReportBox(outcome.report)
      report.journal = ReportBox.Journal(snapshots: outcome.snapshots, recipe: outcome.recipe, context: box.context)
      out_report.pointee = Handles.make(report)
    }
  }
}

@_cdecl("prune_model_compact") @implementation
public func prune_model_compact(
  _ model: OpaquePointer!, _ out_model: UnsafeMutablePointer<OpaquePointer?>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let (small, report) = try compact(box.model, rules: box.context?.rules ?? [:], cancel: box.cancel)
    out.pointee = Handles.make(ModelBox(small, box.context))
    give(report, out_report)
  }
}

@_cdecl("prune_model_keep_classes") @implementation
public func prune_model_keep_classes(
  _ model: OpaquePointer!, _ classes: UnsafePointer<Int64>!, _ count: Int,
  _ options: UnsafePointer<prune_prune_options>!, _ out_model: UnsafeMutablePointer<OpaquePointer?>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    var keepOptions = KeepClassesOptions()
    keepOptions.classes = try elements(classes, count, "classes").map { Int($0) }
    keepOptions.cancel = box.cancel
    if options != nil {
      let settings = try pruneOptions(options, box)
      keepOptions.validate = settings.validate
      keepOptions.batchSize = settings.batchSize
      if settings.amount != nil || settings.threshold != nil || settings.target != nil {
        keepOptions.prune = settings
        keepOptions.prune?.validate = nil
      }
    }
    let (small, report) = try keepClasses(box.model, keepOptions)
    out.pointee = Handles.make(ModelBox(small, box.context))
    give(report, out_report)
  }
}

@_cdecl("prune_model_factorize") @implementation
public func prune_model_factorize(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_factorize_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let request = try PruneABI.options(options)
    var settings = FactorizeOptions()
    try settings.read(request)
    settings.guard = try guardOptions(request.guard, box.context)
    settings.targets = try targets([
      (.macs, request.target_macs), (.params, request.target_params), (.bytes, request.target_bytes),
    ])
    settings.cancel = box.cancel
    let (small, report) = try factorize(box.model, settings)
    out.pointee = Handles.make(ModelBox(small, box.context))
    give(report, out_report)
  }
}

@_cdecl("prune_report_restore") @implementation
public func prune_report_restore(
  _ report: OpaquePointer!, _ index: Int, _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let journal = try journal(of: report)
    guard let model = journal.snapshots[index] else {
      let kept = journal.snapshots.keys.sorted().map(String.init).joined(separator: ", ")
      throw PruneError(
        .notFound, "the journal holds no model of entry \(index), counted from 0",
        hint: kept.isEmpty ? "no step was kept" : "there are those of entries \(kept)")
    }
    out.pointee = Handles.make(ModelBox(model, journal.context))
  }
}

@_cdecl("prune_report_recipe") @implementation
public func prune_report_recipe(_ report: OpaquePointer!, _ out_recipe: UnsafeMutablePointer<prune_buffer>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_recipe, "out_recipe")
    guard let recipe = try journal(of: report).recipe else {
      throw PruneError(
        .unsupported, "this prune has no recipe",
        hint: "scores of your own cannot be taken again from a text")
    }
    try fill(out, with: Array(recipe.utf8))
  }
}

private func journal(of report: OpaquePointer?) throws(PruneError) -> ReportBox.Journal {
  guard let journal = try Handles.object(report, ReportBox.self).journal else {
    throw PruneError(
      .invalidArgument, "the report is not one of prune_model_prune", hint: "give the whole report, not a part")
  }
  return journal
}

@_cdecl("prune_model_quantize") @implementation
public func prune_model_quantize(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_quantize_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let request = try PruneABI.options(options)
    var settings = QuantizeOptions()
    try settings.read(request)
    settings.guard = try guardOptions(request.guard, box.context)
    settings.cancel = box.cancel
    let (quantized, report) = try quantize(box.model, settings)
    out.pointee = Handles.make(ModelBox(quantized, box.context))
    give(report, out_report)
  }
}
