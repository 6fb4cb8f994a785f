import PruneGraph
import PruneTensor

/// Sampling images at given places: GridSample, AffineGrid, RoiAlign, Col2Im.
enum ImageSampling {
  static let table: [String: Kernel] = [
    "GridSample": Kernel { (call) throws(PruneError) in [try gridSample(call)] },
    "AffineGrid": Kernel { (call) throws(PruneError) in [try affineGrid(call)] },
    "RoiAlign": Kernel { (call) throws(PruneError) in [try roiAlign(call)] },
    "MaxRoiPool": Kernel { (call) throws(PruneError) in [try maxRoiPool(call)] },
    "Col2Im": Kernel { (call) throws(PruneError) in [try columnsToImage(call)] },
  ]

  private static func gridSample(_ call: KernelCall) throws(PruneError) -> Tensor {
    let input = try call.tensor(0).shape
    let output = try call.shape()
    guard output.count == 0 || !input.dims.contains(0) else {
      throw call.fail("there is nothing to sample in \(input)")
    }
    let sampler = try GridSampler(call, extents: Array(input.dims.dropFirst(2)))
    let (x, grid) = (try call.doubles(0), try call.doubles(1))
    try call.check(output.count)
    let axes = input.rank - 2
    let points = output.dims.dropFirst(2).reduce(1, *)
    let area = input.dims.dropFirst(2).reduce(1, *)
    let channels = input[1]
    let values = Parallel.rows(output[0] * channels, width: points, cost: points * 16) {
      row, values in
      let image = row / channels
      for point in 0..<points {
        // The last axis of the grid runs from the innermost spatial axis outwards.
        let start = (image * points + point) * axes
        let place = (0..<axes).map { grid[start + axes - 1 - $0] }
        values[point] = sampler.sample(x, row * area, place)
      }
    }
    return try call.result(values)
  }

  private static func affineGrid(_ call: KernelCall) throws(PruneError) -> Tensor {
    let output = try call.shape()
    let theta = try call.doubles(0)
    let alignsCorners = call.node.int("align_corners", default: 0) != 0
    let axes = output.rank - 2
    let extents = Array(output.dims[1..<(1 + axes)])
    try call.check(output.count)
    var values = [Double](repeating: 0, count: output.count)
    var write = 0
    for image in 0..<output[0] {
      var position = [Int](repeating: 0, count: axes)
      for _ in 0..<extents.reduce(1, *) {
        // x first, as in the grid itself.
        let place = (0..<axes).reversed().map { axis -> Double in
          let n = Double(extents[axis])
          if alignsCorners { return n > 1 ? -1 + 2 * Double(position[axis]) / (n - 1) : 0 }
          return (2 * Double(position[axis]) + 1) / n - 1
        }
        for row in 0..<axes {
          let start = (image * axes + row) * (axes + 1)
          values[write] =
            theta[start + axes] + place.indices.reduce(0) { $0 + theta[start + $1] * place[$1] }
          write += 1
        }
        ConvolutionTransposed.step(&position, extents)
      }
    }
    return try call.result(values)
  }

  private static func roiAlign(_ call: KernelCall) throws(PruneError) -> Tensor {
    let input = try call.tensor(0).shape
    let output = try call.shape()
    let (x, rois, batches) = (try call.doubles(0), try call.doubles(1), try call.integers(2))
    guard batches.allSatisfy({ $0 >= 0 && $0 < input[0] }) else {
      throw call.fail("a batch index is outside 0..<\(input[0])")
    }
    let (height, width) = (input[2], input[3])
    let scale = Double(call.node.float("spatial_scale", default: 1))
    let ratio = try call.operands.int("sampling_ratio", default: 0, in: 0...4096)
    let takesMaximum = call.node.string("mode", default: "avg") == "max"
    // Since opset 16 the corners are shifted by half a pixel.
    let isHalfPixel =
      call.opset >= 16
      && call.node.string("coordinate_transformation_mode", default: "half_pixel") == "half_pixel"
    let shift = isHalfPixel ? 0.5 : 0
    try call.check(output.count)
    var values = [Double](repeating: 0, count: output.count)
    for roi in 0..<output[0] {
      let corner = (0..<4).map { rois[roi * 4 + $0] * scale - shift }
      guard corner.allSatisfy({ $0.isFinite && $0.magnitude < 0x1p24 }) else {
        throw call.fail("region \(roi) is not possible")
      }
      var (roiWidth, roiHeight) = (corner[2] - corner[0], corner[3] - corner[1])
      if !isHalfPixel { (roiWidth, roiHeight) = (max(roiWidth, 1), max(roiHeight, 1)) }
      let (binHeight, binWidth) = (roiHeight / Double(output[2]), roiWidth / Double(output[3]))
      let rows = ratio > 0 ? ratio : min(max(Int(binHeight.rounded(.up)), 0), 4096)
      let columns = ratio > 0 ? ratio : min(max(Int(binWidth.rounded(.up)), 0), 4096)
      for channel in 0..<output[1] {
        let plane = (batches[roi] * input[1] + channel) * height * width
        for py in 0..<output[2] {
          for px in 0..<output[3] {
            var total = 0.0
            var largest = -Double.infinity
            for iy in 0..<rows {
              let y = corner[1] + (Double(py) + (Double(iy) + 0.5) / Double(rows)) * binHeight
              for ix in 0..<columns {
                let column =
                  corner[0] + (Double(px) + (Double(ix) + 0.5) / Double(columns)) * binWidth
                for (value, isCounted) in corners(x, plane, height, width, y, column) {
                  total += value
                  if isCounted { largest = max(largest, value) }
                }
              }
            }
            let index = ((roi * output[1] + channel) * output[2] + py) * output[3] + px
            values[index] =
              takesMaximum
              ? (largest.isFinite ? largest : 0) : total / Double(max(rows * columns, 1))
          }
        }
      }
    }
    return try call.result(values)
  }

