import PruneGraph
import PruneTensor

/// Strides, dilations and pads of a convolution or pool, resolved for one input shape.
struct SlidingWindow: Equatable {
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  var before: [Int]
  var after: [Int]

  /// Nil when the attributes make no sense; the reference kernel then says what is wrong.
  /// - Parameter output: spatial extents of the result.
  init?(_ node: Node, kernel: [Int], input: [Int], output: [Int]) {
    let rank = kernel.count
    guard rank >= 1, rank <= 3, input.count == rank, output.count == rank else { return nil }
    self.kernel = kernel
    strides = node.ints("strides") ?? [Int](repeating: 1, count: rank)
    dilations = node.ints("dilations") ?? [Int](repeating: 1, count: rank)
    let pads = node.ints("pads") ?? [Int](repeating: 0, count: 2 * rank)
    guard strides.count == rank, dilations.count == rank, pads.count == 2 * rank,
      (strides + dilations + kernel).allSatisfy({ $0 > 0 && $0 < 1 << 24 }),
      pads.allSatisfy({ $0 >= 0 && $0 < 1 << 24 }), (input + output).allSatisfy({ $0 > 0 && $0 < 1 << 31 })
    else { return nil }
    before = Array(pads[..<rank])
    after = Array(pads[rank...])
    let mode = node.string("auto_pad", default: "NOTSET")
    guard mode != "NOTSET" else { return }
    for axis in 0..<rank {
      let extent = (kernel[axis] - 1) * dilations[axis] + 1
      let total = mode == "VALID" ? 0 : max(0, (output[axis] - 1) * strides[axis] + extent - input[axis])
      before[axis] = mode == "SAME_LOWER" ? total - total / 2 : total / 2
      after[axis] = total - before[axis]
    }
  }

  /// Pads behind that make the windows end exactly where the last one does; less or more than `after` when the
  /// extents do not divide or with `ceil_mode`.
  func exactAfter(input: [Int], output: [Int]) -> [Int] {
    kernel.indices.map { axis in
      (output[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - input[axis] - before[axis]
    }
  }

  /// oneDNN counts dilation from zero.
  var gaps: [Int] { dilations.map { $0 - 1 } }
}

/// Extents as oneDNN takes them.
func dnnlDims(_ values: [Int]) -> [Int64] { values.map(Int64.init) }
