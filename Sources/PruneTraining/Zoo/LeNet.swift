import PruneGraph
import PruneTensor

// The fully connected and the convolutional network that pruning papers report on.
extension Zoo {
  /// Fully connected layers of the given widths with an activation after each, then the logits.
  static func multilayerPerceptron(_ options: ZooOptions) throws(PruneError) -> Model {
    try dense("mlp", options, hidden: options.hidden.isEmpty ? [128] : options.hidden)
  }

  /// LeNet-300-100 (LeCun et al. 1998): 266,610 parameters on 1x28x28.
  static func lenet300100(_ options: ZooOptions) throws(PruneError) -> Model {
    try dense("lenet_300_100", options, hidden: [300, 100])
  }

  private static func dense(_ name: String, _ options: ZooOptions, hidden: [Int]) throws(PruneError) -> Model {
    var net = try NetworkBuilder(name: name, options, input: options.input.isEmpty ? [1, 28, 28] : options.input)
    try net.flatten()
    for (index, width) in hidden.enumerated() {
      try net.dense("fc\(index + 1)", width)
      net.activate("act\(index + 1)")
    }
    try net.dense("fc\(hidden.count + 1)", options.classes > 0 ? options.classes : 10, isLast: true)
    return net.model()
  }

  /// LeNet-5 in the Caffe variant, 20-50-500: 431,080 parameters on 1x28x28. The activation also follows each
  /// convolution's pooling. Inputs under 28 on a side are padded so that convolutions keep their extents.
  static func lenet5(_ options: ZooOptions) throws(PruneError) -> Model {
    let input = options.input.isEmpty ? [1, 28, 28] : options.input
    guard input.count == 3, input[1] >= 4, input[2] >= 4 else {
      throw PruneError(
        .invalidArgument, "input is \(input), wanted [channels, height, width] of at least 4x4")
    }
    let pad = min(input[1], input[2]) < 28 ? 2 : 0
    var net = try NetworkBuilder(name: "lenet5", options, input: input)
    for (index, channels) in [20, 50].enumerated() {
      try net.conv("conv\(index + 1)", channels, kernel: 5, pad: pad, hasBias: true)
      try net.maxPool("pool\(index + 1)", 2)
      net.activate("act\(index + 1)")
    }
    try net.flatten()
    try net.dense("fc1", 500)
    net.activate("act3")
    try net.dense("fc2", options.classes > 0 ? options.classes : 10, isLast: true)
    return net.model()
  }
}
