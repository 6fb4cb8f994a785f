import PruneTensor
import Quantization
import Testing

@Suite struct AffineScaleTests {
  @Test(
    arguments: [
      (-1, 3, Float(4.0 / 255), 64), (0, 6, Float(6.0 / 255), 0), (2, 4, Float(4.0 / 255), 0),
      (-2, -1, Float(2.0 / 255), 255),
      (0, 0, 1, 0),
    ] as [(Float, Float, Float, Int)])
  func unsignedCodesCoverTheRangeAndZero(low: Float, high: Float, scale: Float, zero: Int) {
    let affine = AffineScale(low: low, high: high, codes: .unsigned)
    #expect(affine.scale == scale)
    #expect(affine.zeroPoint == zero)
  }

  @Test func signedCodesAreSymmetric() {
    let affine = AffineScale(low: -2, high: 1, codes: .signed)
    #expect(affine.scale == 2.0 / 127)
    #expect(affine.zeroPoint == 0)
  }

  @Test(arguments: [(-Float.greatestFiniteMagnitude, Float.greatestFiniteMagnitude), (-1e-37, 1e-37)])
  func extremeRangesGiveUsableScales(low: Float, high: Float) {
    let scale = AffineScale(low: low, high: high, codes: .unsigned).scale
    #expect(scale.isNormal)
  }

  @Test func emptyChannelsTakeTheScaleOfTheOthersAndBiasesFit() {
    #expect(WeightScale.symmetric(maxima: [1.27, 0, 0.127], biasBounds: [0, 0, 0]) == [0.01, 0.01, 0.001])
    #expect(WeightScale.symmetric(maxima: [0, 0], biasBounds: [0, 0.5]) == [1, 0.5])
    #expect(WeightScale.symmetric(maxima: [1.27], biasBounds: [0.02]) == [0.02])
  }
}

@Suite struct WeightCodeTests {
  @Test func codesAreRoundedToEvenAndZerosStay() throws {
    let weight = try Tensor([0.5, 1.5, -2.5, 0, -0.0, 300] as [Float], Shape([2, 3]))
    let (codes, signal, noise) = try weight.quantizedInt8(scales: [1], axis: nil)
    #expect(try codes.array(of: Int8.self) == [0, 2, -2, 0, 0, 127])
    #expect(signal == 90008.75)
    #expect(noise == 29929.75)
  }

  @Test(arguments: [0, 1, 2])
  func everyAxisHasItsOwnScales(axis: Int) throws {
    var random = RandomSource(seed: 5)
    let shape = try Shape([3, 5, 7])
    let values = (0..<shape.count).map { _ in Float(random.normal()) }
    let weight = try Tensor(values, shape)
    let maxima = try weight.absoluteMaxima(axis: axis)
    let scales = maxima.map { $0 / 127 }
    let codes = try weight.quantizedInt8(scales: scales, axis: axis).codes.array(of: Int8.self)
    for (index, value) in values.enumerated() {
      let channel = index / shape.strides[axis] % shape[axis]
      #expect(abs(Float(codes[index]) * scales[channel] - value) <= scales[channel] * 0.5001)
    }
    #expect(maxima.max() == values.map(abs).max())
    #expect(throws: PruneError.self) { try weight.quantizedInt8(scales: [1], axis: axis) }
  }

  @Test func rangesAreExactAndRefuseWhatIsNotFinite() throws {
    let range = try #require(try Tensor([3, -0.0, -7.5, 2] as [Float]).finiteRange())
    #expect(range == (-7.5, 3))
    #expect(try Tensor([1, .nan] as [Float]).finiteRange() == nil)
    #expect(try Tensor([1, -.infinity] as [Float]).finiteRange() == nil)
  }
}
