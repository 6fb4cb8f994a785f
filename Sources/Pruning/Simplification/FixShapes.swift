import PruneEvaluation
import PruneGraph
import PruneTensor

/// A model with extents written in that it left open, and the arithmetic on shapes that they settle made constants.
/// - Throws: what `ShapeBinding.extents` throws; `.mismatch` naming the node that the extents do not suit.
package func fixShapes(_ model: Model, _ shapes: ShapeBinding) throws(PruneError) -> Model {
  var result = try shapes.bound(model)
  // Types of inner values follow from the inputs; those that exporters noted are of open extents.
  result.graph.valueInfo.removeAll { $0.type?.shape == nil }
  let types = try ShapeInference.run(result)
  for (place, info) in result.graph.outputs.enumerated() {
    guard let shape = types.types[info.name]?.shape, info.type?.dims?.count == shape.rank, info.type?.shape == nil
    else { continue }
    result.graph.outputs[place].type?.dims = shape.dims.map(Dim.fixed)
  }
  var folding = ConstantFolding(result)
  folding.foldShapes(types)
  return folding.finished
}
