import PruneTensor

/// What shape inference found out about the values of a graph.
package struct GraphTypes: Sendable {
  /// The type of every value that has one, subgraph values included.
  package var types: [String: TensorType] = [:]
  /// Elements of small integer tensors: the results of Shape, Gather, Concat, … that later nodes take as shapes.
  package var values: [String: SymbolicValue] = [:]

  package init() {}

  /// The shape of a value when every extent is known.
  package func shape(_ name: String) -> Shape? { types[name]?.shape }
}

/// The elements of a small integer tensor, each a number, a symbol or unknown.
package struct SymbolicValue: Hashable, Sendable {
  package let elements: [Dim]
  /// The extents of the tensor itself.
  package let dims: [Int]

  package var isScalar: Bool { dims.isEmpty }
  package var isVector: Bool { dims.count == 1 }

  package init(_ elements: [Dim], isScalar: Bool = false) {
    self.elements = elements
    dims = isScalar ? [] : [elements.count]
  }

  /// Nil when the extents do not have as many elements.
  package init?(_ elements: [Dim], dims: [Int]) {
    guard elements.count <= Self.limit, (try? Shape(dims))?.count == elements.count else {
      return nil
    }
    self.elements = elements
    self.dims = dims
  }

  /// Longer tensors are data, not shapes.
  package static let limit = 64

  /// The elements of an integer tensor, nil when it is not a small one.
  package init?(_ tensor: Tensor) {
    guard tensor.count <= Self.limit, let values = try? tensor.integers() else { return nil }
    self.init(values.map(Dim.fixed), dims: tensor.shape.dims)
  }

  /// The element at every combination of positions along the axes.
  func picking(_ positions: [[Int]]) -> SymbolicValue? {
    var offsets = [0]
    for (axis, along) in positions.enumerated() {
      let stride = dims[(axis + 1)...].reduce(1, *)
      offsets = offsets.flatMap { offset in along.map { offset + $0 * stride } }
    }
    guard offsets.allSatisfy(elements.indices.contains) else { return nil }
    return SymbolicValue(offsets.map { elements[$0] }, dims: positions.map(\.count))
  }

  /// The numbers, when all are known.
  package var integers: [Int]? {
    let values = elements.compactMap(\.value)
    return values.count == elements.count ? values : nil
  }
}
