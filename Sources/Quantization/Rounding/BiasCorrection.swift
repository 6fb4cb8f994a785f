import PruneGraph
import PruneTensor

/// Moves what rounding weights shifts on average back into the biases: b' = b - (Ŵ - W)·E[x], with the mean input of each
/// channel from calibration data (Nagel et al., 2019, "Data-free quantization", section 4.2).
///
/// The rounded weights are those that the rewriter will store, so that the correction is exact for inputs that are their mean.
enum BiasCorrection {
  /// What a layer's bias becomes.
  struct Change {
    let layer: Int
    let bias: String
    let after: Tensor
  }

  /// - Parameters:
  ///   - means: of each observed activation, by channel; nil entries are left alone.
  ///   - axis: the channel axis of layers' weights if their scales are per channel.
  static func apply(
    _ model: Model, _ plan: QuantizationPlan, means: [String: [Double]], perChannel: Bool, rounded: [String: GPTQ.Rounded]
  ) throws(PruneError) -> [Change] {
    var changes: [Change] = []
    let index = GraphIndex(model.graph)
    // A bias or a weight that several layers share cannot be right for all of them.
    let uses = Dictionary(plan.layers.flatMap { [$0.bias, $0.weight] }.compactMap { $0 }.map { ($0, 1) }, uniquingKeysWith: +)
    for layer in plan.layers {
      guard let biasName = layer.bias, uses[biasName] == 1, let weight = index.constant(layer.weight),
        let bias = index.constant(biasName), index.isOwned(biasName),
        let mean = means[layer.input], let channelAxis = layer.axis
      else { continue }
      let node = model.graph.nodes[layer.node]
      let axis = perChannel ? channelAxis : nil
      let scales = WeightScale.symmetric(maxima: try weight.absoluteMaxima(axis: axis), biasBounds: [0])
      let used = rounded[layer.weight].flatMap { $0.scales == scales ? $0.tensor : nil } ?? weight
      let codes = try used.quantizedInt8(scales: scales, axis: axis).codes.array(of: Int8.self)
      guard let inputs = InputChannels(node, weight.shape, channels: mean.count) else { continue }
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
    }
    return changes
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
      guard shape.rank > 2, inputsPerGroup > 0, inputsPerGroup * groups == channels, shape[0] % groups == 0 else { return nil }
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
      ? place / perOutput / outputsPerGroup * inputsPerGroup + place / perInput % inputsPerGroup : place / max(divisor, 1) % extent
  }
}
