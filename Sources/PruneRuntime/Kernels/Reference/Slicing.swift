import PruneGraph
import PruneTensor

/// Slice, Pad and CenterCropPad.
enum Slicing {
  static let table: [String: Kernel] = [
    "Slice": Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0)
      guard let slices = try SliceRanges(call.operands, dims: x.shape.dims.map(Dim.fixed)) else {
        throw call.fail("starts and ends are missing")
      }
      let shape = try call.shape()
      guard shape.count > 0 else { return [try Tensor(zeros: x.dtype, shape)] }
      var walk = Moves.Walk(base: 0, strides: x.shape.strides)
      for (axis, range) in slices.ranges.enumerated() {
        guard let range else { continue }
        walk.base += range.start * walk.strides[axis]
        // A step is only taken where there is a second element, so that it cannot overflow.
        walk.strides[axis] = range.count > 1 ? range.step * walk.strides[axis] : 0
      }
      return [try Moves.read(x, walk, shape: shape)]
    },
    "Pad": Kernel { (call) throws(PruneError) in [try pad(call)] },
    "CenterCropPad": Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0)
      let shape = try call.shape()
      try call.check(shape.count)
      let positions = (0..<shape.rank).map { axis -> [Int] in
        let (extent, size) = (x.shape[axis], shape[axis])
        let shift = size <= extent ? (extent - size) / 2 : -((size - extent) / 2)
        return (0..<size).map { $0 + shift < extent ? max($0 + shift, -1) : -1 }
      }
      return [try Moves.pick(x, positions: positions)]
    },
  ]

  private static func pad(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let shape = try call.shape()
    guard let pads = try SlicingRules.pads(call.operands, rank: shape.rank) else {
      throw call.fail("pads are missing")
    }
    try call.check(max(shape.count, shape.dims.max() ?? 0))
    var fill: Tensor?
    if call.opset < 11 {
      fill = try Tensor(scalar: call.node.float("value", default: 0)).cast(to: x.dtype)
    } else if let value = call.optional(2) {
      guard value.count == 1, value.dtype == x.dtype else {
        throw call.fail(
          "constant_value is \(value.dtype.name) \(value.shape), wanted one \(x.dtype.name)")
      }
      fill = value
    }
    let mode = call.node.string("mode", default: "constant")
    var positions: [[Int]] = []
    for axis in 0..<shape.rank {
      let (extent, begin) = (x.shape[axis], pads.begin[axis])
      guard extent > 0 || mode == "constant" || shape[axis] == 0 else {
        throw call.fail("axis \(axis) of \(x.shape) has nothing to repeat")
      }
      let line = 0..<shape[axis]
      switch mode {
      case "constant":
        positions.append(line.map { $0 - begin >= 0 && $0 - begin < extent ? $0 - begin : -1 })
      case "edge": positions.append(line.map { min(max($0 - begin, 0), extent - 1) })
      case "reflect": positions.append(line.map { reflected($0 - begin, extent) })
      case "wrap": positions.append(line.map { (($0 - begin) % extent + extent) % extent })
      default: throw call.fail("mode is '\(mode)', wanted constant, edge, reflect or wrap")
      }
    }
    if shape.rank == 0 { return x }
    return try Moves.pick(x, positions: positions, fill: fill)
  }

  /// A position mirrored at the first and last element until it is inside.
  static func reflected(_ position: Int, _ extent: Int) -> Int {
    guard extent > 1 else { return 0 }
    let period = 2 * (extent - 1)
    let rest = (position % period + period) % period
    return rest < extent ? rest : period - rest
  }
}
