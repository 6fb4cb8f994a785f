import CPruneSupport
import PruneGraph
import PruneTensor

/// Products of float activations with weights that stay codes: int8 with activations rounded while running, and blocks
/// of 4 or 8 bits for a few rows.
enum CodeProductKernels: KernelFamily {
  static let name = "code_product"
  static let kernels: [String: FastKernel] = [DynamicProducts.key: dynamic, BlockProducts.key: blocks]

  private static func dynamic(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let scale = op.input(2), let y = op.output(0), emitter.isFloat(x),
      emitter.isFloat(y), let weight = emitter.constant(w), weight.dtype == .int8, weight.shape.rank == 2,
      weight.count > 0,
      emitter.dims(x).last == weight.shape[0], emitter.isFloat(scale), emitter.isFloat(op.input(3))
    else { return false }
    let (k, n) = (weight.shape[0], weight.shape[1]), m = emitter.count(x) / k, scales = emitter.count(scale)
    guard m > 0, scales == 1 || scales == n, op.input(3).map({ emitter.count($0) == n }) ?? true else { return false }
    var packed = [Int8](repeating: 0, count: Int(ps_code_panel_bytes(Int64(n), Int64(k))))
    // Safe: both arrays have as many elements as the extents say.
    ps_pack_codes(try weight.array(of: Int8.self), Int64(n), Int64(k), &packed)
    let panels = try emitter.constantBuffer(try Tensor(packed))
    let (source, factors) = (try emitter.plain(x), try emitter.plain(scale))
    let bias = try op.input(3).map { id throws(PruneError) in try emitter.plain(id) }
    let scratch = emitter.scratch(2 * m * ((k + 1) / 2 * 2))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(
      op.node.label, reads: [source, factors, panels] + [bias].compactMap { $0 }, writes: [target, scratch]
    ) { frame in
      frame.step(
        ps_dynamic_args(
          x: frame.pointer(source), scales: frame.pointer(factors), bias: bias.map { UnsafePointer(frame.pointer($0)) },
          w: frame.pointer(panels, as: Int8.self), y: frame.pointer(target),
          scratch: frame.pointer(scratch, as: Int16.self),
          m: Int64(m), n: Int64(n), k: Int64(k), scale_count: Int64(scales)), ps_dynamic_product)
    }
    return true
  }

  /// `BlockProducts` leaves only what this takes.
  private static func blocks(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let codes = op.input(1), let scale = op.input(2), let y = op.output(0),
      let form = BlockProducts.Form(op.node)
    else { return false }
    let m = emitter.count(x) / form.k
    guard (1...Int(PS_BLOCK_ROWS)).contains(m) else { return false }
    func plain(_ id: Int?) throws(PruneError) -> Int? { try id.map { id throws(PruneError) in try emitter.plain(id) } }
    let (source, bytes, factors) = (try emitter.plain(x), try emitter.plain(codes), try emitter.plain(scale))
    let (zeros, bias) = (try plain(op.input(3)), try plain(op.input(5)))
    let scratch = emitter.scratch(4 * m * form.blocks * (form.size + 1))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(
      op.node.label, reads: [source, bytes, factors] + [zeros, bias].compactMap { $0 }, writes: [target, scratch]
    ) { frame in
      frame.step(
        ps_block_args(
          x: frame.pointer(source), scales: frame.pointer(factors), bias: bias.map { UnsafePointer(frame.pointer($0)) },
          codes: frame.pointer(bytes, as: UInt8.self),
          zeros: zeros.map { UnsafePointer(frame.pointer($0, as: UInt8.self)) },
          y: frame.pointer(target), scratch: frame.pointer(scratch), m: Int64(m), n: Int64(form.n), k: Int64(form.k),
          size: Int64(form.size), bits: Int32(form.bits)), ps_block_product)
    }
    return true
  }
}
