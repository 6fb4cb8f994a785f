import PruneGraph
import PruneTensor

/// DeformConv on images: every kernel tap reads where its own offset says, between pixels if need be.
enum ConvolutionDeformable {
  static let table: [String: Kernel] = [
    "DeformConv": Kernel { (call) throws(PruneError) in [try convolve(call)] }
  ]

  private static func convolve(_ call: KernelCall) throws(PruneError) -> Tensor {
    let (input, filter) = (try call.tensor(0).shape, try call.tensor(1).shape)
    guard input.rank == 4 else {
      throw call.unsupported("deformable convolution of \(input.rank - 2) spatial axes")
    }
    let output = try call.shape()
    try call.check(output.count)
    let (x, w, offsets) = (try call.doubles(0), try call.doubles(1), try call.doubles(2))
    let bias = try call.optional(3).doubles(call)
    let mask = try call.optional(4).doubles(call)
    let window = try Window(
      call.node, kernel: Array(filter.dims[2...]), input: input.dims[2...].map(Dim.fixed))
    let group = call.node.int("group", default: 1)
    let offsetGroups = call.node.int("offset_group", default: 1)
    let (height, width) = (input[2], input[3])
    let (channels, outputs) = (filter[1], output[1])
    let (taps, area, columns) = (filter[2] * filter[3], output[2] * output[3], output[3])
    let perGroup = max(outputs / group, 1)
    let perOffset = max(input[1] / offsetGroups, 1)
    let cost = channels * taps * area * 8
    let values = Parallel.rows(output[0] * outputs, width: area, cost: cost) { row, values in
      let (image, filterIndex) = (row / outputs, row % outputs)
      for index in values.indices {
        let (top, left) = (
          index / columns * window.strides[0] - window.padsBegin[0],
          index % columns * window.strides[1] - window.padsBegin[1]
        )
        var sum = bias?[filterIndex] ?? 0
        for channel in 0..<channels {
          let source = filterIndex / perGroup * channels + channel
          let plane = (image * input[1] + source) * height * width
          let block = image * offsetGroups + source / perOffset
          for tap in 0..<taps {
            let at = (block * taps + tap) * 2 * area + index
            let y = Double(top + tap / filter[3] * window.dilations[0]) + offsets[at]
            let column = Double(left + tap % filter[3] * window.dilations[1]) + offsets[at + area]
            let value = bilinear(x, plane, height, width, y, column)
            let factor = mask?[(block * taps + tap) * area + index] ?? 1
            sum += w[(filterIndex * channels + channel) * taps + tap] * value * factor
          }
        }
        values[index] = sum
      }
    }
    return try call.result(values)
  }

  /// The value between pixels; pixels outside are zero.
  private static func bilinear(
    _ x: [Double], _ plane: Int, _ height: Int, _ width: Int, _ y: Double, _ column: Double
  ) -> Double {
    guard y > -1, y < Double(height), column > -1, column < Double(width) else { return 0 }
    let (top, left) = (y.rounded(.down), column.rounded(.down))
    let (dy, dx) = (y - top, column - left)
    func pixel(_ row: Int, _ place: Int) -> Double {
      guard row >= 0, row < height, place >= 0, place < width else { return 0 }
      return x[plane + row * width + place]
    }
    let (row, place) = (Int(top), Int(left))
    let upper = pixel(row, place) * (1 - dx) + pixel(row, place + 1) * dx
    let lower = pixel(row + 1, place) * (1 - dx) + pixel(row + 1, place + 1) * dx
    return upper * (1 - dy) + lower * dy
  }
}
