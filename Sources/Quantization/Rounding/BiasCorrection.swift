import PruneGraph
import PruneTensor

/// Moves what rounding weights shifts on average back into the biases: b' = b - (Ŵ - W)·E[x], with the mean input of
/// each channel from calibration data (Nagel et al., 2019, "Data-free quantization", section 4.2).
///
/// The rounded weights are those that the rewriter will store, so that the correction is exact for inputs that are
/// their mean.
enum BiasCorrection {
  /// What a layer's bias becomes.
  struct Change {
    let layer: Int
    let bias: String
    let after: Tensor
  }

  /// - Parameters:
  ///   - means: of each observed activation, by channel; nil entries are left alone.
  ///   - perChannel: whether weights have a scale a channel.
  ///   - outcome: is told of each layer, whether its bias changes.
  static func apply(
    _ model: Model, _ plan: QuantizationPlan, means: [String: [Double]], perChannel: Bool,
    rounded: [String: GPTQ.Rounded],
    _ outcome: inout OptionOutcome
  ) throws(PruneError) -> [Change] {
    var changes: [Change] = []
    let index = GraphIndex(model.graph)
    for layer in plan.layers {
      let node = model.graph.nodes[layer.node]
      guard let weight = index.constant(layer.weight), let channelAxis = layer.axis else {
        outcome.leave(node, "its weight has rank \(index.constant(layer.weight)?.shape.rank ?? 0)")
        continue
      }
      guard let biasName = bias(of: layer, index, channels: weight.shape[channelAxis]),
        let bias = index.constant(biasName)
      else {
        outcome.leave(node, "it has no bias of its own, or an Add of a constant that alone reads its output")
        continue
      }
      guard let mean = means[layer.input] else {
        outcome.leave(node, "the calibration data gave its input no channels")
        continue
      }
      let axis = perChannel ? channelAxis : nil
      let scales = WeightScale.symmetric(maxima: try weight.absoluteMaxima(axis: axis), biasBounds: [0])
      let used = rounded[layer.weight].flatMap { $0.scales == scales ? $0.tensor : nil } ?? weight
      let codes = try used.quantizedInt8(scales: scales, axis: axis).codes.array(of: Int8.self)
      guard let inputs = InputChannels(node, weight.shape, channels: mean.count) else {
        outcome.leave(node, "its input has \(mean.count) channels, not those of its weight \(weight.shape)")
        continue
      }
      var values = try bias.array(of: Float.self).map(Double.init)
      let floats = try weight.array(of: Float.self)
      let stride = weight.shape.dims[(channelAxis + 1)...].reduce(1, *), extent = weight.shape[channelAxis]
      for place in floats.indices {
        let channel = place / stride % extent
        let scale = scales.count == 1 ? scales[0] : scales[channel]
        let error = Double(Float(codes[place]) * scale) - Double(floats[place])
        values[channel] -= error * mean[inputs.channel(place)]
      }
      let after = try Tensor(values.map { Float($0) }, bias.shape)
      changes.append(Change(layer: layer.node, bias: biasName, after: after))
      outcome.serve()
    }
    return changes
  }

  /// The model with a bias of zeros where a Conv or Gemm has none: integer operators add one anyway.
  static func prepared(_ model: Model, _ plan: QuantizationPlan) throws(PruneError) -> Model {
    var result = model, names = model.graph.allNames
    for layer in plan.layers where layer.bias == nil {
      let node = model.graph.nodes[layer.node]
      guard node.opType != "MatMul", let axis = layer.axis,
        let extent = model.graph.initializer(layer.weight)?.shape[axis]
      else { continue }
      let name = Graph.uniqueName(layer.weight + "_bias", &names)
      result.graph.setInitializer(name, try Tensor([Float](repeating: 0, count: extent)))
      result.graph.nodes[layer.node].inputs = [node.inputs[0], node.inputs[1], name]
    }
    return result
  }

  /// The constant that is added to what a layer computes, when it is this layer's alone: its bias, or that of an Add
  /// behind it.
  private static func bias(of layer: QuantizationPlan.Layer, _ index: GraphIndex, channels: Int) -> String? {
    let node = index.graph.nodes[layer.node]
    guard node.opType == "MatMul" else { return layer.bias.flatMap { index.isOwned($0) ? $0 : nil } }
    guard let output = node.output(0), let next = index.onlyConsumer(of: output), next.isStandard, next.opType == "Add",
      let name = next.inputs.first(where: { $0 != output }), index.isOwned(name), let bias = index.constant(name),
      bias.dtype == .float32, bias.count == channels, bias.shape.dims.last == channels,
      (try? bias.finiteRange()) ?? nil != nil
    else { return nil }
    return name
  }
}

/// Which input channel an element of a weight is multiplied by.
struct InputChannels {
  private let isConv: Bool
  /// Elements of one output channel, of one input channel, and outputs a group.
  private let perOutput: Int
  private let perInput: Int
  private let outputsPerGroup: Int
  private let inputsPerGroup: Int
  private let divisor: Int
  private let extent: Int

  /// Nil when the weight does not have so many inputs.
  init?(_ node: Node, _ shape: Shape, channels: Int) {
    isConv = node.opType == "Conv"
    if isConv {
      let groups = max(node.int("group", default: 1), 1)
      inputsPerGroup = shape[1]
      guard shape.rank > 2, inputsPerGroup > 0, inputsPerGroup * groups == channels, shape[0] % groups == 0 else {
        return nil
      }
      outputsPerGroup = max(shape[0] / groups, 1)
      perInput = shape.dims[2...].reduce(1, *)
      perOutput = perInput * inputsPerGroup
      (divisor, extent) = (1, 1)
    } else {
      // A matrix, its summed axis first or last.
      let axis = node.opType == "Gemm" && node.int("transB", default: 0) != 0 ? 1 : 0
      guard shape.rank == 2, shape[axis] == channels else { return nil }
      divisor = axis == 0 ? shape[1] : 1
      extent = shape[axis]
      (perOutput, perInput, outputsPerGroup, inputsPerGroup) = (1, 1, 1, 1)
    }
  }

  func channel(_ place: Int) -> Int {
    isConv
      ? place / perOutput / outputsPerGroup * inputsPerGroup + place / perInput % inputsPerGroup
      : place / max(divisor, 1) % extent
  }
}
