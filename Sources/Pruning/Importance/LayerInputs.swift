import PruneGraph
import PruneTensor

/// The inputs of a layer as the columns of its `LayerMatrix` see them.
struct LayerInputs {
  let use: WeightUse
  /// Of the weight.
  let shape: Shape

  /// Sums of squares, [groups, columns], summed over a batch: the value to want.
  func squares(_ probe: inout ActivationProbe) throws(PruneError) -> String {
    guard isWindow else {
      let table = try rows(&probe)
      return try probe.sum(probe.emit("Mul", [table, table]), [1])
    }
    let value = probe.emit("Mul", [use.input, use.input]), rank = shape.rank
    let patches = try self.patches(value, &probe).map { patch throws(PruneError) in
      try probe.sum(patch, [0] + Array(2..<rank))
    }
    // [taps][groups * inputs]: turned to [groups, taps, inputs].
    let joined = patches.count == 1 ? patches[0] : probe.emit("Concat", patches, [Attribute("axis", .int(0))])
    let split = try probe.reshape(joined, [use.matrix.taps, use.matrix.groups, use.matrix.inputs])
    return probe.emit("Transpose", [split], [Attribute("perm", .integers([1, 0, 2]))])
  }

  /// Sums of products of all pairs of columns, [groups, columns, columns].
  func products(_ probe: inout ActivationProbe) throws(PruneError) -> String {
    let matrix = use.matrix
    var table: String
    if isWindow {
      let patches = try self.patches(use.input, &probe)
      let joined = patches.count == 1 ? patches[0] : probe.emit("Concat", patches, [Attribute("axis", .int(1))])
      // [N, taps * groups * inputs, …] to [groups, N, positions, taps, inputs].
      let split = try probe.reshape(joined, [0, matrix.taps, matrix.groups, matrix.inputs, -1])
      let transposed = probe.emit("Transpose", [split], [Attribute("perm", .integers([2, 0, 4, 1, 3]))])
      table = try probe.reshape(transposed, [matrix.groups, -1, matrix.columns])
    } else {
      table = try rows(&probe)
    }
    let transposed = probe.emit("Transpose", [table], [Attribute("perm", .integers([0, 2, 1]))])
    table = probe.emit("MatMul", [transposed, table])
    return table
  }

  private var isWindow: Bool { use.node.opType.hasPrefix("Conv") }

  // MARK: - Matrices

  /// [groups, -1, inputs] of what a matrix is multiplied by.
  private func rows(_ probe: inout ActivationProbe) throws(PruneError) -> String {
    let node = use.node, matrix = use.matrix
    switch node.opType {
    case "Gemm":
      // Data as the left operand is [rows, inputs], as the right operand [inputs, rows].
      let isTransposed = use.operand == 1 ? node.int("transA", default: 0) != 0 : node.int("transB", default: 0) == 0
      let value =
        isTransposed ? probe.emit("Transpose", [use.input], [Attribute("perm", .integers([1, 0]))]) : use.input
      return try probe.reshape(value, [1, -1, matrix.inputs])
    case "MatMul":
      if use.operand == 1, matrix.groups == 1 { return try probe.reshape(use.input, [1, -1, matrix.inputs]) }
      guard let dims = probe.dims(of: use.input) else { throw unsupported("the rank of '\(use.input)' is not known") }
      guard dims.count > 1 else { return try probe.reshape(use.input, [1, -1, matrix.inputs]) }
      return try stacked(dims, &probe)
    default: throw unsupported("its operator is \(node.opType)")
    }
  }

  /// What a stack of matrices is multiplied by, the axes of the stack in front, and inputs last.
  private func stacked(_ dims: [Dim], _ probe: inout ActivationProbe) throws(PruneError) -> String {
    let stack = Array(shape.dims.dropLast(2)), rank = dims.count, free = rank - 2 - stack.count
    var front: [Int] = []
    for (place, extent) in stack.enumerated() where extent > 1 {
      let axis = free + place
      guard axis >= 0, dims[axis].value == extent else {
        throw unsupported("its stack of \(stack) matrices has one input, or inputs of unknown shape")
      }
      front.append(axis)
    }
    let last = use.operand == 1 ? [rank - 2, rank - 1] : [rank - 1, rank - 2]
    let order = front + (0..<rank - 2).filter { !front.contains($0) } + last
    let transposed =
      order == Array(0..<rank) ? use.input : probe.emit("Transpose", [use.input], [Attribute("perm", .integers(order))])
    return try probe.reshape(transposed, [use.matrix.groups, -1, use.matrix.inputs])
  }

