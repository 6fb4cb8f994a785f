import PruneGraph
import PruneTensor

struct KerasPooling: KerasLayerKind {
  let names = [
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "MaxPool1D", "MaxPool2D",
    "MaxPool3D", "AvgPool1D", "AvgPool2D", "AvgPool3D",
  ]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let rank = layer.spatialRank
    let value = try layer.spatial(call, &builder)
    let size = try layer.extents(layer.config["pool_size"] != nil ? "pool_size" : "pool_length", rank: rank, default: 2)
    let window = try KerasWindow(layer, rank: rank, kernel: size, stridesDefault: size)
    let (attributes, extents) = window.attributes(layer.extents(of: value))
    var result = value
    result.name = builder.single(
      layer.className.hasPrefix("Max") ? "MaxPool" : "AveragePool", [value.name], layer.path, attributes)
    result.dims = layer.dims(value.dims[0], extents, channels: value.dims[layer.channel(of: value)])
    return [result]
  }
}

struct KerasGlobalPooling: KerasLayerKind {
  let names = [
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalAvgPool1D",
    "GlobalAvgPool2D", "GlobalAvgPool3D",
  ]
  func masking(of layer: KerasLayer) -> KerasMasking {
    layer.className == "GlobalAveragePooling1D" || layer.className == "GlobalAvgPool1D" ? .reads : .drops
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let rank = layer.spatialRank
    if let mask = call.mask, masking(of: layer) == .reads {
      guard layer.isChannelsLast else { throw layer.unsupported("it has a mask and channels first, which is not read") }
      return [try builder.mean(of: try call.input(of: layer), mask, layer)]
    }
    let value = try layer.spatial(call, &builder)
    let channels = value.dims[layer.channel(of: value)]
    var result = value
    result.name = builder.single(
      layer.className.hasPrefix("GlobalMax") ? "GlobalMaxPool" : "GlobalAveragePool", [value.name], layer.path)
    if layer.flag("keepdims", default: false) {
      result.dims = layer.dims(value.dims[0], [Int?](repeating: 1, count: rank), channels: channels)
      return [result]
    }
    let flat = builder.single("Flatten", [result.name], "\(layer.path)/flat", [("axis", .int(1))])
    return [KerasValue(flat, [value.dims[0], channels])]
  }
}
