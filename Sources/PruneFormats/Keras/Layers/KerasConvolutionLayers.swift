import PruneGraph
import PruneTensor

/// What convolutions and poolings have in common: kernel, strides, dilation and padding.
struct KerasWindow {
  let rank: Int
  let kernel: [Int]
  let strides: [Int]
  let dilation: [Int]
  let padding: String

  init(_ layer: KerasLayer, rank: Int, kernel: [Int], stridesDefault: [Int]? = nil) throws(PruneError) {
    self.rank = rank
    self.kernel = kernel
    let hasStrides = layer.config["strides"].map { !$0.isNull } ?? false
    strides =
      hasStrides || stridesDefault == nil ? try layer.extents("strides", rank: rank, default: 1) : stridesDefault ?? []
    dilation = try layer.extents("dilation_rate", rank: rank, default: 1)
    padding = layer.text("padding", default: "valid").lowercased()
    guard ["valid", "same", "causal"].contains(padding), padding != "causal" || rank == 1 else {
      throw layer.unsupported("its padding is '\(padding)'")
    }
  }

  /// How far a window reaches along an axis.
  func reach(_ axis: Int) -> Int { (kernel[axis] - 1).multipliedReportingOverflow(by: dilation[axis]).partialValue + 1 }

  /// Attributes of a window over a value whose spatial extents are these, and the extents that come out.
  func attributes(_ extents: [Int?]) -> (attributes: [(String, AttributeValue)], extents: [Int?]) {
    var attributes: [(String, AttributeValue)] = [("kernel_shape", .integers(kernel)), ("strides", .integers(strides))]
    if dilation.contains(where: { $0 != 1 }) { attributes.append(("dilations", .integers(dilation))) }
    var first = [Int](repeating: 0, count: rank)
    var last = first
    var out: [Int?] = []
    var isKnown = true
    for axis in 0..<rank {
      let reach = reach(axis)
      let stride = strides[axis]
      let extent = extents[axis]
      switch padding {
      case "same":
        out.append(extent.map { ($0 + stride - 1) / stride })
        // With strides the padding follows from the extent.
        let covered: Int? =
          stride == 1 ? reach - 1 : extent.map { max((($0 + stride - 1) / stride - 1) * stride + reach - $0, 0) }
        guard let covered else {
          isKnown = false
          continue
        }
        (first[axis], last[axis]) = (covered / 2, covered - covered / 2)
      case "causal":
        first[axis] = reach - 1
        out.append(extent.map { ($0 + stride - 1) / stride })
      default: out.append(extent.map { max(($0 - reach) / stride + 1, 0) })
      }
    }
    if isKnown {
      attributes.append(("pads", .integers(first + last)))
    } else {
      attributes.append(("auto_pad", .text("SAME_UPPER")))
    }
    return (attributes, out)
  }
}

extension KerasLayer {
  /// The spatial axes that a class name says: `Conv2D` has two.
  var spatialRank: Int { className.contains("1" as Character) ? 1 : className.contains("3" as Character) ? 3 : 2 }

  /// The axis of a value that channels are on.
  func channel(of value: KerasValue) -> Int { isChannelsLast ? value.rank - 1 : 1 }

