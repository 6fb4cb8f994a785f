import PruneGraph
import PruneTensor

extension Zoo {
  /// DenseNet-121 (Huang et al. 2017) with growth 32: 7,978,856 parameters.
  static func denseNet121(_ options: ZooOptions) throws(PruneError) -> Model {
    let image = try ImageOptions(options)
    var net = try NetworkBuilder(name: "densenet121", options, input: image.input)
    try net.conv("conv0", 64, kernel: image.reduces ? 7 : 3, stride: image.reduces ? 2 : 1, pad: image.reduces ? 3 : 1)
    if image.reduces {
      try normalize(&net, "norm0", "act0")
      try net.maxPool("pool0", 3, stride: 2, pad: 1)
    }
    let blocks = [6, 12, 24, 16]
    for (index, layers) in blocks.enumerated() {
      let block = "denseblock\(index + 1)"
      for layer in 1...layers { try denseLayer(&net, "\(block).denselayer\(layer)", growth: 32) }
      guard index + 1 < blocks.count else { break }
      let name = "transition\(index + 1)"
      try normalize(&net, name + ".norm", name + ".act")
      try net.conv(name + ".conv", net.extents[0] / 2, kernel: 1)
      try net.averagePool(name + ".pool", 2)
    }
    try normalize(&net, "norm5", "act5")
    net.globalAveragePool("avgpool")
    try net.dense("classifier", image.classes, isLast: true)
    return net.model()
  }

  private static func normalize(_ net: inout NetworkBuilder, _ norm: String, _ act: String) throws(PruneError) {
    try net.batchNorm(norm)
    net.activate(act)
  }

  /// `growth` more channels, computed through a bottleneck of four times as many.
  private static func denseLayer(_ net: inout NetworkBuilder, _ name: String, growth: Int) throws(PruneError) {
    let start = net.place
    for (index, kernel) in [1, 3].enumerated() {
      try normalize(&net, "\(name).norm\(index + 1)", "\(name).act\(index + 1)")
      try net.conv("\(name).conv\(index + 1)", kernel == 1 ? 4 * growth : growth, kernel: kernel, pad: kernel / 2)
    }
    net.concat(name + ".concat", [start, net.place])
  }
}
