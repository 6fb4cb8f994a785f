import PruneTensor

/// What an inference rule sees of a node: its attributes, and the types and known values of its inputs.
package struct Operands {
  package let node: Node
  package let types: [TensorType?]
  package let constants: [Tensor?]
  package let values: [SymbolicValue?]
  /// The version of the node's operator set.
  package let opset: Int64

  /// - Throws: `.mismatch` when an input's extent is negative or absurd, so that rules may add extents freely.
  package init(
    _ node: Node, types: [TensorType?], constants: [Tensor?], values: [SymbolicValue?] = [],
    opset: Int64
  ) throws(PruneError) {
    self.node = node
    self.types = types
    self.constants = constants
    self.values = values
    self.opset = opset
    for (index, type) in types.enumerated() {
      for case .fixed(let extent) in type?.dims ?? [] where extent < 0 || extent > Self.extentLimit {
        throw fail("input \(index) is \(type?.description ?? "?"), which is not possible")
      }
    }
  }

  /// No extent, stride, pad or kernel is above this, so that a few of them multiply without overflow.
  package static let extentLimit = 1 << 48

  // MARK: - Inputs

  package var inputCount: Int { types.count }
  package func has(_ index: Int) -> Bool { node.input(index) != nil }
  package func type(_ index: Int) -> TensorType? { index < types.count ? types[index] : nil }
  package func dims(_ index: Int) -> [Dim]? { type(index)?.dims }
  package func dtype(_ index: Int) -> DType? { type(index)?.dtype }
  package func constant(_ index: Int) -> Tensor? {
    index < constants.count ? constants[index] : nil
  }

  /// The numbers of an integer input, when they are known.
  package func integers(_ index: Int) throws(PruneError) -> [Int]? {
    if let tensor = constant(index) {
      do { return try tensor.integers() } catch { throw fail("input \(index): \(error.message)") }
    }
    return index < values.count ? values[index]?.integers : nil
  }

  /// The elements of an integer input as extents, when there is something to say about them.
  package func elements(_ index: Int) throws(PruneError) -> [Dim]? {
    if let numbers = try integers(index) { return numbers.map(Dim.fixed) }
    return index < values.count ? values[index]?.elements : nil
  }

  /// The single number of an integer input, when it is known.
  package func integer(_ index: Int) throws(PruneError) -> Int? {
    guard let numbers = try integers(index) else { return nil }
    guard numbers.count == 1 else {
      throw fail("input \(index) has \(numbers.count) elements, wanted one")
    }
    return numbers[0]
  }

  /// The number of elements of a vector input, when it is known.
  package func length(_ index: Int) throws(PruneError) -> Int? {
    if let numbers = try elements(index) { return numbers.count }
    guard let dims = dims(index), dims.count == 1 else { return nil }
    return dims[0].value
  }

  // MARK: - Attributes and checks

  /// An error about this node, for `throw`.
  package func fail(_ message: String, hint: String = "") -> PruneError {
    PruneError(.mismatch, message, at: node.label, hint: hint)
  }

  /// The dims of an input that must have at least `minimum` axes.
  package func dims(_ index: Int, atLeast minimum: Int) throws(PruneError) -> [Dim]? {
    guard let dims = dims(index) else { return nil }
    guard dims.count >= minimum else {
      throw fail(
        "input \(index) is \(type(index)?.description ?? "?"), wanted at least \(minimum) axes")
    }
    return dims
  }

  /// The dims of an input that must have exactly `rank` axes.
  package func dims(_ index: Int, rank: Int) throws(PruneError) -> [Dim]? {
    guard let dims = dims(index) else { return nil }
    guard dims.count == rank else {
      throw fail("input \(index) is \(type(index)?.description ?? "?"), wanted \(rank) axes")
    }
    return dims
  }

  /// `axis` counted from the start of `rank` axes.
  package func axis(_ axis: Int, rank: Int) throws(PruneError) -> Int {
    guard axis >= -rank, axis < rank else {
      throw fail("axis \(axis) is outside \(-rank)..<\(rank)")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// The axes counted from the start, each once.
  package func axes(_ axes: [Int], rank: Int) throws(PruneError) -> [Int] {
    var result: [Int] = []
    for entry in axes {
      let position = try axis(entry, rank: rank)
      guard !result.contains(position) else { throw fail("axis \(entry) is listed twice") }
      result.append(position)
    }
    return result
  }

  /// The dtype that `to` or `dtype` style attributes name.
  package func dtypeAttribute(_ name: String) throws(PruneError) -> DType? {
    guard let code = node.int(name) else { return nil }
    guard let raw = Int32(exactly: code), let dtype = DType(rawValue: raw) else {
      throw fail("attribute \(name) is \(code), which is no element type")
    }
    return dtype
  }

  /// An attribute that must lie in a range.
  package func int(_ name: String, default value: Int, in range: ClosedRange<Int>)
    throws(PruneError) -> Int
  {
    let number = node.int(name, default: value)
    guard range.contains(number) else {
      throw fail("attribute \(name) is \(number), wanted \(range.lowerBound)...\(range.upperBound)")
    }
    return number
  }
}
