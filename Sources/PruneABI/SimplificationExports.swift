import CPrune
import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning

/// Extents by name, as C gives them.
func shapeBinding(_ shapes: UnsafePointer<prune_shape>?, _ count: Int, _ name: String) throws(PruneError)
  -> ShapeBinding
{
  var entries: [(name: String, extents: [Int])] = []
  for (index, shape) in try elements(shapes, count, name).enumerated() {
    let place = "\(name)[\(index)]"
    let extents = try elements(shape.extents, shape.rank, place + ".extents")
    entries.append((try text(shape.name, place + ".name"), extents.map { Int($0) }))
  }
  return ShapeBinding(entries)
}

@_cdecl("prune_model_fix_shapes") @implementation
public func prune_model_fix_shapes(
  _ model: OpaquePointer!, _ shapes: UnsafePointer<prune_shape>!, _ count: Int,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let fixed = try fixShapes(box.model, try shapeBinding(shapes, count, "shapes"))
    out.pointee = Handles.make(ModelBox(fixed, box.context))
  }
}

@_cdecl("prune_model_simplify") @implementation
public func prune_model_simplify(
  _ model: OpaquePointer!, _ out_model: UnsafeMutablePointer<OpaquePointer?>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ModelBox.enter(model)
    let (simple, report) = try simplify(box.model, cancel: box.cancel)
    out.pointee = Handles.make(ModelBox(simple, box.context))
    give(report, out_report)
  }
}
