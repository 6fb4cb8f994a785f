import PruneTensor

/// Operators that only rearrange elements or speak about shapes.
package enum LayoutRules {
  static let table: [String: Rule] = [
    "Reshape": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try reshape(x))] },
    "Flatten": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try flatten(x))] },
    "Squeeze": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try squeeze(x))] },
    "Unsqueeze": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try unsqueeze(x))] },
    "Transpose": Rule { (x) throws(PruneError) in
      guard let dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      let order = try permutation(x, rank: dims.count)
      return [TensorType(x.dtype(0), order.map { dims[$0] })]
    },
    "Concat": Rule { (x) throws(PruneError) in
      [TensorType(try ElementwiseRules.sameDType(x), try concat(x))]
    },
    "Split": split,
    "Expand": Rule { (x) throws(PruneError) in
      guard let dims = x.dims(0) else { return [TensorType(x.dtype(0), nil)] }
      guard let target = try x.elements(1) else {
        let rank = try x.length(1).map { max($0, dims.count) }
        return [TensorType(x.dtype(0), rank.map { [Dim](repeating: .unknown, count: $0) })]
      }
      guard let both = Dims.broadcast(dims, target) else {
        throw x.fail("\(Dims.text(dims)) does not expand to \(Dims.text(target))")
      }
      return [TensorType(x.dtype(0), both)]
    },
    "Tile": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try tile(x))] },
    "Shape": Rule { (x) throws(PruneError) in
      [
        TensorType(
          .int64, [x.dims(0).map { .fixed(shapeRange(x.node, rank: $0.count).count) } ?? .unknown])
      ]
    },
    "Size": Rule { (x) throws(PruneError) in [TensorType(.int64, [Dim]())] },
    "DepthToSpace": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, rank: 4) else { return [TensorType(x.dtype(0), nil)] }
      let block = try x.int("blocksize", default: 0, in: 1...(1 << 20))
      if let channels = dims[1].value, channels % (block * block) != 0 {
        throw x.fail("\(channels) channels do not divide by \(block) x \(block)")
      }
      let scale = Dim.fixed(block)
      return [
        TensorType(
          x.dtype(0), [dims[0], dims[1] / .fixed(block * block), dims[2] * scale, dims[3] * scale])
      ]
    },
    "SpaceToDepth": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, rank: 4) else { return [TensorType(x.dtype(0), nil)] }
      let block = try x.int("blocksize", default: 0, in: 1...(1 << 20))
      for dim in dims.dropFirst(2).compactMap(\.value) where dim % block != 0 {
        throw x.fail("\(Dims.text(dims)) does not divide into blocks of \(block)")
      }
      let scale = Dim.fixed(block)
      return [
        TensorType(
          x.dtype(0), [dims[0], dims[1] * .fixed(block * block), dims[2] / scale, dims[3] / scale])
      ]
    },
    "Trilu": Rule { (x) throws(PruneError) in
      _ = try x.dims(0, atLeast: 2)
      return try ElementwiseRules.same(x)
    },
    "ReverseSequence": Rule { (x) throws(PruneError) in
      _ = try x.dims(0, atLeast: 2)
      _ = try x.int("batch_axis", default: 1, in: 0...1)
      _ = try x.int("time_axis", default: 0, in: 0...1)
      return try ElementwiseRules.same(x)
    },
  ]

  /// Axes `start`..<`end` of the Shape operator (opset 15; the whole shape before).
  package static func shapeRange(_ node: Node, rank: Int) -> Range<Int> {
    func clamped(_ value: Int) -> Int { min(max(value < 0 ? value &+ rank : value, 0), rank) }
    let start = clamped(node.int("start", default: 0))
    let end = clamped(node.int("end", default: rank))
    return start..<max(start, end)
  }

  /// `perm`, by default the axes in reverse.
  package static func permutation(_ x: Operands, rank: Int) throws(PruneError) -> [Int] {
    guard let order = x.node.ints("perm") else { return (0..<rank).reversed() }
    guard order.count == rank, order.sorted() == Array(0..<rank) else {
      throw x.fail("perm \(order) is no order of \(rank) axes")
    }
    return order
  }

  private static func reshape(_ x: Operands) throws(PruneError) -> [Dim]? {
    let isAttribute = x.opset < 5
    let listed = isAttribute ? x.node.ints("shape").map { $0.map(Dim.fixed) } : try x.elements(1)
    guard var target = listed else {
      guard let rank = try x.length(1), rank <= 64 else { return nil }
      return [Dim](repeating: .unknown, count: rank)
    }
    let input = x.dims(0)
    let keepsZero = x.node.int("allowzero", default: 0) != 0
    var hole: Int?
    for (axis, dim) in target.enumerated() {
      guard let extent = dim.value else { continue }
      if extent == -1 {
        guard hole == nil else { throw x.fail("shape \(Dims.text(target)) has more than one -1") }
        hole = axis
      } else if extent == 0, !keepsZero {
        guard let input else {
          target[axis] = .unknown
          continue
        }
        guard axis < input.count else {
          throw x.fail("shape \(Dims.text(target)) copies axis \(axis) of \(Dims.text(input))")
        }
        target[axis] = input[axis]
      } else if extent < 0 {
        throw x.fail("shape \(Dims.text(target)) has the extent \(extent)")
      }
    }
    guard let input else {
      if let hole { target[hole] = .unknown }
      return target
    }
    let whole = Dim.product(input).value
    guard let hole else {
      if let whole, let product = Dim.product(target).value, whole != product {
        throw x.fail(
          "cannot view \(Dims.text(input)) as \(Dims.text(target)): \(whole) elements against \(product)"
        )
      }
      return target
    }
    var rest = target
    rest.remove(at: hole)
    if let whole, let part = Dim.product(rest).value {
      guard part != 0, whole % part == 0 else {
        throw x.fail(
          "cannot view \(Dims.text(input)) as \(Dims.text(target)): \(whole) elements do not divide by \(part)"
        )
      }
      target[hole] = .fixed(whole / part)
    } else {
      target[hole] = Dims.quotient(of: input, by: rest) ?? .unknown
    }
    return target
  }

  private static func flatten(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let dims = x.dims(0) else { return [.unknown, .unknown] }
    let axis = x.node.int("axis", default: 1)
    guard axis >= -dims.count, axis <= dims.count else {
      throw x.fail("axis \(axis) is outside \(-dims.count)...\(dims.count)")
    }
    let cut = axis < 0 ? axis + dims.count : axis
    return [Dim.product(dims[..<cut]), Dim.product(dims[cut...])]
  }

  /// The `axes` of Squeeze and Unsqueeze: an attribute before opset 13, an input from then on.
  private static func listedAxes(_ x: Operands) throws(PruneError) -> (listed: [Int]?, isGiven: Bool) {
    if x.opset < 13 { return (x.node.ints("axes"), x.node.ints("axes") != nil) }
    return (try x.integers(1), x.has(1))
  }

  private static func squeeze(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let dims = x.dims(0) else { return nil }
    let (listed, isGiven) = try listedAxes(x)
    guard isGiven else {
      return dims.contains { $0.value == nil } ? nil : dims.filter { $0 != .fixed(1) }
    }
    guard let listed else {
      return try x.length(1).flatMap {
        $0 <= dims.count ? [Dim](repeating: .unknown, count: dims.count - $0) : nil
      }
    }
    let axes = try x.axes(listed, rank: dims.count)
    for axis in axes where dims[axis].value ?? 1 != 1 {
      throw x.fail(
        "axis \(axis) of \(Dims.text(dims)) has \(dims[axis]) elements, only an axis of one can go")
    }
    return dims.indices.filter { !axes.contains($0) }.map { dims[$0] }
  }

  private static func unsqueeze(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let dims = x.dims(0) else { return nil }
    let (listed, isGiven) = try listedAxes(x)
    guard isGiven else { throw x.fail("axes are missing") }
    guard let listed else {
      return try x.length(1).map { [Dim](repeating: .unknown, count: dims.count + min($0, 64)) }
    }
    let axes = try x.axes(listed, rank: dims.count + listed.count)
    var rest = dims[...]
    return (0..<(dims.count + listed.count)).map {
      axes.contains($0) ? .fixed(1) : rest.popFirst() ?? .unknown
    }
  }

  private static func concat(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard x.inputCount > 0 else { throw x.fail("there is nothing to join") }
    guard x.opset < 4 || x.node.int("axis") != nil else {
      throw x.fail("attribute axis is missing")
    }
    var result: [Dim]?
    for index in 0..<x.inputCount {
      guard let dims = x.dims(index) else { return nil }
      let axis = try x.axis(x.node.int("axis", default: 1), rank: dims.count)
      guard let sum = result else {
        result = dims
        continue
      }
      guard dims.count == sum.count else {
        throw x.fail("input \(index) is \(Dims.text(dims)), the others are \(Dims.text(sum))")
      }
      var next: [Dim] = []
      for (position, pair) in zip(sum, dims).enumerated() {
        if position == axis {
          next.append(pair.0 + pair.1)
        } else if let both = Dim.unified(pair.0, pair.1) {
          next.append(both)
        } else {
          throw x.fail(
            "input \(index) is \(Dims.text(dims)), it does not join \(Dims.text(sum)) along axis \(axis)"
          )
        }
      }
      result = next
    }
    return result
  }

  private static let split: Rule = Rule { (x) throws(PruneError) in
    let count = x.node.outputs.count
    guard let dims = x.dims(0) else { return (0..<count).map { _ in TensorType(x.dtype(0), nil) } }
    let axis = try x.axis(x.node.int("axis", default: 0), rank: dims.count)
    let sizes = try splitSizes(x, extent: dims[axis], count: count)
    return (0..<count).map { index in
      var part = dims
      part[axis] = sizes[index]
      return TensorType(x.dtype(0), part)
    }
  }

  /// How long each part of a Split is.
  private static func splitSizes(_ x: Operands, extent: Dim, count: Int) throws(PruneError) -> [Dim] {
    let isInput = x.opset >= 13 || x.opset < 2
    if isInput && x.has(1) || x.node.ints("split") != nil {
      let listed = isInput && x.has(1) ? try x.integers(1) : x.node.ints("split")
      guard let listed else { return [Dim](repeating: .unknown, count: count) }
      guard listed.count == count, listed.allSatisfy({ $0 >= 0 && $0 <= 1 << 48 }),
        extent.value == nil || listed.reduce(.fixed(0), { $0 + .fixed($1) }) == extent
      else {
        throw x.fail("parts of \(listed) do not make up \(extent) elements in \(count) outputs")
      }
      return listed.map(Dim.fixed)
    }
    guard let length = extent.value else {
      return [Dim](repeating: count == 1 ? extent : .unknown, count: count)
    }
    if let parts = x.node.int("num_outputs"), parts != count {
      throw x.fail("num_outputs is \(parts), the node has \(count)")
    }
    guard length % count == 0 || x.opset >= 18 else {
      throw x.fail("\(length) elements do not divide into \(count) equal parts")
    }
    let each = (length + count - 1) / count
    // Since opset 18 the last part may be shorter.
    return (0..<count).map { .fixed(max(min(each, length - $0 * each), 0)) }
  }

  private static func tile(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let dims = x.dims(0) else { return nil }
    if x.opset < 6 {
      guard let tiles = try x.integer(1), let number = try x.integer(2) else {
        return dims.map { _ in .unknown }
      }
      let axis = try x.axis(number, rank: dims.count)
      guard tiles >= 0 else { throw x.fail("tiles is \(tiles), wanted 0 or more") }
      var result = dims
      result[axis] = dims[axis] * .fixed(tiles)
      return result
    }
    guard let repeats = try x.elements(1) else { return dims.map { _ in .unknown } }
    guard repeats.count == dims.count, repeats.allSatisfy({ $0.value ?? 0 >= 0 }) else {
      throw x.fail("repeats \(Dims.text(repeats)) do not fit \(Dims.text(dims))")
    }
    return zip(dims, repeats).map { $0 * $1 }
  }
}
