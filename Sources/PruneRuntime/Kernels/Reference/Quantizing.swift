import PruneGraph
import PruneTensor

/// Quantization: q = saturate(round(x / scale) + zero point), rounding halves to even.
enum Quantizing {
  static let table: [String: Kernel] = [
    "QuantizeLinear": Kernel { (call) throws(PruneError) in [try quantize(call)] },
    "DequantizeLinear": Kernel { (call) throws(PruneError) in [try dequantize(call)] },
    "DynamicQuantizeLinear": Kernel { (call) throws(PruneError) in try dynamic(call) },
  ]

  /// Which scale belongs to which element: one for all, one an index along an axis, or one a block along it.
  private struct ScaleMap {
    private let inner: Int
    private let extent: Int
    private let block: Int
    private let isSingle: Bool
    private let isBlocked: Bool

    init(_ call: KernelCall, _ shape: Shape, scale: Shape) throws(PruneError) {
      block = max(call.node.int("block_size", default: 0), 1)
      isBlocked = call.node.int("block_size", default: 0) > 0
      isSingle = scale.count == 1
      guard !isSingle || isBlocked else {
        (inner, extent) = (1, 1)
        return
      }
      let axis = try call.axis(default: 1, rank: shape.rank)
      inner = max(shape.dims[(axis + 1)...].reduce(1, *), 1)
      extent = max(shape[axis], 1)
    }

    @inline(__always) func slot(_ index: Int) -> Int {
      if isBlocked {
        let blocks = (extent + block - 1) / block
        return (index / (inner * extent) * blocks + index / inner % extent / block) * inner + index
          % inner
      }
      return isSingle ? 0 : index / inner % extent
    }
  }

  private static func quantize(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let scale = try call.tensor(1)
    let map = try ScaleMap(call, x.shape, scale: scale.shape)
    let (values, scales) = (try call.doubles(0), try call.doubles(1))
    let zeros = try call.optional(2).doubles(call) ?? [Double](repeating: 0, count: scales.count)
    let dtype = try call.dtype()
    if dtype.isFloatingPoint {
      let scaled = try Tensor(
        values.indices.map { Float(values[$0]) / Float(scales[map.slot($0)]) }, x.shape)
      return try scaled.cast(to: dtype)
    }
    let (low, high) = try range(dtype, call)
    var result = [Double](repeating: 0, count: values.count)
    for index in values.indices {
      let slot = map.slot(index)
      // In float32, as the standard's own runtime divides: a tie stays a tie.
      let steps = (Float(values[index]) / Float(scales[slot])).rounded(.toNearestOrEven)
      result[index] = saturated(Double(steps) + zeros[slot], low, high)
    }
    return try call.result(result)
  }

  private static func dequantize(_ call: KernelCall) throws(PruneError) -> Tensor {
    let x = try call.tensor(0)
    let map = try ScaleMap(call, x.shape, scale: try call.tensor(1).shape)
    let scales = try call.doubles(1)
    let zeros = try call.optional(2).doubles(call) ?? [Double](repeating: 0, count: scales.count)
    var values = try call.doubles(0)
    for index in values.indices {
      let slot = map.slot(index)
      values[index] = (values[index] - zeros[slot]) * scales[slot]
    }
    return try call.result(values)
  }

  private static func dynamic(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let values = try call.doubles(0)
    var (low, high): (Float, Float) = (0, 0)
    for value in values {
      low = min(low, Float(value))
      high = max(high, Float(value))
    }
    let scale = (high - low) / 255
    let zero = scale == 0 ? 0 : saturated(Double((-low / scale).rounded(.toNearestOrEven)), 0, 255)
    let quantized = values.map { value in
      scale == 0
        ? zero : saturated(Double((Float(value) / scale).rounded(.toNearestOrEven)) + zero, 0, 255)
    }
    return [try call.result(quantized), try Tensor(scalar: scale), try call.result([zero], 2)]
  }

  private static func saturated(_ value: Double, _ low: Double, _ high: Double) -> Double {
    value.isNaN ? 0 : min(max(value, low), high)
  }

  /// The smallest and largest value of an integer type.
  private static func range(_ dtype: DType, _ call: KernelCall) throws(PruneError) -> (
    Double, Double
  ) {
    switch dtype {
    case .uint8: return (0, 255)
    case .int8: return (-128, 127)
    case .uint16: return (0, 65535)
    case .int16: return (-32768, 32767)
    case .uint4: return (0, 15)
    case .int4: return (-8, 7)
    case .int32: return (-2_147_483_648, 2_147_483_647)
    default: throw call.unsupported("quantization to \(dtype.name)")
    }
  }

  // MARK: - For kernels on quantized inputs

  /// Input `index` minus its zero point, which is one number or has an entry an index along `axis`.
  static func centred(_ call: KernelCall, _ index: Int, zeroPoint: Int, axis: Int?)
    throws(PruneError) -> [Double]
  {
    let shape = try call.tensor(index).shape
    var values = try call.doubles(index)
    guard let zero = call.optional(zeroPoint) else { return values }
    let zeros = try call.doubles(zero)
    if zeros.count == 1 {
      for position in values.indices { values[position] -= zeros[0] }
      return values
    }
    if let axis, axis < shape.rank, zeros.count == shape[axis] {
      let inner = max(shape.dims[(axis + 1)...].reduce(1, *), 1)
      for position in values.indices { values[position] -= zeros[position / inner % zeros.count] }
      return values
    }
    throw call.fail("the zero point of input \(index) is \(zero.shape), the input \(shape)")
  }

  /// Sums of products as output 0: times scale a x scale b / scale y, rounded, plus the zero point, saturated.
  /// Scale b may have an entry a channel; channels repeat every `channels * inner` values.
  static func requantized(
    _ call: KernelCall, _ sums: [Double], scales: (a: Int, b: Int, y: Int), zeroPoint: Int,
    channels: Int, inner: Int
  ) throws(PruneError) -> Tensor {
    let a = try call.doubles(scales.a)
    let b = try call.doubles(scales.b)
    let y = try call.number(scales.y)
    let zero = try call.number(zeroPoint)
    guard a.count == 1, b.count == 1 || b.count == channels else {
      throw call.fail(
        "scales have \(a.count) and \(b.count) entries, wanted 1 and 1 or \(channels)")
    }
    let (low, high) = try range(try call.dtype(), call)
    var result = sums
    for index in sums.indices {
      let scale = a[0] * b[b.count == 1 ? 0 : index / max(inner, 1) % channels] / y
      result[index] = saturated((sums[index] * scale).rounded(.toNearestOrEven) + zero, low, high)
    }
    return try call.result(result)
  }
}
