import COneDNN
import PruneGraph
import PruneTensor

/// Concatenation of images along channels, in the layout they lie in.
enum ConcatKernels {
  /// The memory of the longest of several joins that begin with the same parts, as a dense block makes them: the
  /// shorter ones are its beginnings.
  struct Concat {
    let parts: [Int]
    let buffer: Int
    /// Parts that are there already.
    var filled: Int
  }

  /// False when the images do not share a layout other than row-major.
  static func images(_ op: Dataflow.Op, _ lowering: Lowering, _ inputs: [Int], _ y: Int) throws(PruneError) -> Bool {
    let dims = lowering.dims(y)
    guard lowering.isFloat(y), dims.count == 4, lowering.count(y) > 0,
      inputs.allSatisfy({ lowering.dims($0).count == 4 }),
      let isBlocked = try sharesBlocks(inputs, lowering), let target = layout(dims, isBlocked)
    else { return false }
    let pixels = dims[2] * dims[3]
    // Where one part's elements lie together, and how far apart those of the joined image start.
    let rows = isBlocked ? dims[0] : dims[0] * pixels
    let unit = isBlocked ? pixels : 1
    var first = 0
    let buffer: Int
    if isBlocked, dims[0] == 1, let known = lowering.concats.firstIndex(where: { $0.parts.starts(with: inputs) }) {
      first = min(lowering.concats[known].filled, inputs.count)
      lowering.concats[known].filled = max(first, inputs.count)
      buffer = lowering.define(y, layout: target, over: lowering.concats[known].buffer)
      lowering.pin(y)
    } else if isBlocked, dims[0] == 1, let longest = longest(from: inputs, lowering) {
      let channels = longest.reduce(0) { $0 + lowering.dims($1)[1] }
      let whole = lowering.scratch(channels * pixels * 4)
      lowering.concats.append(Concat(parts: longest, buffer: whole, filled: inputs.count))
      buffer = lowering.define(y, layout: target, over: whole)
      lowering.pin(y)
    } else {
      buffer = try lowering.define(y, layout: target)
    }
    var channel = 0
    for (index, input) in inputs.enumerated() {
      let extents = lowering.dims(input)
      defer { channel += extents[1] }
      guard index >= first else { continue }
      guard let from = layout(extents, isBlocked),
        let walk = StridedWalk([rows, extents[1] * unit], [[extents[1] * unit, 1], [dims[1] * unit, 1]])
      else { return false }
      MovementKernels.emitCopy(op, lowering, 4, walk, try lowering.buffer(input, in: from), 0, buffer, channel * unit)
    }
    return true
  }

  private static func layout(_ dims: [Int], _ isBlocked: Bool) -> Layout? {
    isBlocked ? Layout.blocked(dims) : Layout.channelsLast(dims)
  }

  /// Whether most elements lie in blocks of channels, rather than with channels innermost; nil for neither.
  private static func sharesBlocks(_ inputs: [Int], _ lowering: Lowering) throws(PruneError) -> Bool? {
    var (blocked, innermost, other) = (0, 0, 0)
    for input in inputs {
      let home = try lowering.home(input).layout
      if let home, !home.isRowMajor, home == layout(lowering.dims(input), true) {
        blocked += lowering.count(input)
      } else if let home, !home.isRowMajor, home == layout(lowering.dims(input), false) {
        innermost += lowering.count(input)
      } else {
        other += lowering.count(input)
      }
    }
    guard blocked + innermost > other else { return nil }
    return blocked > innermost && inputs.allSatisfy { lowering.dims($0)[1].isMultiple(of: OneDNN.block) }
  }

  /// The parts of the longest join that begins with `inputs` and goes on, in blocks too.
  private static func longest(from inputs: [Int], _ lowering: Lowering) -> [Int]? {
    var found: [Int]?
    for op in lowering.flow.ops where op.key == "Concat" {
      let parts = op.inputs.compactMap { $0 }
      guard let y = op.output(0), parts.count == op.inputs.count, parts.count > max(inputs.count, found?.count ?? 0),
        parts.starts(with: inputs), lowering.value(y).shape?.axis(op.node.int("axis", default: 1)) == 1,
        parts.allSatisfy({
          lowering.isFloat($0) && lowering.dims($0).count == 4 && lowering.dims($0)[1].isMultiple(of: OneDNN.block)
        })
      else { continue }
      found = parts
    }
    return found
  }
}
