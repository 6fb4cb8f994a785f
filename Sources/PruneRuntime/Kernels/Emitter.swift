import COneDNN
import PruneGraph
import PruneTensor

/// Values by number, of a graph that is being compiled.
protocol ValueTable {
  func value(_ id: Int) -> Dataflow.Value
}

extension ValueTable {
  /// Extents of a value that is known to be static.
  func dims(_ id: Int) -> [Int] { value(id).shape?.dims ?? [] }
  func count(_ id: Int) -> Int { value(id).shape?.count ?? 0 }
  func constant(_ id: Int?) -> Tensor? { id.flatMap { value($0).constant } }
}

/// A value's elements in one layout; nil is row-major of any dtype.
struct Material {
  var layout: Layout?
  var buffer: Int
}

/// What kernels of one program leave for later ones: a type of their own, which begins empty.
protocol KernelNotes {
  init()
}

/// What a kernel sees of the compiler: it asks for operands in a layout, defines results, takes memory, and emits steps.
///
/// Values are numbers of the graph, buffers numbers of the plan. All values that a fast kernel sees are static. What a
/// kernel asked for before it refuses an operation is taken back.
protocol Emitter: AnyObject, ValueTable {
  /// Whether no step may make a number of NaN.
  var keepsNaN: Bool { get }
  /// The operations that read a value.
  func readers(of id: Int) -> [Dataflow.Op]
  /// Whether this operation, being the last to read the value, may write its result in its place.
  func canOverwrite(_ id: Int, in op: Dataflow.Op) -> Bool

  /// The layout a value lies in first; the one its producer chose.
  func home(_ id: Int) throws(PruneError) -> Material
  /// The value's elements in `layout`, whose extents may be another view of the same row-major array; nil is row-major.
  func buffer(_ id: Int, in layout: Layout?) throws(PruneError) -> Int
  /// The memory of a variable, to be written in place.
  func updatedBuffer(_ id: Int) throws(PruneError) -> Int
  /// A constant in another form, made once for all programs of a model. `key` tells this form from others.
  /// - Returns: nil for a value that is no constant, and where `make` gives nothing.
  func packed(
    _ id: Int, key: (from: Layout, to: Layout), make: (Tensor) throws(PruneError) -> Tensor?
  ) throws(PruneError) -> (buffer: Int, tensor: Tensor)?
  /// Memory that holds a constant of the kernel's own.
  func constantBuffer(_ tensor: Tensor) throws(PruneError) -> Int
  /// Memory for the steps that are told of it, from the first of them to the last.
  func scratch(_ byteCount: Int) -> Int

  /// A place for a value to be written to.
  func define(_ id: Int, layout: Layout?) throws(PruneError) -> Int
  /// A value in memory that is there already: that of one that `canOverwrite`, or one that several values share, which
  /// no other operation may then write its result over.
  func define(_ id: Int, layout: Layout?, over buffer: Int, isShared: Bool) -> Int
  /// A place for a value that starts out holding another's elements: the other's own place when it is not needed any
  /// more, else a copy.
  /// - Parameter type: that of the other's elements, which are as wide; nil is the value's own.
  func define(
    _ id: Int, layout: Layout, holding other: Int, type: dnnl_data_type_t?, in op: Dataflow.Op
  ) throws(PruneError) -> Int
  /// A value that is another's row-major elements under other extents.
  func defineView(_ id: Int, of source: Int) throws(PruneError)

  /// What kernels left for later ones.
  subscript<Notes: KernelNotes>(_ notes: Notes.Type) -> Notes { get set }

  /// Adds a step. `reads` and `writes` are buffers; `bind` resolves their pointers.
  func emit(
    _ label: String, reads: [Int], writes: [Int], losesNaN: Bool,
    bind: @escaping (Frame) throws(PruneError) -> BoundStep)
}

extension Emitter {
  /// Whether a value is of float32; one that is absent is no hindrance.
  func isFloat(_ id: Int?) -> Bool { id.map { value($0).dtype == .float32 } ?? true }

  /// The value's row-major elements.
  func plain(_ id: Int) throws(PruneError) -> Int { try buffer(id, in: nil) }

  func define(_ id: Int, layout: Layout?, over buffer: Int) -> Int {
    define(id, layout: layout, over: buffer, isShared: false)
  }

  /// The result of an operation that adds to another value, where there is one.
  func define(
    _ id: Int, layout: Layout, adding residual: Int?, type: dnnl_data_type_t? = nil, in op: Dataflow.Op
  ) throws(PruneError) -> Int {
    guard let residual else { return try define(id, layout: layout) }
    return try define(id, layout: layout, holding: residual, type: type, in: op)
  }

  func emit(
    _ label: String, reads: [Int], writes: [Int], bind: @escaping (Frame) throws(PruneError) -> BoundStep
  ) { emit(label, reads: reads, writes: writes, losesNaN: false, bind: bind) }

  /// A constant's elements, which lie as `from` says, in another layout. Nil when oneDNN cannot.
  func packed(_ id: Int, from: Layout, in layout: Layout) throws(PruneError) -> Int? {
    try packed(id, key: (from, layout)) { tensor throws(PruneError) in
      try Reorder.packed(tensor, layout, from: from)
    }?.buffer
  }

  /// A constant's elements as `fill` lays out `count` numbers of them, from any address. `key` tells this form from
  /// others.
  func packed(
    _ id: Int, key: (from: Layout, to: Layout), count: Int,
    fill: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) throws(PruneError) -> Int? {
    try packed(id, key: key) { tensor throws(PruneError) in
      let target = try Storage(byteCount: 4 * count, zeroed: false)
      // Safe: callers read no more than the constant has, and the target is of `count` numbers.
      fill(
        UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset)),
        target.base.assumingMemoryBound(to: Float.self))
      tensor.forgetPages()
      return try Tensor(.uint8, try Shape([target.byteCount]), over: Bytes(storage: target))
    }?.buffer
  }

  /// Weights as a kernel of our own reads them: constants are arranged once, others by a step of every run.
  /// - Parameter key: what tells the form of a constant from others; nil where the weights are not to be kept.
  func arranged<Arguments>(
    _ id: Int, _ label: String, count: Int, key: (from: Layout, to: Layout)?, _ arguments: Arguments,
    from source: WritableKeyPath<Arguments, UnsafeRawPointer?>,
    to result: WritableKeyPath<Arguments, UnsafeMutablePointer<Float>?>,
    _ arrange: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Int32
  ) throws(PruneError) -> Int? {
    if let key, constant(id) != nil {
      return try packed(id, key: key, count: count) { address, numbers in
        var bound = arguments
        bound[keyPath: source] = address
        bound[keyPath: result] = numbers
        // Safe: the arguments are a struct of C, alive for the call.
        _ = withUnsafeMutablePointer(to: &bound) { arrange(UnsafeMutableRawPointer($0)) }
      }
    }
    let plain = try plain(id), numbers = scratch(4 * count)
    emit(label, reads: [plain], writes: [numbers]) { frame in
      var bound = arguments
      bound[keyPath: source] = UnsafeRawPointer(frame.pointer(plain))
      bound[keyPath: result] = frame.pointer(numbers)
      return frame.step(bound, arrange)
    }
    return numbers
  }
}
