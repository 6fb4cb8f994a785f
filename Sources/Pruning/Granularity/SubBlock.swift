import PruneTensor

/// Blocks of outputs by inputs by rows by columns of a kernel, which may overlap: of a 5 x 5 kernel the blocks
/// {1, 1, 4, 4} are four, each a step of one tap from the next.
package struct SubBlock: Sendable, Hashable {
  /// Outputs, inputs, height, width.
  package let extents: [Int]
  /// How far the next block is along each of them: by default a whole block of outputs and inputs, and one tap.
  package let strides: [Int]

  /// - Throws: `.invalidArgument` for extents below 1, and for strides that leave weights between blocks.
  package init(_ extents: [Int], strides: [Int]? = nil) throws(PruneError) {
    let implied = extents.count == 4 ? [extents[0], extents[1], 1, 1] : extents
    self.extents = extents
    self.strides = strides ?? implied
    guard extents.count == 4, self.strides.count == 4 else {
      throw PruneError(
        .invalidArgument, "a sub-block has \(extents.count) extents and \(self.strides.count) strides",
        hint: "both have 4: outputs, inputs, height and width")
    }
    guard (extents + self.strides).allSatisfy((1...65_536).contains) else {
      throw PruneError(
        .invalidArgument, "sub-blocks of \(Self.text(extents)) with strides \(Self.text(self.strides))",
        hint: "extents and strides are 1 or more, as in \"block:1x1x4x4\"")
    }
    for (axis, name) in ["outputs", "inputs", "height", "width"].enumerated()
    where self.strides[axis] > extents[axis] {
      throw PruneError(
        .invalidArgument,
        "the stride of sub-blocks along \(name) is \(self.strides[axis]), their extent is \(extents[axis])",
        hint: "a stride up to the extent leaves no weights between blocks")
    }
  }

  /// "1x1x4x4", with strides behind a slash where they are not the default.
  init?(text: Substring) throws(PruneError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(Self.numbers)
    guard (1...2).contains(parts.count), let extents = parts[0], extents.count == 4 else { return nil }
    guard parts.count == 2 else {
      try self.init(extents)
      return
    }
    guard let strides = parts[1], strides.count == 4 else { return nil }
    try self.init(extents, strides: strides)
  }

  private static func numbers(_ text: Substring) -> [Int]? {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    let numbers = parts.compactMap { $0 }
    return numbers.count == parts.count ? numbers : nil
  }

  private static func text(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: "x") }

  package var text: String {
    let isPlain = strides == [extents[0], extents[1], 1, 1]
    return Self.text(extents) + (isPlain ? "" : "/" + Self.text(strides))
  }

  /// Weights of a whole block.
  var count: Int {
    extents.reduce(1) { size, extent in
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      return overflow ? .max : product
    }
  }

  /// Where blocks lie along an axis: the last one ends where the axis does, and may be smaller.
  func ranges(_ axis: Int, of extent: Int) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var first = 0
    while first < extent {
      let end = min(first + extents[axis], extent)
      result.append(first..<end)
      if end == extent { break }
      first += strides[axis]
    }
    return result
  }

  /// Height and width of a weight's kernel; nil for a matrix.
  static func kernel(of weight: PrunableWeight) -> (height: Int, width: Int)? {
    guard weight.operation.hasPrefix("Conv") else { return nil }
    let dims = weight.tensor.shape.dims
    switch dims.count {
    case 3: return (1, dims[2])
    case 4: return (dims[2], dims[3])
    default: return nil
    }
  }

  /// The weights that have such blocks, and the layers whose matrices have none.
  /// - Throws: `.invalidArgument` naming a layer whose kernel is smaller than a block, or when no layer has blocks.
  func fitting(_ weights: PrunableWeights) throws(PruneError) -> (weights: PrunableWeights, others: [String]) {
    var others: [PrunableWeight] = []
    for weight in weights.weights {
      guard let kernel = Self.kernel(of: weight) else {
        if extents[2] > 1 || extents[3] > 1 { others.append(weight) }
        continue
      }
      guard extents[2] <= kernel.height, extents[3] <= kernel.width else { throw tooLarge(weight, kernel) }
    }
    guard others.count < weights.weights.count else {
      throw PruneError(
        .invalidArgument, "sub-blocks of \(Self.text(extents)) are of kernels, and no layer in scope has one",
        hint: "for matrices use granularity = {block = {rows, columns}}")
    }
    return (weights.without(Set(others.map(\.name))), others.map(\.layer))
  }

  private func tooLarge(_ weight: PrunableWeight, _ kernel: (height: Int, width: Int)) -> PruneError {
    PruneError(
      .invalidArgument,
      "sub-blocks of \(extents[2]) x \(extents[3]) are larger than the kernel of '\(weight.layer)', \(kernel.height) x \(kernel.width)",
      at: weight.layer, hint: "use smaller ones, or leave the layer out with ignore = {\"\(weight.layer)\"}")
  }

  /// The elements of each block of a weight.
  /// - Throws: `.invalidArgument` for a kernel that is smaller than a block.
  func units(of weight: PrunableWeight, _ matrix: LayerMatrix) throws(PruneError) -> [[Int32]] {
    let kernel = Self.kernel(of: weight) ?? (1, matrix.taps)
    guard extents[2] <= kernel.height, extents[3] <= kernel.width, kernel.height * kernel.width == matrix.taps else {
      throw tooLarge(weight, kernel)
    }
    let outputs = ranges(0, of: matrix.outputs), inputs = ranges(1, of: matrix.inputs)
    let rows = ranges(2, of: kernel.height), columns = ranges(3, of: kernel.width)
    var result: [[Int32]] = []
    result.reserveCapacity(matrix.groups * outputs.count * inputs.count * rows.count * columns.count)
    for group in 0..<matrix.groups {
      for output in outputs {
        for input in inputs {
          for row in rows {
            for column in columns {
              var unit: [Int32] = []
              unit.reserveCapacity(output.count * input.count * row.count * column.count)
              for o in output {
                for i in input {
                  for y in row {
                    for x in column {
                      let place = matrix.offset(
                        group * matrix.outputs + o, (y * kernel.width + x) * matrix.inputs + i)
                      unit.append(Int32(truncatingIfNeeded: place))
                    }
                  }
                }
              }
              result.append(unit)
            }
          }
        }
      }
    }
    return result
  }
}
