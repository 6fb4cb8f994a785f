import PruneGraph
import PruneTensor

/// Resize and Upsample: separable interpolation, one axis after the other, in Double.
enum Resampling {
  static let table: [String: Kernel] = [
    "Resize": Kernel { (call) throws(PruneError) in [try resize(call)] },
    "Upsample": Kernel { (call) throws(PruneError) in [try resize(call)] },
  ]

  /// What an output position reads: input positions with weights.
  typealias Taps = [(position: Int, weight: Double)]

  private static func resize(_ call: KernelCall) throws(PruneError) -> Tensor {
    guard let target = try ResizeShape(call.operands) else {
      throw call.fail("scales and sizes are both missing")
    }
    let output = try call.shape()
    var shape = try call.tensor(0).shape
    let settings = try ResampleSettings(call, rank: shape.rank)
    try call.check(output.count)
    guard shape.count > 0 || output.count == 0 else {
      throw call.fail("there is nothing to resize in \(shape)")
    }
    if settings.mode == .nearest, !settings.crops {
      let positions = (0..<shape.rank).map { axis in
        settings.isIdentity(axis, target.scales[axis], shape[axis], output[axis])
          ? Array(0..<shape[axis])
          : (0..<output[axis]).map {
            settings.nearest($0, axis, target.scales[axis], shape[axis], output[axis])
          }
      }
      return try Moves.pick(try call.tensor(0), positions: positions)
    }
    var values = try call.doubles(0)
    var outside: [(axis: Int, positions: [Bool])] = []
    for axis in 0..<shape.rank {
      let (scale, from, to) = (target.scales[axis], shape[axis], output[axis])
      if settings.isIdentity(axis, scale, from, to) { continue }
      let taps = (0..<to).map { settings.taps($0, axis, scale, from, to) }
      if settings.crops {
        outside.append((axis, (0..<to).map { settings.isOutside($0, axis, scale, from, to) }))
      }
      var dims = shape.dims
      dims[axis] = to
      let next = try Shape(dims)
      try call.check(next.count)
      values = applied(taps, values, AxisLanes(shape, axis), to)
      shape = next
    }
    for (axis, flags) in outside {
      AxisLanes(shape, axis).forEach { lane in
        for (position, index) in lane.enumerated() where flags[position] {
          values[index] = settings.extrapolation
        }
      }
    }
    return try call.result(values)
  }

  private static func applied(_ taps: [Taps], _ x: [Double], _ lanes: AxisLanes, _ count: Int)
    -> [Double]
  {
    var result = [Double](repeating: 0, count: lanes.outer * count * lanes.inner)
    for row in 0..<lanes.outer {
      for (position, list) in taps.enumerated() {
        let write = (row * count + position) * lanes.inner
        for tap in list {
          let read = (row * lanes.extent + tap.position) * lanes.inner
          for column in 0..<lanes.inner { result[write + column] += tap.weight * x[read + column] }
        }
      }
    }
    return result
  }
}

/// The attributes of Resize, and the coordinates and weights they mean.
struct ResampleSettings {
  enum Mode { case nearest, linear, cubic }

  let mode: Mode
  let extrapolation: Double
  private let transformation: String
  private let rounding: String
  private let coefficient: Double
  private let excludesOutside: Bool
  private let isAntialiased: Bool
  /// Start and end of the region of interest along every axis, in 0...1.
  private let regions: [(start: Double, end: Double)]

  var crops: Bool { transformation == "tf_crop_and_resize" }

