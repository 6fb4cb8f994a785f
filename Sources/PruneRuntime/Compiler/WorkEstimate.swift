import PruneGraph
import PruneTensor

/// How long operations take on one thread, roughly, and so which of them are worth a second one.
///
/// Waking a thread costs tens of microseconds unless it was busy a moment ago, and far more on a busy machine. An
/// operation shorter than that runs on the calling thread only, and so does a longer one among short ones.
enum WorkEstimate {
  /// An operation below has nothing to share out.
  private static let least = 25_000.0
  /// What operations that follow each other must take together to wake a thread for.
  private static let worthWaking = 200_000.0
  /// A thread that had nothing to do for so long is asleep again.
  private static let patience = 20_000.0
  /// Bytes read or written in a nanosecond.
  private static let bytesPerNanosecond = 12.0

  /// For each operation whether it is to run on one thread.
  static func singleThreaded(_ flow: Dataflow) -> [Bool] {
    let costs = flow.ops.map { nanoseconds($0, flow) }
    var result = costs.map { $0.map { $0 < least } ?? false }
    var (members, total, gap) = ([Int](), 0.0, 0.0)
    func close() {
      if total < worthWaking { for index in members where costs[index] != nil { result[index] = true } }
      (members, total, gap) = ([], 0, 0)
    }
    for index in costs.indices {
      let cost = costs[index] ?? least
      if result[index] {
        gap += cost
        if gap > patience { close() }
      } else {
        members.append(index)
        total += cost
        gap = 0
      }
    }
    close()
    return result
  }

  /// Whether moving these bytes is too little work for several threads.
  static func isSmall(movedBytes: Int) -> Bool { Double(movedBytes) / bytesPerNanosecond < least }

  /// Nil when nothing can be said: operators without a fast kernel, and those that run graphs.
  private static func nanoseconds(_ op: Dataflow.Op, _ flow: Dataflow) -> Double? {
    let touched = op.reads + op.outputs.compactMap { $0 }
    guard op.control == nil, touched.allSatisfy({ flow.values[$0].isStatic }), !FastKernels.candidates(for: op).isEmpty,
      let multiplications = multiplications(op, flow)
    else { return nil }
    let bytes = touched.reduce(0.0) { $0 + Double(flow.values[$1].dtype?.bitWidth ?? 8) / 8 * count($1, flow) }
    return bytes / bytesPerNanosecond + multiplications / (Double(OneDNN.block) * (op.quantized == nil ? 2.5 : 7.5))
  }

  private static func count(_ value: Int?, _ flow: Dataflow) -> Double {
    Double(value.flatMap { flow.values[$0].shape?.count } ?? 0)
  }

  /// Nil when a node is not what its operator's name says.
  private static func multiplications(_ op: Dataflow.Op, _ flow: Dataflow) -> Double? {
    func count(_ value: Int?) -> Double { Self.count(value, flow) }
    func dims(_ value: Int?) -> [Int] { value.flatMap { flow.values[$0].shape?.dims } ?? [] }
    /// What the Winograd transform leaves of a convolution's products.
    var minimal: Double {
      let isConstant = op.input(1).flatMap { flow.values[$0].constant } != nil
      guard op.key == "Conv",
        let problem = ConvolutionKernels.Problem(
          op.node, x: dims(op.input(0)), w: dims(op.input(1)), y: dims(op.output(0))),
        (try? WinogradKernels.Problem(problem, isConstant: isConstant)) != nil
      else { return 1 }
      return 0.35
    }
    /// Each element of `images` is made of, or goes into, one filter's worth of products.
    func filtered(_ images: Int?, _ filters: Int?) -> Double? {
      let extents = dims(filters)
      guard extents.count > 2, extents[0] > 0 else { return nil }
      // Blocks of 16 channels that are not full take as long as full ones; depthwise filters use a part of the machine.
      let waste = extents[1] == 1 ? 4 : Double((extents[0] + 15) / 16 * 16) / Double(extents[0])
      return count(images) * count(filters) / Double(extents[0]) * waste * minimal
    }
    switch op.key {
    case "Conv", "ai.libprune.QuantizedConv": return filtered(op.output(0), op.input(1))
    case "ConvTranspose", "ai.libprune.ConvGradInput": return filtered(op.input(0), op.input(1))
    case "ai.libprune.ConvGradWeight": return filtered(op.input(0), op.output(0))
    case "MatMul", "ai.libprune.QuantizedMatMul": return count(op.output(0)) * Double(dims(op.input(0)).last ?? 0)
    case "Gemm", "ai.libprune.QuantizedGemm":
      let a = dims(op.input(0))
      guard a.count == 2 else { return nil }
      return count(op.output(0)) * Double(a[op.node.int("transA", default: 0) == 0 ? 1 : 0])
    case "RNN", "GRU", "LSTM":
      let x = dims(op.input(0))
      guard x.count == 3 else { return nil }
      return Double(x[0]) * Double(x[1]) * (count(op.input(1)) + count(op.input(2)))
    case AttentionRecognition.key:
      guard let sizes = op.node.ints("sizes"), sizes.count == 6 else { return nil }
      return sizes[..<4].reduce(1.0) { $0 * Double($1) } * Double(sizes[4] + sizes[5])
    case ProductRecognition.key:
      guard let sizes = op.node.ints("sizes"), sizes.count == 6 else { return nil }
      return (sizes[..<3] + (op.node.ints("dims") ?? [])).reduce(1.0) { $0 * Double($1) }
    default: return 0
    }
  }
}
