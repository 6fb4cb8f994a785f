import PruneGraph
import PruneTensor

extension Zoo {
  /// MobileNetV2 (Sandler et al. 2018): 3,504,872 parameters at width 1. Channels are multiples of 8; the activation is
  /// ReLU6. With the small stem the first convolution and the first reducing block keep the image's extents.
  static func mobileNetV2(_ options: ZooOptions) throws(PruneError) -> Model {
    let width = options.width == 0 ? 1 : options.width
    guard width.isFinite, width > 0, width <= 64 else {
      throw PruneError(.invalidArgument, "width is \(options.width), wanted more than 0 and at most 64")
    }
    let image = try ImageOptions(options)
    var linear = options
    linear.activation = Activation.relu.rawValue
    var net = try NetworkBuilder(name: "mobilenet_v2", linear, input: image.input)
    try convolve(&net, "features.0", channels(32, width), kernel: 3, stride: image.reduces ? 2 : 1)
    // Expansion, channels, blocks, stride of the first.
    let stages = [
      (1, 16, 1, 1), (6, 24, 2, image.reduces ? 2 : 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
      (6, 320, 1, 1),
    ]
    var number = 1
    for (expansion, count, blocks, stride) in stages {
      for index in 0..<blocks {
        try invertedResidual(
          &net, "features.\(number)", expansion, channels(count, width), stride: index == 0 ? stride : 1)
        number += 1
      }
    }
    try convolve(&net, "features.\(number)", max(1280, channels(1280, width)), kernel: 1)
    net.globalAveragePool("avgpool")
    try net.dense("classifier", image.classes, isLast: true)
    return net.model()
  }

  /// The nearest multiple of 8 that is at least nine tenths of the wanted width.
  private static func channels(_ count: Int, _ width: Double) -> Int {
    let channels = Double(count) * width
    let rounded = max(8, Int(channels + 4) / 8 * 8)
    return Double(rounded) < 0.9 * channels ? rounded + 8 : rounded
  }

  /// Convolution, normalization and ReLU6.
  private static func convolve(
    _ net: inout NetworkBuilder, _ name: String, _ channels: Int, kernel: Int, stride: Int = 1, groups: Int = 1
  ) throws(PruneError) {
    try net.conv(name + ".conv", channels, kernel: kernel, stride: stride, pad: kernel / 2, groups: groups)
    try net.batchNorm(name + ".bn")
    net.emit("Clip", name + ".act", [try net.number("relu6.min", 0), try net.number("relu6.max", 6)], to: net.extents)
  }

  /// Expands the channels, convolves each by itself, and projects without an activation.
  private static func invertedResidual(
    _ net: inout NetworkBuilder, _ name: String, _ expansion: Int, _ channels: Int, stride: Int
  ) throws(PruneError) {
    let start = net.place
    let wide = start.extents[0] * expansion
    if expansion > 1 { try convolve(&net, name + ".expand", wide, kernel: 1) }
    try convolve(&net, name + ".depthwise", wide, kernel: 3, stride: stride, groups: wide)
    try net.conv(name + ".project.conv", channels, kernel: 1)
    try net.batchNorm(name + ".project.bn")
    if stride == 1, start.extents[0] == channels { net.add(name + ".add", start) }
  }
}
