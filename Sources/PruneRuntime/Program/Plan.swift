import PruneTensor

/// A compiled program: what is where in memory, and the steps in order. Immutable.
struct Plan {
  struct Buffer {
    enum Place {
      /// Bytes from the arena's start.
      case arena(Int)
      case constant(Tensor)
      /// Position in `variables`.
      case variable(Int)
    }
    var place: Place
    var byteCount: Int
  }

  struct Step {
    /// The node, as errors call it.
    let label: String
    /// The family of kernels that it runs by.
    let kernel: String
    /// Why the families that were asked before did not take it.
    var refusals: [String] = []
    /// Whether it runs on one thread: what oneDNN makes is made for a number of threads.
    var isSingleThreaded = false
    /// Whether it makes a number of NaN; the processor notes when it does.
    var losesNaN = false
    /// Whether it runs the graphs of If, Loop or Scan, which look after their own NaN.
    var runsPrograms = false
    /// How an operation with constant weights multiplies with them.
    var weights: WeightUse?
    let bind: (Frame) throws(PruneError) -> BoundStep

    /// Whether it runs a reference kernel.
    var isReference: Bool { kernel == Lowering.reference }
  }

  struct Input {
    let name: String
    let dtype: DType
    /// Nil when any shape will do.
    var shape: Shape?
    /// Where it goes: a buffer or, when its place could not be planned, a slot. Neither when nothing reads it.
    let buffer: Int?
    let slot: Int?
  }

  struct Output {
    enum Source {
      case buffer(Int)
      case slot(Int)
      case constant(Tensor)
      case variable(Int)
    }
    let name: String
    let dtype: DType?
    var shape: Shape?
    let source: Source
  }

  var buffers: [Buffer] = []
  var steps: [Step] = []
  var inputs: [Input] = []
  var outputs: [Output] = []
  var variables: [(variable: Variable, isUpdated: Bool, dtype: DType, shape: Shape)] = []
  /// Parts that the batch, the first axis of every input and output, is run in one after the other.
  private(set) var divisions = 1
  /// Whether a step does.
  var losesNaN = false
  /// The first step that may write a variable: a run that went so far cannot be taken back.
  var firstUpdate = Int.max
  var slotCount = 0
  var arenaByteCount = 0
  /// The step that first touches the largest value: the one to name when there is no memory.
  var largestLabel = ""

  /// Makes a plan for a part of a batch one for all of it.
  mutating func divide(into times: Int) throws(PruneError) {
    func whole(_ shape: Shape?) throws(PruneError) -> Shape? {
      guard let dims = shape?.dims, let first = dims.first else { return shape }
      return try Shape([first * times] + dims.dropFirst())
    }
    divisions = times
    for index in inputs.indices { inputs[index].shape = try whole(inputs[index].shape) }
    for index in outputs.indices { outputs[index].shape = try whole(outputs[index].shape) }
  }
}
