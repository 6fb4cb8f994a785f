import COneDNN
import PruneTensor

/// One argument of a oneDNN step.
struct PrimitiveArgument {
  let index: Int32
  let buffer: Int
  let layout: Layout
  let isWritten: Bool

  init(_ index: Int32, _ buffer: Int, _ layout: Layout, isWritten: Bool = false) {
    self.index = index
    self.buffer = buffer
    self.layout = layout
    self.isWritten = isWritten
  }
}

private struct PrimitiveCall {
  let primitive: dnnl_primitive_t
  let stream: dnnl_stream_t
  let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  let count: Int32
}

extension Lowering {
  /// Adds a step that executes a primitive.
  func emit(_ label: String, _ primitive: Primitive, _ arguments: [PrimitiveArgument]) {
    var arguments = arguments
    if primitive.scratchByteCount > 0, let layout = primitive.layout(dnnl_query_scratchpad_md) {
      arguments.append(.init(DNNL_ARG_SCRATCHPAD, scratch(primitive.scratchByteCount), layout, isWritten: true))
    }
    let final = arguments
    emit(label, reads: final.filter { !$0.isWritten }.map(\.buffer), writes: final.filter(\.isWritten).map(\.buffer)) {
      frame throws(PruneError) in
      try frame.step(label, primitive, final)
    }
  }
}

extension Frame {
  fileprivate func step(_ label: String, _ primitive: Primitive, _ arguments: [PrimitiveArgument]) throws(PruneError) -> BoundStep {
    guard let engine = OneDNN.engine, let stream else { throw PruneError(.internal, "oneDNN has no CPU engine") }
    let list = UnsafeMutablePointer<dnnl_exec_arg_t>.allocate(capacity: arguments.count)
    var made = 0
    func release() {
      for index in 0..<made { dnnl_memory_destroy(list[index].memory) }
      list.deallocate()
    }
    for argument in arguments {
      var memory: dnnl_memory_t?
      var raw = argument.layout.raw
      // Safe: the buffer has the layout's size and lives as long as this frame's binding.
      guard dnnl_memory_create(&memory, &raw, engine, pointers[argument.buffer]) == dnnl_success else {
        release()
        throw PruneError(.outOfMemory, "oneDNN cannot describe the memory", at: label)
      }
      list[made] = dnnl_exec_arg_t(arg: argument.index, memory: memory)
      made += 1
    }
    // The primitive itself is kept alive by the plan's step, which captured it.
    onRelease(release)
    let call = PrimitiveCall(
      primitive: primitive.handle, stream: stream, arguments: list, count: Int32(made))
    return step(call) { context in
      guard let call = context?.assumingMemoryBound(to: PrimitiveCall.self) else { return -1 }
      return Int32(bitPattern: dnnl_primitive_execute(
        call.pointee.primitive, call.pointee.stream, call.pointee.count, call.pointee.arguments).rawValue)
    }
  }
}

enum Reorder {
  /// A constant, which lies as `plain` says, in another layout, as an opaque run of bytes. Nil when oneDNN cannot.
  ///
  /// The constant's own pages are given back where they are a file's: it is seldom read again.
  static func packed(_ constant: Tensor, _ layout: Layout, from plain: Layout) throws(PruneError) -> Tensor? {
    guard constant.dtype.dnnl == plain.type, let engine = OneDNN.engine, plain.byteCount == constant.byteCount,
      let primitive = Primitive.reorder(from: plain, to: layout)
    else { return nil }
    let tensor = try constant.elementAligned()
    defer { constant.forgetPages() }
    if tensor.storage !== constant.storage { constant.forgetPages() }
    let target = try Storage(byteCount: layout.byteCount, zeroed: false)
    let scratch = try Storage(byteCount: primitive.scratchByteCount)
    var stream: dnnl_stream_t?
    guard dnnl_stream_create(&stream, engine, 0) == dnnl_success, let stream else { return nil }
    defer { dnnl_stream_destroy(stream) }
    var memories: [dnnl_memory_t?] = []
    defer { for memory in memories { dnnl_memory_destroy(memory) } }
    var arguments: [dnnl_exec_arg_t] = []
    // Safe: each memory spans a storage of its layout's size that outlives the call.
    let places: [(Int32, Layout?, UnsafeMutableRawPointer)] = [
      (DNNL_ARG_FROM, plain, tensor.storage.base.advanced(by: tensor.byteOffset)), (DNNL_ARG_TO, layout, target.base),
      (DNNL_ARG_SCRATCHPAD, primitive.layout(dnnl_query_scratchpad_md), scratch.base),
    ]
    for (index, layout, pointer) in places {
      guard var raw = layout?.raw else { continue }
      var memory: dnnl_memory_t?
      guard dnnl_memory_create(&memory, &raw, engine, pointer) == dnnl_success else { return nil }
      memories.append(memory)
      arguments.append(dnnl_exec_arg_t(arg: index, memory: memory))
    }
    guard dnnl_primitive_execute(primitive.handle, stream, Int32(arguments.count), arguments) == dnnl_success,
      dnnl_stream_wait(stream) == dnnl_success
    else { return nil }
    return try Tensor(.uint8, try Shape([target.byteCount]), over: Bytes(storage: target))
  }
}

extension Tensor {
  /// The tensor itself when its elements are aligned for their type, else a copy; a mapped file may leave any offset.
  func elementAligned() throws(PruneError) -> Tensor {
    let width = max(dtype.bitWidth / 8, 1)
    let address = UInt(bitPattern: storage.base) + UInt(byteOffset)
    return address % UInt(min(width, 8)) == 0 ? self : try copied()
  }
}
