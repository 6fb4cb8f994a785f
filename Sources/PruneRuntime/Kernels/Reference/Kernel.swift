import PruneGraph
import PruneTensor

/// How a kernel wants its inputs, so that each is written for few element types.
enum Widening {
  /// No conversion.
  case none
  /// float16 and bfloat16 as float32.
  case halves
  /// As `halves`, and integers under 64 bits as int64.
  case numbers
}

/// A kernel as it is written: on checked inputs, for few element types.
struct Kernel: Sendable {
  private let widening: Widening
  private let body: @Sendable (KernelCall) throws(PruneError) -> [Tensor]

  init(
    _ widening: Widening = .none,
    _ body: @escaping @Sendable (KernelCall) throws(PruneError) -> [Tensor]
  ) {
    self.widening = widening
    self.body = body
  }

  /// Checks the node against its inference rule, widens the inputs, computes, and narrows the outputs to their dtypes.
  func callAsFunction(_ node: Node, _ inputs: [Tensor?], _ opset: Int64) throws(PruneError)
    -> [Tensor]
  {
    do throws(PruneError) {
      let types = inputs.map { $0.map { TensorType($0.dtype, $0.shape) } }
      let operands = try Operands(node, types: types, constants: inputs, opset: opset)
      guard let outputs = try InferenceRules.infer(operands) else {
        throw PruneError(.internal, "the operator has a kernel and no inference rule")
      }
      try Self.refuseAbsurdEmptiness(types, operands)
      try Self.refuseAbsurdEmptiness(outputs, operands)
      var call = KernelCall(operands: operands, inputs: inputs, outputs: outputs)
      for (index, input) in inputs.enumerated() {
        if let input { call.inputs[index] = try widened(input) }
      }
      var results = try body(call)
      for (index, type) in outputs.enumerated() where index < results.count {
        if let dtype = type.dtype, dtype != results[index].dtype {
          results[index] = try results[index].cast(to: dtype)
        }
      }
      return results
    } catch { throw error.located(at: node.label) }
  }

  /// A tensor without elements may still have an extent that no loop gets through.
  private static func refuseAbsurdEmptiness(_ types: [TensorType?], _ operands: Operands)
    throws(PruneError)
  {
    for case let shape? in types.map({ $0?.shape }) where shape.count == 0 {
      guard shape.dims.allSatisfy({ $0 <= KernelCall.elementLimit }) else {
        throw PruneError(.unsupported, "a tensor of shape \(shape)", at: operands.node.label)
      }
    }
  }

  private func widened(_ tensor: Tensor) throws(PruneError) -> Tensor {
    switch (widening, tensor.dtype) {
    case (.halves, .float16), (.halves, .bfloat16), (.numbers, .float16), (.numbers, .bfloat16):
      return try tensor.cast(to: .float32)
    case (.numbers, .int8), (.numbers, .int16), (.numbers, .int32), (.numbers, .uint8),
      (.numbers, .uint16),
      (.numbers, .uint32):
      return try tensor.cast(to: .int64)
    default: return tensor
    }
  }
}

/// One evaluation of a node.
struct KernelCall {
  /// The node with the inputs as they came; what shape rules are asked with.
  let operands: Operands
  /// The inputs, widened as the kernel wants them.
  var inputs: [Tensor?]
  /// The output types as the inference rule gives them.
  let outputs: [TensorType]

  var node: Node { operands.node }
  var opset: Int64 { operands.opset }

  func fail(_ message: String) -> PruneError { operands.fail(message) }
  func unsupported(_ message: String) -> PruneError {
    PruneError(.unsupported, message, at: node.label)
  }

  func optional(_ index: Int) -> Tensor? { index < inputs.count ? inputs[index] : nil }

  func tensor(_ index: Int) throws(PruneError) -> Tensor {
    guard let tensor = optional(index) else {
      throw PruneError(.invalidModel, "input \(index) is absent", at: node.label)
    }
    return tensor
  }

  /// All inputs of a variadic operator.
  func tensors() throws(PruneError) -> [Tensor] {
    var result: [Tensor] = []
    for index in inputs.indices { result.append(try tensor(index)) }
    return result
  }

  /// The shape of an output.
  func shape(_ index: Int = 0) throws(PruneError) -> Shape {
    guard index < outputs.count, let shape = outputs[index].shape else {
      throw fail("the shape of output \(index) cannot be told from the inputs")
    }
    return shape
  }

  /// The dtype of an output.
  func dtype(_ index: Int = 0) throws(PruneError) -> DType {
    guard index < outputs.count, let dtype = outputs[index].dtype else {
      throw fail("the dtype of output \(index) cannot be told from the inputs")
    }
    return dtype
  }

  /// An axis attribute, counted from the start of `rank` axes.
  func axis(_ name: String = "axis", default value: Int, rank: Int) throws(PruneError) -> Int {
    try operands.axis(node.int(name, default: value), rank: rank)
  }

  /// Whether the node asks for an output.
  func wants(_ output: Int) -> Bool { node.output(output) != nil }

  // MARK: - Values as Double

  /// An input's elements as Double; the reference kernels compute in it at any dtype.
  func doubles(_ index: Int) throws(PruneError) -> [Double] { try doubles(tensor(index)) }

  func doubles(_ tensor: Tensor) throws(PruneError) -> [Double] {
    try check(tensor.count)
    return try tensor.doubles()
  }

  /// An input of one element.
  func number(_ index: Int) throws(PruneError) -> Double {
    let tensor = try tensor(index)
    guard tensor.count == 1 else {
      throw fail("input \(index) is \(tensor.shape), wanted one number")
    }
    return try tensor.doubles()[0]
  }

  /// An integer input's elements.
  func integers(_ index: Int) throws(PruneError) -> [Int] {
    let tensor = try tensor(index)
    try check(tensor.count)
    do { return try tensor.integers() } catch { throw fail("input \(index): \(error.message)") }
  }

  /// Output `index` from its values.
  func result(_ values: [Double], _ index: Int = 0) throws(PruneError) -> Tensor {
    let double = try Tensor(values, try shape(index))
    return try double.cast(to: try dtype(index))
  }

  /// The most elements of an array: an allocation that fails would end the process.
  static let elementLimit = 1 << 28

  /// - Throws: `.outOfMemory` for more elements than a kernel makes arrays of.
  func check(_ count: Int) throws(PruneError) {
    guard count <= Self.elementLimit else {
      throw PruneError(
        .outOfMemory, "\(count) elements are more than this kernel takes", at: node.label)
    }
  }
}
