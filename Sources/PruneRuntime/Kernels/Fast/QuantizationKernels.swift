import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// QuantizeLinear and DequantizeLinear between float32 and 8 bits, with constant zero points.
enum QuantizationKernels: KernelFamily {
  static let name = "quantization"
  static let kernels: [String: FastKernel] = ["QuantizeLinear": quantize, "DequantizeLinear": dequantize]

  /// Scales and zero points, one for all or one for each position along an axis.
  private struct Scheme {
    let scales: Int
    let zeros: [Int32]
    let outer, extent, inner: Int

    init?(_ op: Dataflow.Op, _ emitter: any Emitter, dims: [Int]) throws(PruneError) {
      guard let scale = op.input(1), emitter.isFloat(scale), op.node.int("block_size", default: 0) == 0 else {
        return nil
      }
      let form = emitter.dims(scale), count = form.reduce(1, *)
      if count == 1 {
        (outer, extent, inner) = (1, 1, dims.reduce(1, *))
      } else {
        guard let shape = try? Shape(dims), let axis = shape.axis(op.node.int("axis", default: 1)), form == [dims[axis]]
        else { return nil }
        outer = dims[..<axis].reduce(1, *)
        extent = dims[axis]
        inner = dims[(axis + 1)...].reduce(1, *)
      }
      var zeros = [Int32](repeating: 0, count: extent)
      if let id = op.input(2) {
        guard let points = emitter.constant(id), points.count == extent else { return nil }
        switch points.dtype {
        case .uint8: zeros = try points.array(of: UInt8.self).map { Int32($0) }
        case .int8: zeros = try points.array(of: Int8.self).map { Int32($0) }
        default: return nil
        }
      }
      self.zeros = zeros
      scales = try emitter.plain(scale)
    }
  }

  /// Where a value is read from: with one scale for all, images stay with their channels innermost.
  private static func place(_ x: Int, _ scheme: Scheme, _ emitter: any Emitter) throws(PruneError) -> Material {
    if scheme.extent == 1, let layout = try emitter.home(x).layout, !layout.isRowMajor,
      let innermost = Layout.channelsLast(emitter.dims(x), type: layout.type)
    {
      return .init(layout: innermost, buffer: try emitter.buffer(x, in: innermost))
    }
    return .init(layout: nil, buffer: try emitter.plain(x))
  }

  private static func quantize(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), let dtype = emitter.value(y).dtype,
      dtype == .uint8 || dtype == .int8, emitter.count(x) > 0,
      let scheme = try Scheme(op, emitter, dims: emitter.dims(x))
    else { return false }
    let zeros = try emitter.constantBuffer(try Tensor(scheme.zeros))
    let home = try place(x, scheme, emitter)
    let (source, target) = (
      home.buffer, try emitter.define(y, layout: home.layout.flatMap { layout in dtype.dnnl.map(layout.typed) })
    )
    emitter.emit(op.node.label, reads: [source, scheme.scales], writes: [target]) { frame in
      frame.step(
        ps_quantize_args(
          x: frame.pointer(source), scales: frame.pointer(scheme.scales), zeros: frame.pointer(zeros, as: Int32.self),
          y: frame.pointers[target], outer: Int64(scheme.outer), extent: Int64(scheme.extent),
          inner: Int64(scheme.inner), is_signed: dtype == .int8 ? 1 : 0), ps_quantize)
    }
    return true
  }

  private static func dequantize(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(y), let dtype = emitter.value(x).dtype,
      dtype == .uint8 || dtype == .int8, emitter.count(x) > 0,
      let scheme = try Scheme(op, emitter, dims: emitter.dims(x))
    else { return false }
    let zeros = try emitter.constantBuffer(try Tensor(scheme.zeros))
    let home = try place(x, scheme, emitter)
    let (source, target) = (home.buffer, try emitter.define(y, layout: home.layout?.typed(dnnl_f32)))
    emitter.emit(op.node.label, reads: [source, scheme.scales], writes: [target]) { frame in
      frame.step(
        ps_dequantize_args(
          x: UnsafeRawPointer(frame.pointers[source]), scales: frame.pointer(scheme.scales),
          zeros: frame.pointer(zeros, as: Int32.self), y: frame.pointer(target), outer: Int64(scheme.outer),
          extent: Int64(scheme.extent), inner: Int64(scheme.inner), is_signed: dtype == .int8 ? 1 : 0), ps_dequantize)
    }
    return true
  }
}
