import PruneGraph
import PruneTensor

/// The input of a model, which the model around it gives.
struct KerasInput: KerasLayerKind {
  let names = ["InputLayer"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    call.inputs
  }
}

struct KerasDense: KerasLayerKind {
  let names = ["Dense"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(name: "kernel")] + (layer.flag("use_bias", default: true) ? [KerasWeight(name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = builder.plain(try call.input(of: layer))
    guard value.rank >= 2 else { throw layer.unsupported("its input has \(value.rank) axes") }
    let kernel = try builder.weight(
      layer, "kernel", expected: [value.dims[value.rank - 1], try layer.required("units")])
    let units = kernel.shape.rank == 2 ? kernel.shape[1] : 0
    let bias = layer.flag("use_bias", default: true) ? try builder.weight(layer, "bias", expected: [units]).name : nil
    if value.rank == 2 {
      value.name = builder.single("Gemm", [value.name, kernel.name] + (bias.map { [$0] } ?? []), layer.path)
    } else {
      value.name = builder.single("MatMul", [value.name, kernel.name], layer.path)
      if let bias { value.name = builder.single("Add", [value.name, bias], "\(layer.path)/add_bias") }
    }
    value.dims[value.rank - 1] = units
    return [try KerasActivation.apply(layer, value, &builder)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let shape = shapes["kernel"], shape.rank == 2 { config["units"] = JSON(shape[1]) }
    return config
  }
}

struct KerasEmbedding: KerasLayerKind {
  let names = ["Embedding"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] { [KerasWeight(name: "embeddings")] }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = builder.plain(try call.input(of: layer))
    let table = try builder.weight(
      layer, "embeddings", expected: [try layer.required("input_dim"), try layer.required("output_dim")])
    if ![DType.int32, .int64].contains(value.dtype) {
      value.name = builder.single(
        "Cast", [value.name], "\(layer.path)/cast", [("to", .int(Int64(DType.int64.rawValue)))])
    }
    let name = builder.single("Gather", [table.name, value.name], layer.path)
    var result = KerasValue(name, value.dims + [table.shape.dims.last])
    if layer.flag("mask_zero", default: false) { result.mask = try builder.mask(of: value, name: layer.path) }
    return [result]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let shape = shapes["embeddings"], shape.rank == 2 {
      config["input_dim"] = JSON(shape[0])
      config["output_dim"] = JSON(shape[1])
    }
    return config
  }
}

/// Layers that do something in training only.
struct KerasIdentity: KerasLayerKind {
  let names = [
    "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise",
    "ActivityRegularization", "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
    "RandomBrightness",
  ]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    [try call.input(of: layer)]
  }
}

/// Activations as layers of their own.
struct KerasActivationLayer: KerasLayerKind {
  let names = ["Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU"]
  func masking(of layer: KerasLayer) -> KerasMasking { layer.className == "Softmax" ? .lacks : .passes }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = try call.input(of: layer)
    if layer.className == "Activation" { return [try KerasActivation.apply(layer, value, &builder, name: layer.path)] }
    let function = KerasActivation(layer: layer, name: layer.path)
    switch layer.className {
    case "ReLU":
      return [
        try function.rectified(
          value, &builder, limit: layer.config["max_value"]?.double, slope: layer.float("negative_slope", default: 0),
          threshold: layer.float("threshold", default: 0))
      ]
    case "LeakyReLU":
      let slope = layer.config["negative_slope"] ?? layer.config["alpha"]
      return [builder.map("LeakyRelu", value, layer.path, [], [("alpha", .float(Float(slope?.double ?? 0.3)))])]
    case "ELU":
      return [builder.map("Elu", value, layer.path, [], [("alpha", .float(Float(layer.float("alpha", default: 1))))])]
    case "ThresholdedReLU":
      return [
        builder.map(
          "ThresholdedRelu", value, layer.path, [], [("alpha", .float(Float(layer.float("theta", default: 1))))])
      ]
    default:
      guard
        let axis = layer.config["axis"]?.int ?? layer.config["axis"]?.ints?.first
          ?? (layer.config["axis"] == nil ? -1 : nil)
      else {
        throw layer.unsupported("its axis is \(layer.config["axis"]?.text ?? "null")")
      }
      return [
        builder.map(
          "Softmax", value, layer.path, [], [("axis", .int(Int64(value.order[try value.axis(axis, of: layer)])))])
      ]
    }
  }
}

struct KerasPReLU: KerasLayerKind {
  let names = ["PReLU"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] { [KerasWeight(name: "alpha")] }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = try call.input(of: layer)
    // The slopes have the axes behind the batch, in the order that the tensor has them.
    var axes = [Int](repeating: 0, count: max(value.rank - 1, 0))
    guard value.order.first == 0 else { throw layer.unsupported("its input has the batch inside") }
    for (axis, place) in value.order.enumerated().dropFirst() { axes[place - 1] = axis - 1 }
    let slopes = try builder.weight(layer, "alpha", .permuted(axes))
    return [builder.map("PRelu", value, layer.path, [slopes.name])]
  }
}