  init(_ call: KernelCall, rank: Int) throws(PruneError) {
    let node = call.node
    let isOld = node.opType == "Upsample" || call.opset < 11
    switch node.string("mode", default: "nearest") {
    case "nearest": mode = .nearest
    case "linear", "bilinear": mode = .linear
    case "cubic": mode = .cubic
    case let other: throw call.fail("mode is '\(other)', wanted nearest, linear or cubic")
    }
    transformation =
      isOld ? "asymmetric" : node.string("coordinate_transformation_mode", default: "half_pixel")
    rounding = isOld ? "floor" : node.string("nearest_mode", default: "round_prefer_floor")
    let choices = [
      "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
      "tf_half_pixel_for_nn", "tf_crop_and_resize",
    ]
    guard choices.contains(transformation) else {
      throw call.fail("coordinate_transformation_mode is '\(transformation)'")
    }
    guard ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].contains(rounding) else {
      throw call.fail("nearest_mode is '\(rounding)'")
    }
    coefficient = Double(node.float("cubic_coeff_a", default: -0.75))
    excludesOutside = node.int("exclude_outside", default: 0) != 0
    isAntialiased = call.opset >= 18 && node.int("antialias", default: 0) != 0
    extrapolation = Double(node.float("extrapolation_value", default: 0))
    var regions = [(start: Double, end: Double)](repeating: (0, 1), count: rank)
    if transformation == "tf_crop_and_resize" {
      let roi = try call.doubles(1)
      let axes = try call.operands.axes(
        call.opset >= 18 ? node.ints("axes") ?? Array(0..<rank) : Array(0..<rank), rank: rank)
      guard roi.count == 2 * axes.count else {
        throw call.fail("roi has \(roi.count) entries, wanted \(2 * axes.count)")
      }
      for (index, axis) in axes.enumerated() {
        regions[axis] = (roi[index], roi[index + axes.count])
      }
    }
    self.regions = regions
  }

  /// Whether an axis stays as it is.
  func isIdentity(_ axis: Int, _ scale: Double, _ from: Int, _ to: Int) -> Bool {
    from == to && scale == 1 && (!crops || regions[axis] == (0, 1))
  }

  private func coordinate(_ position: Int, _ axis: Int, _ scale: Double, _ from: Int, _ to: Int)
    -> Double
  {
    let x = Double(position)
    switch transformation {
    case "align_corners": return to == 1 ? 0 : x * Double(from - 1) / Double(to - 1)
    case "asymmetric": return x / scale
    case "pytorch_half_pixel": return to > 1 ? (x + 0.5) / scale - 0.5 : 0
    case "tf_half_pixel_for_nn": return (x + 0.5) / scale
    case "half_pixel_symmetric":
      let adjustment = Double(to) / (scale * Double(from))
      return Double(from) / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    case "tf_crop_and_resize":
      let (start, end) = regions[axis]
      let last = Double(from - 1)
      return to > 1
        ? start * last + x * (end - start) * last / Double(to - 1) : 0.5 * (start + end) * last
    default: return (x + 0.5) / scale - 0.5
    }
  }

  func isOutside(_ position: Int, _ axis: Int, _ scale: Double, _ from: Int, _ to: Int) -> Bool {
    let x = coordinate(position, axis, scale, from, to)
    return !(x >= 0 && x <= Double(from - 1))
  }

  func nearest(_ position: Int, _ axis: Int, _ scale: Double, _ from: Int, _ to: Int) -> Int {
    let x = coordinate(position, axis, scale, from, to)
    let rounded: Double
    switch rounding {
    case "round_prefer_ceil": rounded = (x + 0.5).rounded(.down)
    case "floor": rounded = x.rounded(.down)
    case "ceil": rounded = x.rounded(.up)
    default: rounded = (x - 0.5).rounded(.up)
    }
    return inside(rounded, from)
  }

  private func inside(_ position: Double, _ extent: Int) -> Int {
    position.isFinite ? Int(min(max(position, 0), Double(extent - 1))) : 0
  }

  func taps(_ position: Int, _ axis: Int, _ scale: Double, _ from: Int, _ to: Int)
    -> Resampling.Taps
  {
    if mode == .nearest { return [(nearest(position, axis, scale, from, to), 1)] }
    let x = coordinate(position, axis, scale, from, to)
    guard x.isFinite, x.magnitude < 0x1p40 else { return [] }
    let base = x.rounded(.down)
    let ratio = x - base
    // Downscaling with antialias widens the filter by the inverse scale.
    let shrink = isAntialiased ? min(scale, 1) : 1
    let reach = mode == .linear ? 1.0 : 2.0
    let first = Int((-reach / shrink).rounded(.down)) + 1
    let last = Int((reach / shrink).rounded(.up))
    var taps: Resampling.Taps = []
    var sum = 0.0
    for step in first...max(last, first) {
      let weight = self.weight(abs((Double(step) - ratio) * shrink))
      let place = base + Double(step)
      if weight == 0 || (excludesOutside && (place < 0 || place > Double(from - 1))) { continue }
      sum += weight
      taps.append((inside(place, from), weight))
    }
    guard excludesOutside || isAntialiased, sum != 0 else { return taps }
    return taps.map { ($0.position, $0.weight / sum) }
  }

  /// The filter at a distance: a triangle, or Keys' cubic.
  private func weight(_ distance: Double) -> Double {
    if mode == .linear { return max(0, 1 - distance) }
    return Self.cubic(distance, coefficient)
  }

  /// Keys' cubic convolution filter.
  static func cubic(_ d: Double, _ a: Double) -> Double {
    if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
  }
}
