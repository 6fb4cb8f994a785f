import PruneGraph
import PruneTensor

/// Appends the nodes of losses to a specialized model.
struct LossWriter {
  var special: Specialization
  var usedNames: Set<String>

  init(_ special: Specialization, usedNames: Set<String>) {
    self.special = special
    self.usedNames = usedNames
  }

  mutating func name(_ base: String) -> String { Graph.uniqueName(base, &usedNames) }

  /// Appends a node and returns its first output.
  mutating func emit(
    _ opType: String, _ inputs: [String], _ attributes: [Attribute] = [], domain: String = "", outputs: Int = 1
  ) throws(PruneError) -> String {
    let names = (0..<outputs).map { _ in name("loss.\(opType)") }
    try special.append(
      Node(opType, domain: domain, name: "loss", inputs: inputs, outputs: names, attributes: attributes))
    return names[0]
  }

  mutating func constant(_ tensor: Tensor) -> String {
    let name = name("loss.constant")
    special.define(name, tensor)
    return name
  }

  mutating func number(_ value: Double) throws(PruneError) -> String { constant(try Tensor(scalar: Float(value))) }

  /// - Throws: `.unsupported` when an extent depends on the data.
  func shape(_ value: String) throws(PruneError) -> Shape {
    guard let shape = special.types.shape(value) else {
      throw PruneError(.unsupported, "the shape of '\(value)' depends on the data")
    }
    return shape
  }

  mutating func reshape(_ value: String, to shape: Shape) throws(PruneError) -> String {
    if try self.shape(value) == shape { return value }
    return try emit("Reshape", [value, constant(try Tensor(shape.dims.map(Int64.init)))])
  }

  /// [positions, classes] of a value that has its classes along an axis.
  mutating func rows(of value: String, classes axis: Int) throws(PruneError) -> String {
    let shape = try shape(value), last = shape.rank - 1
    let order = (0...last).filter { $0 != axis } + [axis]
    let moved = axis == last ? value : try emit("Transpose", [value], [Attribute("perm", .integers(order))])
    return try reshape(moved, to: Shape([shape.count / max(shape[axis], 1), shape[axis]]))
  }

  /// The sum, or mean, of all elements, a scalar.
  mutating func total(_ value: String, mean: Bool = false) throws(PruneError) -> String {
    try emit(mean ? "ReduceMean" : "ReduceSum", [value], [Attribute("keepdims", .int(0))])
  }

  /// The mean over some axes, which stay with an extent of 1.
  mutating func mean(_ value: String, over axes: [Int]) throws(PruneError) -> String {
    guard special.model.opset() ?? Model.defaultOpset >= 18 else {
      return try emit("ReduceMean", [value], [Attribute("axes", .integers(axes))])
    }
    return try emit("ReduceMean", [value, constant(try Tensor(axes.map(Int64.init)))])
  }

  /// log(max(value, 1e-15)).
  mutating func logarithm(_ value: String) throws(PruneError) -> String {
    let least = try number(1e-15)
    return try emit("Log", [emit("Max", [value, least])])
  }
}
