import PruneGraph
import PruneTensor

/// Which input position each position of a sliding window reads, over any number of spatial axes.
struct WindowMap {
  /// Positions in the window and in the output.
  let windowCount: Int
  let outputCount: Int
  let inputCount: Int
  /// `source[output * windowCount + window]`: the flat input position, -1 in the padding.
  let source: [Int]
  /// Cells of each output's window inside the padded input: AveragePool's divisor with `count_include_pad`.
  let paddedCells: [Int]

  /// - Throws: `.mismatch` when the lists of extents do not go together.
  init(
    _ call: TrainingCall, input: [Int], output: [Int], kernel: [Int]
  ) throws(PruneError) {
    let rank = kernel.count
    let strides = call.node.ints("strides") ?? [Int](repeating: 1, count: rank)
    let dilations = call.node.ints("dilations") ?? [Int](repeating: 1, count: rank)
    let pads = call.node.ints("pads") ?? [Int](repeating: 0, count: 2 * rank)
    guard rank > 0, input.count == rank, output.count == rank, strides.count == rank, dilations.count == rank,
      pads.count == 2 * rank
    else { throw call.error("a window \(kernel) does not fit an input \(input) and an output \(output)") }
    // Bounds under which no position below overflows, nor the table takes more than a few gigabytes.
    guard (strides + dilations + kernel).allSatisfy({ $0 > 0 && $0 < 1 << 20 }),
      pads.allSatisfy({ $0 > -(1 << 20) && $0 < 1 << 20 }), try Shape(output + kernel).count < 1 << 30
    else { throw call.error("strides \(strides), dilations \(dilations), pads \(pads) are out of range") }
    // One axis at a time, then combined.
    var flat = [[Int]](repeating: [0], count: 1)
    var cells = [1]
    for axis in 0..<rank {
      var nextFlat: [[Int]] = []
      var nextCells: [Int] = []
      for (before, cell) in zip(flat, cells) {
        for out in 0..<output[axis] {
          let origin = out * strides[axis] - pads[axis]
          var row: [Int] = []
          row.reserveCapacity(before.count * kernel[axis])
          for base in before {
            for step in 0..<kernel[axis] {
              let position = origin + step * dilations[axis]
              row.append(base < 0 || position < 0 || position >= input[axis] ? -1 : base * input[axis] + position)
            }
          }
          nextFlat.append(row)
          let inside = (0..<kernel[axis]).count { origin + $0 * dilations[axis] < input[axis] + pads[rank + axis] }
          nextCells.append(cell * inside)
        }
      }
      flat = nextFlat
      cells = nextCells
    }
    windowCount = kernel.reduce(1, *)
    outputCount = output.reduce(1, *)
    inputCount = input.reduce(1, *)
    source = flat.flatMap { $0 }
    paddedCells = cells
  }
}

/// Gradients of Conv, any number of spatial axes, groups, strides and dilations; pads are explicit.
enum ConvolutionGradients {
  private struct Sizes {
    let batch, groups, inputs, outputs: Int
    let map: WindowMap

    init(_ call: TrainingCall, x: Shape, w: Shape, y: Shape) throws(PruneError) {
      groups = call.node.int("group", default: 1)
      guard x.rank >= 3, w.rank == x.rank, y.rank == x.rank, groups > 0, x[0] == y[0], y[1] == w[0],
        w[0] % groups == 0, x[1] % groups == 0, x[1] / groups == w[1]
      else { throw call.error("gradient \(y), weight \(w) and input \(x) with \(groups) groups do not go together") }
      batch = x[0]
      inputs = x[1]
      outputs = w[0]
      map = try WindowMap(
        call, input: Array(x.dims[2...]), output: Array(y.dims[2...]), kernel: Array(w.dims[2...]))
    }

    /// Calls `body` with the flat positions (in dY, in W, in X) of every product of the convolution.
    func forEachProduct(_ body: (Int, Int, Int) -> Void) {
      let (inputsPerGroup, outputsPerGroup) = (inputs / groups, outputs / groups)
      for n in 0..<batch {
        for o in 0..<outputs {
          let firstInput = o / outputsPerGroup * inputsPerGroup
          for i in 0..<inputsPerGroup {
            let x = (n * inputs + firstInput + i) * map.inputCount
            let w = (o * inputsPerGroup + i) * map.windowCount
            let y = (n * outputs + o) * map.outputCount
            for position in 0..<map.outputCount {
              for window in 0..<map.windowCount {
                let source = map.source[position * map.windowCount + window]
                if source >= 0 { body(y + position, w + window, x + source) }
              }
            }
          }
        }
      }
    }
  }

  /// ConvGradInput(dY, W){input_shape} -> dX.
  static func input(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.shape("input_shape")
    let dy = try call.floats(0)
    let w = try call.floats(1)
    let sizes = try Sizes(call, x: shape, w: call.tensor(1).shape, y: call.tensor(0).shape)
    var sum = [Double](repeating: 0, count: shape.count)
    sizes.forEachProduct { y, k, x in sum[x] += Double(dy[y]) * Double(w[k]) }
    return [try Tensor(sum.map { Float($0) }, shape)]
  }

  /// ConvGradWeight(dY, X){weight_shape} -> dW[, dB].
  static func weight(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.shape("weight_shape")
    let dy = try call.floats(0)
    let x = try call.floats(1)
    let sizes = try Sizes(call, x: call.tensor(1).shape, w: shape, y: call.tensor(0).shape)
    var sum = [Double](repeating: 0, count: shape.count)
    sizes.forEachProduct { y, k, at in sum[k] += Double(dy[y]) * Double(x[at]) }
    var results = [try Tensor(sum.map { Float($0) }, shape)]
    if call.node.outputs.count > 1 {
      var bias = [Double](repeating: 0, count: sizes.outputs)
      for (index, value) in dy.enumerated() { bias[index / sizes.map.outputCount % sizes.outputs] += Double(value) }
      results.append(try Tensor(bias.map { Float($0) }))
    }
    return results
  }
}
