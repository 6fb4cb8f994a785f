import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Constants, ranges and one-hot tensors.
enum Generators {
  static let table: [String: Kernel] = [
    "Constant": Kernel { (call) throws(PruneError) in
      guard let tensor = try GeneratorRules.constant(call.node) else {
        throw call.unsupported("a constant that is no tensor of numbers")
      }
      return [tensor]
    },
    "ConstantOfShape": Kernel { (call) throws(PruneError) in
      let shape = try call.shape()
      guard let value = call.node.tensor("value") else {
        return [try Tensor(zeros: .float32, shape)]
      }
      guard value.count == 1 else {
        throw call.fail("value has \(value.count) elements, wanted one")
      }
      return [
        try Moves.read(
          value, Moves.Walk(base: 0, strides: [Int](repeating: 0, count: shape.rank)), shape: shape)
      ]
    },
    "Range": Kernel { (call) throws(PruneError) in [try range(call)] },
    "EyeLike": Kernel { (call) throws(PruneError) in
      let shape = try call.shape()
      let shift = min(max(call.node.int("k", default: 0), -(1 << 49)), 1 << 49)
      try call.check(shape.count)
      var values = [Double](repeating: 0, count: shape.count)
      for row in 0..<shape[0] where row + shift >= 0 && row + shift < shape[1] {
        values[row * shape[1] + row + shift] = 1
      }
      return [try call.result(values)]
    },
    "OneHot": Kernel { (call) throws(PruneError) in [try oneHot(call)] },
    "HannWindow": Kernel { (call) throws(PruneError) in [try window(call, 0.5, 0.5, 0)] },
    "HammingWindow": Kernel { (call) throws(PruneError) in
      [try window(call, 25.0 / 46, 21.0 / 46, 0)]
    },
    "BlackmanWindow": Kernel { (call) throws(PruneError) in [try window(call, 0.42, 0.5, 0.08)] },
    "Dropout": Kernel { (call) throws(PruneError) in try dropout(call) },
  ]

  private static func range(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    try call.check(shape.count)
    if try call.dtype().isFloatingPoint {
      let (start, step) = (try call.number(0), try call.number(2))
      return try call.result((0..<shape.count).map { start + Double($0) * step })
    }
    let (start, step) = (Int64(try call.integers(0)[0]), Int64(try call.integers(2)[0]))
    return try Tensor((0..<shape.count).map { start &+ Int64($0) &* step }, shape)
  }

  private static func oneHot(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    let axis = try call.axis(default: -1, rank: shape.rank)
    let depth = shape[axis]
    let values = try call.tensor(2)
    guard values.count == 2 else {
      throw call.fail("values has \(values.count) elements, wanted off and on")
    }
    let lanes = AxisLanes(shape, axis)
    let indices = try call.doubles(0)
    try call.check(shape.count)
    var offsets = [Int](repeating: 0, count: shape.count)
    var lane = 0
    lanes.forEach { line in
      let raw = indices[lane]
      lane += 1
      // An index outside -depth..<depth marks nothing.
      guard raw >= -Double(depth), raw < Double(depth) else { return }
      let index = Int(raw) < 0 ? Int(raw) + depth : Int(raw)
      for (position, offset) in line.enumerated() where position == index { offsets[offset] = 1 }
    }
    return try Moves.gather(values, offsets: offsets, length: 1, shape: shape)
  }

  /// a - b cos(2 pi n / N) + c cos(4 pi n / N), N the size when periodic and one less when not.
  private static func window(_ call: KernelCall, _ a: Double, _ b: Double, _ c: Double)
    throws(PruneError) -> Tensor
  {
    let count = try call.shape().count
    try call.check(count)
    let period = Double(call.node.int("periodic", default: 1) != 0 ? count : count - 1)
    return try call.result(
      (0..<count).map { index in
        let angle = period == 0 ? 0 : 2 * Double.pi * Double(index) / period
        return a - b * cos(angle) + c * cos(2 * angle)
      })
  }

  /// Outside training the input itself; in training (opset 12) a seeded mask.
  private static func dropout(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let x = try call.tensor(0)
    let mask = try Tensor(zeros: .bool, x.shape)
    let ones = try ElementwiseUnary.apply(mask, .bool) { (_: UInt8) in UInt8(1) }
    let isTraining =
      call.opset >= 12
      ? try call.optional(2).map { (tensor) throws(PruneError) in
        try tensor.cast(to: .bool).array(of: UInt8.self).first
      } == 1 : false
    let ratio = call.optional(1) == nil ? 0.5 : try call.number(1)
    guard isTraining, ratio != 0 else { return [x, ones] }
    guard ratio > 0, ratio < 1 else {
      throw call.fail("ratio is \(ratio), wanted at least 0 and less than 1")
    }
    var random = RandomSource(seed: UInt64(bitPattern: Int64(call.node.int("seed", default: 0))))
    var values = try call.doubles(0)
    var kept = [UInt8](repeating: 0, count: values.count)
    for index in values.indices {
      kept[index] = random.uniform() >= ratio ? 1 : 0
      values[index] = kept[index] == 1 ? values[index] / (1 - ratio) : 0
    }
    return [try call.result(values), try Tensor(kept, x.shape).cast(to: .bool)]
  }
}
