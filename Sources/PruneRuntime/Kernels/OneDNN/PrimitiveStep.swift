import COneDNN
import CPruneSupport
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

/// Runs the call at `context`.
private func execute(_ context: UnsafeMutableRawPointer?) -> Int32 {
  guard let call = context?.assumingMemoryBound(to: PrimitiveCall.self) else { return -1 }
  let status = dnnl_primitive_execute(
    call.pointee.primitive, call.pointee.stream, call.pointee.count, call.pointee.arguments)
  return status == dnnl_out_of_memory ? Int32(PS_STATUS_MEMORY) : Int32(bitPattern: status.rawValue)
}

extension Emitter {
  /// Adds a step that executes a primitive.
  func emit(_ label: String, _ primitive: Primitive, _ arguments: [PrimitiveArgument]) {
    var arguments = arguments
    if primitive.scratchByteCount > 0, let layout = primitive.layout(dnnl_query_scratchpad_md) {
      arguments.append(.init(DNNL_ARG_SCRATCHPAD, scratch(primitive.scratchByteCount), layout, isWritten: true))
    }
    let final = arguments
    let (read, written) = (final.filter { !$0.isWritten }, final.filter(\.isWritten))
    emit(label, reads: read.map(\.buffer), writes: written.map(\.buffer), losesNaN: primitive.losesNaN) {
      frame throws(PruneError) in
      try frame.step(label, primitive, final)
    }
  }
}

extension Frame {
  fileprivate func step(_ label: String, _ primitive: Primitive, _ arguments: [PrimitiveArgument]) throws(PruneError)
    -> BoundStep
  {
    guard let engine = OneDNN.engine, let stream else { throw PruneError(.internal, "oneDNN has no CPU engine") }
    let list = UnsafeMutablePointer<dnnl_exec_arg_t>.allocate(capacity: arguments.count)
    var count = 0
    func release() {
      for index in 0..<count { dnnl_memory_destroy(list[index].memory) }
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
      list[count] = dnnl_exec_arg_t(arg: argument.index, memory: memory)
      count += 1
    }
    // The primitive itself is kept alive by the plan's step, which captured it.
    onRelease(release)
    let call = PrimitiveCall(
      primitive: primitive.handle, stream: stream, arguments: list, count: Int32(count))
    return primitive.movesStack ? step(call) { ps_without_signals(execute, $0) } : step(call, execute)
  }
}
