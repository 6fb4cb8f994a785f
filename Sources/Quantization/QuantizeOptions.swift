import PruneData
import PruneEvaluation
import PruneTensor

/// How to quantize. Only `calibration` has no default, and only the static scheme needs it.
package struct QuantizeOptions {
  /// "static": int8 weights, and activations with scales from calibration data. "dynamic": int8 weights, and
  /// activations with scales found while the model runs. "weight_only": weights of 2 to 8 bits, layers compute in
  /// float. "float8": weights of 8 bits with 4 of exponent, layers compute in float. "float16", "bfloat16": half
  /// precision. "float32": the numbers of a half or double precision model in
  /// float32. "palette": weights that take few different values, for packed files. "joint": each weight pruned and
  /// palettized as far as a budget for all asks for.
  package var scheme = "static"
  /// 8, or 2 to 6 for weights alone; of palettes 2 to 8; 0 is what the scheme has.
  package var bits = 0
  /// A few hundred samples of what the model will see.
  package var calibration: Dataset?
  /// How a range is chosen from what was seen: "minmax", "moving_average", "percentile", "entropy" or "mse"; "auto"
  /// takes the one of them, with corrected biases or without, that serves best on samples held back.
  package var calibrator = "auto"
  /// How much of the values the calibrator "percentile" covers, in percent.
  package var percentile = 99.99
  /// One scale an output channel, or one a weight.
  package var perChannel = true
  /// Activations as int8 around zero rather than uint8 with a zero point; with "weight_only" the same of weights below 8 bits.
  package var symmetric = false
  /// "weight_only": elements along the summed axis that share a scale; 0 is 32 below 8 bits and one scale a channel for
  /// 8.
  package var blockSize = 0
  /// "joint": what the weights may take in a packed file; up to 1 a fraction of what they take now, else bytes.
  package var bytes = 0.0
  /// "palette": output channels that share a palette; 0 is one palette a weight.
  package var groupSize = 0
  /// "palette": values count by how much the loss depends on them, from calibration data with targets.
  package var fisher = false
  /// "nearest", or "gptq": weights of "static" and "weight_only" are rounded one input after
  /// the other, each making up for the errors before it, on calibration data. "adaround" goes on from there, up or down
  /// one weight at a time, until no change makes the layer's outputs closer. "awq", for "weight_only": weights that
  /// meet large activations are rounded more finely. "hqq", for "weight_only": zero points of blocks that make errors
  /// sparse, without data.
  package var rounding = "nearest"
  /// "static": ranges of channels are evened out between layers first.
  package var equalize = false
  /// "static": how far ranges of channels are moved from activations into weights first (SmoothQuant's α), 0 for not at
  /// all, 1 for all the way.
  package var smooth = 0.0
  /// "static": the mean error of rounded weights is taken off the biases.
  package var biasCorrection = false
  /// "static": when the guard's bound does not hold, layers go back to float, the most damaging first, until it does.
  package var mixed = false
  /// "static": layers that take longer in int8 than in float32 on this machine stay float.
  package var keepFaster = false
  /// "static": the model is not stored in integers yet but computes as if it were, so that `fit` can adapt its weights
  /// to their codes; quantizing the result once more stores it.
  package var qat = false
  /// "qat": scales are trained as well (LSQ).
  package var learnScales = false
  /// "qdq": QuantizeLinear and DequantizeLinear; "qoperator": operators on codes, for "static", and ONNX Runtime's
  /// DynamicQuantizeLSTM, for "dynamic"; "matmul_nbits": ONNX Runtime's
  /// fused operator, for "weight_only".
  package var format = "qdq"
  /// Patterns (`*`, `?`) on names of layers or weights that stay float.
  package var ignore: [String] = []
  /// Of calibration and evaluation; 0 is 4 (1 for images), and 64.
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
  enum Kind: String, Choice {
    case `static`
    case dynamic
    case weightOnly = "weight_only"
    case float32, float16, bfloat16, float8, palette, joint

    var bits: [Int] {
      switch self {
      case .static, .dynamic, .float8: [8]
      case .weightOnly: [8, 4, 2, 3, 5, 6]
      case .float32: [32]
      case .float16, .bfloat16: [16]
      case .joint: [0]
      case .palette: [4, 2, 3, 5, 6, 7, 8]
      }
    }
    var formats: [Format] {
      switch self {
      case .weightOnly: [.qdq, .matMulNBits]
      case .static, .dynamic: [.qdq, .qOperator]
      default: [.qdq]
      }
    }
    var hasScales: Bool { [.static, .dynamic, .weightOnly, .float8].contains(self) }
  }

  /// The operators that a quantized layer is written with.
  enum Format: String, Choice {
    case qdq
    case qOperator = "qoperator"
    case matMulNBits = "matmul_nbits"
  }

  enum Rounding: String, Choice {
    case nearest, gptq, adaround, awq, hqq
  }

  let kind: Kind
  let rounding: Rounding
  let bits: Int
  let blockSize: Int
  let groupSize: Int
  let format: Format
  let observer: any RangeObserver.Type
  let calibrator: CalibratorSettings
  let ignore: [NamePattern]
  let batchSize: Int
  /// Nil for as many as go well.
  let calibrationBatch: Int?

  /// - Throws: `.unsupported` naming what there is, `.invalidArgument` for what makes no sense.
  init(_ options: QuantizeOptions) throws(PruneError) {
    let kind = try Kind("scheme", named: options.scheme), rounding = try Rounding("rounding", named: options.rounding)
    (self.kind, self.rounding) = (kind, rounding)
    guard rounding == .nearest || kind == .static || kind == .weightOnly else {
      throw PruneError(
        .invalidArgument, "rounding is for schemes 'static' and 'weight_only', the scheme is '\(options.scheme)'")
    }
    guard rounding == .nearest || rounding == .hqq || options.calibration != nil else {
      throw PruneError(
        .invalidArgument,
        "rounding '\(options.rounding)' looks at what layers are fed, and there is no calibration data",
        hint: "give calibration = some hundred samples")
    }
    guard rounding != .awq && rounding != .hqq || kind == .weightOnly else {
      throw PruneError(
        .invalidArgument,
        "rounding '\(options.rounding)' is for scheme 'weight_only', the scheme is '\(options.scheme)'")
    }
    bits = options.bits == 0 ? kind.bits[0] : options.bits
    guard kind.bits.contains(bits) else {
      throw PruneError(
        .unsupported, "\(bits) bits are not available for scheme '\(options.scheme)'",
        hint: "there are: \(kind.bits.sorted().map(String.init).joined(separator: ", "))")
    }
    let format = try Format("format", named: options.format)
    self.format = format
    guard kind.formats.contains(format) else {
      throw PruneError(
        .unsupported, "format '\(format.rawValue)' is not available for scheme '\(options.scheme)'",
        hint: "there are: \(kind.formats.map(\.rawValue).joined(separator: ", "))")
    }
    guard options.batchSize >= 0 else {
      throw PruneError(.invalidArgument, "batch_size is \(options.batchSize), it must be 1 or more (0 for the default)")
    }
    let hasBlocks = kind == .weightOnly && (bits < 8 || format == .matMulNBits) && options.perChannel
    blockSize = options.blockSize == 0 && hasBlocks ? 32 : options.blockSize
    guard (0...(1 << 20)).contains(blockSize),
      format != .matMulNBits || blockSize >= 16 && blockSize & (blockSize - 1) == 0
    else {
      throw PruneError(
        .invalidArgument,
        "block_size is \(blockSize), it must be "
          + (format != .matMulNBits ? "1 or more (0 for the default)" : "a power of two, 16 or more, for matmul_nbits"))
    }
    guard blockSize == 0 || kind == .weightOnly || kind == .float8 else {
      throw PruneError(
        .invalidArgument, "block_size is for schemes 'weight_only' and 'float8', the scheme is '\(options.scheme)'")
    }
    groupSize = options.groupSize
    guard groupSize >= 0, groupSize == 0 || kind == .palette else {
      throw PruneError(
        .invalidArgument,
        "group_size is \(groupSize): it is for scheme 'palette', 1 or more (0 for one palette a weight)")
    }
    for (name, isSet) in [
      ("equalize", options.equalize), ("bias_correction", options.biasCorrection), ("mixed", options.mixed),
      ("qat", options.qat), ("keep_faster", options.keepFaster),
    ]
    where isSet && kind != .static {
      throw PruneError(.invalidArgument, "\(name) is for scheme 'static', the scheme is '\(options.scheme)'")
    }
    guard kind.hasScales || options.perChannel else {
      throw PruneError(.invalidArgument, "per_channel is for schemes with scales, scheme '\(options.scheme)' has none")
    }
    guard !options.symmetric || kind == .static || kind == .weightOnly else {
      throw PruneError(
        .invalidArgument, "symmetric is for schemes 'static' and 'weight_only', the scheme is '\(options.scheme)'")
    }
    guard options.ignore.isEmpty || kind != .float32 else {
      throw PruneError(.invalidArgument, "ignore leaves layers as they are, and scheme 'float32' changes all")
    }
    guard (options.bytes > 0) == (kind == .joint), options.bytes >= 0, options.bytes.isFinite else {
      throw PruneError(
        .invalidArgument, "bytes is \(options.bytes): scheme 'joint' needs a budget above 0, and no other has one",
        hint: "give scheme = \"joint\", bytes = 0.05 for a twentieth")
    }
    guard options.smooth == 0 || kind == .static, (0...1).contains(options.smooth) else {
      throw PruneError(.invalidArgument, "smooth is \(options.smooth): it is for scheme 'static', from 0 to 1")
    }
    guard !options.qat || format == .qdq else {
      throw PruneError(
        .invalidArgument, "a model to train has format 'qdq'",
        hint: "give format = \"qoperator\" when it is quantized once more, to be stored")
    }
    guard !options.learnScales || options.qat else {
      throw PruneError(.invalidArgument, "learn_scales is for a model to train", hint: "give qat = true as well")
    }
    guard !options.mixed || options.guard != nil else {
      throw PruneError(
        .invalidArgument, "mixed gives layers back until a guard holds, and there is none", hint: "give guard = …")
    }
    guard !options.fisher || kind == .palette else {
      throw PruneError(.invalidArgument, "fisher is for scheme 'palette', the scheme is '\(options.scheme)'")
    }
    guard options.percentile > 0, options.percentile <= 100 else {
      throw PruneError(.invalidArgument, "percentile is \(options.percentile), it must be above 0 and at most 100")
    }
    observer = try Calibrator.named(options.calibrator)
    var settings = CalibratorSettings(codes: options.symmetric ? .signed : .unsigned)
    settings.percentile = options.percentile
    calibrator = settings
    ignore = options.ignore.map { NamePattern($0) }
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    // A moving average is one over batches.
    calibrationBatch = options.batchSize > 0 ? options.batchSize : observer == MovingAverageObserver.self ? 4 : nil
  }
}
