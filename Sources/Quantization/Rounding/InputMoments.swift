import PruneGraph
import PruneTensor

/// Sums of products of a layer's inputs, x·xᵀ, over sampled positions of calibration data: what rounding errors of its
/// weight cost. One matrix for each group of a convolution.
struct InputMoments {
  /// Elements of one output channel's weight.
  let width: Int
  let groups: Int
  /// Row-major, upper half.
  private(set) var sums: [Float]
  private(set) var count = 0
  private let window: Window?
  private var random = RandomSource(seed: 1)

  private struct Window {
    let kernel, strides, dilations, pads: [Int]
    let channels: Int
  }

  /// Wider layers are left to rounding to the nearest: the cost grows with the cube.
  static let widest = 1536

  /// - Throws: why a layer's inputs are not gathered: wide ones, other than two spatial axes, automatic padding.
  init(_ node: Node, _ shape: Shape) throws(Reason) {
    if node.opType == "Conv" {
      guard shape.rank == 4 else { throw Reason("its weight has rank \(shape.rank), inputs are gathered for rank 4") }
      let padding = node.string("auto_pad", default: "NOTSET")
      guard ["NOTSET", "VALID"].contains(padding) else {
        throw Reason("its inputs are not gathered with auto_pad \(padding)")
      }
      groups = max(node.int("group", default: 1), 1)
      width = shape.dims[1...].reduce(1, *)
      window = Window(
        kernel: Array(shape.dims[2...]), strides: node.ints("strides") ?? [1, 1],
        dilations: node.ints("dilations") ?? [1, 1],
        pads: node.ints("pads") ?? [0, 0, 0, 0], channels: shape[1])
      guard let window, window.strides.count == 2, window.dilations.count == 2, window.pads.count == 4,
        (window.strides + window.dilations).allSatisfy({ (1...4096).contains($0) }),
        window.pads.allSatisfy({ (0...4096).contains($0) }),
        shape[0] % groups == 0
      else { throw Reason("its attributes do not fit its weight \(shape)") }
    } else {
      guard shape.rank == 2 else { throw Reason("its weight has rank \(shape.rank), inputs are gathered for rank 2") }
      groups = 1
      width = shape[node.opType == "Gemm" && node.int("transB", default: 0) != 0 ? 1 : 0]
      window = nil
    }
    guard width > 0, width <= Self.widest else {
      throw Reason("its weight has \(width) inputs, more than the \(Self.widest) that this rounding has time for")
    }
    sums = [Float](repeating: 0, count: groups * width * width)
  }

  /// Adds `wanted` positions of a batch.
  mutating func observe(_ values: Tensor, wanted: Int) throws(PruneError) {
    let dims = values.shape.dims
    var vectors: [[Float]] = []
    try values.withSpan(of: Float.self) { span throws(PruneError) in
      guard let window else {
        guard dims.last == width else { return }
        let rows = span.count / width
        for _ in 0..<min(wanted, rows) {
          let row = Int(random.next() % UInt64(rows))
          vectors.append((0..<width).map { span[row * width + $0] })
        }
        return
      }
      guard dims.count == 4, dims[1] == window.channels * groups else { return }
      let (height, breadth) = (dims[2], dims[3])
      let reach = (0..<2).map { window.dilations[$0] * (window.kernel[$0] - 1) + 1 }
      let rows = (height + window.pads[0] + window.pads[2] - reach[0]) / window.strides[0] + 1
      let columns = (breadth + window.pads[1] + window.pads[3] - reach[1]) / window.strides[1] + 1
      guard rows > 0, columns > 0, dims[0] > 0 else { return }
      for _ in 0..<min(wanted, rows * columns * dims[0]) {
        let sample = Int(random.next() % UInt64(dims[0]))
        let top = Int(random.next() % UInt64(rows)) * window.strides[0] - window.pads[0]
        let left = Int(random.next() % UInt64(columns)) * window.strides[1] - window.pads[1]
        for group in 0..<groups {
          var vector: [Float] = []
          vector.reserveCapacity(width)
          for channel in 0..<window.channels {
            let plane = (sample * dims[1] + group * window.channels + channel) * height
            for y in 0..<window.kernel[0] {
              for x in 0..<window.kernel[1] {
                let (row, column) = (top + y * window.dilations[0], left + x * window.dilations[1])
                let isInside = row >= 0 && row < height && column >= 0 && column < breadth
                vector.append(isInside ? span[(plane + row) * breadth + column] : 0)
              }
            }
          }
          vectors.append(vector)
        }
      }
    }
    for (index, vector) in vectors.enumerated() { add(vector, group: index % groups) }
    count += vectors.count / groups
  }

  private mutating func add(_ vector: [Float], group: Int) {
    let base = group * width * width
    for row in 0..<width where vector[row] != 0 {
      let factor = vector[row], start = base + row * width
      for column in row..<width { sums[start + column] += factor * vector[column] }
    }
  }
}
