import PruneGraph
import PruneTensor

/// The schemes that look at weights alone.
enum WeightSchemes {
  static func dynamic(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    try checkOpset(model, atLeast: 11, for: "DynamicQuantizeLinear")
    let edit = GraphEdit(try FoldBatchNormalization.apply(model))
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: ["Conv", "Gemm", "MatMul"])
    var rewriter = DynamicRewriter(edit, plan, perChannel: options.perChannel)
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(model: result.model, layers: result.layers, kept: result.kept, provenance: "dynamic int8")
  }

  static func weightOnly(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let fused = scheme.format == "matmul_nbits"
    // Blocks and 4-bit elements came with opset 21.
    let isNew = scheme.bits == 4 || scheme.blockSize > 0
    var wide = model
    if isNew, !fused { wide = try RaiseOpset.apply(model, to: 21) }
    if !isNew { try checkOpset(model, atLeast: options.perChannel ? 13 : 10, for: "DequantizeLinear") }
    let edit = GraphEdit(wide)
    let operators: Set<String> = fused ? ["Gemm", "MatMul", "Gather"] : ["Conv", "ConvTranspose", "Gemm", "MatMul", "Gather"]
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: operators)
    var rewriter = WeightOnlyRewriter(
      edit, plan,
      .init(
        bits: scheme.bits, blockSize: scheme.blockSize, symmetric: options.symmetric, perChannel: options.perChannel,
        fused: fused))
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(
      model: result.model, layers: result.layers, kept: plan.kept,
      provenance: "weight_only int\(scheme.bits) block_size \(scheme.blockSize) \(scheme.format)")
  }

  static func float16(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizedModel {
    try checkOpset(model, atLeast: 7, for: "float16")
    var rewriter = try HalfRewriter(model, types: try ShapeInference.run(model), ignore: scheme.ignore)
    let result = try rewriter.rewrite()
    return QuantizedModel(model: result.model, layers: result.layers, kept: rewriter.kept, provenance: "float16")
  }

  static func bfloat16(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizedModel {
    try checkOpset(model, atLeast: 13, for: "bfloat16")
    let edit = GraphEdit(model)
    let plan = try WeightPlan(
      edit.index, ignore: scheme.ignore, operators: ["Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU", "RNN"])
    let result = try BFloat16Rewriter.rewrite(edit, plan)
    return QuantizedModel(model: result.model, layers: result.layers, kept: plan.kept, provenance: "bfloat16 weights")
  }
}
