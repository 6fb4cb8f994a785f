import PruneGraph
import PruneTensor

/// The schemes that look at weights alone.
enum WeightSchemes {
  static func dynamic(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let edit = GraphEdit(try FoldBatchNormalization.apply(try RaiseOpset.apply(model, to: 13)))
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: ["Conv", "Gemm", "MatMul"])
    var rewriter = DynamicRewriter(edit, plan, perChannel: options.perChannel)
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(model: result.model, layers: result.layers, kept: result.kept, provenance: "dynamic int8")
  }

  static func weightOnly(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let fused = scheme.format == .matMulNBits
    // Blocks and 4-bit elements came with opset 21.
    let isNew = scheme.bits == 4 || scheme.blockSize > 0
    var wide = try RaiseOpset.apply(model, to: isNew && !fused ? 21 : 13)
    var steps: [(name: String, count: Int)] = []
    if scheme.rounding == .awq, let data = options.calibration {
      let made = try ActivationAware.apply(wide, data, scheme, symmetric: options.symmetric, cancel: options.cancel)
      wide = made.model
      steps = [("awq_inputs", made.inputs)]
    }
    let operators: Set<String> = fused ? ["Gemm", "MatMul", "Gather"] : ["Conv", "ConvTranspose", "Gemm", "MatMul", "Gather"]
    var edit = GraphEdit(wide)
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: operators)
    if isNew, fused, WeightOnlyRewriter.needsBlocks(plan, edit.index) {
      // Nodes keep their places.
      edit = GraphEdit(try RaiseOpset.apply(wide, to: 21))
    }
    let rounded = scheme.rounding == .gptq || scheme.rounding == .adaround ? try rounded(edit, plan, options, scheme) : [:]
    if !rounded.isEmpty { steps.append((scheme.rounding.rawValue + "_layers", rounded.count)) }
    var rewriter = WeightOnlyRewriter(
      edit, plan, rounded,
      .init(
        bits: scheme.bits, blockSize: scheme.blockSize, symmetric: options.symmetric, perChannel: options.perChannel,
        fused: fused))
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(
      model: result.model, layers: result.layers, kept: plan.kept,
      samples: scheme.rounding == .nearest ? 0 : options.calibration?.count ?? 0, steps: steps,
      provenance: "weight_only int\(scheme.bits) block_size \(scheme.blockSize) \(scheme.format.rawValue)")
  }

  /// The weights with one scale a channel, rounded by GPTQ or AdaRound.
  private static func rounded(
    _ edit: GraphEdit, _ plan: WeightPlan, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> [String: GPTQ.Rounded] {
    guard let data = options.calibration, data.count > 0, scheme.format == .qdq else { return [:] }
    var targets: [GPTQ.Target] = []
    for layer in plan.layers.values.sorted(by: { $0.node < $1.node }) {
      let node = edit.index.graph.nodes[layer.node]
      guard ["Conv", "Gemm", "MatMul"].contains(node.opType), scheme.blockSize == 0 || layer.blockAxis == nil,
        options.perChannel, node.int("transA", default: 0) == 0, let input = node.input(0), !edit.index.isConstant(input),
        plan.layers.values.count(where: { $0.weight == layer.weight }) == 1,
        let weight = edit.model.graph.initializer(layer.weight), try weight.finiteRange() != nil
      else { continue }
      let scales = try WeightOnlyRewriter.channelScales(weight, axis: layer.channelAxis, bits: scheme.bits)
      let (low, high): (Float, Float) = scheme.bits == 4 ? (layer.channelAxis == 0 ? -8 : -7, 7) : (-127, 127)
      targets.append(
        GPTQ.Target(
          node: layer.node, input: input, weight: layer.weight, axis: layer.channelAxis, scales: scales, low: low, high: high))
    }
    return try GPTQ.apply(edit.model, data, targets, settles: scheme.rounding == .adaround, cancel: options.cancel)
  }

  static func float16(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizedModel {
    let model = try RaiseOpset.apply(model, to: 7)
    var rewriter = try HalfRewriter(model, types: try ShapeInference.run(model), ignore: scheme.ignore)
    let result = try rewriter.rewrite()
    return QuantizedModel(model: result.model, layers: result.layers, kept: rewriter.kept, provenance: "float16")
  }

  static func bfloat16(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizedModel {
    let edit = GraphEdit(try RaiseOpset.apply(model, to: 13))
    let plan = try WeightPlan(
      edit.index, ignore: scheme.ignore, operators: ["Conv", "ConvTranspose", "Gemm", "MatMul", "Gather"])
    let result = try BFloat16Rewriter.rewrite(edit, plan)
    return QuantizedModel(model: result.model, layers: result.layers, kept: plan.kept, provenance: "bfloat16 weights")
  }
}
