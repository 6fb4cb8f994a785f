import CPrune
import PruneData
import PruneEvaluation
import PruneTensor

@_cdecl("prune_dataset_input_count") @implementation
public func prune_dataset_input_count(_ dataset: OpaquePointer!) -> Int {
  (try? Handles.object(dataset, DatasetBox.self))?.dataset.columns.count ?? 0
}

@_cdecl("prune_dataset_input") @implementation
public func prune_dataset_input(
  _ dataset: OpaquePointer!, _ index: Int, _ out_info: UnsafeMutablePointer<prune_value_info>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_info, "out_info")
    let info = try Handles.object(dataset, DatasetBox.self).info(index)
    try write(info, out, size: out.pointee.struct_size, "prune_value_info")
  }
}

@_cdecl("prune_dataset_class_name") @implementation
public func prune_dataset_class_name(_ dataset: OpaquePointer!, _ index: Int) -> UnsafePointer<CChar>! {
  (try? Handles.object(dataset, DatasetBox.self))?.cClassName(index)
}

@_cdecl("prune_dataset_broken") @implementation
public func prune_dataset_broken(
  _ dataset: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let files = try Handles.object(dataset, DatasetBox.self).dataset.brokenFiles
    var report = Report(title: "broken files")
    report["count"] = .integer(files.count)
    report["files"] = .list(
      files.map { .report(Report(title: "", entries: [("file", .text($0.file)), ("reason", .text($0.reason))])) })
    give(report, out)
  }
}

@_cdecl("prune_dataset_layout") @implementation
public func prune_dataset_layout(_ dataset: OpaquePointer!) -> UnsafePointer<CChar>! {
  guard let layout = (try? Handles.object(dataset, DatasetBox.self))?.dataset.layout else { return nil }
  return layout == .nchw ? layoutNames.nchw : layoutNames.nhwc
}

/// Safe: two strings that nobody writes to or frees.
nonisolated(unsafe) private let layoutNames: (nchw: UnsafePointer<CChar>?, nhwc: UnsafePointer<CChar>?) = {
  let strings = Unmanaged.passRetained(CStringArena()).takeUnretainedValue()
  return (strings.string("nchw"), strings.string("nhwc"))
}()

@_cdecl("prune_dataset_to_layout") @implementation
public func prune_dataset_to_layout(
  _ dataset: OpaquePointer!, _ layout: UnsafePointer<CChar>!, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    try data.to(try Layout("layout", named: try text(layout, "layout")))
  }
}

@_cdecl("prune_dataset_set_layout") @implementation
public func prune_dataset_set_layout(
  _ dataset: OpaquePointer!, _ layout: UnsafePointer<CChar>!, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    let target = try Layout("layout", named: try text(layout, "layout"))
    guard !data.isStream || target == data.layout else {
      throw PruneError(
        .unsupported, "the images are read as \(data.layout.rawValue)", hint: "give layout to prune.data.images")
    }
    return data.declared(target)
  }
}
