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
    let boxes = try elements(models, count, "models").mapThrowing { handle throws(PruneError) in
      try ModelBox.enter(handle)
    }
    var settings = EnsembleOptions()
    try settings.read(try PruneABI.options(options))
    settings.cancel = boxes.first?.cancel
    let members = boxes.enumerated().map { (label: "model \($0 + 1)", model: $1.model) }
    let (model, report) = try ensemble(members, settings)
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
    let request = try PruneABI.options(options)
    var settings = SearchOptions()
    try settings.read(request)
    settings.custom = customMetric(request.on_metric, request.user, request.lower_is_better, box.context)
    (settings.cancel, settings.communicator) = (box.cancel, box.communicator)
    let sink = EventSink(callback: request.on_event, user: request.user)
    settings.onCandidate = { candidate in
      var event = EventSink.blank(PRUNE_EVENT_PRUNE)
      event.step = UInt32(clamping: candidate.number)
      event.amount = candidate.amount
      event.seconds = candidate.seconds
      event.eta_seconds = candidate.secondsLeft
      return sink.send(event, name: candidate.way)
    }
    let (best, report) = try search(box.model, settings)
    out.pointee = Handles.make(ModelBox(best, box.context))
    give(report, out_report)
  }
}
