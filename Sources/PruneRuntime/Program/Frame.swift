import COneDNN
import PruneTensor

/// A step ready to run: a function and what it works on, both fixed.
struct BoundStep {
  let run: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  let context: UnsafeMutableRawPointer
  /// Whether other threads are to be left asleep.
  var isSingleThreaded = false
}

/// What one run of a program works in: its arena, the slots of values whose shape only a run tells, and its steps
/// with every pointer resolved. Used by one run at a time.
///
/// Safe: pointers lead into the arena, which the frame owns; into constants, which the plan owns; and into variables,
/// whose addresses are compared before each run.
final class Frame {
  private let arena: Storage
  private(set) var pointers: [UnsafeMutableRawPointer]
  let stream: dnnl_stream_t?
  /// Values without a place in the arena, while a run lasts.
  var slots: [Tensor?]
  /// The flag that stops the run in progress, for steps that run programs of their own.
  var cancel: CancelFlag?
  /// Who is shown the values that are watched.
  var watch: Program.Watch?
  /// What a step that failed has to say.
  var failure: PruneError?
  private(set) var steps: [BoundStep] = []
  private var releases: [() -> Void] = []
  private let plan: Plan
  private var boundAddresses: [UnsafeMutableRawPointer] = []

  init(_ plan: Plan) throws(PruneError) {
    self.plan = plan
    do { arena = try Storage(byteCount: plan.arenaByteCount) } catch { throw error.located(at: plan.largestLabel) }
    slots = [Tensor?](repeating: nil, count: plan.slotCount)
    pointers = []
    var handle: dnnl_stream_t?
    if let engine = OneDNN.engine, dnnl_stream_create(&handle, engine, 0) == dnnl_success {
      stream = handle
    } else {
      stream = nil
    }
  }

  deinit {
    for release in releases { release() }
    if let stream { dnnl_stream_destroy(stream) }
  }

  /// Resolves every pointer, unless the variables still are where they were.
  func bind(variables: [UnsafeMutableRawPointer]) throws(PruneError) {
    guard steps.isEmpty || variables != boundAddresses else { return }
    steps = []
    for release in releases { release() }
    releases = []
    pointers = plan.buffers.map { buffer in
      switch buffer.place {
      case .arena(let offset): arena.base.advanced(by: offset)
      case .constant(let tensor): tensor.storage.base.advanced(by: tensor.byteOffset)
      case .variable(let index): variables[index]
      }
    }
    var bound: [BoundStep] = []
    bound.reserveCapacity(plan.steps.count)
    for step in plan.steps {
      var kernel = try step.bind(self)
      kernel.isSingleThreaded = step.isSingleThreaded
      bound.append(kernel)
    }
    steps = bound
    boundAddresses = variables
  }

  func pointer<T>(_ buffer: Int, as type: T.Type = Float.self) -> UnsafeMutablePointer<T> {
    pointers[buffer].assumingMemoryBound(to: type)
  }

  /// Keeps `arguments` for as long as the step may run.
  func step<A>(_ arguments: A, _ run: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Int32) -> BoundStep {
    let place = UnsafeMutablePointer<A>.allocate(capacity: 1)
    place.initialize(to: arguments)
    releases.append {
      place.deinitialize(count: 1)
      place.deallocate()
    }
    return BoundStep(run: run, context: UnsafeMutableRawPointer(place))
  }

  /// Called when the frame goes or its steps are bound anew.
  func onRelease(_ body: @escaping () -> Void) { releases.append(body) }
}

extension Frame {
  /// Lets go of what a run left in the slots.
  func clearSlots() {
    for index in slots.indices { slots[index] = nil }
    cancel = nil
    watch = nil
  }
}
