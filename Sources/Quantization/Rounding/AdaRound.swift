import PruneTensor

/// Weights rounded up or down so that what the layer computes changes least (Nagel et al., "Up or down? Adaptive
/// rounding for post-training quantization", 2020). Over the calibration data Σ‖(Ŵ-W)x‖² = (Ŵ-W)·H·(Ŵ-W)ᵀ with the
/// inputs' second moments H, so no activation has to be kept: one code of a row moves by a step at a time, as long as
/// that lowers the sum.
enum AdaRound {
  /// Passes over a row; few weights move in the later ones.
  private static let passes = 12

  /// - Parameters:
  ///   - values: rounded rows to begin with, [rows, width]; they change by whole steps of their scale.
  ///   - wanted: the rows before rounding. What is zero there stays zero.
  ///   - grid: what the elements may become.
  ///   - h: the second moments, [width, width].
  static func settle(
    _ values: inout [Float], rows: Range<Int>, width: Int, wanted: [Float], _ grid: RoundingGrid, _ h: [Float]
  ) {
    var gradient = [Float](repeating: 0, count: width)
    for row in rows {
      let start = row * width
      for column in 0..<width { gradient[column] = 0 }
      for column in 0..<width {
        let error = values[start + column] - wanted[start + column]
        if error != 0 { add(&gradient, error, h, column * width) }
      }
      for _ in 0..<passes {
        var moved = false
        for column in 0..<width where wanted[start + column] != 0 {
          let slot = grid.slot(row, column), scale = grid.scales[slot], zero = grid.zero(slot)
          let slope = gradient[column], step = slope > 0 ? -scale : scale
          // (e+δ)H(e+δ)ᵀ - eHeᵀ = 2δ·(eH) + δ²·Hⱼⱼ
          guard 2 * step * slope + step * step * h[column * width + column] < 0 else { continue }
          let code = ((values[start + column] + step) / scale).rounded(.toNearestOrEven)
          guard code >= grid.low - zero, code <= grid.high - zero else { continue }
          let change = code * scale - values[start + column]
          values[start + column] = code * scale
          add(&gradient, change, h, column * width)
          moved = true
        }
        if !moved { break }
      }
    }
  }

  private static func add(_ sum: inout [Float], _ factor: Float, _ matrix: [Float], _ first: Int) {
    for column in sum.indices { sum[column] += factor * matrix[first + column] }
  }

  /// The whole symmetric matrix of mean second moments, a little heavier on the diagonal: the data is a sample.
  static func moments(_ moment: InputMoments, _ group: Int) -> [Float] {
    let n = moment.width, base = group * n * n
    var h = [Float](repeating: 0, count: n * n)
    var trace: Float = 0
    for row in 0..<n {
      for column in row..<n {
        let value = moment.sums[base + row * n + column] / Float(moment.count)
        h[row * n + column] = value
        h[column * n + row] = value
      }
      trace += h[row * n + row]
    }
    for row in 0..<n { h[row * n + row] += 0.01 * trace / Float(n) }
    return h
  }
}
