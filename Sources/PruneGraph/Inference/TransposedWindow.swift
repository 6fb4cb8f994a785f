import PruneTensor

/// Where the windows of a transposed convolution lie; `pads` are cut from its full output.
package struct TransposedWindow: Sendable {
  package let kernel: [Int]
  package let strides: [Int]
  package let dilations: [Int]
  package let padsBegin: [Int]
  package let padsEnd: [Int]
  package let output: [Dim]

  private static let limit = 1 << 30

  /// - Throws: `.mismatch` for attributes of another rank or out of range, or an output that vanishes.
  package init(_ node: Node, kernel: [Int], input: [Dim]) throws(PruneError) {
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
    let extra = try list("output_padding", rank, default: 0, from: 0)
    let pads = try list("pads", 2 * rank, default: 0, from: 0)
    let auto = node.string("auto_pad", default: "NOTSET")
    let extents = node.ints("output_shape").map { Array($0.suffix(rank)) }
    if let extents, extents.count != rank || extents.contains(where: { $0 < 0 || $0 > Self.limit }) {
      throw fail("attribute output_shape is \(extents), wanted \(rank) extents")
    }
    var begin: [Int] = []
    var end: [Int] = []
    var output: [Dim] = []
    for axis in 0..<rank {
      let reach = (kernel[axis] - 1) * dilations[axis] + 1
      guard let extent = input[axis].value, extent <= Self.limit else {
        begin.append(pads[axis])
        end.append(pads[axis + rank])
        output.append(extents.map { .fixed($0[axis]) } ?? .unknown)
        continue
      }
      let full = (max(extent, 1) - 1) * strides[axis] + extra[axis] + reach
      if extents != nil || auto.hasPrefix("SAME") {
        let target = extents?[axis] ?? (extent * strides[axis])
        let total = max(full - target, 0)
        begin.append(auto == "SAME_UPPER" ? total / 2 : total - total / 2)
        end.append(total - begin[axis])
        output.append(.fixed(target))
        continue
      }
      begin.append(auto == "VALID" ? 0 : pads[axis])
      end.append(auto == "VALID" ? 0 : pads[axis + rank])
      let length = full - begin[axis] - end[axis]
      guard length >= 0 else {
        throw fail("pads \(pads) cut away all \(full) elements of axis \(axis)")
      }
      output.append(.fixed(length))
    }
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    padsBegin = begin
    padsEnd = end
    self.output = output
  }

  package var outputExtents: [Int] { output.map { $0.value ?? 0 } }
}
