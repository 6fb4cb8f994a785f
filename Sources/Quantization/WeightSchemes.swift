import PruneGraph
import PruneTensor

/// The schemes that look at weights alone.
enum WeightSchemes {
  static func dynamic(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    let folded = try FoldBatchNormalization.apply(try RaiseOpset.apply(model, to: 13))
    try QuantizationPlan.check(scheme.ignore, GraphIndex(folded.graph))
    let edit = GraphEdit(try PlainProducts.apply(folded, ignore: scheme.ignore))
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
    let isNew = scheme.bits <= 4 || scheme.blockSize > 0
    var wide = try RaiseOpset.apply(model, to: isNew && !fused ? 21 : 13)
    if fused {
      try QuantizationPlan.check(scheme.ignore, GraphIndex(wide.graph))
      wide = try PlainProducts.apply(wide, ignore: scheme.ignore)
    }
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
    if options.blockSize > 0 { outcomes.append(try blocked(edit, plan, fused: fused).checked()) }
    if options.symmetric, scheme.bits < 8 || fused, scheme.blockSize > 0 {
      outcomes.append(try blocked(edit, plan, fused: fused, "symmetric", step: "symmetric_layers").checked())
    }
    let form = WeightOnlyRewriter.Form(
      bits: scheme.bits, blockSize: scheme.blockSize, symmetric: options.symmetric, perChannel: options.perChannel,
      fused: fused, isHalfQuadratic: scheme.rounding == .hqq)
    if scheme.rounding == .hqq { outcomes.append(try halfQuadratic(edit, plan, form).checked()) }
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
      samples: [.nearest, .hqq].contains(scheme.rounding) ? 0 : options.calibration?.count ?? 0, outcomes: outcomes,
      provenance: "weight_only int\(scheme.bits) block_size \(scheme.blockSize) \(scheme.format.rawValue)")
  }

  /// Which layers have blocks, and why others have none.
  private static func blocked(
    _ edit: GraphEdit, _ plan: WeightPlan, fused: Bool, _ option: String = "block_size", step: String = "blocked_layers"
  ) -> OptionOutcome {
    var outcome = OptionOutcome(option, step: step)
    for layer in plan.layers {
      let node = edit.index.graph.nodes[layer.node], rank = edit.index.constant(layer.weight)?.shape.rank ?? 0
      if node.opType == "Gather" {
        outcome.leave(node, "rows of a table have a scale each")
      } else if layer.blockAxis == nil, !(fused && WeightOnlyRewriter.isFusable(node, layer, rank: rank)) {
        outcome.leave(node, "its weight has a scale for each output channel, and no blocks")
      } else {
        outcome.serve()
      }
    }
    return outcome
  }

  /// Which layers have blocks with zero points, and why others have none.
  private static func halfQuadratic(
    _ edit: GraphEdit, _ plan: WeightPlan, _ form: WeightOnlyRewriter.Form
  ) -> OptionOutcome {
    var outcome = OptionOutcome("rounding 'hqq'", step: "hqq_layers")
    for layer in plan.layers {
      let node = edit.index.graph.nodes[layer.node], rank = edit.index.constant(layer.weight)?.shape.rank ?? 0
      let isFused = form.fused && WeightOnlyRewriter.isFusable(node, layer, rank: rank)
      let isMasked = edit.model.maskedParameters.contains(layer.weight)
      if node.opType == "Gather" {
        outcome.leave(node, "rows of a table are stored in 8 bits")
      } else if !isFused && (form.blockSize == 0 || layer.blockAxis == nil) {
        outcome.leave(node, "it has one scale a channel and no zero point")
      } else if form.blocks(isMasked: isMasked).symmetric {
        outcome.leave(
          node,
          isMasked
            ? "its weight is pruned, and zero must stay a code" : "symmetric codes have no zero point to look for")
      } else {
        outcome.serve()
      }
    }
    return outcome
  }

  /// Weights as float8 numbers (E4M3) with a scale a channel, or a block.
  static func float8(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    // The types came with opset 19, their blocks with 21.
    let edit = GraphEdit(try RaiseOpset.apply(model, to: 21))
    let plan = try WeightPlan(edit.index, ignore: scheme.ignore, operators: WeightPlan.storable)
    let outcomes = options.blockSize > 0 ? [try blocked(edit, plan, fused: false).checked()] : []
    var form = WeightOnlyRewriter.Form(
      bits: 8, blockSize: scheme.blockSize, symmetric: true, perChannel: options.perChannel, fused: false)
    form.isFloat8 = true
    var rewriter = WeightOnlyRewriter(edit, plan, [:], form)
    let result = try rewriter.rewrite(cancel: options.cancel)
    return QuantizedModel(
      model: result.model, layers: result.layers, kept: plan.kept, outcomes: outcomes,
      provenance: "float8 e4m3 block_size \(scheme.blockSize)")
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