  // MARK: - Windows

  /// What each tap of a convolution's kernel sees, [N, channels, positions …] where positions are those of the output.
  private func patches(_ value: String, _ probe: inout ActivationProbe) throws(PruneError) -> [String] {
    let node = use.node
    guard use.operand == 1 else { throw unsupported("the weight is what the kernel moves over") }
    let mode = node.string("auto_pad", default: "NOTSET")
    let isSliced = node.opType == "Conv" && (probe.model.opset() ?? Model.defaultOpset) >= 11
    return isSliced && ["NOTSET", "VALID"].contains(mode)
      ? try slices(value, padded: mode == "NOTSET", &probe) : try selections(value, &probe)
  }

  /// By slices of the padded input.
  private func slices(
    _ value: String, padded isPadded: Bool, _ probe: inout ActivationProbe
  ) throws(PruneError) -> [String] {
    let node = use.node, kernel = Array(shape.dims.dropFirst(2)), axes = kernel.count
    let pads = isPadded ? node.ints("pads") ?? [] : []
    let strides = node.ints("strides") ?? [Int](repeating: 1, count: axes)
    let dilations = node.ints("dilations") ?? [Int](repeating: 1, count: axes)
    guard strides.count == axes, dilations.count == axes, pads.isEmpty || pads.count == 2 * axes,
      (strides + dilations).allSatisfy({ (1...1 << 20).contains($0) })
    else { throw unsupported("its attributes do not fit a kernel \(shape)") }
    var padded = value
    if pads.contains(where: { $0 != 0 }) {
      let amounts = [0, 0] + pads.prefix(axes) + [0, 0] + pads.suffix(axes)
      padded = probe.emit("Pad", [value, try probe.integers(amounts)])
    }
    if use.matrix.taps == 1, strides.allSatisfy({ $0 == 1 }) { return [padded] }
    var result: [String] = []
    for tap in 0..<use.matrix.taps {
      var rest = tap
      var starts = [Int](repeating: 0, count: axes), ends = starts
      for axis in stride(from: axes - 1, through: 0, by: -1) {
        let place = rest % kernel[axis]
        rest /= kernel[axis]
        starts[axis] = place * dilations[axis]
        let behind = (kernel[axis] - 1 - place) * dilations[axis]
        ends[axis] = behind == 0 ? Int(Int32.max) : -behind
      }
      result.append(
        probe.emit(
          "Slice",
          [
            padded, try probe.integers(starts), try probe.integers(ends), try probe.integers(Array(2..<2 + axes)),
            try probe.integers(strides),
          ]))
    }
    return result
  }

  /// Uses the operator itself, channel by channel, with a kernel that is one at the tap and zero elsewhere: that knows
  /// every way of padding, and what a transposed convolution spreads.
  private func selections(_ value: String, _ probe: inout ActivationProbe) throws(PruneError) -> [String] {
    let channels = use.matrix.groups * use.matrix.inputs, taps = use.matrix.taps
    let kept: Set = [
      "auto_pad", "dilations", "kernel_shape", "pads", "strides", "output_padding", "output_shape",
    ]
    let attributes = use.node.attributes.filter { kept.contains($0.name) } + [Attribute("group", .int(Int64(channels)))]
    let extents = try Shape([channels, 1] + shape.dims.dropFirst(2))
    return try (0..<taps).map { tap throws(PruneError) in
      let kernel = try Tensor((0..<channels * taps).map { $0 % taps == tap ? Float(1) : 0 }, extents)
      return probe.emit(use.node.opType, [value, probe.constant(kernel)], attributes)
    }
  }

  private func unsupported(_ reason: String) -> PruneError {
    PruneError(
      .unsupported, "the inputs of the layer cannot be listed column by column: \(reason)", at: use.node.label,
      hint: "leave the layer out with ignore = …")
  }
}

extension PrunableWeights {
  /// Weights of which it cannot be seen what they are multiplied by, with the reason: methods that look at it do these
  /// by the size of the weights alone.
  func unobserved() -> [(weight: PrunableWeight, reason: String)] {
    var probe = ActivationProbe(model)
    var result: [(PrunableWeight, String)] = []
    for (weight, uses) in zip(weights, uses()) {
      guard !uses.isEmpty else {
        result.append((weight, "no layer multiplies a value of the graph by it"))
        continue
      }
      for use in uses {
        do throws(PruneError) { _ = try LayerInputs(use: use, shape: weight.tensor.shape).squares(&probe) } catch {
          result.append((weight, error.message))
          break
        }
      }
    }
    return result
  }
}
