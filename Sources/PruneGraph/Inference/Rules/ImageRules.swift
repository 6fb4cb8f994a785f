import PruneTensor

/// Operators on images: resampling, regions and boxes.
package enum ImageRules {
  static let table: [String: Rule] = [
    "Resize": Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(0), try ResizeShape(x)?.output ?? unknownLike(x))]
    },
    "Upsample": Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(0), try ResizeShape(x)?.output ?? unknownLike(x))]
    },
    "GridSample": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, atLeast: 3), let grid = try x.dims(1, rank: dims.count) else {
        return [TensorType(x.dtype(0), unknownLike(x))]
      }
      guard Dim.unified(grid[grid.count - 1], .fixed(dims.count - 2)) != nil,
        Dim.unified(grid[0], dims[0]) != nil
      else {
        throw x.fail("the grid is \(Dims.text(grid)), the input \(Dims.text(dims))")
      }
      return [TensorType(x.dtype(0), Array(dims[..<2]) + Array(grid[1..<(grid.count - 1)]))]
    },
    "AffineGrid": Rule { (x) throws(PruneError) in
      guard let size = try x.elements(1) else { return [TensorType(x.dtype(0), nil)] }
      guard size.count == 4 || size.count == 5, size.allSatisfy({ $0.value ?? 1 >= 1 }) else {
        throw x.fail("size is \(Dims.text(size)), wanted 4 or 5 extents")
      }
      if let theta = try x.dims(0, rank: 3) {
        let expected: [Dim] = [size[0], .fixed(size.count - 2), .fixed(size.count - 1)]
        guard zip(theta, expected).allSatisfy({ Dim.unified($0, $1) != nil }) else {
          throw x.fail("theta is \(Dims.text(theta)), wanted \(Dims.text(expected))")
        }
      }
      return [TensorType(x.dtype(0), [size[0]] + size.dropFirst(2) + [.fixed(size.count - 2)])]
    },
    "RoiAlign": Rule { (x) throws(PruneError) in
      let height = try x.int("output_height", default: 1, in: 1...(1 << 20))
      let width = try x.int("output_width", default: 1, in: 1...(1 << 20))
      let input = try x.dims(0, rank: 4)
      let regions = try x.dims(1, rank: 2)
      if let columns = regions?[1], Dim.unified(columns, .fixed(4)) == nil {
        throw x.fail("regions have \(columns) columns, wanted 4")
      }
      if let batch = try x.dims(2, rank: 1), let regions, Dim.unified(batch[0], regions[0]) == nil {
        throw x.fail("\(regions[0]) regions and \(batch[0]) batch indices")
      }
      return [
        TensorType(
          x.dtype(0),
          [regions?[0] ?? .unknown, input?[1] ?? .unknown, .fixed(height), .fixed(width)])
      ]
    },
    "NonMaxSuppression": Rule { (x) throws(PruneError) in
      if let boxes = try x.dims(0, rank: 3), let scores = try x.dims(1, rank: 3) {
        guard Dim.unified(boxes[0], scores[0]) != nil, Dim.unified(boxes[1], scores[2]) != nil,
          Dim.unified(boxes[2], .fixed(4)) != nil
        else { throw x.fail("boxes are \(Dims.text(boxes)), scores \(Dims.text(scores))") }
      }
      return [TensorType(.int64, [.unknown, .fixed(3)])]
    },
    "Col2Im": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, rank: 3), let image = try x.elements(1),
        let block = try x.elements(2)
      else {
        return [TensorType(x.dtype(0), nil)]
      }
      let size = Dim.product(block)
      if let rows = dims[1].value, let each = size.value, each <= 0 || rows % each != 0 {
        throw x.fail("\(rows) rows do not divide into blocks of \(Dims.text(block))")
      }
      return [TensorType(x.dtype(0), [dims[0], dims[1] / size] + image)]
    },
  ]

  private static func unknownLike(_ x: Operands) -> [Dim]? { x.dims(0)?.map { _ in .unknown } }
}

/// The output extents and scale factors of Resize and Upsample.
package struct ResizeShape: Sendable {
  package let output: [Dim]
  /// Output over input extent along every axis, as given, or as the sizes say.
  package let scales: [Double]

  /// Nil when the scales or sizes are computed at run time.
  package init?(_ x: Operands) throws(PruneError) {
    guard let dims = x.dims(0) else { return nil }
    let isResize = x.node.opType == "Resize"
    let scaleIndex = isResize && x.opset >= 11 ? 2 : 1
    var entries: [Double]?
    if !isResize, x.opset < 9 {
      if x.opset < 7, let height = Self.number(x.node, "height_scale"),
        let width = Self.number(x.node, "width_scale"), dims.count == 4
      {
        entries = [1, 1, height, width]
      } else {
        entries = x.node.floats("scales")?.map { Double($0) }
      }
    } else if let tensor = x.constant(scaleIndex), tensor.count > 0 {
      entries = try tensor.doubles()
    }
    let axes = try x.axes(
      x.opset >= 18 ? x.node.ints("axes") ?? Array(dims.indices) : Array(dims.indices),
      rank: dims.count)
    var output = dims
    var scales = [Double](repeating: 1, count: dims.count)
    if let entries {
      guard entries.count == axes.count, entries.allSatisfy({ $0 > 0 && $0 <= 0x1p24 }) else {
        throw x.fail("scales are \(entries), wanted \(axes.count) positive numbers")
      }
      for (index, axis) in axes.enumerated() {
        scales[axis] = entries[index]
        if entries[index] == 1 { continue }
        output[axis] =
          dims[axis].value.map { .fixed(Self.floored(Double($0) * entries[index])) } ?? .unknown
      }
    } else if isResize, x.opset >= 11, let sizes = try x.elements(3) {
      guard sizes.count == axes.count, sizes.allSatisfy({ $0.value ?? 1 >= 0 }) else {
        throw x.fail("sizes are \(Dims.text(sizes)), wanted \(axes.count) extents")
      }
      let ratios = axes.indices.compactMap { index -> Double? in
        guard let size = sizes[index].value, let extent = dims[axes[index]].value, extent > 0 else {
          return nil
        }
        return Double(size) / Double(extent)
      }
      let policy = x.node.string("keep_aspect_ratio_policy", default: "stretch")
      let common =
        policy == "not_larger" ? ratios.min() : policy == "not_smaller" ? ratios.max() : nil
      for (index, axis) in axes.enumerated() {
        output[axis] = sizes[index]
        guard let extent = dims[axis].value, extent > 0, let size = sizes[index].value else {
          continue
        }
        if policy == "not_larger" || policy == "not_smaller", let common {
          output[axis] = .fixed(
            Self.floored((Double(extent) * common).rounded(.toNearestOrAwayFromZero)))
          scales[axis] = common
        } else {
          scales[axis] = Double(size) / Double(extent)
        }
      }
    } else {
      return nil
    }
    self.output = output
    self.scales = scales
  }

  private static func number(_ node: Node, _ name: String) -> Double? {
    if case .float(let value)? = node.attribute(name) { return Double(value) }
    return nil
  }

  private static func floored(_ value: Double) -> Int {
    value.isFinite ? Int(min(max(value.rounded(.down), 0), 0x1p49)) : 0
  }
}
