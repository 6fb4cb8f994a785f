import CPruneSupport
import PruneTensor
import Testing

/// Max-pools of images with their channels innermost, and their gradients, against plain loops.
@Suite struct MaxPoolTests {
  struct Case: Sendable {
    var size: (Int, Int)
    var channels: Int
    var kernel: (Int, Int)
    var stride: (Int, Int)
    var before = (0, 0)
    var result: (Int, Int)
  }

  static let cases: [Case] = [
    Case(size: (24, 24), channels: 20, kernel: (2, 2), stride: (2, 2), result: (12, 12)),
    Case(size: (7, 5), channels: 3, kernel: (3, 2), stride: (2, 1), before: (1, 0), result: (4, 4)),
    Case(size: (6, 9), channels: 70, kernel: (3, 3), stride: (1, 2), before: (1, 1), result: (6, 5)),
    Case(size: (5, 5), channels: 1, kernel: (2, 2), stride: (2, 2), result: (3, 3)),
    Case(size: (6, 4), channels: 33, kernel: (3, 2), stride: (3, 2), result: (2, 2)),
    Case(size: (5, 6), channels: 17, kernel: (2, 2), stride: (2, 2), result: (2, 3)),
    Case(size: (4, 4), channels: 64, kernel: (4, 4), stride: (4, 4), result: (1, 1)),
  ]

  @Test(arguments: cases) func windowsAreThoseOfPlainLoops(example: Case) throws {
    let planes = 3, c = example.channels, (h, w) = example.size, (rows, columns) = example.result
    var random = RandomSource(seed: 6)
    // Few different numbers: the first of equal ones counts.
    var x = (0..<planes * h * w * c).map { _ in Float(Int(random.next() % 5)) - 2 }
    var dy = (0..<planes * rows * columns * c).map { _ in Float(random.normal()) }
    x[c] = .nan
    var y = dy, place = [UInt8](repeating: 255, count: dy.count), dx = [Float](repeating: 9, count: x.count)
    x.withUnsafeBufferPointer { x in
      dy.withUnsafeMutableBufferPointer { dy in
        y.withUnsafeMutableBufferPointer { y in
          place.withUnsafeMutableBufferPointer { place in
            dx.withUnsafeMutableBufferPointer { dx in
              var arguments = ps_max_pool_args(
                x: x.baseAddress, y: y.baseAddress, place: place.baseAddress, dy: UnsafePointer(dy.baseAddress),
                dx: dx.baseAddress,
                planes: Int64(planes), height: Int64(h), width: Int64(w), channels: Int64(c), rows: Int64(rows),
                columns: Int64(columns),
                kernel: (Int64(example.kernel.0), Int64(example.kernel.1)),
                stride: (Int64(example.stride.0), Int64(example.stride.1)),
                before: (Int64(example.before.0), Int64(example.before.1)))
              _ = ps_max_pool(&arguments)
              _ = ps_max_pool_grad(&arguments)
            }
          }
        }
      }
    }
    var expected = [Float](repeating: 0, count: x.count)
    for plane in 0..<planes {
      for row in 0..<rows {
        for column in 0..<columns {
          for channel in 0..<c {
            var best = -Float.infinity, source = -1
            for i in 0..<example.kernel.0 {
              for j in 0..<example.kernel.1 {
                let (r, k) = (
                  row * example.stride.0 - example.before.0 + i, column * example.stride.1 - example.before.1 + j
                )
                guard r >= 0, r < h, k >= 0, k < w else { continue }
                let at = ((plane * h + r) * w + k) * c + channel
                if source < 0 || x[at] > best || x[at].isNaN { (best, source) = (x[at], at) }
              }
            }
            let at = ((plane * rows + row) * columns + column) * c + channel
            #expect(y[at] == best || (y[at].isNaN && best.isNaN))
            expected[source] += dy[at]
          }
        }
      }
    }
    for index in expected.indices { #expect(abs(dx[index] - expected[index]) < 1e-5) }
  }
}
