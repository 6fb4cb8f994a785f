import COneDNN
import PruneTensor

/// Constants laid out anew for a kernel, once, when a program is compiled.
enum Reorder {
  /// What is laid out at a time of a large constant.
  private static let partBytes = 1 << 20
  /// A multiple of all blocks that layouts have.
  private static let partRows = 64

  /// A constant, which lies as `plain` says, in another layout, as an opaque run of bytes. Nil when oneDNN cannot.
  ///
  /// The constant's own pages are given back where they are a file's: it is seldom read again.
  static func packed(_ constant: Tensor, _ layout: Layout, from plain: Layout) throws(PruneError) -> Tensor? {
    guard constant.dtype.dnnl == plain.type, plain.byteCount == constant.byteCount else { return nil }
    defer { constant.forgetPages() }
    let target = try Storage(byteCount: layout.byteCount, zeroed: false)
    if try !packed(inParts: constant, layout, from: plain, to: target) {
      let tensor = try constant.elementAligned()
      guard let primitive = Primitive.reorder(from: plain, to: layout),
        try run(primitive, tensor.storage.base.advanced(by: tensor.byteOffset), plain, target.base, layout)
      else { return nil }
    }
    return try Tensor(.uint8, try Shape([target.byteCount]), over: Bytes(storage: target))
  }

  /// The same for a large constant, some rows at a time: neither the pages of a file that it was read from nor a copy,
  /// where the file holds it at an odd place, take as much memory again.
  /// - Returns: false where the layout cannot be filled in parts.
  private static func packed(
    inParts constant: Tensor, _ layout: Layout, from plain: Layout, to target: Storage
  ) throws(PruneError) -> Bool {
    let dims = plain.dims
    guard constant.byteCount > 2 * partBytes, layout.isBlocked, let strides = plain.strides,
      let axis = dims.indices.max(by: { strides[$0] < strides[$1] }), strides[axis] * dims[axis] == constant.count
    else { return false }
    let rowBytes = constant.byteCount / dims[axis]
    let rows = max(partBytes / rowBytes / partRows, 1) * partRows
    let copy = constant.isElementAligned ? nil : try Storage(byteCount: min(rows, dims[axis]) * rowBytes, zeroed: false)
    var primitive: Primitive?
    for first in stride(from: 0, to: dims[axis], by: rows) {
      let count = min(rows, dims[axis] - first)
      var part = dims
      part[axis] = count
      guard let from = Layout(part, strides: strides, type: plain.type),
        let (to, offset) = layout.part(part, axis: axis, from: first)
      else { return false }
      if first == 0 || count < rows { primitive = Primitive.reorder(from: from, to: to) }
      let begin = constant.byteOffset + first * rowBytes
      // Safe: the rows lie within the constant, and the part of the layout within the target.
      let source = constant.storage.base.advanced(by: begin)
      copy?.base.copyMemory(from: source, byteCount: count * rowBytes)
      guard let primitive, try run(primitive, copy?.base ?? source, from, target.base.advanced(by: offset), to) else {
        return false
      }
      constant.storage.forget(from: begin, count: count * rowBytes)
    }
    return true
  }

  private static func run(
    _ primitive: Primitive, _ source: UnsafeMutableRawPointer, _ from: Layout, _ target: UnsafeMutableRawPointer,
    _ to: Layout
  ) throws(PruneError) -> Bool {
    guard let engine = OneDNN.engine else { return false }
    let scratch = try Storage(byteCount: primitive.scratchByteCount, zeroed: false)
    var stream: dnnl_stream_t?
    guard dnnl_stream_create(&stream, engine, 0) == dnnl_success, let stream else { return false }
    defer { dnnl_stream_destroy(stream) }
    var memories: [dnnl_memory_t?] = []
    defer { for memory in memories { dnnl_memory_destroy(memory) } }
    var arguments: [dnnl_exec_arg_t] = []
    // Safe: each memory spans what its layout describes and outlives the call.
    let places: [(Int32, Layout?, UnsafeMutableRawPointer)] = [
      (DNNL_ARG_FROM, from, source), (DNNL_ARG_TO, to, target),
      (DNNL_ARG_SCRATCHPAD, primitive.layout(dnnl_query_scratchpad_md), scratch.base),
    ]
    for (index, layout, pointer) in places {
      guard var raw = layout?.raw else { continue }
      var memory: dnnl_memory_t?
      guard dnnl_memory_create(&memory, &raw, engine, pointer) == dnnl_success else { return false }
      memories.append(memory)
      arguments.append(dnnl_exec_arg_t(arg: index, memory: memory))
    }
    return dnnl_primitive_execute(primitive.handle, stream, Int32(arguments.count), arguments) == dnnl_success
      && dnnl_stream_wait(stream) == dnnl_success
  }
}

extension Layout {
  /// Whether parts of it are layouts too: only elements are stored.
  fileprivate var isBlocked: Bool { raw.format_kind == dnnl_blocked && raw.extra.flags == 0 }

  /// Some rows of an axis, and where they begin, in bytes. Nil when blocks do not end where they do.
  fileprivate func part(_ dims: [Int], axis: Int, from first: Int) -> (Layout, offset: Int)? {
    var offsets = [Int64](repeating: 0, count: dims.count)
    offsets[axis] = Int64(first)
    var (whole, part) = (raw, dnnl_memory_desc_t())
    guard dnnl_memory_desc_init_submemory(&part, &whole, dims.map(Int64.init), offsets) == dnnl_success else {
      return nil
    }
    let offset = Int(part.offset0 - whole.offset0) * Int(dnnl_data_type_size(part.data_type))
    part.offset0 = whole.offset0
    return (Layout(part), offset)
  }
}

extension Tensor {
  var isElementAligned: Bool {
    let width = max(dtype.bitWidth / 8, 1)
    let address = UInt(bitPattern: storage.base) + UInt(byteOffset)
    return address % UInt(min(width, 8)) == 0
  }

  /// The tensor itself when its elements are aligned for their type, else a copy; a mapped file may leave any offset.
  func elementAligned() throws(PruneError) -> Tensor { isElementAligned ? self : try copied() }
}
