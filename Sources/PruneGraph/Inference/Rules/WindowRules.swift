import PruneTensor

/// Convolutions and pools.
package enum WindowRules {
  static let table: [String: Rule] = [
    "Conv": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try convolution(x, weight: 1))]
    },
    "ConvInteger": Rule { (x) throws(PruneError) in
      [TensorType(.int32, try convolution(x, weight: 1))]
    },
    "QLinearConv": Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(7), try convolution(x, weight: 3))]
    },
    "DeformConv": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try deformable(x))] },
    "ConvTranspose": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try transposed(x))] },
    "MaxPool": Rule { (x) throws(PruneError) in
      let dims = try pool(x)
      return [TensorType(x.dtype(0), dims), TensorType(.int64, dims)]
    },
    "AveragePool": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try pool(x))] },
    "LpPool": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try pool(x))] },
    "GlobalAveragePool": global,
    "GlobalMaxPool": global,
    "GlobalLpPool": global,
    "MaxUnpool": Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), try unpool(x))] },
    "MaxRoiPool": Rule { (x) throws(PruneError) in
      guard let size = x.node.ints("pooled_shape"), size.count == 2, size.allSatisfy({ $0 >= 1 && $0 <= 1 << 20 })
      else { throw x.fail("pooled_shape must have 2 positive entries") }
      let channels = try x.dims(0, rank: 4)?[1] ?? .unknown
      let regions = try x.dims(1, rank: 2)
      if let columns = regions?[1], Dim.unified(columns, .fixed(5)) == nil {
        throw x.fail("regions have \(columns) columns, wanted 5")
      }
      let count = regions?[0] ?? .unknown
      return [TensorType(x.dtype(0), [count, channels] + size.map(Dim.fixed))]
    },
  ]

  private static let global: Rule = Rule { (x) throws(PruneError) in
    guard let dims = try x.dims(0, atLeast: 2) else { return [TensorType(x.dtype(0), nil)] }
    return [TensorType(x.dtype(0), dims.prefix(2) + dims.dropFirst(2).map { _ in .fixed(1) })]
  }

  /// [N, M, spatial…] of a convolution of X [N, C, …] by W [M, C/group, …].
  private static func convolution(_ x: Operands, weight: Int) throws(PruneError) -> [Dim]? {
    guard let input = try x.dims(0, atLeast: 3) else { return nil }
    let group = try x.int("group", default: 1, in: 1...(1 << 30))
    guard let filter = try x.dims(weight, rank: input.count) else {
      return [input[0]] + input.dropFirst().map { _ in .unknown }
    }
    if let channels = input[1].value, let each = filter[1].value,
      each > (1 << 48) / group || each * group != channels
    {
      let groups = group == 1 ? "" : " and \(group) groups"
      throw x.fail("weight is \(Dims.text(filter))\(groups), input has \(channels) channels")
    }
    if let count = filter[0].value, count % group != 0 {
      throw x.fail("\(count) output channels do not divide into \(group) groups")
    }
    if x.node.opType == "Conv", let bias = x.dims(2) {
      guard bias.count == 1, Dim.unified(bias[0], filter[0]) != nil else {
        throw x.fail("bias is \(Dims.text(bias)), wanted [\(filter[0])]")
      }
    }
    guard let kernel = try kernel(x, filter) else {
      return [input[0], filter[0]] + input.dropFirst(2).map { _ in .unknown }
    }
    let window = try Window(x.node, kernel: kernel, input: Array(input.dropFirst(2)))
    return [input[0], filter[0]] + window.output
  }

  /// A convolution whose offsets (two a tap) and mask (one a tap) are as large as its output.
  private static func deformable(_ x: Operands) throws(PruneError) -> [Dim]? {
    let groups = try x.int("offset_group", default: 1, in: 1...(1 << 20))
    guard let output = try convolution(x, weight: 1), let input = x.dims(0) else { return nil }
    if let channels = input[1].value, channels % groups != 0 {
      throw x.fail("\(channels) input channels do not divide into \(groups) offset groups")
    }
    if let bias = x.dims(3), bias.count != 1 || Dim.unified(bias[0], output[1]) == nil {
      throw x.fail("bias is \(Dims.text(bias)), wanted [\(output[1])]")
    }
    let taps = x.dims(1).map { Dim.product($0[2...]) } ?? .unknown
    for (index, each) in [(2, input.count - 2), (4, 1)] {
      guard let dims = try x.dims(index, rank: input.count) else { continue }
      let expected = [input[0], taps * .fixed(groups * each)] + output[2...]
      guard zip(dims, expected).allSatisfy({ Dim.unified($0, $1) != nil }) else {
        throw x.fail("input \(index) is \(Dims.text(dims)), wanted \(Dims.text(expected))")
      }
    }
    return output
  }

  /// The kernel's extents, from the weight; `kernel_shape` must agree with it.
  static func kernel(_ x: Operands, _ filter: [Dim]) throws(PruneError) -> [Int]? {
    let declared = x.node.ints("kernel_shape")
    let extents = filter.dropFirst(2).compactMap(\.value)
    guard extents.count == filter.count - 2 else { return declared }
    if let declared, declared != extents {
      throw x.fail("kernel_shape is \(declared), the weight \(Dims.text(filter))")
    }
    return extents
  }

  private static func transposed(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let input = try x.dims(0, atLeast: 3) else { return nil }
    let group = try x.int("group", default: 1, in: 1...(1 << 30))
    guard let filter = try x.dims(1, rank: input.count), let kernel = try kernel(x, filter) else {
      return [input[0]] + input.dropFirst().map { _ in .unknown }
    }
    guard let channels = Dim.unified(input[1], filter[0]) else {
      throw x.fail("weight is \(Dims.text(filter)), input has \(input[1]) channels")
    }
    if let count = channels.value, count % group != 0 {
      throw x.fail("\(count) input channels do not divide into \(group) groups")
    }
    let window = try TransposedWindow(x.node, kernel: kernel, input: Array(input.dropFirst(2)))
    let outputs = filter[1] * .fixed(group)
    if let bias = x.dims(2) {
      guard bias.count == 1, Dim.unified(bias[0], outputs) != nil else {
        throw x.fail("bias is \(Dims.text(bias)), wanted [\(outputs)]")
      }
    }
    return [input[0], outputs] + window.output
  }

  private static func pool(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let input = try x.dims(0, atLeast: 3) else { return nil }
    guard let kernel = x.node.ints("kernel_shape") else {
      throw x.fail("attribute kernel_shape is missing")
    }
    let window = try Window(
      x.node, kernel: kernel, input: Array(input.dropFirst(2)),
      roundsUp: x.node.int("ceil_mode", default: 0) != 0)
    return input.prefix(2) + window.output
  }

  private static func unpool(_ x: Operands) throws(PruneError) -> [Dim]? {
    guard let input = try x.dims(0, atLeast: 3) else { return nil }
    if x.has(2) {
      guard let extents = try x.elements(2) else { return input.map { _ in .unknown } }
      guard extents.count == input.count else {
        throw x.fail("output_shape has \(extents.count) entries, wanted \(input.count)")
      }
      return extents
    }
    guard let kernel = x.node.ints("kernel_shape") else {
      throw x.fail("attribute kernel_shape is missing")
    }
    var filter = x.node
    filter.set("output_shape", nil)
    let window = try TransposedWindow(filter, kernel: kernel, input: Array(input.dropFirst(2)))
    return input.prefix(2) + window.output
  }
}
