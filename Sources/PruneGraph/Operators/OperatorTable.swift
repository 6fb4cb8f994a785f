/// What an operator is to those who treat many alike: one row an operator, asked in place of lists of names.
///
/// What only one operator does is said where it is done. A row says what its kind does not: whether zeros stay zeros,
/// whether a gradient ends here by its nature, whether each sample is worked on by itself.
package struct Operator: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// A function of each element of the first input; further inputs are settings.
    case unary
    /// Elements of all inputs that broadcasting brings together.
    case broadcasting
    /// The same numbers, more or less exactly, in another element type.
    case storage
    /// The same elements in the same order under other extents.
    case reshaping
    /// Moves elements; some may be dropped or repeated.
    case moving
    /// Windows of images without weights.
    case window
    /// Products with a weight.
    case layer
    case normalization
    /// Exponentials over their sum, along an axis.
    case softmax
    /// Some axes are removed or become one element.
    case reduction
    case recurrent
    case attention
    /// New numbers in each run.
    case random
    /// Graphs inside.
    case control
    /// Everything else.
    case other
  }

  package struct Traits: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Zero gives zero, at any attributes.
    package static let keepsZero = Traits(rawValue: 1)
    /// The result is true or false.
    package static let givesFlags = Traits(rawValue: 2)
    /// Small changes of the inputs do not change the result, by design.
    package static let endsGradient = Traits(rawValue: 4)
    /// Each sample, along the first axis of the first input, comes from the same one of that input alone. (All
    /// elementwise operators are so besides, as far as their operands are.)
    package static let keepsSamplesApart = Traits(rawValue: 8)
    /// Sums of products of two operands, the second of which is a weight in most networks: most of their work.
    package static let product = Traits(rawValue: 16)
    /// A product of matrices: either operand may be the weight.
    package static let matrixProduct = Traits(rawValue: 32)
    /// A product that integer runtimes have a form of.
    package static let hasIntegerForm = Traits(rawValue: 64)
    /// The weight can be stored in few bits and dequantized in front of it.
    package static let hasStorableWeight = Traits(rawValue: 128)
    /// All that is done to an element is to cut it off at limits, which the range of quantized values can do.
    package static let limits = Traits(rawValue: 256)
    /// Between numbers and quantized values.
    package static let quantizes = Traits(rawValue: 512)
  }

  package let kind: Kind
  package private(set) var traits: Traits

  /// Whether each element of the result comes from those at its place in the inputs.
  package var isElementwise: Bool { kind == .unary || kind == .broadcasting }

  // MARK: - Looking up

  /// The row of an operator: names of the standard domain as they are, others as `domain.name`.
  package static subscript(name name: String) -> Operator? { rows[name] }

  /// Names of all operators with a row, in order.
  package static let names = rows.keys.sorted()

  /// Names of the standard operators of some kinds, in order.
  package static func names(of kinds: Kind...) -> [String] {
    names.filter { name in rows[name].map { kinds.contains($0.kind) && !name.contains(".") } ?? false }
  }

  /// Names of all operators with a trait, in order.
  package static func names(with traits: Traits) -> [String] {
    names.filter { rows[$0]?.traits.isSuperset(of: traits) ?? false }
  }

  private static let rows: [String: Operator] = {
    var rows: [String: Operator] = [:]
    for (kind, traits, names) in groups {
      for name in names.split(separator: " ") { rows[String(name)] = Operator(kind: kind, traits: traits) }
    }
    for (traits, names) in uses {
      for name in names.split(separator: " ") { rows[String(name)]?.traits.formUnion(traits) }
    }
    return rows
  }()
}

extension Node {
  /// What its operator is; nil for one that no row tells of.
  package var operation: Operator? { Operator[name: operatorName] }

  package func has(_ traits: Operator.Traits) -> Bool { operation?.traits.isSuperset(of: traits) ?? false }
}

// MARK: - The rows

extension Operator {
  /// What rows of several kinds have besides.
  private static let uses: [(Traits, String)] = [
    (.product, "Conv ConvTranspose Gemm MatMul"),
    (.matrixProduct, "Gemm MatMul"),
    (.hasIntegerForm, "Conv Gemm MatMul"),
    (.hasStorableWeight, "Conv ConvTranspose Einsum GRU Gather Gemm LSTM MatMul RNN"),
    (.limits, "Clip Relu"),
    (.quantizes, "DequantizeLinear QuantizeLinear"),
  ]

