import CPrune
import PruneEvaluation
import PruneFormats
import PruneTensor

extension LoadedWeights {
  fileprivate var report: Report {
    func list(_ names: [String]) -> ReportValue { .list(names.map { .text($0) }) }
    func text(_ kind: (dtype: DType, shape: Shape)) -> ReportValue { .text("\(kind.dtype.name) \(kind.shape)") }
    var report = Report(title: "weights")
    report["matched"] = .integer(matched.count)
    report["missing"] = list(missing)
    report["unexpected"] = list(unexpected)
    report["differing"] = .list(
      differing.map { one in
        var entry = Report(title: "")
        entry["name"] = .text(one.name)
        entry["model"] = text(one.expected)
        entry["file"] = text(one.actual)
        entry["transposition"] = one.transposition.map { .list($0.map { .integer($0) }) }
        return .report(entry)
      })
    report["ignored"] = list(ignored)
    report["separated"] = list(separated)
    return report
  }
}

/// Puts entries into a model as C's options say.
private func assign(
  _ entries: [WeightEntry], to box: ModelBox, _ options: UnsafePointer<prune_weights_options>?,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>?
) throws(PruneError) {
  var settings = WeightsOptions()
  try settings.read(try PruneABI.options(options))
  let loaded = try LoadedWeights(entries, into: box.model, settings)
  if !loaded.matched.isEmpty { box.replace(loaded.model) }
  give(loaded.report, out_report)
}

@_cdecl("prune_model_load_weights") @implementation
public func prune_model_load_weights(
  _ model: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<prune_weights_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model), path = try text(path, "path")
    let entries = try WeightFormats.load(path: path)
    do throws(PruneError) { try assign(entries, to: box, options, out_report) } catch { throw error.located(at: path) }
  }
}

@_cdecl("prune_model_set_weights") @implementation
public func prune_model_set_weights(
  _ model: OpaquePointer!, _ tensors: OpaquePointer!, _ options: UnsafePointer<prune_weights_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model)
    try assign(
      try Handles.object(tensors, TensorsBox.self).entries.map { WeightEntry($0.name, $0.tensor) }, to: box, options,
      out_report)
  }
}

@_cdecl("prune_model_save_weights") @implementation
public func prune_model_save_weights(_ model: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model)
    try WeightFormats.save(box.model.weights, path: try text(path, "path"))
  }
}

@_cdecl("prune_tensors_load") @implementation
public func prune_tensors_load(
  _ path: UnsafePointer<CChar>!, _ out_tensors: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensors, "out_tensors"), path = try text(path, "path")
    let entries = try WeightFormats.load(path: path)
    do throws(PruneError) {
      out.pointee = Handles.make(
        TensorsBox(try entries.mapThrowing { entry throws(PruneError) in (entry.name, try entry.tensor()) }))
    } catch { throw error.located(at: path) }
  }
}

@_cdecl("prune_tensors_save") @implementation
public func prune_tensors_save(_ tensors: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    try WeightFormats.save(try Handles.object(tensors, TensorsBox.self).entries, path: try text(path, "path"))
  }
}