  /// A value with a number of spatial axes and the channels after the batch.
  func spatial(_ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> KerasValue {
    let value = try call.input(of: self)
    guard value.rank == spatialRank + 2 else {
      throw PruneError(.badFormat, "\(label): its input has \(value.rank) axes, it wants \(spatialRank + 2)")
    }
    return builder.channelsFirst(value, channel: channel(of: value))
  }

  /// Spatial extents of a value, and the value with others.
  func extents(of value: KerasValue) -> [Int?] {
    isChannelsLast ? Array(value.dims[1..<value.rank - 1]) : Array(value.dims[2...])
  }
  func dims(_ batch: Int?, _ extents: [Int?], channels: Int?) -> [Int?] {
    isChannelsLast ? [batch] + extents + [channels] : [batch, channels] + extents
  }
}

struct KerasConvolution: KerasLayerKind {
  let names = ["Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(name: "kernel")] + (layer.flag("use_bias", default: true) ? [KerasWeight(name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let rank = layer.spatialRank
    let value = try layer.spatial(call, &builder)
    let window = try KerasWindow(layer, rank: rank, kernel: try layer.extents("kernel_size", rank: rank, default: 1))
    let groups = layer.int("groups", default: 1)
    let channels = value.dims[layer.channel(of: value)]
    guard groups > 0, channels == nil || (channels ?? 0) % groups == 0 else {
      throw layer.unsupported("it has \(groups) groups")
    }
    let kernel = try builder.weight(
      layer, "kernel", .kernel(rank),
      expected: window.kernel + [channels.map { $0 / groups }, try layer.required("filters")])
    let filters = kernel.shape.dims.last ?? 0
    var inputs = [value.name, kernel.name]
    if layer.flag("use_bias", default: true) {
      inputs.append(try builder.weight(layer, "bias", expected: [filters]).name)
    }
    let (attributes, extents) = window.attributes(layer.extents(of: value))
    var result = value
    result.name = builder.single("Conv", inputs, layer.path, attributes + [("group", .int(Int64(groups)))])
    result.dims = layer.dims(value.dims[0], extents, channels: filters)
    return [try KerasActivation.apply(layer, result, &builder)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let filters = shapes["kernel"]?.dims.last { config["filters"] = JSON(filters) }
    return config
  }
}

struct KerasDepthwise: KerasLayerKind {
  let names = ["DepthwiseConv1D", "DepthwiseConv2D"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(name: "depthwise_kernel")]
      + (layer.flag("use_bias", default: true) ? [KerasWeight(name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = try KerasDepthwise.convolve(
      layer, try layer.spatial(call, &builder), name: layer.path, bias: true, &builder)
    return [try KerasActivation.apply(layer, value, &builder)]
  }

  /// Without the 'groups' that Keras 2 writes and Keras 3 refuses.
  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    config["groups"] = nil
    return config
  }

  /// The convolution of every channel by itself.
  static func convolve(
    _ layer: KerasLayer, _ value: KerasValue, name: String, bias: Bool, _ builder: inout KerasBuilder
  ) throws(PruneError) -> KerasValue {
    let rank = layer.spatialRank
    let multiplier = layer.int("depth_multiplier", default: 1)
    guard multiplier > 0, multiplier < 1 << 20 else { throw layer.unsupported("its depth multiplier is \(multiplier)") }
    let window = try KerasWindow(layer, rank: rank, kernel: try layer.extents("kernel_size", rank: rank, default: 1))
    let kernel = try builder.weight(
      layer, "depthwise_kernel", .depthwise(rank, multiplier: multiplier),
      expected: window.kernel + [value.dims[layer.channel(of: value)], multiplier])
    let channels = kernel.shape.rank == rank + 2 ? kernel.shape[rank] : 0
    var inputs = [value.name, kernel.name]
    if bias, layer.flag("use_bias", default: true) {
      inputs.append(try builder.weight(layer, "bias", expected: [channels * multiplier]).name)
    }
    let (attributes, extents) = window.attributes(layer.extents(of: value))
    var result = value
    result.name = builder.single("Conv", inputs, name, attributes + [("group", .int(Int64(channels)))])
    result.dims = layer.dims(value.dims[0], extents, channels: channels * multiplier)
    return result
  }
}

struct KerasSeparable: KerasLayerKind {
  let names = ["SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(name: "depthwise_kernel"), KerasWeight(name: "pointwise_kernel")]
      + (layer.flag("use_bias", default: true) ? [KerasWeight(name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let rank = layer.spatialRank
    var value = try KerasDepthwise.convolve(
      layer, try layer.spatial(call, &builder), name: "\(layer.path)/depthwise", bias: false, &builder)
    let channel = layer.channel(of: value)
    let ones = [Int](repeating: 1, count: rank)
    let kernel = try builder.weight(
      layer, "pointwise_kernel", .kernel(rank),
      expected: ones.map { $0 } + [value.dims[channel], try layer.required("filters")])
    let filters = kernel.shape.dims.last ?? 0
    var inputs = [value.name, kernel.name]
    if layer.flag("use_bias", default: true) {
      inputs.append(try builder.weight(layer, "bias", expected: [filters]).name)
    }
    value.name = builder.single("Conv", inputs, layer.path, [("kernel_shape", .integers(ones))])
    value.dims[channel] = filters
    return [try KerasActivation.apply(layer, value, &builder)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let filters = shapes["pointwise_kernel"]?.dims.last { config["filters"] = JSON(filters) }
    return config
  }
}

struct KerasTransposedConvolution: KerasLayerKind {
  let names = [
    "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Convolution1DTranspose", "Convolution2DTranspose",
    "Convolution3DTranspose",
  ]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(name: "kernel")] + (layer.flag("use_bias", default: true) ? [KerasWeight(name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let rank = layer.spatialRank
    let value = try layer.spatial(call, &builder)
    let window = try KerasWindow(layer, rank: rank, kernel: try layer.extents("kernel_size", rank: rank, default: 1))
    let kernel = try builder.weight(
      layer, "kernel", .kernel(rank),
      expected: window.kernel + [try layer.required("filters"), value.dims[layer.channel(of: value)]])
    let filters = kernel.shape.rank == rank + 2 ? kernel.shape[rank] : 0
    var inputs = [value.name, kernel.name]
    if layer.flag("use_bias", default: true) {
      inputs.append(try builder.weight(layer, "bias", expected: [filters]).name)
    }
    let more = layer.config["output_padding"].flatMap { $0.isNull ? nil : $0 }
    let extra = more?.ints ?? more?.int.map { [Int](repeating: $0, count: rank) }
    guard extra.map({ $0.count == rank && $0.allSatisfy { $0 >= 0 && $0 < 1 << 30 } }) ?? true else {
      throw layer.unsupported("its output_padding is \(more?.text ?? "")")
    }
    var first: [Int] = []
    var last: [Int] = []
    var outputs: [Int] = []
    var extents: [Int?] = []
    for (axis, extent) in layer.extents(of: value).enumerated() {
      let (reach, stride) = (window.reach(axis), window.strides[axis])
      // How much shorter the output is than what all windows cover, at any extent of the input.
      let less: Int
      if let extra {
        less = 2 * (window.padding == "same" ? reach / 2 : 0) - extra[axis]
      } else {
        less = window.padding == "same" ? reach - stride : min(reach - stride, 0)
      }
      first.append(max(less, 0) / 2)
      last.append(max(less, 0) - max(less, 0) / 2)
      outputs.append(max(-less, 0))
      extents.append(extent.map { ($0 - 1) * stride + reach - less })
    }
    var attributes: [(String, AttributeValue)] = [
      ("kernel_shape", .integers(window.kernel)), ("strides", .integers(window.strides)),
      ("pads", .integers(first + last)),
    ]
    if window.dilation.contains(where: { $0 != 1 }) { attributes.append(("dilations", .integers(window.dilation))) }
    if outputs.contains(where: { $0 != 0 }) { attributes.append(("output_padding", .integers(outputs))) }
    var result = value
    result.name = builder.single("ConvTranspose", inputs, layer.path, attributes)
    result.dims = layer.dims(value.dims[0], extents, channels: filters)
    return [try KerasActivation.apply(layer, result, &builder)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let shape = shapes["kernel"], shape.rank > 2 { config["filters"] = JSON(shape[shape.rank - 2]) }
    return config
  }
}
