import PruneTensor

/// Cutting from and padding a tensor.
package enum SlicingRules {
  static let table: [String: Rule] = [
    "Slice": Rule { (x) throws(PruneError) in
      guard let dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      guard let slices = try SliceRanges(x, dims: dims) else {
        return [TensorType(x.dtype(0), dims.map { _ in .unknown })]
      }
      return [TensorType(x.dtype(0), slices.output)]
    },
    "Pad": Rule { (x) throws(PruneError) in
      guard let dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      guard let pads = try pads(x, rank: dims.count) else {
        return [TensorType(x.dtype(0), dims.map { _ in .unknown })]
      }
      var result: [Dim] = []
      for (axis, dim) in dims.enumerated() {
        let sum = dim + .fixed(pads.begin[axis]) + .fixed(pads.end[axis])
        if let extent = sum.value, extent < 0 {
          throw x.fail(
            "pads cut \(-extent) elements too many from axis \(axis) of \(Dims.text(dims))")
        }
        result.append(pads.begin[axis] + pads.end[axis] == 0 ? dim : sum)
      }
      return [TensorType(x.dtype(0), result)]
    },
    "CenterCropPad": Rule { (x) throws(PruneError) in
      guard var dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      let axes = try x.axes(x.node.ints("axes") ?? Array(dims.indices), rank: dims.count)
      let extents = try x.elements(1)
      if let extents, extents.count != axes.count {
        throw x.fail("shape has \(extents.count) entries for \(axes.count) axes")
      }
      for (index, axis) in axes.enumerated() { dims[axis] = extents?[index] ?? .unknown }
      return [TensorType(x.dtype(0), dims)]
    },
  ]

  /// The pads of every axis, nil when they are computed at run time. Negative ones cut.
  package static func pads(_ x: Operands, rank: Int) throws(PruneError) -> (
    begin: [Int], end: [Int]
  )? {
    let listed = x.opset < 11 ? x.node.ints(x.opset < 2 ? "paddings" : "pads") : try x.integers(1)
    guard let listed else {
      if x.opset < 11 { throw x.fail("attribute pads is missing") }
      return nil
    }
    var axes = Array(0..<rank)
    if x.opset >= 18, x.has(3) {
      guard let numbers = try x.integers(3) else { return nil }
      axes = try x.axes(numbers, rank: rank)
    }
    guard listed.count == 2 * axes.count, listed.allSatisfy({ $0 == $0.clamped }) else {
      throw x.fail("pads are \(listed), wanted \(2 * axes.count) numbers")
    }
    var begin = [Int](repeating: 0, count: rank)
    var end = begin
    for (index, axis) in axes.enumerated() {
      begin[axis] = listed[index]
      end[axis] = listed[index + axes.count]
    }
    return (begin, end)
  }
}

extension Int {
  /// Within ±2^48, so that a few of them add up without overflow.
  var clamped: Int { Swift.min(Swift.max(self, -Operands.extentLimit), Operands.extentLimit) }
}

/// A slice of one axis: elements `start`, `start + step`, …, `count` of them, all inside the axis.
package struct SliceRange: Sendable, Hashable {
  package let start: Int
  package let step: Int
  package let count: Int

  /// numpy's rules: negative bounds count from the end, and what is outside is cut off.
  init(start: Int, end: Int, step: Int, extent: Int) {
    func bound(_ value: Int, _ low: Int, _ high: Int) -> Int {
      let fromStart = value < 0 ? value.clamped + extent : value.clamped
      return Swift.min(Swift.max(fromStart, low), high)
    }
    let step = step.clamped
    if step > 0 {
      let first = bound(start, 0, extent)
      let last = bound(end, 0, extent)
      count = Swift.max(0, (last - first + step - 1) / step)
      self.start = first
    } else {
      let first = bound(start, -1, extent - 1)
      let last = bound(end, -1, extent - 1)
      count = Swift.max(0, (first - last - step - 1) / -step)
      self.start = Swift.max(first, 0)
    }
    self.step = step
  }
}

/// What a Slice node takes of every axis.
package struct SliceRanges: Sendable {
  /// Nil for an axis that stays whole or whose extent is not known.
  package let ranges: [SliceRange?]
  package let output: [Dim]

  /// Nil when the bounds are computed at run time. They are attributes before opset 10, inputs from then on.
  /// - Throws: `.mismatch` for lists that do not fit each other, axes out of range and a step of 0.
  package init?(_ x: Operands, dims: [Dim]) throws(PruneError) {
    let isInput = x.opset >= 10
    guard let starts = isInput ? try x.elements(1) : x.node.ints("starts")?.map(Dim.fixed),
      let ends = isInput ? try x.elements(2) : x.node.ints("ends")?.map(Dim.fixed)
    else { return nil }
    var axes = Array(starts.indices)
    var steps = [Int](repeating: 1, count: starts.count)
    if isInput, x.has(3) {
      guard let numbers = try x.integers(3) else { return nil }
      axes = numbers
    } else if !isInput, let listed = x.node.ints("axes") {
      axes = listed
    }
    if isInput, x.has(4) {
      guard let numbers = try x.integers(4) else { return nil }
      steps = numbers
    }
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count else {
      throw x.fail(
        "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes and \(steps.count) steps do not fit each other"
      )
    }
    guard !steps.contains(0) else { throw x.fail("a step is 0") }
    axes = try x.axes(axes, rank: dims.count)
    var ranges = [SliceRange?](repeating: nil, count: dims.count)
    var output = dims
    for (index, axis) in axes.enumerated() {
      let (start, end, step) = (starts[index], ends[index], steps[index])
      if let extent = dims[axis].value, let first = start.value, let last = end.value {
        let range = SliceRange(start: first, end: last, step: step, extent: extent)
        ranges[axis] = range
        output[axis] = .fixed(range.count)
      } else if start == .fixed(0), step == 1 {
        // The whole axis, or as many elements as a symbol says.
        if case .named = end {
          output[axis] = end
        } else {
          output[axis] = end.value ?? 0 >= Int(Int32.max) ? dims[axis] : .unknown
        }
      } else {
        output[axis] = .unknown
      }
    }
    self.ranges = ranges
    self.output = output
  }
}
