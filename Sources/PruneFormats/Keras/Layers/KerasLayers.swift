import PruneTensor

/// The layers there are. To add one, write its `KerasLayerKind` and list it here.
enum KerasLayers {
  static let all: [any KerasLayerKind] = [
    KerasInput(), KerasDense(), KerasEmbedding(), KerasIdentity(), KerasActivationLayer(), KerasPReLU(),
    KerasConvolution(), KerasDepthwise(), KerasSeparable(), KerasTransposedConvolution(),
    KerasBatchNormalization(), KerasLayerNormalization(), KerasGroupNormalization(), KerasUnitNormalization(),
    KerasNormalization(),
    KerasRescaling(), KerasPooling(), KerasGlobalPooling(), KerasFlatten(), KerasReshape(), KerasPermute(),
    KerasRepeatVector(),
    KerasZeroPadding(), KerasCropping(), KerasUpSampling(), KerasResizing(), KerasMerge(), KerasConcatenate(),
    KerasDot(), KerasOperation(), KerasComparison(), KerasSplit(), KerasEinsumDense(),
    KerasRecurrent(), KerasBidirectional(), KerasTimeDistributed(), KerasCells(), KerasAttention(),
    KerasMultiHeadAttention(),
  ]

  /// - Throws: `.unsupported` naming the layer: nothing that a file holds is ever run.
  static func kind(of layer: KerasLayer) throws(PruneError) -> any KerasLayerKind {
    guard let kind = all.first(where: { $0.names.contains(layer.className) }) else {
      let names = all.flatMap(\.names) + KerasNetwork.classes
      let isCode = layer.className == "Lambda" || layer.config["function"] != nil
      throw layer.unsupported(
        isCode ? "it is Python code, which is never run" : "layers of this class are not read",
        hint: isCode
          ? "build the model from layers, or export it to ONNX: model.export(\"model.onnx\", format=\"onnx\")"
          : [
            Suggestion.hint(for: layer.className, among: names),
            "export it to ONNX: model.export(\"model.onnx\", format=\"onnx\")",
          ]
          .filter { !$0.isEmpty }.joined(separator: "; "))
    }
    return kind
  }
}
