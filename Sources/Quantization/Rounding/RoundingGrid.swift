import PruneTensor

/// The numbers that a weight's elements may become: steps of a scale, which a whole weight, an output channel, or a
/// block of a channel's inputs has.
struct RoundingGrid {
  let scales: [Float]
  /// One for each scale; empty for steps around zero.
  private let zeroPoints: [Int8]
  /// The least and the greatest code.
  let low: Float
  let high: Float
  private let blockSize: Int
  private let rowStride: Int
  private let blockStride: Int

  /// One scale for all, or one for each output channel.
  init(scales: [Float], low: Float, high: Float) {
    (self.scales, zeroPoints, self.low, self.high) = (scales, [], low, high)
    (blockSize, rowStride, blockStride) = (.max, scales.count == 1 ? 0 : 1, 0)
  }

  /// The scales of blocks of a matrix.
  /// - Parameter axis: along which they lie, the one that is summed over.
  init(_ blocks: BlockCodes, _ form: BlockCodes.Form, axis: Int, size: Int) {
    (scales, zeroPoints, low, high) = (blocks.scales, blocks.zeroPoints, form.low, form.high)
    blockSize = max(size, 1)
    (rowStride, blockStride) = axis == 0 ? (1, blocks.blocks[1]) : (blocks.blocks[1], 1)
  }

  /// Which scale an element has, of output channel `row` and input `column`.
  @inline(__always)
  func slot(_ row: Int, _ column: Int) -> Int { row * rowStride + column / blockSize * blockStride }

  @inline(__always)
  func zero(_ slot: Int) -> Float { zeroPoints.isEmpty ? 0 : Float(UInt8(bitPattern: zeroPoints[slot])) }
}
