import PruneTensor

/// Where the windows of a convolution or pool lie: kernel, strides, dilations and pads, one entry a spatial axis.
package struct Window: Sendable {
  package let kernel: [Int]
  package let strides: [Int]
  package let dilations: [Int]
  package let padsBegin: [Int]
  package let padsEnd: [Int]
  /// The spatial extents of the output.
  package let output: [Dim]

  private static let limit = 1 << 30

  /// Reads `strides`, `dilations`, `pads` and `auto_pad`, and applies them to the spatial extents of the input.
  ///
  /// - Parameter roundsUp: `ceil_mode`; a window that would start in the padding after the input is left out.
  /// - Throws: `.mismatch` for attributes of another rank or out of range, or a window larger than its padded input.
  package init(
    _ node: Node, kernel: [Int], input: [Dim], roundsUp: Bool = false
  ) throws(PruneError) {
    let rank = kernel.count
    func fail(_ message: String) -> PruneError { PruneError(.mismatch, message, at: node.label) }
    guard input.count == rank, rank > 0 else {
      throw fail("kernel \(kernel) has \(rank) axes, the input \(input.count) spatial ones")
    }
    func list(_ name: String, _ count: Int, default value: Int, from minimum: Int)
      throws(PruneError) -> [Int]
    {
      guard let values = node.ints(name), !values.isEmpty else {
        return [Int](repeating: value, count: count)
      }
      guard values.count == count, values.allSatisfy({ $0 >= minimum && $0 <= Self.limit }) else {
        throw fail("attribute \(name) is \(values), wanted \(count) numbers of at least \(minimum)")
      }
      return values
    }
    guard kernel.allSatisfy({ $0 >= 1 && $0 <= Self.limit }) else {
      throw fail("kernel \(kernel) is not possible")
    }
    let strides = try list("strides", rank, default: 1, from: 1)
    let dilations = try list("dilations", rank, default: 1, from: 1)
    let pads = try list("pads", 2 * rank, default: 0, from: 0)
    let auto = node.string("auto_pad", default: "NOTSET")
    guard ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""].contains(auto) else {
      throw fail("attribute auto_pad is '\(auto)', wanted NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    }
    var begin: [Int] = []
    var end: [Int] = []
    var output: [Dim] = []
    for axis in 0..<rank {
      let reach = (kernel[axis] - 1) * dilations[axis] + 1
      guard let extent = input[axis].value else {
        begin.append(auto.hasPrefix("SAME") || auto == "VALID" ? 0 : pads[axis])
        end.append(auto.hasPrefix("SAME") || auto == "VALID" ? 0 : pads[axis + rank])
        // A stride of one with pads that balance the kernel keeps any extent.
        let keeps = auto.hasPrefix("SAME") || begin[axis] + end[axis] == reach - 1
        output.append(keeps && strides[axis] == 1 ? input[axis] : .unknown)
        continue
      }
      if auto.hasPrefix("SAME") {
        let outputExtent = (extent + strides[axis] - 1) / strides[axis]
        let total = max((outputExtent - 1) * strides[axis] + reach - extent, 0)
        begin.append(auto == "SAME_UPPER" ? total / 2 : total - total / 2)
        end.append(total - begin[axis])
        output.append(.fixed(max(outputExtent, 0)))
        continue
      }
      begin.append(auto == "VALID" ? 0 : pads[axis])
      end.append(auto == "VALID" ? 0 : pads[axis + rank])
      let room = extent + begin[axis] + end[axis] - reach
      guard room >= 0 else {
        throw fail(
          "kernel \(kernel) with dilations \(dilations) reaches over \(reach) elements of axis \(axis), the padded input has \(extent + begin[axis] + end[axis])"
        )
      }
      var count = (roundsUp ? (room + strides[axis] - 1) / strides[axis] : room / strides[axis]) + 1
      if roundsUp, (count - 1) * strides[axis] >= extent + begin[axis] { count -= 1 }
      output.append(.fixed(count))
    }
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    padsBegin = begin
    padsEnd = end
    self.output = output
  }

  /// The output's spatial extents; those that are not known count as 0.
  package var outputExtents: [Int] { output.map { $0.value ?? 0 } }
}
