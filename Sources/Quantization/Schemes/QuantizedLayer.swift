import PruneTensor

/// One layer's weight as it was stored, for the report.
struct QuantizedLayer {
  let name: String
  let operation: String
  let weight: String
  let weights: Int
  let bits: Int
  /// Scales stored with the codes.
  let channels: Int
  let largestScale: Float
  /// Signal to quantization noise of the weight, in decibels; nil without any noise.
  let decibels: Double?
  let bytesBefore: Int
  let bytesAfter: Int
  /// The share of weights that is left, where the scheme prunes as well.
  var density: Double?
  /// Signal to noise ratio and cosine of what the layer computes, against the float model, on calibration data.
  var outputDecibels: Double?
  var outputCosine: Double?
  /// Why the layer computes in float with its weight in few bits, where others of the scheme compute in integers.
  var floatReason: String?

  static func decibels(signal: Double, noise: Double) -> Double? {
    noise > 0 && signal > 0 ? 10 * logarithm(signal / noise) / logarithm(10) : nil
  }
}
