import COneDNN
import CPruneSupport
import PruneTensor

/// Max-pools of images that lie with their channels innermost, where a gradient is to undo them.
enum MaxPoolKernels {
  /// Where each maximum was: the number of an element of its window, a byte each.
  private struct Trace {
    let problem: PoolingKernels.Problem
    let buffer: Int
  }

  /// The traces, by the value that was pooled.
  private struct Traces: KernelNotes {
    var byInput: [Int: Trace] = [:]
  }

  /// Nil where the pool is not one that these kernels do.
  private static func arguments(_ problem: PoolingKernels.Problem, x: [Int], y: [Int]) -> ps_max_pool_args? {
    let window = problem.window
    guard problem.algorithm == dnnl_pooling_max, x.count == 4, y.count == 4, window.dilations == [1, 1],
      window.kernel.count == 2, window.kernel[0] <= 255, window.kernel[1] <= 255,
      window.kernel[0] * window.kernel[1] <= 255
    else { return nil }
    for axis in 0..<2 {
      // Every window has an element inside the image.
      guard window.before[axis] < window.kernel[axis],
        (y[axis + 2] - 1) * window.strides[axis] - window.before[axis] < x[axis + 2]
      else { return nil }
    }
    func pair(_ values: [Int]) -> (Int64, Int64) { (Int64(values[0]), Int64(values[1])) }
    return ps_max_pool_args(
      x: nil, y: nil, place: nil, dy: nil, dx: nil, planes: Int64(x[0]), height: Int64(x[2]), width: Int64(x[3]),
      channels: Int64(x[1]),
      rows: Int64(y[2]), columns: Int64(y[3]), kernel: pair(window.kernel), stride: pair(window.strides),
      before: pair(window.before))
  }

  /// A pool that will be undone.
  static func forward(
    _ problem: PoolingKernels.Problem, _ op: Dataflow.Op, _ x: Int, _ y: Int, _ home: Material,
    _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    guard home.layout == Layout.channelsLast(emitter.dims(x)), let layout = Layout.channelsLast(emitter.dims(y)),
      let arguments = arguments(problem, x: emitter.dims(x), y: emitter.dims(y))
    else { return false }
    let target = try emitter.define(y, layout: layout), place = emitter.scratch(emitter.count(y))
    emitter[Traces.self].byInput[x] = Trace(problem: problem, buffer: place)
    emitter.emit(op.node.label, reads: [home.buffer], writes: [target, place]) { frame in
      var bound = arguments
      bound.x = UnsafePointer(frame.pointer(home.buffer))
      bound.y = frame.pointer(target)
      bound.place = frame.pointer(place, as: UInt8.self)
      return frame.step(bound, ps_max_pool)
    }
    return true
  }

  /// The gradient of a pool that left its trace.
  static func gradient(
    _ problem: PoolingKernels.Problem, _ op: Dataflow.Op, _ dy: Int, _ x: Int, _ dx: Int, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    guard let trace = emitter[Traces.self].byInput[x], trace.problem == problem,
      let source = Layout.channelsLast(emitter.dims(x)),
      let layout = Layout.channelsLast(emitter.dims(dy)),
      let arguments = arguments(problem, x: emitter.dims(x), y: emitter.dims(dy))
    else { return false }
    let gradient = try emitter.buffer(dy, in: layout), target = try emitter.define(dx, layout: source)
    emitter.emit(op.node.label, reads: [gradient, trace.buffer], writes: [target]) { frame in
      var bound = arguments
      bound.dy = UnsafePointer(frame.pointer(gradient))
      bound.place = frame.pointer(trace.buffer, as: UInt8.self)
      bound.dx = frame.pointer(target)
      return frame.step(bound, ps_max_pool_grad)
    }
    return true
  }
}
