import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Max, average and Lp pools over windows or whole planes.
enum Pooling {
  static let table: [String: Kernel] = [
    "MaxPool": Kernel { (call) throws(PruneError) in try maximum(call) },
    "AveragePool": Kernel { (call) throws(PruneError) in
      let includesPads = call.node.int("count_include_pad", default: 0) != 0
      return [
        try pool(call, try PoolPlane(call)) { values, window in
          window.sum(values) { $0 } / Double(includesPads ? window.paddedCount : window.count)
        }
      ]
    },
    "LpPool": Kernel { (call) throws(PruneError) in [try lp(call, try PoolPlane(call))] },
    "GlobalMaxPool": Kernel { (call) throws(PruneError) in
      [
        try pool(call, try PoolPlane(whole: call)) { values, window in window.largest(values).value
        }
      ]
    },
    "GlobalAveragePool": Kernel { (call) throws(PruneError) in
      [
        try pool(call, try PoolPlane(whole: call)) { values, window in
          window.sum(values) { $0 } / Double(window.count)
        }
      ]
    },
    "GlobalLpPool": Kernel { (call) throws(PruneError) in [try lp(call, try PoolPlane(whole: call))]
    },
    "MaxUnpool": Kernel { (call) throws(PruneError) in [try unpool(call)] },
  ]

  /// A value for every window of every plane.
  private static func pool(
    _ call: KernelCall, _ plane: PoolPlane, _ reduce: @Sendable ([Double], PoolWindow) -> Double
  ) throws(PruneError) -> Tensor {
    let x = try call.doubles(0)
    let output = try call.shape()
    try call.check(output.count)
    let planes = output[0] * output[1]
    let values = Parallel.rows(planes, width: plane.outputCount, cost: plane.cost) { row, values in
      plane.forEachWindow(from: row * plane.inputCount) { index, window in
        values[index] = reduce(x, window)
      }
    }
    return try call.result(values)
  }

  private static func lp(_ call: KernelCall, _ plane: PoolPlane) throws(PruneError) -> Tensor {
    // An attribute of type float in opset 1.
    let p =
      switch call.node.attribute("p") {
      case .float(let value)?: Double(value)
      default: Double(call.node.int("p", default: 2))
      }
    guard p > 0 else { throw call.fail("p is \(p), wanted more than 0") }
    return try pool(call, plane) { values, window in
      pow(window.sum(values) { pow(abs($0), p) }, 1 / p)
    }
  }

  private static func maximum(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let plane = try PoolPlane(call)
    let pooled = try pool(call, plane) { values, window in window.largest(values).value }
    guard call.wants(1) else { return [pooled] }
    let x = try call.doubles(0)
    let isColumnMajor = call.node.int("storage_order", default: 0) != 0
    let shape = try call.shape(1)
    var indices = [Int64](repeating: 0, count: shape.count)
    for row in 0..<(shape[0] * shape[1]) {
      plane.forEachWindow(from: row * plane.inputCount) { index, window in
        let at = window.largest(x).offset
        let inPlane =
          isColumnMajor
          ? plane.columnMajor(at - row * plane.inputCount) : at - row * plane.inputCount
        indices[row * plane.outputCount + index] = Int64(row * plane.inputCount + inPlane)
      }
    }
    return [pooled, try Tensor(indices, shape)]
  }

  private static func unpool(_ call: KernelCall) throws(PruneError) -> Tensor {
    let (x, indices) = (try call.doubles(0), try call.integers(1))
    guard indices.count == x.count else {
      throw call.fail("\(x.count) values and \(indices.count) indices")
    }
    let shape = try call.shape()
    try call.check(shape.count)
    // Indices are positions in the tensor that was pooled, also where a larger output is asked for.
    var node = call.node
    node.inputs = Array(node.inputs.prefix(2))
    let pooled = try Operands(
      node, types: Array(call.operands.types.prefix(2)), constants: [], opset: call.opset)
    let original = try InferenceRules.infer(pooled)?.first?.shape ?? shape
    var result = [Double](repeating: 0, count: shape.count)
    let (from, to) = (original.strides, shape.strides)
    for (value, index) in zip(x, indices) {
      guard index >= 0, index < original.count else {
        throw call.fail("index \(index) is outside \(original)")
      }
      let at = (0..<shape.rank).reduce(0) { $0 + index / from[$1] % original[$1] * to[$1] }
      guard at < result.count else { throw call.fail("index \(index) is outside \(shape)") }
      result[at] = value
    }
    return try call.result(result)
  }
}

/// The windows of a pool over one plane.
struct PoolPlane: Sendable {
  let inputCount: Int
  let outputCount: Int
  let cost: Int
  private let input: [Int]
  private let output: [Int]
  private let strides: [Int]
  /// Per axis and output position: the first input position, how many are inside, and how many with padding.
  private let spans: [[PoolWindow.Axis]]

