import PruneGraph
import PruneTensor

/// Turns dequantized weights that no kernel takes as codes into float constants, once.
enum ConstantDequantization {
  static func run(_ flow: inout Dataflow) throws(PruneError) {
    var kept: [Dataflow.Op] = []
    for op in flow.ops {
      if let result = op.output(0), let tensor = try tensor(op, flow) {
        flow.values[result].origin = .constant(tensor)
      } else {
        kept.append(op)
      }
    }
    flow.ops = kept
  }

  /// What a DequantizeLinear makes of constants; nil for anything else.
  static func tensor(_ op: Dataflow.Op, _ flow: Dataflow) throws(PruneError) -> Tensor? {
    guard op.key == "DequantizeLinear" else { return nil }
    var inputs: [Tensor?] = []
    for input in op.inputs { inputs.append(input.flatMap { flow.values[$0].constant }) }
    guard zip(op.inputs, inputs).allSatisfy({ $0 == nil || $1 != nil }) else { return nil }
    if let result = try plain(op, inputs) { return result }
    guard let kernel = ReferenceKernels.kernel(for: op.node, opset: op.opset) else { return nil }
    do { return try kernel(op.node, inputs, op.opset).first } catch { throw error.located(at: op.node.label) }
  }

  /// The common case: int8, uint8 or int32 codes with one scale, or one for each index of an axis.
  private static func plain(_ op: Dataflow.Op, _ inputs: [Tensor?]) throws(PruneError) -> Tensor? {
    guard inputs.count >= 2, let codes = inputs[0], let scale = inputs[1], scale.dtype == .float32,
      scale.shape.rank <= 1,
      op.node.int("block_size", default: 0) == 0
    else { return nil }
    let scales = try scale.array(of: Float.self)
    var (extent, inner) = (1, max(codes.count, 1))
    if scales.count != 1 {
      guard let axis = codes.shape.axis(op.node.int("axis", default: 1)), codes.shape[axis] == scales.count else {
        return nil
      }
      (extent, inner) = (scales.count, codes.shape.dims[(axis + 1)...].reduce(1, *))
    }
    func integers(_ tensor: Tensor) throws(PruneError) -> [Int32]? {
      switch tensor.dtype {
      case .int8: try tensor.array(of: Int8.self).map { Int32($0) }
      case .uint8: try tensor.array(of: UInt8.self).map { Int32($0) }
      case .int32: try tensor.array(of: Int32.self)
      default: nil
      }
    }
    guard let list = try integers(codes) else { return nil }
    var zeros = [Int32](repeating: 0, count: scales.count)
    if inputs.count > 2, let points = inputs[2] {
      guard let offsets = try integers(points), offsets.count == scales.count else { return nil }
      zeros = offsets
    }
    var values = [Float](repeating: 0, count: list.count)
    guard !list.isEmpty, inner > 0 else { return try Tensor(values, codes.shape) }
    for row in 0..<list.count / inner {
      let (factor, zero) = (Double(scales[row % extent]), Double(zeros[row % extent]))
      for place in row * inner..<(row + 1) * inner { values[place] = Float((Double(list[place]) - zero) * factor) }
    }
    return try Tensor(values, codes.shape)
  }
}
