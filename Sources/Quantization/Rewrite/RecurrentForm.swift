import PruneGraph
import PruneTensor

/// An LSTM that can be written as com.microsoft.DynamicQuantizeLSTM: weights in int8 as [directions, inputs, gates], a
/// scale and a zero point for each gate of each direction, or for each direction.
struct RecurrentForm {
  private let weights: [(name: String, tensor: Tensor)]

  /// - Throws: why the node has no such form.
  init(_ node: Node, _ index: GraphIndex) throws(Reason) {
    guard node.int("layout", default: 0) == 0 else { throw Reason("it has its batches first") }
    var weights: [(name: String, tensor: Tensor)] = []
    for place in [1, 2] {
      guard let name = node.input(place), let tensor = index.constant(name) else { throw Reason.computed(node.opType) }
      guard tensor.dtype == .float32, tensor.shape.rank == 3, tensor.count > 0 else {
        throw Reason("its weight is \(tensor.dtype.name) \(tensor.shape)")
      }
      guard (try? tensor.finiteRange()) ?? nil != nil else { throw Reason.notFinite }
      weights.append((name, tensor))
    }
    self.weights = weights
  }

  func write(_ node: Node, perChannel: Bool, _ edit: inout GraphEdit) throws(PruneError) -> Node {
    var made = Node(
      "DynamicQuantizeLSTM", domain: "com.microsoft", name: node.name,
      inputs: (0..<8).map { node.input($0) ?? "" }, outputs: node.outputs, attributes: node.attributes)
    for (place, weight) in zip([1, 2], weights) {
      let dims = weight.tensor.shape.dims, rows = dims[0] * dims[1]
      let flat = try weight.tensor.reshaped(try Shape([rows, dims[2]]))
      var maxima = try flat.absoluteMaxima(axis: 0)
      if !perChannel {
        maxima = (0..<dims[0]).flatMap { direction in
          [Float](repeating: maxima[direction * dims[1]..<(direction + 1) * dims[1]].max() ?? 0, count: dims[1])
        }
      }
      let scales = WeightScale.symmetric(maxima: maxima, biasBounds: [0])
      let (codes, signal, noise) = try flat.quantizedInt8(scales: scales, axis: 0)
      let old = try codes.array(of: Int8.self)
      var turned = [Int8](repeating: 0, count: old.count)
      for row in 0..<rows {
        let (direction, gate) = (row / dims[1], row % dims[1])
        for input in 0..<dims[2] { turned[(direction * dims[2] + input) * dims[1] + gate] = old[row * dims[2] + input] }
      }
      let shape = try Shape(perChannel ? [dims[0], dims[1]] : [dims[0]])
      let steps = perChannel ? scales : (0..<dims[0]).map { scales[$0 * dims[1]] }
      made.inputs[place] = edit.add(
        weight.name + "_quantized", try Tensor(turned, try Shape([dims[0], dims[2], dims[1]])))
      made.inputs.append(edit.add(weight.name + "_scale", try Tensor(steps, shape)))
      made.inputs.append(edit.add(weight.name + "_zero_point", try Tensor(zeros: .int8, shape)))
      edit.release(weight.name)
      edit.results.append(
        QuantizedLayer(
          name: node.layerName, operation: node.opType, weight: weight.name, weights: weight.tensor.count, bits: 8,
          channels: steps.count, largestScale: steps.max() ?? 0,
          decibels: QuantizedLayer.decibels(signal: signal, noise: noise), bytesBefore: weight.tensor.byteCount,
          bytesAfter: weight.tensor.count + steps.count * 5))
    }
    edit.importVendorOperators()
    return made
  }
}