  private static let groups: [(Kind, Traits, String)] = [
    (
      .unary, [.keepsZero],
      """
      Abs Asin Asinh Atan Atanh Celu Elu Erf Gelu HardSwish Identity LeakyRelu Mish Neg Relu Selu Sin Sinh Softsign Sqrt Swish Tan \
      Tanh ThresholdedRelu com.microsoft.Gelu com.microsoft.QuickGelu
      """
    ),
    (.unary, [.keepsZero], "Ceil Floor Round Sign"),
    (
      .unary, [],
      """
      Acos Acosh Clip Cos Cosh Exp HardSigmoid Log Reciprocal Shrink Sigmoid Softplus com.microsoft.FastGelu
      """
    ),
    (.unary, [.endsGradient], "BitwiseNot"),
    (.unary, [.givesFlags, .endsGradient], "IsInf IsNaN Not"),
    (.broadcasting, [], "Add Div Max Mean Min Mod Mul PRelu Pow Sub Sum Where com.microsoft.BiasGelu"),
    (.broadcasting, [.endsGradient], "BitShift BitwiseAnd BitwiseOr BitwiseXor"),
    (.broadcasting, [.givesFlags, .endsGradient], "And Equal Greater GreaterOrEqual Less LessOrEqual Or Xor"),
    (.storage, [.keepsZero], "Cast CastLike"),
    (.storage, [], "DequantizeLinear QuantizeLinear"),
    (.reshaping, [.keepsZero], "Flatten Reshape Squeeze Unsqueeze"),
    (
      .moving, [.keepsZero],
      """
      CenterCropPad Col2Im Compress Concat Expand Gather GatherElements GatherND ReverseSequence Scatter ScatterElements ScatterND \
      Slice Split Tile Transpose Trilu Unique
      """
    ),
    (.moving, [.keepsZero, .keepsSamplesApart], "DepthToSpace SpaceToDepth"),
    (.moving, [], "Pad"),
    (
      .window, [.keepsZero, .keepsSamplesApart],
      """
      AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool
      """
    ),
    (.window, [.keepsZero], "GridSample MaxRoiPool MaxUnpool Resize RoiAlign Upsample"),
    (.layer, [.keepsSamplesApart], "Conv ConvTranspose ai.libprune.QuantizedConv"),
    (
      .layer, [],
      """
      ConvInteger DeformConv Einsum Gemm MatMul MatMulInteger QLinearConv QLinearMatMul com.microsoft.FusedConv \
      com.microsoft.FusedGemm com.microsoft.FusedMatMul com.microsoft.MatMulIntegerToFloat com.microsoft.MatMulNBits \
      com.microsoft.DynamicQuantizeLSTM com.microsoft.QGemm ai.libprune.DynamicProduct
      """
    ),
    (.normalization, [.keepsSamplesApart], "BatchNormalization GroupNormalization InstanceNormalization LRN"),
    (
      .normalization, [],
      """
      LayerNormalization LpNormalization MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization \
      com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization
      """
    ),
    (.softmax, [], "Hardmax LogSoftmax Softmax"),
    (
      .reduction, [],
      """
      ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
      """
    ),
    (.reduction, [.endsGradient], "ArgMax ArgMin"),
    (.recurrent, [], "GRU LSTM RNN"),
    (
      .attention, [],
      """
      Attention RotaryEmbedding com.microsoft.Attention com.microsoft.GroupQueryAttention com.microsoft.MultiHeadAttention
      """
    ),
    (.random, [], "Bernoulli Dropout Multinomial RandomNormal RandomUniform"),
    (.random, [.endsGradient], "RandomNormalLike RandomUniformLike"),
    (.control, [], "If Loop Scan"),
    (.other, [.endsGradient], "ConstantOfShape EyeLike NonZero Shape Size"),
    (
      .other, [],
      """
      AffineGrid BlackmanWindow Constant CumProd CumSum DFT Det \
      DynamicQuantizeLinear HammingWindow HannWindow MelWeightMatrix NegativeLogLikelihoodLoss NonMaxSuppression OneHot Range STFT SoftmaxCrossEntropyLoss TfIdfVectorizer TopK
      """
    ),
  ]
}
