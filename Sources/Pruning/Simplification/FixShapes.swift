import PruneEvaluation
import PruneGraph
import PruneTensor

/// A model with extents written in that it left open, and the arithmetic on shapes that they settle made constants.
/// - Throws: what `ShapeBinding.extents` throws; `.mismatch` naming the node that the extents do not suit.
package func fixShapes(_ model: Model, _ shapes: ShapeBinding) throws(PruneError) -> Model {
  let extents = try shapes.extents(of: model), layout = OpenExtents(model)
  func named(_ name: String) -> Int? { extents[.named(name)] ?? layout.derived[name]?.value { extents[.named($0)] } }
  func fixed(_ type: TensorType?, input: String? = nil) -> TensorType? {
    guard var type else { return nil }
    type.dims = type.dims?.enumerated().map { axis, dim in
      if case .named(let name) = dim { return named(name).map(Dim.fixed) ?? dim }
      guard dim == .unknown, let input else { return dim }
      return extents[.axis(input: input, index: axis)].map(Dim.fixed) ?? dim
    }
    return type
  }
  var result = model
  for (place, info) in model.graph.inputs.enumerated() {
    var type = fixed(info.type, input: info.name)
    if type?.dims == nil, let entry = shapes.entries.first(where: { $0.name == info.name }) {
      type = TensorType(type?.dtype, entry.extents.map(Dim.fixed))
    }
    if let type, type != info.type { result.graph.inputs[place].type = type }
  }
  for (place, info) in model.graph.outputs.enumerated() {
    if let type = fixed(info.type), type != info.type { result.graph.outputs[place].type = type }
  }
  // Types of inner values follow from the inputs; those that exporters noted are of open extents.
  result.graph.valueInfo.removeAll { $0.type?.shape == nil }
  let types = try ShapeInference.run(result)
  for (place, info) in result.graph.outputs.enumerated() {
    guard let shape = types.types[info.name]?.shape, info.type?.dims?.count == shape.rank, info.type?.shape == nil else { continue }
    result.graph.outputs[place].type?.dims = shape.dims.map(Dim.fixed)
  }
  var folding = ConstantFolding(result)
  folding.foldShapes(types)
  return folding.finished
}
