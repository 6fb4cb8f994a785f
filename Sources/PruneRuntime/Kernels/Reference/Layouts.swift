import PruneGraph
import PruneTensor

/// Operators that rearrange elements. Those that only change the shape are views.
enum Layouts {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [
      "Transpose": Kernel { (call) throws(PruneError) in
        let x = try call.tensor(0)
        let order = try LayoutRules.permutation(call.operands, rank: x.shape.rank)
        let strides = x.shape.strides
        return [
          try Moves.read(
            x, Moves.Walk(base: 0, strides: order.map { strides[$0] }), shape: call.shape())
        ]
      },
      "Concat": Kernel { (call) throws(PruneError) in [try concat(call)] },
      "Split": Kernel { (call) throws(PruneError) in try split(call) },
      "Expand": Kernel { (call) throws(PruneError) in
        let (x, shape) = (try call.tensor(0), try call.shape())
        if x.shape == shape { return [x] }
        return [
          try Moves.read(
            x, Moves.Walk(base: 0, strides: StridedLoop.broadcastStrides(x.shape, to: shape)),
            shape: shape)
        ]
      },
      "Tile": Kernel { (call) throws(PruneError) in [try tile(call)] },
      "Shape": Kernel { (call) throws(PruneError) in
        let shape = try call.tensor(0).shape
        return [
          try Tensor(
            shape.dims[LayoutRules.shapeRange(call.node, rank: shape.rank)].map { Int64($0) })
        ]
      },
      "Size": Kernel { (call) throws(PruneError) in
        [try Tensor(scalar: Int64(try call.tensor(0).count))]
      },
      "DepthToSpace": Kernel { (call) throws(PruneError) in [try depthToSpace(call)] },
      "SpaceToDepth": Kernel { (call) throws(PruneError) in
        let x = try call.tensor(0)
        let block = call.node.int("blocksize", default: 1)
        let (d, s) = (x.shape.dims, try call.shape().dims)
        return [try permuted(x, [d[0], d[1], s[2], block, s[3], block], [0, 3, 5, 1, 2, 4], call)]
      },
      "Trilu": Kernel { (call) throws(PruneError) in [try triangle(call)] },
      "ReverseSequence": Kernel { (call) throws(PruneError) in [try reverse(call)] },
    ]
    for name in ["Reshape", "Flatten", "Squeeze", "Unsqueeze"] {
      table[name] = Kernel { (call) throws(PruneError) in
        [try call.tensor(0).reshaped(try call.shape())]
      }
    }
    return table
  }()

  /// `x` viewed as `dims`, its axes put in `order`, as output 0.
  private static func permuted(_ x: Tensor, _ dims: [Int], _ order: [Int], _ call: KernelCall)
    throws(PruneError) -> Tensor
  {
    let shape = try Shape(dims)
    let strides = shape.strides
    let moved = try Moves.read(
      x, Moves.Walk(base: 0, strides: order.map { strides[$0] }),
      shape: try Shape(order.map { dims[$0] }))
    return try moved.reshaped(try call.shape())
  }

  private static func concat(_ call: KernelCall) throws(PruneError) -> Tensor {
    let inputs = try call.tensors()
    let shape = try call.shape()
    let axis = try call.axis(default: 1, rank: shape.rank)
    if inputs.count == 1 { return inputs[0] }
    var result = try Tensor(zeros: inputs[0].dtype, shape)
    let strides = shape.strides
    var base = 0
    for input in inputs {
      try Moves.copy(
        input, Moves.Walk(base: 0, strides: input.shape.strides), into: &result,
        Moves.Walk(base: base, strides: strides),
        dims: input.shape.dims)
      base += input.shape[axis] * strides[axis]
    }
    return result
  }

  private static func split(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let x = try call.tensor(0)
    let axis = try call.axis(default: 0, rank: x.shape.rank)
    let strides = x.shape.strides
    var results: [Tensor] = []
    var base = 0
    for index in call.outputs.indices {
      let shape = try call.shape(index)
      results.append(try Moves.read(x, Moves.Walk(base: base, strides: strides), shape: shape))
      base += shape[axis] * strides[axis]
    }
    return results
  }

  /// Every axis of the output as two: the repetition, which does not move in the input, and the element.
  private static func tile(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let shape = try call.shape()
    var dims: [Int] = []
    var strides: [Int] = []
    for axis in 0..<shape.rank {
      let extent = x.shape[axis]
      dims += [extent == 0 ? 0 : shape[axis] / extent, extent]
      strides += [0, x.shape.strides[axis]]
    }
    return try Moves.read(x, Moves.Walk(base: 0, strides: strides), shape: try Shape(dims))
      .reshaped(shape)
  }

  private static func depthToSpace(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let block = call.node.int("blocksize", default: 1)
    let d = x.shape.dims
    let depth = d[1] / (block * block)
    let mode = call.node.string("mode", default: "DCR")
    guard mode == "DCR" || mode == "CRD" else {
      throw call.fail("mode is '\(mode)', wanted DCR or CRD")
    }
    if mode == "CRD" {
      return try permuted(x, [d[0], depth, block, block, d[2], d[3]], [0, 1, 4, 2, 5, 3], call)
    }
    return try permuted(x, [d[0], block, block, depth, d[2], d[3]], [0, 3, 4, 1, 5, 2], call)
  }

  private static func triangle(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let shape = x.shape
    let keepsUpper = call.node.int("upper", default: 1) != 0
    let offsets = call.optional(1) == nil ? [0] : try call.integers(1)
    guard offsets.count == 1 else { throw call.fail("k has \(offsets.count) elements, wanted one") }
    let diagonal = min(max(offsets[0], -(1 << 49)), 1 << 49)
    let (rows, columns) = (shape[shape.rank - 2], shape[shape.rank - 1])
    let mask = try Tensor.filled(Shape([rows, columns]), .bool) {
      (output: inout MutableSpan<UInt8>) in
      for index in 0..<output.count {
        let distance = index % columns - index / columns
        output[index] = (keepsUpper ? distance >= diagonal : distance <= diagonal) ? 1 : 0
      }
    }
    return try ElementwiseVariadic.select(mask, x, try Tensor(zeros: x.dtype, .scalar), shape)
  }

  private static func reverse(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let (batch, time) = (
      call.node.int("batch_axis", default: 1), call.node.int("time_axis", default: 0)
    )
    guard batch != time else { throw call.fail("batch_axis and time_axis are the same") }
    let lengths = try call.integers(1)
    guard lengths.count == x.shape[batch], lengths.allSatisfy({ $0 >= 0 && $0 <= x.shape[time] })
    else {
      throw call.fail("sequence_lens do not fit \(x.shape)")
    }
    let strides = x.shape.strides
    var offsets: [Int] = []
    for i in 0..<x.shape[0] {
      for j in 0..<x.shape[1] {
        let (step, item) = time == 0 ? (i, j) : (j, i)
        let from = step < lengths[item] ? lengths[item] - 1 - step : step
        offsets.append(from * strides[time] + item * strides[batch])
      }
    }
    return try Moves.gather(
      x, offsets: offsets, length: x.shape.dims.dropFirst(2).reduce(1, *), shape: x.shape)
  }
}
