import CPrune
import PruneEvaluation
import PruneTensor
import Pruning

@_cdecl("prune_ensemble_create") @implementation
public func prune_ensemble_create(
  _ models: UnsafePointer<OpaquePointer?>!, _ count: Int, _ options: UnsafePointer<prune_ensemble_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let boxes = try elements(models, count, "models").mapThrowing { handle throws(PruneError) in try ModelBox.enter(handle) }
    let given = try PruneABI.options(options, zero: prune_ensemble_options(), "prune_ensemble_options")
    var wanted = EnsembleOptions()
    if let method = try optionalText(given.method, "method") { wanted.method = method }
    wanted.data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    wanted.epochs = Int(given.epochs)
    wanted.seed = given.seed
    wanted.cancel = boxes.first?.cancel
    let members = boxes.enumerated().map { (label: "model \($0 + 1)", model: $1.model) }
    let (model, report) = try ensemble(members, wanted)
    out.pointee = Handles.make(ModelBox(model, boxes.first?.context))
    give(report, out_report)
  }
}

@_cdecl("prune_model_search") @implementation
public func prune_model_search(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_search_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let given = try PruneABI.options(options, zero: prune_search_options(), "prune_search_options")
    var wanted = SearchOptions()
    wanted.data = try Handles.optional(given.data, DatasetBox.self)?.dataset
    wanted.calibration = try Handles.optional(given.calibration, DatasetBox.self)?.dataset
    if let objective = try optionalText(given.objective, "objective") { wanted.objective = objective }
    wanted.metric = try optionalText(given.metric, "metric")
    wanted.custom = customMetric(given.on_metric, given.user, given.lower_is_better, box.context)
    if given.max_drop != 0 { wanted.maxDrop = try number(given.max_drop, "max_drop", in: 0...1e9) }
    wanted.budget = try number(given.budget, "budget", in: 0...1e6)
    wanted.seed = given.seed
    wanted.output = try optionalText(given.output, "output")
    wanted.cancel = box.cancel
    let sink = EventSink(callback: given.on_event, user: given.user)
    wanted.onCandidate = { tried in
      var event = EventSink.blank(PRUNE_EVENT_PRUNE)
      event.step = UInt32(clamping: tried)
      return sink.send(event)
    }
    let (found, report) = try search(box.model, wanted)
    out.pointee = Handles.make(ModelBox(found, box.context))
    give(report, out_report)
  }
}
