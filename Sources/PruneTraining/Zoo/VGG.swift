import PruneGraph
import PruneTensor

extension Zoo {
  /// VGG (Simonyan and Zisserman 2015) with batch normalization after each convolution.
  ///
  /// With the ImageNet stem the head is that of the paper, two hidden layers of 4096 over 7x7 (images whose sides are
  /// not multiples of 224 keep the extents they arrive with): 138,365,992 parameters for 16 layers. With the small stem
  /// it is one layer over the channels' means, as usual on CIFAR-10.
  static func vgg(_ options: ZooOptions) throws(PruneError) -> Model {
    let widths = [64, 128, 256, 512, 512]
    let depths = [11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]]
    let depth = options.depth == 0 ? 16 : options.depth
    guard let counts = depths[depth] else {
      throw PruneError(.invalidArgument, "there is no VGG of depth \(depth)", hint: "use one of 11, 13, 16, 19")
    }
    let image = try ImageOptions(options)
    var net = try NetworkBuilder(name: "vgg\(depth)_bn", options, input: image.input)
    for (stage, count) in counts.enumerated() {
      for index in 1...count {
        let name = "\(stage + 1)_\(index)"
        try net.conv("conv" + name, widths[stage], kernel: 3, pad: 1, hasBias: true)
        try net.batchNorm("bn" + name)
        net.activate("act" + name)
      }
      try net.maxPool("pool\(stage + 1)", 2)
    }
    if image.reduces {
      let window = net.extents[1] / 7
      if window > 1, net.extents[1] == 7 * window, net.extents[2] == 7 * window {
        try net.averagePool("avgpool", window)
      }
      try net.flatten()
      for index in 1...2 {
        try net.dense("fc\(index)", 4096)
        net.activate("act_fc\(index)")
      }
      try net.dense("fc3", image.classes, isLast: true)
    } else {
      net.globalAveragePool("avgpool")
      try net.dense("fc", image.classes, isLast: true)
    }
    return net.model()
  }
}