  init(_ call: KernelCall) throws(PruneError) {
    let input = Array(try call.tensor(0).shape.dims.dropFirst(2))
    guard let kernel = call.node.ints("kernel_shape") else {
      throw call.fail("attribute kernel_shape is missing")
    }
    let roundsUp = call.node.int("ceil_mode", default: 0) != 0
    let window = try Window(
      call.node, kernel: kernel, input: input.map(Dim.fixed), roundsUp: roundsUp)
    guard window.outputExtents.allSatisfy({ $0 <= 1 << 24 }) else {
      throw call.unsupported("a pool with an output of \(window.outputExtents)")
    }
    self.init(window, input)
  }

  /// One window over the whole plane.
  init(whole call: KernelCall) throws(PruneError) {
    let input = Array(try call.tensor(0).shape.dims.dropFirst(2))
    guard !input.contains(0) else { throw call.fail("a plane of \(input) has no element") }
    guard !input.isEmpty else {
      self.init(
        try Window(Node("Pool", inputs: [], outputs: []), kernel: [1], input: [.fixed(1)]), [1])
      return
    }
    self.init(
      try Window(Node("Pool", inputs: [], outputs: []), kernel: input, input: input.map(Dim.fixed)),
      input)
  }

  private init(_ window: Window, _ input: [Int]) {
    self.input = input
    output = window.outputExtents
    inputCount = input.reduce(1, *)
    outputCount = output.reduce(1, *)
    cost = outputCount * zip(window.kernel, input).map { min($0, $1) }.reduce(1, *)
    var strides = [Int](repeating: 1, count: input.count)
    for axis in stride(from: input.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * input[axis + 1]
    }
    self.strides = strides
    spans = input.indices.map { axis in
      (0..<window.outputExtents[axis]).map { position in
        let (dilation, kernel) = (window.dilations[axis], window.kernel[axis])
        let start = position * window.strides[axis] - window.padsBegin[axis]
        let skipped = start >= 0 ? 0 : min((-start + dilation - 1) / dilation, kernel)
        func reaching(_ end: Int) -> Int {
          end <= start ? 0 : min((end - start + dilation - 1) / dilation, kernel)
        }
        return PoolWindow.Axis(
          start: start + skipped * dilation, count: max(reaching(input[axis]) - skipped, 0),
          padded: reaching(input[axis] + window.padsEnd[axis]), step: dilation)
      }
    }
  }

  /// Calls `body` with every window in row-major order of the outputs.
  func forEachWindow(from base: Int, _ body: (Int, PoolWindow) -> Void) {
    var position = [Int](repeating: 0, count: output.count)
    for index in 0..<outputCount {
      body(
        index,
        PoolWindow(
          axes: position.indices.map { spans[$0][position[$0]] }, strides: strides, base: base))
      ConvolutionTransposed.step(&position, output)
    }
  }

  /// The place of an element of the plane when the plane is stored column by column.
  func columnMajor(_ offset: Int) -> Int {
    var rest = offset
    var result = 0
    var scale = 1
    for axis in input.indices {
      result += rest / strides[axis] * scale
      rest %= strides[axis]
      scale *= input[axis]
    }
    return result
  }
}

/// The input elements of one window.
struct PoolWindow {
  struct Axis: Sendable {
    let start: Int
    let count: Int
    let padded: Int
    let step: Int
  }

  let axes: [Axis]
  let strides: [Int]
  let base: Int

  /// Elements inside the input, and with those of the padding.
  var count: Int { axes.reduce(1) { $0 * $1.count } }
  var paddedCount: Int { axes.reduce(1) { $0 * $1.padded } }

  func sum(_ values: [Double], _ change: (Double) -> Double) -> Double {
    var total = 0.0
    forEach { total += change(values[$0]) }
    return total
  }

  /// The first largest element and its offset; minus infinity in an empty window.
  func largest(_ values: [Double]) -> (value: Double, offset: Int) {
    var best = -Double.infinity
    var place = base
    var isFirst = true
    forEach { offset in
      let value = values[offset]
      if isFirst || value > best || (value.isNaN && !best.isNaN) {
        best = value
        place = offset
        isFirst = false
      }
    }
    return (best, place)
  }

  private func forEach(_ body: (Int) -> Void) { visit(0, base, body) }

  private func visit(_ axis: Int, _ offset: Int, _ body: (Int) -> Void) {
    let span = axes[axis]
    var at = offset + span.start * strides[axis]
    for _ in 0..<span.count {
      if axis == axes.count - 1 { body(at) } else { visit(axis + 1, at, body) }
      at += span.step * strides[axis]
    }
  }
}
