import PruneGraph
import PruneTensor

/// Interpolation at normalized places (-1...1 along every axis), as GridSample defines it.
struct GridSampler: Sendable {
  private enum Mode { case nearest, linear, cubic }
  private enum Padding { case zeros, border, reflection }

  private let mode: Mode
  private let padding: Padding
  private let alignsCorners: Bool
  private let extents: [Int]

  init(_ call: KernelCall, extents: [Int]) throws(PruneError) {
    switch call.node.string("mode", default: "bilinear") {
    case "nearest": mode = .nearest
    case "bilinear", "linear": mode = .linear
    case "bicubic", "cubic": mode = .cubic
    case let other: throw call.fail("mode is '\(other)', wanted linear, nearest or cubic")
    }
    switch call.node.string("padding_mode", default: "zeros") {
    case "zeros": padding = .zeros
    case "border": padding = .border
    case "reflection": padding = .reflection
    case let other:
      throw call.fail("padding_mode is '\(other)', wanted zeros, border or reflection")
    }
    alignsCorners = call.node.int("align_corners", default: 0) != 0
    self.extents = extents
    guard !extents.contains(0) else {
      throw call.fail("there is nothing to sample in an image of \(extents)")
    }
  }

  /// The value at a place (outermost axis first) of the plane that starts at `base`.
  func sample(_ x: [Double], _ base: Int, _ place: [Double]) -> Double {
    sum(x, base, place.indices.map { taps(place[$0], extents[$0]) }, 0)
  }

  private func sum(_ x: [Double], _ offset: Int, _ taps: [Resampling.Taps], _ axis: Int) -> Double {
    var total = 0.0
    let stride = extents[(axis + 1)...].reduce(1, *)
    for tap in taps[axis] {
      let next = offset + tap.position * stride
      total += tap.weight * (axis == taps.count - 1 ? x[next] : sum(x, next, taps, axis + 1))
    }
    return total
  }

  private func taps(_ normalized: Double, _ extent: Int) -> Resampling.Taps {
    let n = Double(extent)
    var x = alignsCorners ? (normalized + 1) / 2 * (n - 1) : ((normalized + 1) * n - 1) / 2
    guard x.isFinite, x.magnitude < 0x1p40 else { return [] }
    if mode == .nearest { x = x.rounded(.toNearestOrEven) }
    let (low, high) = alignsCorners ? (0, n - 1) : (-0.5, n - 0.5)
    if x < low || x > high {
      if padding == .border { x = min(max(x, 0), n - 1) }
      if padding == .reflection { x = reflected(x, low, high) }
    }
    let floor = x.rounded(.down)
    let ratio = x - floor
    switch mode {
    case .nearest: return [inside(x, extent, 1)].compactMap { $0 }
    case .linear:
      return [inside(floor, extent, 1 - ratio), inside(floor + 1, extent, ratio)].compactMap { $0 }
    case .cubic:
      return (-1...2).compactMap {
        inside(floor + Double($0), extent, ResampleSettings.cubic(abs(Double($0) - ratio), -0.75))
      }
    }
  }

  /// A tap as the padding places it; nil where it reads zero.
  private func inside(_ position: Double, _ extent: Int, _ weight: Double) -> (
    position: Int, weight: Double
  )? {
    if position >= 0, position <= Double(extent - 1) { return (Int(position), weight) }
    switch padding {
    case .zeros: return nil
    case .border: return (position < 0 ? 0 : extent - 1, weight)
    case .reflection:
      let (low, high) = alignsCorners ? (0.0, Double(extent - 1)) : (-0.5, Double(extent) - 0.5)
      return (Int(min(max(reflected(position, low, high), 0), Double(extent - 1))), weight)
    }
  }

  private func reflected(_ x: Double, _ low: Double, _ high: Double) -> Double {
    let range = high - low
    guard range > 0, x < low || x > high else { return range > 0 ? x : 0 }
    let distance = x < low ? low - x : x - high
    let times = (distance / range).rounded(.down)
    let rest = distance - times * range
    let isEven = times.truncatingRemainder(dividingBy: 2) == 0
    return (x < low) == isEven ? low + rest : high - rest
  }
}
