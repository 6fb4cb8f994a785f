import PruneGraph
import PruneTensor

/// Picking elements by index.
enum Gathering {
  static let table: [String: Kernel] = [
    "Gather": Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0)
      let axis = try call.axis(default: 0, rank: x.shape.rank)
      let lanes = AxisLanes(x.shape, axis)
      let indices = try normalized(call, try call.integers(1), x.shape, axis)
      var offsets: [Int] = []
      for row in 0..<lanes.outer {
        for index in indices { offsets.append((row * lanes.extent + index) * lanes.inner) }
      }
      return [try Moves.gather(x, offsets: offsets, length: lanes.inner, shape: call.shape())]
    },
    "GatherElements": Kernel { (call) throws(PruneError) in
      let (x, shape) = (try call.tensor(0), try call.shape())
      let offsets = try elementOffsets(call, data: x.shape, indices: shape)
      return [try Moves.gather(x, offsets: offsets, length: 1, shape: shape)]
    },
    "GatherND": Kernel { (call) throws(PruneError) in
      let (x, indices) = (try call.tensor(0), try call.tensor(1))
      let batch = try IndexingRules.batchDims(
        call.operands, x.shape.dims.map(Dim.fixed), indices.shape.dims.map(Dim.fixed))
      let (offsets, length) = try tupleOffsets(
        call, data: x.shape, indices: indices.shape, batch: batch)
      return [try Moves.gather(x, offsets: offsets, length: length, shape: call.shape())]
    },
    "Compress": Kernel { (call) throws(PruneError) in [try compress(call)] },
  ]

  /// Indices counted from the start; each must be inside the axis.
  private static func normalized(
    _ call: KernelCall, _ indices: [Int], _ shape: Shape, _ axis: Int
  ) throws(PruneError) -> [Int] {
    let extent = shape[axis]
    var result = indices
    for (position, index) in indices.enumerated() {
      guard index >= -extent, index < extent else {
        throw call.fail("index \(index) is outside axis \(axis) of \(shape)")
      }
      if index < 0 { result[position] = index + extent }
    }
    return result
  }

  /// For every entry of an index tensor, the offset in `data` of the same position with the index along `axis`.
  static func elementOffsets(_ call: KernelCall, data: Shape, indices: Shape) throws(PruneError)
    -> [Int]
  {
    let axis = try call.axis(default: 0, rank: data.rank)
    let chosen = try normalized(call, try call.integers(1), data, axis)
    let strides = data.strides
    var offsets: [Int] = []
    offsets.reserveCapacity(chosen.count)
    var position = [Int](repeating: 0, count: indices.rank)
    for index in chosen {
      var offset = index * strides[axis]
      for other in position.indices where other != axis {
        offset += position[other] * strides[other]
      }
      offsets.append(offset)
      ConvolutionTransposed.step(&position, indices.dims)
    }
    return offsets
  }

  /// For every tuple along the last axis of an index tensor, the offset of the slice of `data` it names.
  static func tupleOffsets(
    _ call: KernelCall, data: Shape, indices: Shape, batch: Int
  ) throws(PruneError) -> (offsets: [Int], length: Int) {
    let values = try call.integers(1)
    let depth = indices[indices.rank - 1]
    let strides = data.strides
    let length = data.dims[(batch + depth)...].reduce(1, *)
    let tuples = values.count / max(depth, 1)
    let batches = indices.dims[..<batch].reduce(1, *)
    let perBatch = max(tuples / max(batches, 1), 1)
    let batchStride = data.dims[batch...].reduce(1, *)
    var offsets: [Int] = []
    for tuple in 0..<tuples {
      var offset = tuple / perBatch * batchStride
      for entry in 0..<depth {
        let (index, extent) = (values[tuple * depth + entry], data[batch + entry])
        guard index >= -extent, index < extent else {
          throw call.fail("index \(index) is outside axis \(batch + entry) of \(data)")
        }
        offset += (index < 0 ? index + extent : index) * strides[batch + entry]
      }
      offsets.append(offset)
    }
    return (offsets, length)
  }

  private static func compress(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let condition = try call.tensor(1).cast(to: .bool).array(of: UInt8.self)
    guard let number = call.node.int("axis") else {
      let chosen = condition.indices.filter { condition[$0] != 0 }
      guard chosen.allSatisfy({ $0 < x.count }) else {
        throw call.fail("the condition is longer than the \(x.count) elements")
      }
      return try Moves.gather(x, offsets: chosen, length: 1, shape: try Shape([chosen.count]))
    }
    let axis = try call.operands.axis(number, rank: x.shape.rank)
    let chosen = condition.indices.filter { condition[$0] != 0 }
    guard chosen.allSatisfy({ $0 < x.shape[axis] }) else {
      throw call.fail("the condition is longer than axis \(axis) of \(x.shape)")
    }
    let positions = x.shape.dims.enumerated().map { $0 == axis ? chosen : Array(0..<$1) }
    return try Moves.pick(x, positions: positions)
  }
}
