import PruneData
import PruneEvaluation
import PruneTensor

/// How to quantize. Only `calibration` has no default.
package struct QuantizeOptions {
  /// "static": int8 weights, and activations with scales from calibration data.
  package var scheme = "static"
  package var bits = 8
  /// A few hundred samples of what the model will see.
  package var calibration: Dataset?
  /// How a range is chosen from what was seen: "minmax".
  package var calibrator = "minmax"
  /// One scale an output channel, or one a weight.
  package var perChannel = true
  /// Activations as int8 around zero rather than uint8 with a zero point.
  package var symmetric = false
  /// "qdq": QuantizeLinear and DequantizeLinear pairs.
  package var format = "qdq"
  /// Patterns (`*`, `?`) on names of layers or weights that stay float.
  package var ignore: [String] = []
  /// Of calibration and evaluation; 0 is 64.
  package var batchSize = 0
  /// Metrics on this data go into the report, before and after.
  package var validate: Dataset?
  /// When the quantized model loses more than it allows, `quantize` throws `.refused`.
  package var `guard`: GuardOptions?
  package var cancel: CancelFlag?

  package init() {}
}

/// The choices that options name, checked.
struct QuantizationScheme {
  static let schemes = ["static"]
  static let formats = ["qdq"]
  static let bits = [8]

  let codes: ActivationCodes
  let observer: any RangeObserver.Type
  let ignore: [NamePattern]
  let batchSize: Int

  /// - Throws: `.unsupported` naming what there is, `.invalidArgument` for what makes no sense.
  init(_ options: QuantizeOptions) throws(PruneError) {
    for (what, value, known) in [("scheme", options.scheme, Self.schemes), ("format", options.format, Self.formats)]
    where !known.contains(value) {
      throw PruneError(
        .unsupported, "\(what) '\(value)' is not available", hint: "there are: \(known.joined(separator: ", "))")
    }
    guard Self.bits.contains(options.bits) else {
      throw PruneError(
        .unsupported, "\(options.bits) bits are not available for scheme '\(options.scheme)'",
        hint: "there are: \(Self.bits.map(String.init).joined(separator: ", "))")
    }
    guard options.batchSize >= 0 else {
      throw PruneError(.invalidArgument, "batch_size is \(options.batchSize), it must be 1 or more (0 for the default)")
    }
    observer = try Calibrator.named(options.calibrator)
    codes = options.symmetric ? .signed : .unsigned
    ignore = options.ignore.map { NamePattern($0) }
    batchSize = options.batchSize > 0 ? options.batchSize : 64
  }
}
