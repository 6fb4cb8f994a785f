import PruneTensor
import Quantization
import Testing

@Suite struct CalibratorTests {
  /// Normal numbers, and one far from all others in the last batch.
  private func range(_ name: String, outlier: Float = 100, _ change: (inout CalibratorSettings) -> Void = { _ in })
    throws -> (
      low: Float, high: Float
    )
  {
    var settings = CalibratorSettings()
    change(&settings)
    var observer = try Calibrator.named(name).init(settings)
    var random = RandomSource(seed: 3)
    for batch in 0..<8 {
      var values = (0..<20000).map { _ in Float(random.normal()) }
      if batch == 7 { values[5] = outlier }
      let low = values.min() ?? 0, high = values.max() ?? 0
      try observer.observe(try Tensor(values), low: low, high: high)
    }
    return observer.range
  }

  @Test func minmaxKeepsTheOutlierAndTheOthersDoNot() throws {
    #expect(try range("minmax").high == 100)
    let average = try range("moving_average")
    #expect(average.high > 14 && average.high < 20)
    for name in ["percentile", "entropy", "mse"] {
      let found = try range(name)
      // One outlier in 160,000 costs mse more than a range as wide as most of it does.
      #expect(found.high > 2 && found.high < (name == "mse" ? 90 : 20), "\(name): \(found)")
      #expect(found.low < -2 && found.low > -5, "\(name): \(found)")
    }
  }

  @Test func aPercentileLeavesOutAsMuchAsItSays() throws {
    let found = try range("percentile") { $0.percentile = 95.45 }
    #expect(abs(found.high - 2) < 0.1 && abs(found.low + 2) < 0.1)
    #expect(try range("percentile", outlier: 1) { $0.percentile = 100 } == range("minmax", outlier: 1))
  }

  /// The range follows the unit: activations far below 1 are calibrated as well as those above.
  @Test(arguments: Calibrator.names)
  func theUnitDoesNotMatter(name: String) throws {
    func range(_ unit: Float) throws -> (low: Float, high: Float) {
      var observer = try Calibrator.named(name).init(CalibratorSettings())
      var random = RandomSource(seed: 3)
      var values = (0..<40000).map { _ in Float(random.normal()) * unit }
      values[5] = 60 * unit
      try observer.observe(try Tensor(values), low: values.min() ?? 0, high: values.max() ?? 0)
      return observer.range
    }
    let wanted = try range(1)
    for unit in [Float(1e-3), 0x1p-7, 100] {
      let found = try range(unit)
      #expect(abs(found.low / unit - wanted.low) < 0.02 * abs(wanted.low), "\(unit): \(found), \(wanted)")
      #expect(abs(found.high / unit - wanted.high) < 0.02 * abs(wanted.high), "\(unit): \(found), \(wanted)")
    }
  }

  @Test func squaredErrorOfSymmetricCodesClipsToo() throws {
    let found = try range("mse", outlier: 30) { $0.codes = .signed }
    #expect(found.high > 4 && found.high < 29)
    #expect(found.low < -4)
  }

  @Test(arguments: ["percentile", "entropy", "mse"])
  func aFewShadesAreNotTakenForOutliers(name: String) throws {
    var observer = try Calibrator.named(name).init(CalibratorSettings())
    try observer.observe(try Tensor((0..<17_000).map { Float($0 % 17) / 16 }), low: 0, high: 1)
    #expect(observer.range.high > 0.9)
  }

  @Test(arguments: Calibrator.names)
  func constantsAndZerosHaveARange(name: String) throws {
    for value in [Float(0), 3, -2, 1e-40, 3e38] {
      var observer = try Calibrator.named(name).init(CalibratorSettings())
      for _ in 0..<3 { try observer.observe(try Tensor([Float](repeating: value, count: 10)), low: value, high: value) }
      let found = observer.range, scale = AffineScale(low: found.low, high: found.high, codes: .unsigned)
      #expect(found.low.isFinite && found.high.isFinite && found.low <= found.high)
      #expect(scale.scale.isNormal)
    }
  }

  @Test func theHistogramIsTheSameHoweverTheRangeGrew() throws {
    var grown = Histogram()
    for value in [Float(0.5), 1, 2, 4, 100, -700] { try grown.add(try Tensor([value]), low: value, high: value) }
    #expect(grown.counts.reduce(0, +) == 6)
    #expect(grown.reach > 700 && grown.reach < 1500)
    #expect(grown.low == -700 && grown.high == 100)
    // Every value is in a bin that holds it, as if the bins had been this wide from the start.
    for value in [Float(0.5), 1, 2, 4, 100, -700] {
      let bin = Int((value / grown.reach * 4096).rounded(.down)) + 4096
      #expect((bin - 1...bin + 1).contains { grown.counts[$0] > 0 }, "\(value)")
    }
  }
}
