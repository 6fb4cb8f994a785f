import CPrune
import PruneEvaluation
import PruneTensor
import PruneTraining

@_cdecl("prune_zoo_create") @implementation
public func prune_zoo_create(
  _ context: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ options: UnsafePointer<prune_zoo_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ContextBox.enter(context)
    var settings = ZooOptions()
    try settings.read(try PruneABI.options(options))
    out.pointee = Handles.make(ModelBox(try Zoo.make(try text(name, "name"), settings), box))
  }
}

/// What a C callback is called with, and whether it asked to stop.
struct EventSink {
  let callback: prune_event_callback?
  let user: UnsafeMutableRawPointer?

  /// True when the callback wants to stop.
  func send(_ event: prune_event, name: String? = nil) -> Bool {
    guard let callback else { return false }
    var event = event
    event.struct_size = UInt32(MemoryLayout<prune_event>.size)
    guard let name else { return withUnsafePointer(to: &event) { callback($0, user) } != 0 }
    // Safe: the text lives through the callback, which must not keep it.
    return name.withCString { text in
      event.name = text
      return withUnsafePointer(to: &event) { callback($0, user) } != 0
    }
  }

  static func blank(_ kind: prune_event_kind) -> prune_event {
    var event = prune_event()
    event.kind = kind
    event.loss = .nan
    event.accuracy = .nan
    event.validation_loss = .nan
    event.validation_accuracy = .nan
    event.metric = .nan
    event.amount = .nan
    event.seconds = .nan
    event.eta_seconds = .nan
    return event
  }

  func send(_ progress: FitEvent) -> Bool {
    var event = Self.blank(progress.isEpochEnd ? PRUNE_EVENT_EPOCH : PRUNE_EVENT_STEP)
    event.epoch = UInt32(clamping: progress.epoch)
    event.epochs = UInt32(clamping: progress.epochs)
    event.step = UInt32(clamping: progress.step)
    event.steps = UInt32(clamping: progress.steps)
    event.loss = progress.loss
    event.accuracy = progress.accuracy ?? .nan
    event.validation_loss = progress.validationLoss ?? .nan
    event.validation_accuracy = progress.validationAccuracy ?? .nan
    event.seconds = progress.secondsElapsed
    event.eta_seconds = progress.etaSeconds
    return send(event)
  }
}

@_cdecl("prune_model_fit") @implementation
public func prune_model_fit(
  _ model: OpaquePointer!, _ data: OpaquePointer!, _ options: UnsafePointer<prune_fit_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model)
    let dataset = try Handles.object(data, DatasetBox.self).dataset
    let settings = try fitOptions(options, box.context)
    var trained = box.model
    let history: Report
    do throws(PruneError) { history = try fit(&trained, dataset, settings) } catch {
      // The weights from before the fit, or from the end of the last epoch.
      if error.status == .numeric { box.replace(trained) }
      throw error
    }
    box.replace(trained)
    give(history, out_report)
    if case .flag(true)? = history["stopped"] {
      throw PruneError(.cancelled, "the fit was stopped", hint: "the model keeps the last complete step")
    }
  }
}
