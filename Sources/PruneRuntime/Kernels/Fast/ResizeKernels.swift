import CPruneSupport
import PruneGraph
import PruneTensor

/// Resize and Upsample of float32: one axis after the other, positions and weights computed at compile time.
enum ResizeKernels: KernelFamily {
  static let name = "resize"
  static let kernels: [String: FastKernel] = ["Resize": resize, "Upsample": resize]

  /// What every place along an axis reads: as many taps each, the missing ones of weight 0.
  private struct Table {
    var positions: [Int32]
    var weights: [Float]
    var taps: Int
  }

  private static func resize(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), emitter.count(x) > 0, emitter.count(y) > 0
    else { return false }
    let constants = op.inputs.map { emitter.constant($0) }
    for (index, id) in op.inputs.enumerated() where index > 0 && id != nil && constants[index] == nil { return false }
    let types = op.inputs.map { $0.map { emitter.value($0).type } }
    let operands = try Operands(op.node, types: types, constants: constants, opset: op.opset)
    guard let target = try ResizeShape(operands) else { return false }
    let (from, to) = (emitter.dims(x), emitter.dims(y))
    let settings = try ResampleSettings(
      KernelCall(operands: operands, inputs: constants, outputs: []), rank: from.count)
    guard !settings.crops, from.count == to.count, target.scales.count == from.count else { return false }
    let axes = from.indices.filter { !settings.isIdentity($0, target.scales[$0], from[$0], to[$0]) }
    guard !axes.isEmpty else { return false }
    var source = try emitter.plain(x)
    var dims = from
    // The axis that grows least comes first: then the next axes have less work.
    let order = axes.sorted { Double(to[$0]) / Double(from[$0]) < Double(to[$1]) / Double(from[$1]) }
    for (number, axis) in order.enumerated() {
      let table = table(settings, axis, target.scales[axis], from[axis], to[axis])
      var next = dims
      next[axis] = to[axis]
      let place =
        number == order.count - 1 ? try emitter.define(y, layout: nil) : emitter.scratch(4 * next.reduce(1, *))
      try emit(op, emitter, table, dims, axis, to[axis], source, place)
      (source, dims) = (place, next)
    }
    return true
  }

  private static func table(_ settings: ResampleSettings, _ axis: Int, _ scale: Double, _ from: Int, _ to: Int) -> Table
  {
    let lists = (0..<to).map { settings.taps($0, axis, scale, from, to) }
    let taps = max(1, lists.map(\.count).max() ?? 1)
    var table = Table(positions: [], weights: [], taps: taps)
    for list in lists {
      for tap in 0..<taps {
        table.positions.append(tap < list.count ? Int32(clamping: list[tap].position) : 0)
        table.weights.append(tap < list.count ? Float(list[tap].weight) : 0)
      }
    }
    return table
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ table: Table, _ dims: [Int], _ axis: Int, _ count: Int, _ source: Int,
    _ target: Int
  ) throws(PruneError) {
    let positions = try emitter.constantBuffer(try Tensor(table.positions))
    let weights = try emitter.constantBuffer(try Tensor(table.weights))
    let (outer, inner) = (dims[..<axis].reduce(1, *), dims[(axis + 1)...].reduce(1, *))
    emitter.emit(op.node.label, reads: [source, positions, weights], writes: [target]) { frame in
      frame.step(
        ps_resample_args(
          x: frame.pointer(source), weights: frame.pointer(weights),
          positions: frame.pointer(positions, as: Int32.self),
          y: frame.pointer(target), outer: Int64(outer), extent: Int64(dims[axis]), inner: Int64(inner),
          count: Int64(count),
          taps: Int64(table.taps)), ps_resample)
    }
  }
}
