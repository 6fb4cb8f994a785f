#if canImport(Glibc)
  import Glibc
#endif

/// Changes the rate of sound by a windowed sinc (Smith and Gossett 1984): frames above half of the lower rate are taken
/// out, so that nothing is mirrored down.
struct Resampler: Sendable {
  let source: Int
  let target: Int

  /// Zero crossings of the sinc to each side.
  private static let crossings = 24.0

  /// How many frames `count` frames become.
  func count(_ count: Int) -> Int {
    source == target ? count : Int((Double(count) * Double(target) / Double(source)).rounded(.up))
  }

  /// The source's frames that frames first..<last depend on.
  func needed(_ first: Int, _ last: Int) -> Range<Int> {
    guard source != target else { return first..<last }
    let ratio = Double(source) / Double(target), reach = Self.crossings * max(ratio, 1) + 1
    return Int((Double(first) * ratio - reach).rounded(.down))..<Int((Double(last) * ratio + reach).rounded(.up)) + 1
  }

  /// Frames first..<last of the new rate.
  /// - Parameter frames: those that are needed, silence where there are none.
  func frames(_ first: Int, _ last: Int, of frames: [Float]) -> [Float] {
    guard source != target else { return frames }
    let ratio = Double(source) / Double(target), start = needed(first, last).lowerBound
    // The lower of both rates bounds what is kept.
    let cutoff = min(1 / ratio, 1), reach = Self.crossings / cutoff
    return (first..<last).map { index in
      let centre = Double(index) * ratio
      var sum = 0.0, mass = 0.0
      for place in Int((centre - reach).rounded(.up))...Int((centre + reach).rounded(.down)) {
        let distance = Double(place) - centre, angle = Double.pi * distance * cutoff
        let sinc = abs(angle) < 1e-9 ? 1 : sin(angle) / angle
        let weight = sinc * (0.5 + 0.5 * cos(Double.pi * distance / reach))
        mass += weight
        if frames.indices.contains(place - start) { sum += weight * Double(frames[place - start]) }
      }
      return mass == 0 ? 0 : Float(sum / mass)
    }
  }
}