  /// The largest value of each bin of a region given in whole pixels.
  private static func maxRoiPool(_ call: KernelCall) throws(PruneError) -> Tensor {
    let input = try call.tensor(0).shape
    let output = try call.shape()
    let (x, rois) = (try call.doubles(0), try call.doubles(1))
    let scale = Double(call.node.float("spatial_scale", default: 1))
    try call.check(output.count)
    var values = [Double](repeating: 0, count: output.count)
    let extents = [input[2], input[3]]
    for roi in 0..<output[0] {
      let numbers = rois[(roi * 5)..<(roi * 5 + 5)].map { $0 }
      let corners = numbers.dropFirst().map { ($0 * scale).rounded() }
      guard numbers[0] >= 0, numbers[0] < Double(input[0]), corners.allSatisfy({ $0.magnitude < 0x1p24 }) else {
        throw call.fail("region \(roi) is not possible")
      }
      // x1, y1, x2, y2: rows first here.
      let (begin, end) = ([corners[1], corners[0]], [corners[3], corners[2]])
      func bin(_ axis: Int, _ index: Int) -> Range<Int> {
        let size = max(end[axis] - begin[axis] + 1, 1) / Double(output[2 + axis])
        let first = (Double(index) * size).rounded(.down) + begin[axis]
        let last = (Double(index + 1) * size).rounded(.up) + begin[axis]
        let limit = Double(extents[axis])
        return Int(min(max(first, 0), limit))..<Int(max(min(max(last, 0), limit), min(max(first, 0), limit)))
      }
      for channel in 0..<output[1] {
        let plane = (Int(numbers[0]) * input[1] + channel) * input[2] * input[3]
        for py in 0..<output[2] {
          for px in 0..<output[3] {
            var largest = -Double.infinity
            for row in bin(0, py) {
              for column in bin(1, px) { largest = max(largest, x[plane + row * input[3] + column]) }
            }
            let index = ((roi * output[1] + channel) * output[2] + py) * output[3] + px
            values[index] = largest.isFinite ? largest : 0
          }
        }
      }
    }
    return try call.result(values)
  }

  /// The four weighted neighbours of a place; nothing more than a pixel outside.
  private static func corners(
    _ x: [Double], _ plane: Int, _ height: Int, _ width: Int, _ y: Double, _ column: Double
  ) -> [(Double, Bool)] {
    guard y >= -1, y <= Double(height), column >= -1, column <= Double(width), height > 0, width > 0
    else { return [(0, true)] }
    func split(_ value: Double, _ extent: Int) -> (Int, Int, Double) {
      let inside = min(max(value, 0), Double(extent - 1))
      let low = min(Int(inside), extent - 1)
      return (low, min(low + 1, extent - 1), inside - Double(low))
    }
    let (top, bottom, dy) = split(y, height)
    let (left, right, dx) = split(column, width)
    return [
      (x[plane + top * width + left] * (1 - dy) * (1 - dx), true),
      (x[plane + top * width + right] * (1 - dy) * dx, true),
      (x[plane + bottom * width + left] * dy * (1 - dx), true),
      (x[plane + bottom * width + right] * dy * dx, true),
    ]
  }

  /// Adds the columns of blocks back into the image they were cut from.
  private static func columnsToImage(_ call: KernelCall) throws(PruneError) -> Tensor {
    let (image, block) = (try call.integers(1), try call.integers(2))
    guard image.count == block.count, block.allSatisfy({ $0 > 0 }) else {
      throw call.fail("image \(image) and block \(block) do not fit")
    }
    let window = try Window(call.node, kernel: block, input: image.map(Dim.fixed))
    let output = try call.shape()
    let input = try call.tensor(0).shape
    let places = window.outputExtents
    guard input[2] == places.reduce(1, *) else {
      throw call.fail("input has \(input[2]) columns, wanted \(places.reduce(1, *))")
    }
    let x = try call.doubles(0)
    try call.check(output.count)
    var values = [Double](repeating: 0, count: output.count)
    let area = image.reduce(1, *)
    let size = block.reduce(1, *)
    for plane in 0..<(output[0] * output[1]) {
      var tap = [Int](repeating: 0, count: block.count)
      for element in 0..<size {
        var place = [Int](repeating: 0, count: block.count)
        for column in 0..<input[2] {
          var offset = 0
          var isInside = true
          for axis in block.indices {
            let at =
              place[axis] * window.strides[axis] + tap[axis] * window.dilations[axis]
              - window.padsBegin[axis]
            isInside = isInside && at >= 0 && at < image[axis]
            offset = offset * image[axis] + at
          }
          if isInside {
            values[plane * area + offset] += x[(plane * size + element) * input[2] + column]
          }
          ConvolutionTransposed.step(&place, places)
        }
        ConvolutionTransposed.step(&tap, block)
      }
    }
    return try call.result(values)
  }
}
