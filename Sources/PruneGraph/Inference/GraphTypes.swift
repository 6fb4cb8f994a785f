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

/// The elements of an integer scalar or vector, each a number, a symbol or unknown.
package struct SymbolicValue: Hashable, Sendable {
  package var elements: [Dim]
  package var isScalar: Bool

  package init(_ elements: [Dim], isScalar: Bool = false) {
    self.elements = elements
    self.isScalar = isScalar
  }

  /// Longer tensors are data, not shapes.
  package static let limit = 64

  /// The elements of an integer tensor, nil when it is not a small scalar or vector.
  package init?(_ tensor: Tensor) {
    guard tensor.shape.rank <= 1, tensor.count <= Self.limit, let values = try? tensor.integers() else { return nil }
    self.init(values.map(Dim.fixed), isScalar: tensor.shape.rank == 0)
  }

  /// The numbers, when all are known.
  package var integers: [Int]? {
    let values = elements.compactMap(\.value)
    return values.count == elements.count ? values : nil
  }
}
