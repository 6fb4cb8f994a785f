/// The operands at which layers take their trained parameters.
extension Node {
  /// Inputs at which the operator takes its kernel, matrix, table or gates: what is pruned and quantized. Empty for an
  /// operator that has none.
  package var weightOperands: [Int] {
    guard isStandard else { return [] }
    switch opType {
    case "Conv", "ConvTranspose": return [1]
    case "Gemm", "MatMul", "Einsum": return [0, 1]
    case "Gather": return [0]
    case "LSTM", "GRU", "RNN": return [1, 2]
    default: return []
    }
  }

  /// Inputs at which the operator takes anything that is trained: weights, biases, scales, slopes.
  package var parameterOperands: [Int] {
    guard isStandard else { return [] }
    switch opType {
    case "Conv", "ConvTranspose", "LayerNormalization", "InstanceNormalization", "GroupNormalization": return [1, 2]
    case "Gemm": return [0, 1, 2]
    case "BatchNormalization": return [1, 2, 3, 4]
    case "PRelu", "RMSNormalization": return [1]
    case "RNN", "GRU": return [1, 2, 3]
    case "LSTM": return [1, 2, 3, 7]
    default: return weightOperands
    }
  }

  /// Whether the output holds the first input's elements, moved, or stored in another type.
  package var isStorage: Bool { isStandard && operation?.kind == .storage || isMovement }

  /// Whether the output holds the first input's elements in the same type, under another shape or order.
  package var isMovement: Bool {
    isStandard && (opType == "Identity" || opType == "Transpose" || operation?.kind == .reshaping)
  }
}
