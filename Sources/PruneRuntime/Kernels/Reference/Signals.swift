import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Fourier transforms, straight from the definition, and mel filters.
enum Signals {
  static let table: [String: Kernel] = [
    "DFT": Kernel { (call) throws(PruneError) in [try transform(call)] },
    "STFT": Kernel { (call) throws(PruneError) in [try shortTime(call)] },
    "MelWeightMatrix": Kernel { (call) throws(PruneError) in [try mel(call)] },
  ]

  /// The first `bins` values of the transform of `length` points; missing points are zero.
  private static func dft(
    _ points: [(re: Double, im: Double)], length: Int, bins: Int, isInverse: Bool
  ) -> [(re: Double, im: Double)] {
    let sign: Double = isInverse ? 1 : -1
    let turns = (0..<length).map { index -> (re: Double, im: Double) in
      let angle = sign * 2 * Double.pi * Double(index) / Double(length)
      return (cos(angle), sin(angle))
    }
    let scale = isInverse ? 1 / Double(length) : 1
    return (0..<bins).map { bin in
      var (re, im) = (0.0, 0.0)
      var angle = 0
      for point in points.prefix(length) {
        re += point.re * turns[angle].re - point.im * turns[angle].im
        im += point.re * turns[angle].im + point.im * turns[angle].re
        angle = (angle + bin) % length
      }
      return (re * scale, im * scale)
    }
  }

  private static func transform(_ call: KernelCall) throws(PruneError) -> Tensor {
    let (input, output) = (try call.tensor(0).shape, try call.shape())
    let parts = input[input.rank - 1]
    guard parts == 1 || parts == 2 else {
      throw call.fail("the last axis of \(input) is not 1 (real) or 2 (complex)")
    }
    var number = call.node.int("axis", default: 1)
    if call.opset >= 20 { number = call.optional(2) == nil ? -2 : try call.integers(2)[0] }
    let axis = try call.operands.axis(number, rank: input.rank)
    let isInverse = call.node.int("inverse", default: 0) != 0
    let length = call.optional(1) == nil ? input[axis] : try call.integers(1)[0]
    guard length >= 1 else { throw call.fail("a transform of \(length) points") }
    try call.check(max(output.count, length))
    let x = try call.doubles(0)
    let from = AxisLanes(try Shape(Array(input.dims.dropLast())), axis)
    let to = AxisLanes(try Shape(Array(output.dims.dropLast())), axis)
    var lines: [[(re: Double, im: Double)]] = []
    from.forEach { lane in
      let points = lane.map { (re: x[$0 * parts], im: parts == 2 ? x[$0 * parts + 1] : 0) }
      lines.append(dft(points, length: length, bins: output[axis], isInverse: isInverse))
    }
    var values = [Double](repeating: 0, count: output.count)
    var line = 0
    to.forEach { lane in
      for (bin, index) in lane.enumerated() {
        (values[index * 2], values[index * 2 + 1]) = lines[line][bin]
      }
      line += 1
    }
    return try call.result(values)
  }

  private static func shortTime(_ call: KernelCall) throws(PruneError) -> Tensor {
    let (input, output) = (try call.tensor(0).shape, try call.shape())
    let (samples, parts) = (input[1], input[2])
    guard parts == 1 || parts == 2 else {
      throw call.fail("the last axis of \(input) is not 1 (real) or 2 (complex)")
    }
    let step = try call.integers(1)[0]
    let window = try call.optional(2).doubles(call)
    let length = call.optional(3) == nil ? window?.count ?? 0 : try call.integers(3)[0]
    guard window?.count ?? length == length else {
      throw call.fail("the window has \(window?.count ?? 0) samples, a frame \(length)")
    }
    try call.check(output.count)
    let x = try call.doubles(0)
    var values: [Double] = []
    for signal in 0..<output[0] {
      for frame in 0..<output[1] {
        let points = (0..<length).map { index -> (re: Double, im: Double) in
          let at = (signal * samples + frame * step + index) * parts
          let factor = window?[index] ?? 1
          return (x[at] * factor, parts == 2 ? x[at + 1] * factor : 0)
        }
        for bin in dft(points, length: length, bins: output[2], isInverse: false) {
          values += [bin.re, bin.im]
        }
      }
    }
    return try call.result(values)
  }

  /// Triangular filters, evenly spaced on the mel scale, as the ONNX reference makes them.
  private static func mel(_ call: KernelCall) throws(PruneError) -> Tensor {
    let output = try call.shape()
    try call.check(output.count)
    let (bins, length, rate) = (
      try call.integers(0)[0], try call.integers(1)[0], try call.number(2)
    )
    let (lower, upper) = (try call.number(3), try call.number(4))
    guard bins >= 0, length >= 0, rate > 0 else {
      throw call.fail("bins, length and rate must be positive")
    }
    func melOf(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }
    let (low, high) = (melOf(lower), melOf(upper))
    let step = (high - low) / Double(bins + 2)
    let edges = (0..<(bins + 2)).map { index -> Int in
      let hertz = 700 * (pow(10, (Double(index) * step + low) / 2595) - 1)
      let bin = (Double(length + 1) * hertz / rate).rounded(.down)
      return bin.isFinite ? Int(min(max(bin, 0), 0x1p40)) : 0
    }
    var values = [Double](repeating: 0, count: output.count)
    for bin in 0..<bins {
      let (left, centre, right) = (edges[bin], edges[bin + 1], edges[bin + 2])
      let rise = centre - left
      for row in 0..<output[0] {
        if rise == 0, row == centre { values[row * output[1] + bin] = 1 }
        if rise > 0, row >= left, row <= centre {
          values[row * output[1] + bin] = Double(row - left) / Double(rise)
        }
        if right > centre, row >= centre, row < right {
          values[row * output[1] + bin] = Double(right - row) / Double(right - centre)
        }
      }
    }
    return try call.result(values)
  }
}
