import PruneTensor

/// Open extents of the inputs that follow with certainty from other parts of the model.
enum ImpliedExtents {
  /// - Returns: in a fixed order.
  static func of(_ model: Model) -> [(extent: OpenExtent, value: Int)] {
    let inputs = model.graph.trueInputs
    guard inputs.contains(where: { $0.type?.dims?.contains { $0.value == nil } ?? true }) else { return [] }
    return readers(model) + constants(model) + imageSize(model)
  }

  /// The extents that the layers after an input require of it.
  private static func readers(_ model: Model) -> [(extent: OpenExtent, value: Int)] {
    let implied = ImpliedInputs.of(model)
    var result: [(extent: OpenExtent, value: Int)] = []
    for input in model.graph.trueInputs {
      guard let extents = implied[input.name] else { continue }
      let dims = input.type?.dims ?? extents.map { _ in .unknown }
      for (axis, value) in extents.enumerated() {
        guard let value, let extent = OpenExtent(dims[axis], input: input.name, axis: axis),
          !result.contains(where: { $0.extent == extent })
        else { continue }
        result.append((extent, value))
      }
    }
    return result
  }

  /// What operators on constants demand: a table that is added to a sequence has the sequence's length, a matrix as
  /// many rows as what it is multiplied with.
  private static func constants(_ model: Model) -> [(extent: OpenExtent, value: Int)] {
    guard let graphTypes = try? ShapeInference.run(model) else { return [] }
    var result: [(extent: OpenExtent, value: Int)] = []
    func equal(_ a: Dim, _ b: Dim) {
      guard case .named(let name) = a, let value = b.value, value > 1 else { return }
      let extent = OpenExtent.named(name)
      if !result.contains(where: { $0.extent == extent }) { result.append((extent, value)) }
    }
    for node in model.graph.nodes where node.isStandard {
      let dims = node.inputs.map { graphTypes.types[$0]?.dims }
      switch node.opType {
      case _ where node.operation?.kind == .broadcasting:
        for (index, a) in dims.enumerated() {
          for (other, b) in dims.enumerated() where other != index {
            for (x, y) in zip((a ?? []).reversed(), (b ?? []).reversed()) { equal(x, y) }
          }
        }
      case "MatMul" where dims.count == 2:
        guard let a = dims[0], let b = dims[1], a.count > 1, b.count > 1, let x = a.last else { continue }
        equal(x, b[b.count - 2])
        equal(b[b.count - 2], x)
      default: continue
      }
    }
    return result
  }

  /// The size of images that Ultralytics' exporter writes down: `imgsz` is `[height, width]`.
  private static func imageSize(_ model: Model) -> [(extent: OpenExtent, value: Int)] {
    guard let text = model.metadata.first(where: { $0.key == "imgsz" })?.value else { return [] }
    let numbers = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
    guard numbers.count == 2, numbers.allSatisfy({ $0 > 0 && $0 <= 1 << 16 }) else { return [] }
    var result: [(extent: OpenExtent, value: Int)] = []
    for input in model.graph.trueInputs {
      guard let dims = input.type?.dims, dims.count == 4 else { continue }
      for axis in 2...3 {
        if let extent = OpenExtent(dims[axis], input: input.name, axis: axis) {
          result.append((extent, numbers[axis - 2]))
        }
      }
    }
    return result
  }
}
