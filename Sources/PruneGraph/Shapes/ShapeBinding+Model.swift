import PruneTensor

extension ShapeBinding {
  /// The model with the extents in the types of its inputs and outputs.
  /// - Throws: what `extents(of:)` throws.
  package func bound(_ model: Model) throws(PruneError) -> Model {
    guard !isEmpty else { return model }
    let extents = try extents(of: model), layout = OpenExtents(model)
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
      if type?.dims == nil, let entry = entries.first(where: { $0.name == info.name }) {
        type = TensorType(type?.dtype, entry.extents.map(Dim.fixed))
      }
      if let type, type != info.type { result.graph.inputs[place].type = type }
    }
    for (place, info) in model.graph.outputs.enumerated() {
      if let type = fixed(info.type), type != info.type { result.graph.outputs[place].type = type }
    }
    return result
  }
}
