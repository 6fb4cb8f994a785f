import PruneGraph
import PruneTensor

/// What DequantizeLinear and QuantizeLinear nodes say about the values they read and write.
struct QuantizedOperands {
  let flow: Dataflow
  /// The operation that writes each value.
  let producers: [Int: Int]
  private let counts: [Int]

  init(_ flow: Dataflow) {
    self.flow = flow
    var producers: [Int: Int] = [:]
    for (index, op) in flow.ops.enumerated() { for value in op.outputs { if let value { producers[value] = index } } }
    self.producers = producers
    counts = flow.useCounts
  }

  /// Whether one operation alone reads a value.
  func isReadOnce(_ value: Int) -> Bool { counts[value] == 1 }

  func producer(_ value: Int?) -> Dataflow.Op? { value.flatMap { producers[$0] }.map { flow.ops[$0] } }

  /// The quantized values of a dequantized value, and the node that dequantizes them.
  struct Operand {
    let value: Int
    let codes: Quantized.Codes
    let node: Dataflow.Op
  }

  func operand(_ value: Int?) -> Operand? {
    guard let op = producer(value), op.key == "DequantizeLinear", let codes = op.input(0),
      flow.values[codes].constant == nil,
      flow.values[codes].isStatic, let format = scheme(op, codes)
    else { return nil }
    return Operand(value: codes, codes: format, node: op)
  }

  /// The one scale and zero point of a DequantizeLinear or QuantizeLinear whose codes are `codes`.
  func scheme(_ op: Dataflow.Op, _ codes: Int) -> Quantized.Codes? {
    guard let dtype = flow.values[codes].dtype, op.node.int("block_size", default: 0) == 0 else { return nil }
    return scheme(scale: op.input(1), zero: op.input(2), dtype)
  }

  func scheme(scale: Int?, zero: Int?, _ dtype: DType) -> Quantized.Codes? {
    guard dtype == .uint8 || dtype == .int8, let step = numbers(scale), step.count == 1, step[0] > 0, step[0].isFinite
    else { return nil }
    guard let zero else { return .init(scale: step[0], zero: 0, dtype: dtype) }
    guard let point = zeros(zero), point.count == 1, flow.values[zero].dtype == dtype else { return nil }
    return .init(scale: step[0], zero: point[0], dtype: dtype)
  }

  /// A layer's weights as int8 codes around zero.
  struct Weight {
    let codes: Tensor
    let scales: [Float]
  }

  /// - Parameter axis: where output channels lie.
  func weight(_ value: Int?, axis: Int) -> (weight: Weight, node: Dataflow.Op)? {
    guard let op = producer(value), op.key == "DequantizeLinear", op.node.int("block_size", default: 0) == 0,
      let codes = op.input(0), let tensor = flow.values[codes].constant, axis < tensor.shape.rank,
      let weight = weight(tensor, scale: op.input(1), zero: op.input(2), channels: tensor.shape[axis])
    else { return nil }
    guard weight.scales.count == 1 || tensor.shape.axis(op.node.int("axis", default: 1)) == axis else { return nil }
    return (weight, op)
  }

  func weight(_ tensor: Tensor, scale: Int?, zero: Int?, channels: Int) -> Weight? {
    guard let scales = numbers(scale), scales.count == 1 || scales.count == channels,
      scales.allSatisfy({ $0 > 0 && $0.isFinite })
    else { return nil }
    guard let codes = centred(tensor, zero: zero) else { return nil }
    return Weight(codes: codes, scales: scales)
  }

  /// Codes minus their zero point, where that leaves int8.
  func centred(_ tensor: Tensor, zero: Int?) -> Tensor? {
    let points = zero.flatMap(zeros) ?? [0]
    guard let point = points.first, points.allSatisfy({ $0 == point }), zero == nil || zeros(zero ?? 0) != nil else {
      return nil
    }
    switch tensor.dtype {
    case .int8: return point == 0 ? tensor : nil
    case .uint8:
      guard let codes = try? tensor.array(of: UInt8.self) else { return nil }
      let shifted = codes.map { Int32($0) - point }
      guard shifted.allSatisfy({ (-128...127).contains($0) }) else { return nil }
      return try? Tensor(shifted.map { Int8($0) }, tensor.shape)
    default: return nil
    }
  }

  /// A layer's bias in float32, with the node that makes it of codes if one does.
  func bias(_ value: Int, channels: Int) -> (tensor: Tensor, node: Dataflow.Op?)? {
    if let tensor = flow.values[value].constant {
      return tensor.dtype == .float32 && tensor.count == channels ? (tensor, nil) : nil
    }
    guard let op = producer(value), op.key == "DequantizeLinear", let codes = op.input(0),
      let tensor = flow.values[codes].constant, tensor.dtype == .int32, tensor.count == channels,
      let steps = numbers(op.input(1)), steps.count == 1 || steps.count == channels,
      op.input(2).map({ zeros($0)?.allSatisfy { $0 == 0 } ?? false }) ?? true,
      let list = try? tensor.array(of: Int32.self),
      let scales = try? Tensor(list.indices.map { Float(list[$0]) * steps[steps.count == 1 ? 0 : $0] })
    else { return nil }
    return (scales, op)
  }

  func numbers(_ value: Int?) -> [Float]? {
    guard let tensor = value.flatMap({ flow.values[$0].constant }), tensor.dtype == .float32 else { return nil }
    return try? tensor.array(of: Float.self)
  }

  private func zeros(_ value: Int) -> [Int32]? {
    guard let tensor = flow.values[value].constant else { return nil }
    switch tensor.dtype {
    case .uint8: return (try? tensor.array(of: UInt8.self))?.map { Int32($0) }
    case .int8: return (try? tensor.array(of: Int8.self))?.map { Int32($0) }
    case .int32: return try? tensor.array(of: Int32.self)
    default: return nil
    }
  }
}
