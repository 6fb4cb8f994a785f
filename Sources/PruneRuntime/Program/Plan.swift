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
    /// Whether it runs a reference kernel.
    var isReference = false
    /// Whether it runs on one thread: what oneDNN makes is made for a number of threads.
    var isAlone = false
    let bind: (Frame) throws(PruneError) -> BoundStep
  }

  struct Input {
    let name: String
    let dtype: DType
    /// Nil when any shape will do.
    let shape: Shape?
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
    let shape: Shape?
    let source: Source
  }

  var buffers: [Buffer] = []
  var steps: [Step] = []
  var inputs: [Input] = []
  var outputs: [Output] = []
  var variables: [(variable: Variable, isUpdated: Bool, dtype: DType, shape: Shape)] = []
  var slotCount = 0
  var arenaByteCount = 0
  /// The step that first touches the largest value: the one to name when there is no memory.
  var largestLabel = ""
}
