import PruneGraph
import PruneTensor

/// Layers of convolutional networks.
extension NetworkBuilder {
  /// A square convolution.
  /// - Throws: `.invalidArgument` when the kernel does not fit the padded image.
  mutating func conv(
    _ name: String, _ channels: Int, kernel: Int, stride: Int = 1, pad: Int = 0, groups: Int = 1, hasBias: Bool = false
  ) throws(PruneError) {
    let (area, inputs) = (kernel * kernel, extents[0])
    let fanIn = inputs / groups * area
    let weight = try parameter(
      name + ".weight", [channels, inputs / groups, kernel, kernel],
      activation.isRectifier ? .he(fanIn: fanIn) : .glorot(fanIn: fanIn, fanOut: channels / groups * area))
    let bias = hasBias ? [try parameter(name + ".bias", [channels], .constant(0))] : []
    let window = [
      Attribute("dilations", .integers([1, 1])), Attribute("group", .int(Int64(groups))),
      Attribute("kernel_shape", .integers([kernel, kernel])), Attribute("pads", .integers([pad, pad, pad, pad])),
      Attribute("strides", .integers([stride, stride])),
    ]
    emit("Conv", name, [weight] + bias, window, to: [channels] + (try sides(name, kernel, stride, pad)))
  }

  /// Batch normalization that starts as the identity, its running mean at 0 and its running variance at 1.
  mutating func batchNorm(_ name: String) throws(PruneError) {
    let channels = [extents[0]]
    let inputs = [
      try parameter(name + ".weight", channels, .constant(1)), try parameter(name + ".bias", channels, .constant(0)),
      try parameter(name + ".running_mean", channels, .constant(0)),
      try parameter(name + ".running_var", channels, .constant(1)),
    ]
    emit(
      "BatchNormalization", name, inputs, [Attribute("epsilon", .float(1e-5)), Attribute("momentum", .float(0.9))],
      to: extents)
  }

  /// Maximum over windows; without a stride they touch without overlap.
  mutating func maxPool(_ name: String, _ size: Int, stride: Int? = nil, pad: Int = 0) throws(PruneError) {
    try pool("MaxPool", name, size, stride ?? size, pad)
  }

  /// Mean over windows that touch without overlap.
  mutating func averagePool(_ name: String, _ size: Int) throws(PruneError) {
    try pool("AveragePool", name, size, size, 0)
  }

  /// Mean of each channel, as a vector.
  mutating func globalAveragePool(_ name: String) {
    emit("GlobalAveragePool", name, to: [extents[0], 1, 1])
    emit("Flatten", "flatten", to: [extents[0]])
  }

  /// The channels of several values of the same sides, one after the other.
  mutating func concat(_ name: String, _ parts: [Place]) {
    let channels = parts.reduce(0) { $0 + $1.extents[0] }
    let value = append("Concat", name, parts.map(\.value), [Attribute("axis", .int(1))])
    place = Place(value: value, extents: [channels] + extents.dropFirst())
  }

  private mutating func pool(
    _ opType: String, _ name: String, _ size: Int, _ stride: Int, _ pad: Int
  ) throws(PruneError) {
    let window = [
      Attribute("kernel_shape", .integers([size, size])), Attribute("pads", .integers([pad, pad, pad, pad])),
      Attribute("strides", .integers([stride, stride])),
    ]
    emit(opType, name, [], window, to: [extents[0]] + (try sides(name, size, stride, pad)))
  }

  /// Height and width after a window has gone over the image.
  private func sides(_ name: String, _ size: Int, _ stride: Int, _ pad: Int) throws(PruneError) -> [Int] {
    let sides = extents.dropFirst()
    guard extents.count == 3, sides.allSatisfy({ $0 + 2 * pad >= size }) else {
      throw PruneError(
        .invalidArgument, "layer '\(name)' needs windows of \(size)x\(size), its input is \(extents)",
        hint: "give a larger image, or a network for smaller ones")
    }
    return sides.map { ($0 + 2 * pad - size) / stride + 1 }
  }
}
