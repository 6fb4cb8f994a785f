import PruneData
import PruneGraph
import PruneTensor

/// GPTQ and AdaRound for weights alone: in blocks, or with one scale a channel.
struct WeightRounding {
  /// What became of each layer.
  private(set) var outcome: OptionOutcome
  private let edit: GraphEdit
  private let plan: WeightPlan
  private let form: WeightOnlyRewriter.Form
  private let settles: Bool

  /// The matrix whose blocks are rounded, as it will be stored.
  private struct Blocks {
    let matrix: Tensor
    let codes: BlockCodes
    let axis: Int
    let size: Int
    let form: BlockCodes.Form
    let isTransposed: Bool
  }

  init(_ edit: GraphEdit, _ plan: WeightPlan, _ form: WeightOnlyRewriter.Form, settles: Bool) {
    (self.edit, self.plan, self.form, self.settles) = (edit, plan, form, settles)
    let name = settles ? "adaround" : "gptq"
    outcome = OptionOutcome("rounding '\(name)'", step: name + "_layers")
  }

  /// The rounded weights, by name.
  mutating func apply(_ data: Dataset, cancel: CancelFlag?) throws(PruneError) -> [String: WeightOnlyRewriter.Rounded] {
    var targets: [GPTQ.Target] = []
    var blocks: [String: Blocks] = [:]
    for layer in plan.layers {
      try cancel?.check()
      let node = edit.index.graph.nodes[layer.node]
      if let reason = refusal(node, layer) {
        outcome.leave(node, reason)
        continue
      }
      guard let input = node.input(0), let weight = edit.model.graph.initializer(layer.weight) else { continue }
      let made = try self.blocks(node, layer, weight)
      blocks[layer.weight] = made
      let grid: RoundingGrid
      if let made {
        grid = RoundingGrid(made.codes, made.form, axis: made.axis, size: made.size)
      } else {
        grid = try channels(layer, weight)
      }
      targets.append(
        GPTQ.Target(node: layer.node, input: input, weight: layer.weight, axis: layer.channelAxis, grid: grid))
    }
    let rounded =
      targets.isEmpty
      ? [:] : try GPTQ.apply(edit.model, data, targets, settles: settles, &outcome, cancel: cancel)
    var result: [String: WeightOnlyRewriter.Rounded] = [:]
    for (name, weight) in rounded {
      guard let made = blocks[name] else {
        result[name] = .channels(weight)
        continue
      }
      let tensor = made.isTransposed ? try weight.tensor.transposed() : weight.tensor
      result[name] = .blocks(
        try made.codes.recoded(tensor, of: made.matrix, axis: made.axis, size: made.size, made.form))
    }
    return result
  }

  /// Why a layer's weight is rounded to the nearest all the same.
  private func refusal(_ node: Node, _ layer: WeightPlan.Layer) -> String? {
    guard node.has(.hasIntegerForm) else { return "\(node.opType) is rounded to the nearest" }
    guard layer.input == 1 else { return "its weight is the left operand" }
    guard node.int("transA", default: 0) == 0 else { return "its input is transposed" }
    guard let input = node.input(0), !edit.index.isConstant(input) else { return "its input is a constant" }
    guard edit.model.graph.hasInitializer(layer.weight) else { return "its weight is not an initializer" }
    return plan.layers.count { $0.weight == layer.weight } == 1 ? nil : "other layers use its weight as well"
  }

  /// Nil where the layer has one scale a channel.
  private func blocks(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> Blocks? {
    guard let axis = layer.blockAxis, weight.shape.rank == 2 else { return nil }
    let form = form.blocks(isMasked: edit.model.maskedParameters.contains(layer.weight))
    if self.form.fused, WeightOnlyRewriter.isFusable(node, layer, rank: 2) {
      let matrix = axis == 0 ? try weight.transposed() : weight, size = self.form.fusedSize
      let codes = try BlockCodes(matrix, axis: 1, size: size, form)
      return Blocks(matrix: matrix, codes: codes, axis: 1, size: size, form: form, isTransposed: axis == 0)
    }
    guard self.form.blockSize > 0 else { return nil }
    let codes = try BlockCodes(weight, axis: axis, size: self.form.blockSize, form)
    return Blocks(matrix: weight, codes: codes, axis: axis, size: self.form.blockSize, form: form, isTransposed: false)
  }

  private func channels(_ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> RoundingGrid {
    let axis = form.perChannel ? layer.channelAxis : nil
    let scales = try WeightOnlyRewriter.channelScales(weight, axis: axis, bits: form.bits)
    let limits = form.limits(axis: axis)
    return RoundingGrid(scales: scales, low: limits.low, high: limits.high)
  }
}
