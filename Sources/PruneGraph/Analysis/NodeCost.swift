import PruneTensor

/// Multiply-accumulate operations of a node: one multiplication with its addition counts as 1.
package enum NodeCost {
  /// The MACs of a node that multiplies weights or matrices; 0 for any other. Nil while they depend on an extent that
  /// is not known.
  package static func macs(_ node: Node, inputs: [TensorType?], outputs: [TensorType?]) -> Int? {
    guard
      node.isStandard
        || node.domain == "com.microsoft" && ["MatMulNBits", "QGemm", "MatMulIntegerToFloat"].contains(node.opType)
    else { return 0 }
    func input(_ index: Int) -> [Int]? { index < inputs.count ? inputs[index]?.shape?.dims : nil }
    let output = outputs.first.flatMap { $0?.shape?.dims }
    switch node.opType {
    case "Conv", "ConvInteger", "DeformConv":
      // Every output element sums over its group's input channels and the kernel.
      guard let output, let weight = input(1) else { return nil }
      return product(output + weight.dropFirst())
    case "QLinearConv":
      guard let output, let weight = input(3) else { return nil }
      return product(output + weight.dropFirst())
    case "ConvTranspose":
      guard let data = input(0), let weight = input(1) else { return nil }
      return product(data + weight.dropFirst())
    case "Gemm":
      guard let output, let a = input(0), a.count == 2 else { return nil }
      return product(output + [node.int("transA", default: 0) != 0 ? a[0] : a[1]])
    case "MatMul", "MatMulInteger", "MatMulNBits", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat":
      guard let output, let a = input(0), let inner = a.last else { return nil }
      return product(output + [inner])
    case "Einsum": return einsum(node, inputs)
    case "RNN": return recurrent(node, input, gates: 1)
    case "GRU": return recurrent(node, input, gates: 3)
    case "LSTM": return recurrent(node, input, gates: 4)
    default: return 0
    }
  }

  /// The product, as large as an Int can say.
  private static func product(_ factors: [Int]) -> Int {
    var result = 1
    for factor in factors {
      let (next, overflow) = result.multipliedReportingOverflow(by: factor)
      guard !overflow else { return .max }
      result = next
    }
    return result
  }

  private static func einsum(_ node: Node, _ inputs: [TensorType?]) -> Int? {
    let shapes = inputs.compactMap { $0?.shape?.dims.map(Dim.fixed) }
    guard shapes.count == inputs.count, shapes.count > 1,
      let equation = try? EinsumEquation(node, ranks: shapes.map(\.count)),
      let extents = try? equation.extents(shapes, node)
    else { return nil }
    return product(extents.values.compactMap(\.value) + [shapes.count - 1])
  }

  /// Steps x batch x directions x (input and hidden units into all gates).
  private static func recurrent(_ node: Node, _ input: (Int) -> [Int]?, gates: Int) -> Int? {
    guard let data = input(0), let weight = input(1), let recurrence = input(2), data.count == 3,
      weight.count == 3,
      recurrence.count == 3
    else { return nil }
    let (width, overflow) = weight[2].addingReportingOverflow(recurrence[2])
    return overflow ? .max : product([data[0], data[1], weight[0], weight[1], width])
  }
}
