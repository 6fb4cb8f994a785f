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
    var wanted = EnsembleOptions()
    try wanted.read(try PruneABI.options(options))
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
    let given = try PruneABI.options(options)
    var wanted = SearchOptions()
    try wanted.read(given)
    wanted.custom = customMetric(given.on_metric, given.user, given.lower_is_better, box.context)
    (wanted.cancel, wanted.communicator) = (box.cancel, box.communicator)
    let sink = EventSink(callback: given.on_event, user: given.user)
    wanted.onCandidate = { candidate in
      var event = EventSink.blank(PRUNE_EVENT_PRUNE)
      event.step = UInt32(clamping: candidate.number)
      event.amount = candidate.amount
      event.seconds = candidate.seconds
      event.eta_seconds = candidate.secondsLeft
      return sink.send(event, name: candidate.way)
    }
    let (found, report) = try search(box.model, wanted)
    out.pointee = Handles.make(ModelBox(found, box.context))
    give(report, out_report)
  }
}
