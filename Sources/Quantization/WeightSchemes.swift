import PruneGraph
import PruneTensor

/// The schemes that look at weights alone.
enum WeightSchemes {
  static func dynamic(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let edit = GraphEdit(try FoldBatchNormalization.apply(try RaiseOpset.apply(model, to: 13)))
    try QuantizationPlan.check(scheme.ignore, edit.index)
    let plan = try WeightPlan(
      edit.index, ignore: scheme.ignore, operators: Set(Operator.names(with: .hasIntegerForm)), isRest: true)
    var rewriter = DynamicRewriter(
      edit, plan, perChannel: options.perChannel, ignore: scheme.ignore, hasOperators: scheme.format == .qOperator)
    let integer = try rewriter.rewrite(cancel: options.cancel)
    // What has no integer form is stored in 8 bits all the same, and computes in float.
    let rest = GraphEdit(integer.model)
    let others = try WeightPlan(rest.index, ignore: scheme.ignore, operators: WeightPlan.storable, isRest: true)
    if integer.layers.isEmpty { try others.checkThereAreLayers(WeightPlan.storable) }
    var storing = WeightOnlyRewriter(
      rest, others, [:], tables: rewriter.tables,
      .init(bits: 8, blockSize: 0, symmetric: false, perChannel: options.perChannel, fused: false))
    var stored = try storing.rewrite(cancel: options.cancel)
    for place in stored.layers.indices {
      let layer = stored.layers[place]
      stored.layers[place].floatReason = integer.refused[layer.name] ?? "integer runtimes have no \(layer.operation)"
    }
    return QuantizedModel(
      model: stored.model, layers: integer.layers + stored.layers, kept: others.kept,
      outcomes: try rewriter.recurrent.map { outcome throws(PruneError) in [try outcome.checked()] } ?? [],
      provenance: "dynamic int8" + (scheme.format == .qdq ? "" : " \(scheme.format.rawValue)"))
  }

  static func weightOnly(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let fused = scheme.format == .matMulNBits
    // Blocks and 4-bit elements came with opset 21.
    let isNew = scheme.bits == 4 || scheme.blockSize > 0
    var wide = try RaiseOpset.apply(model, to: isNew && !fused ? 21 : 13)
    var outcomes: [OptionOutcome] = []
    if scheme.rounding == .awq, let data = options.calibration {
      var outcome = OptionOutcome("rounding 'awq'", step: "awq_inputs")
      wide = try ActivationAware.apply(
        wide, data, scheme, symmetric: options.symmetric, &outcome, cancel: options.cancel)
      outcomes.append(try outcome.checked())
    }
    let operators: Set<String> = fused ? Set(["Gather"] + Operator.names(with: .matrixProduct)) : WeightPlan.storable
    var edit = GraphEdit(wide)
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: operators)
    if isNew, fused, WeightOnlyRewriter.needsBlocks(plan, edit.index) {
      // Nodes keep their places.
      edit = GraphEdit(try RaiseOpset.apply(wide, to: 21))
    }
    let form = WeightOnlyRewriter.Form(
      bits: scheme.bits, blockSize: scheme.blockSize, symmetric: options.symmetric, perChannel: options.perChannel,
      fused: fused)
    var rounded: [String: WeightOnlyRewriter.Rounded] = [:]
    if scheme.rounding == .gptq || scheme.rounding == .adaround, let data = options.calibration {
      var rounding = WeightRounding(edit, plan, form, settles: scheme.rounding == .adaround)
      rounded = try rounding.apply(data, cancel: options.cancel)
      outcomes.append(try rounding.outcome.checked())
    }
    var rewriter = WeightOnlyRewriter(edit, plan, rounded, form)
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(
      model: result.model, layers: result.layers, kept: plan.kept,
      samples: scheme.rounding == .nearest ? 0 : options.calibration?.count ?? 0, outcomes: outcomes,
      provenance: "weight_only int\(scheme.bits) block_size \(scheme.blockSize) \(scheme.format.rawValue)")
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
      edit.index, ignore: scheme.ignore, operators: WeightPlan.storable)
    let result = try BFloat16Rewriter.rewrite(edit, plan)
    return QuantizedModel(model: result.model, layers: result.layers, kept: plan.kept, provenance: "bfloat16 weights")
  }
}
