import CPrune
import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning

/// Extents by name, as C gives them.
private func binding(
  _ names: UnsafePointer<UnsafePointer<CChar>?>?, _ extents: UnsafePointer<UnsafePointer<Int64>?>?, _ ranks: UnsafePointer<Int>?,
  _ count: Int
) throws(PruneError) -> ShapeBinding {
  let names = try texts(names, count, "names"), lists = try elements(extents, count, "extents")
  let ranks = try elements(ranks, count, "ranks")
  var entries: [(name: String, extents: [Int])] = []
  for index in names.indices {
    let list = try elements(lists[index], ranks[index], "extents[\(index)]")
    entries.append((names[index], list.map { Int($0) }))
  }
  return ShapeBinding(entries)
}

@_cdecl("prune_model_fix_shapes") @implementation
public func prune_model_fix_shapes(
  _ model: OpaquePointer!, _ names: UnsafePointer<UnsafePointer<CChar>?>!, _ extents: UnsafePointer<UnsafePointer<Int64>?>!,
  _ ranks: UnsafePointer<Int>!, _ count: Int, _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let fixed = try fixShapes(box.model, try binding(names, extents, ranks, count))
    out.pointee = Handles.make(ModelBox(fixed, box.context))
  }
}

@_cdecl("prune_model_simplify") @implementation
public func prune_model_simplify(
  _ model: OpaquePointer!, _ out_model: UnsafeMutablePointer<OpaquePointer?>!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let (simple, report) = try simplify(box.model, cancel: box.cancel)
    out.pointee = Handles.make(ModelBox(simple, box.context))
    give(report, out_report)
  }
}
