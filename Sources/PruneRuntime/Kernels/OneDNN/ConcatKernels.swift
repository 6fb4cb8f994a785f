import COneDNN
import PruneGraph
import PruneTensor

/// Concatenation of images along channels, in the layout they lie in.
enum ConcatKernels {
  /// The memory of the longest of several concats that begin with the same parts, as a dense block makes them: the
  /// shorter ones are its beginnings.
  private struct Concat {
    let parts: [Int]
    let buffer: Int
    /// Parts that are there already.
    var filled: Int
  }

  /// Concats under way, each for those that begin with the same parts.
  private struct Concats: KernelNotes {
    var list: [Concat] = []
  }

  /// False when the images do not share a layout other than row-major.
  static func images(_ op: Dataflow.Op, _ emitter: any Emitter, _ inputs: [Int], _ y: Int) throws(PruneError) -> Bool {
    let dims = emitter.dims(y)
    guard emitter.isFloat(y), dims.count == 4, emitter.count(y) > 0,
      inputs.allSatisfy({ emitter.dims($0).count == 4 }),
      let isBlocked = try sharesBlocks(inputs, emitter), let target = layout(dims, isBlocked)
    else { return false }
    let pixels = dims[2] * dims[3]
    // Where one part's elements lie together, and how far apart those of the joined image start.
    let rows = isBlocked ? dims[0] : dims[0] * pixels
    let unit = isBlocked ? pixels : 1
    var first = 0
    let buffer: Int
    let concats = emitter[Concats.self].list
    if isBlocked, dims[0] == 1, let index = concats.firstIndex(where: { $0.parts.starts(with: inputs) }) {
      first = min(concats[index].filled, inputs.count)
      emitter[Concats.self].list[index].filled = max(first, inputs.count)
      buffer = emitter.define(y, layout: target, over: concats[index].buffer, isShared: true)
    } else if isBlocked, dims[0] == 1, let longest = longest(from: inputs, emitter) {
      let channels = longest.reduce(0) { $0 + emitter.dims($1)[1] }
      let whole = emitter.scratch(channels * pixels * 4)
      emitter[Concats.self].list.append(Concat(parts: longest, buffer: whole, filled: inputs.count))
      buffer = emitter.define(y, layout: target, over: whole, isShared: true)
    } else {
      buffer = try emitter.define(y, layout: target)
    }
    var channel = 0
    for (index, input) in inputs.enumerated() {
      let extents = emitter.dims(input)
      defer { channel += extents[1] }
      guard index >= first else { continue }
      guard let from = layout(extents, isBlocked),
        let walk = StridedWalk([rows, extents[1] * unit], [[extents[1] * unit, 1], [dims[1] * unit, 1]])
      else { return false }
      MovementKernels.emitCopy(op, emitter, 4, walk, try emitter.buffer(input, in: from), 0, buffer, channel * unit)
    }
    return true
  }

  private static func layout(_ dims: [Int], _ isBlocked: Bool) -> Layout? {
    isBlocked ? Layout.blocked(dims) : Layout.channelsLast(dims)
  }

  /// Whether most elements lie in blocks of channels, rather than with channels innermost; nil for neither.
  private static func sharesBlocks(_ inputs: [Int], _ emitter: any Emitter) throws(PruneError) -> Bool? {
    var (blocked, innermost, other) = (0, 0, 0)
    for input in inputs {
      let home = try emitter.home(input).layout
      if let home, !home.isRowMajor, home == layout(emitter.dims(input), true) {
        blocked += emitter.count(input)
      } else if let home, !home.isRowMajor, home == layout(emitter.dims(input), false) {
        innermost += emitter.count(input)
      } else {
        other += emitter.count(input)
      }
    }
    guard blocked + innermost > other else { return nil }
    return blocked > innermost && inputs.allSatisfy { emitter.dims($0)[1].isMultiple(of: OneDNN.block) }
  }

  /// The parts of the longest concat that begins with `inputs`; also in blocked layouts.
  private static func longest(from inputs: [Int], _ emitter: any Emitter) -> [Int]? {
    var longest: [Int]?
    for op in inputs.first.map({ emitter.readers(of: $0) }) ?? [] where op.key == "Concat" {
      let parts = op.inputs.compactMap { $0 }
      guard let y = op.output(0), parts.count == op.inputs.count, parts.count > max(inputs.count, longest?.count ?? 0),
        parts.starts(with: inputs), emitter.value(y).shape?.axis(op.node.int("axis", default: 1)) == 1,
        parts.allSatisfy({
          emitter.isFloat($0) && emitter.dims($0).count == 4 && emitter.dims($0)[1].isMultiple(of: OneDNN.block)
        })
      else { continue }
      longest = parts
    }
    return longest
  }
}
