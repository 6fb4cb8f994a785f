import PruneGraph
import PruneTensor

// Residual networks (He et al. 2016).
extension Zoo {
  /// Depths 18, 34, 50, 101 and 152 are those for ImageNet (11,689,512, 21,797,672, 25,557,032 … parameters); 20, 32,
  /// 44, 56 and 110 those for CIFAR-10 (269,722 parameters for 20).
  static func resnet(_ options: ZooOptions) throws(PruneError) -> Model {
    let counts = [
      18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3],
    ]
    let depth = options.depth == 0 ? 18 : options.depth
    if let stages = counts[depth] { return try imageNet(options, depth, stages) }
    guard [20, 32, 44, 56, 110].contains(depth) else {
      throw PruneError(
        .invalidArgument, "there is no ResNet of depth \(depth)",
        hint: "use one of 18, 34, 50, 101, 152 (ImageNet), 20, 32, 44, 56, 110 (CIFAR)")
    }
    return try cifar(options, depth)
  }

  /// Four stages of basic blocks, or from 50 layers on of bottlenecks with the stride in the middle (as torchvision).
  private static func imageNet(_ options: ZooOptions, _ depth: Int, _ stages: [Int]) throws(PruneError) -> Model {
    let image = try ImageOptions(options)
    var net = try NetworkBuilder(name: "resnet\(depth)", options, input: image.input)
    try net.conv("conv1", 64, kernel: image.reduces ? 7 : 3, stride: image.reduces ? 2 : 1, pad: image.reduces ? 3 : 1)
    try net.batchNorm("bn1")
    net.activate("act1")
    if image.reduces { try net.maxPool("maxpool", 3, stride: 2, pad: 1) }
    for (stage, count) in stages.enumerated() {
      for index in 0..<count {
        let block = ResidualBlock(
          name: "layer\(stage + 1).\(index)", width: 64 << stage, stride: stage > 0 && index == 0 ? 2 : 1)
        try depth < 50 ? block.basic(&net) : block.bottleneck(&net)
      }
    }
    net.globalAveragePool("avgpool")
    try net.dense("fc", image.classes, isLast: true)
    return net.model()
  }

  /// Three stages of 16, 32 and 64 channels whose shortcuts have no parameters (the paper's option A).
  private static func cifar(_ options: ZooOptions, _ depth: Int) throws(PruneError) -> Model {
    let image = try ImageOptions(options, input: [3, 32, 32])
    var net = try NetworkBuilder(name: "resnet\(depth)", options, input: image.input)
    try net.conv("conv1", 16, kernel: 3, pad: 1)
    try net.batchNorm("bn1")
    net.activate("act1")
    for stage in 0..<3 {
      for index in 0..<(depth - 2) / 6 {
        let block = ResidualBlock(
          name: "layer\(stage + 1).\(index)", width: 16 << stage, stride: stage > 0 && index == 0 ? 2 : 1)
        try block.basic(&net, projects: false)
      }
    }
    net.globalAveragePool("avgpool")
    try net.dense("fc", image.classes, isLast: true)
    return net.model()
  }
}

/// Convolutions with a residual addition of their input.
private struct ResidualBlock {
  let name: String
  let width: Int
  let stride: Int

  /// Two convolutions of 3x3.
  func basic(_ net: inout NetworkBuilder, projects: Bool = true) throws(PruneError) {
    let start = net.place
    try layer(&net, 1, width, kernel: 3, stride: stride)
    net.activate(name + ".act1")
    try layer(&net, 2, width, kernel: 3)
    try addShortcut(&net, start, width, projects: projects)
  }

  /// Down to `width` channels, a convolution of 3x3, up to four times as many.
  func bottleneck(_ net: inout NetworkBuilder) throws(PruneError) {
    let start = net.place
    try layer(&net, 1, width, kernel: 1)
    net.activate(name + ".act1")
    try layer(&net, 2, width, kernel: 3, stride: stride)
    net.activate(name + ".act2")
    try layer(&net, 3, 4 * width, kernel: 1)
    try addShortcut(&net, start, 4 * width, projects: true)
  }

  private func layer(
    _ net: inout NetworkBuilder, _ index: Int, _ channels: Int, kernel: Int, stride: Int = 1
  ) throws(PruneError) {
    try net.conv("\(name).conv\(index)", channels, kernel: kernel, stride: stride, pad: kernel / 2)
    try net.batchNorm("\(name).bn\(index)")
  }

  private func addShortcut(
    _ net: inout NetworkBuilder, _ start: NetworkBuilder.Place, _ channels: Int, projects: Bool
  ) throws(PruneError) {
    let end = net.place
    net.place = start
    if stride > 1 || start.extents[0] != channels {
      if projects {
        try net.conv(name + ".downsample.0", channels, kernel: 1, stride: stride)
        try net.batchNorm(name + ".downsample.1")
      } else {
        try thin(&net, channels, to: end.extents)
      }
    }
    let shortcut = net.place
    net.place = end
    net.add(name + ".add", shortcut)
    net.activate(name + ".act")
  }

  /// Every other pixel, with channels of zeros on both sides.
  private func thin(_ net: inout NetworkBuilder, _ channels: Int, to extents: [Int]) throws(PruneError) {
    let (missing, end) = (channels - net.extents[0], Int(Int32.max))
    let slice = [
      try net.integers("shortcut.starts", [0, 0]), try net.integers("shortcut.ends", [end, end]),
      try net.integers("shortcut.axes", [2, 3]), try net.integers("shortcut.steps", [stride, stride]),
    ]
    net.emit("Slice", name + ".shortcut.slice", slice, to: [net.extents[0]] + extents.dropFirst())
    let pads = try net.integers(
      name + ".shortcut.pads", [0, missing / 2, 0, 0, 0, missing - missing / 2, 0, 0])
    net.emit("Pad", name + ".shortcut.pad", [pads], to: extents)
  }
}
