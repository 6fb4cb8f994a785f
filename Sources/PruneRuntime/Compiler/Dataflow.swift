import PruneGraph
import PruneTensor

/// The graph being compiled: values and operations by number, shapes concrete.
///
/// A value whose dtype or shape only a run can tell (`NonZero`, …) has nil there; it lives in a slot of the frame
/// rather than in the arena, and the operators that touch it run by reference kernel.
struct Dataflow {
  enum Origin {
    case input
    case constant(Tensor)
    case variable(Variable)
    case computed
  }

  struct Value {
    var name: String
    var dtype: DType?
    var shape: Shape?
    var origin: Origin
    /// What a constant was computed from while compiling; nil for one of the model's own.
    var derivation: Derivation?

    var constant: Tensor? {
      if case .constant(let tensor) = origin { return tensor }
      return nil
    }
    var isVariable: Bool {
      if case .variable = origin { return true }
      return false
    }
    /// Whether its place in memory can be planned.
    var isStatic: Bool { dtype != nil && shape != nil && dtype != .string }
    var type: TensorType { TensorType(dtype, shape?.dims.map(Dim.fixed)) }
  }

  /// What a fused operation does to its result before it is written, in order.
  enum Epilogue {
    /// A function of one number.
    case activation(Activation)
    /// Adds a value of the result's own shape.
    case add(Int)
  }

  struct Op {
    var node: Node
    var opset: Int64
    var inputs: [Int?]
    var outputs: [Int?]
    var epilogue: [Epilogue] = []
    /// What runs the graphs of If, Loop or Scan; the values they capture follow the node's own inputs.
    var control: ControlNode?
    /// What it computes on 8-bit codes, when it does.
    var quantized: Quantized?

    func input(_ index: Int) -> Int? { index < inputs.count ? inputs[index] : nil }
    func output(_ index: Int) -> Int? { index < outputs.count ? outputs[index] : nil }
    /// Every value it reads, the epilogue's included.
    var reads: [Int] {
      inputs.compactMap { $0 }
        + epilogue.compactMap {
          if case .add(let value) = $0 { return value }
          return nil
        }
    }
    /// `Conv`, or `domain.operator` outside the standard domain.
    var key: String { node.operatorName }
    /// Positions among the inputs of the variables it writes in place: the weight, then the state. Nil for operators
    /// without side effect.
    var updatedInputs: [Int]? {
      switch key {
      case "ai.libprune.ProjectUpdate": [0]
      case "ai.libprune.SGDUpdate": [0, 2]
      case "ai.libprune.AdamUpdate", "ai.libprune.RMSpropUpdate": [0, 2, 3]
      default: nil
      }
    }
  }

  var values: [Value] = []
  var ops: [Op] = []
  /// Requested values, in the order they were asked for.
  var outputs: [(name: String, value: Int)] = []
  /// Values to show while running.
  var watched: [(name: String, value: Int, isOrdered: Bool)] = []
  /// Whether nothing may be made part of an operation that would lose NaN there.
  var keepsNaN = false
  /// Values that are fed, in the graph's order.
  var inputs: [Int] = []

  mutating func addValue(_ value: Value) -> Int {
    values.append(value)
    return values.count - 1
  }

  mutating func addConstant(_ tensor: Tensor, name: String) -> Int {
    addValue(Value(name: name, dtype: tensor.dtype, shape: tensor.shape, origin: .constant(tensor)))
  }

  private var roots: [Int] { outputs.map(\.value) + watched.map(\.value) }

  /// How many operations read each value; requested outputs count as a reader.
  var useCounts: [Int] {
    var counts = [Int](repeating: 0, count: values.count)
    for op in ops { for value in op.reads { counts[value] += 1 } }
    for value in roots { counts[value] += 1 }
    return counts
  }

  /// Drops operations whose results nobody reads, updates of variables excepted.
  mutating func removeDeadOps() {
    var isNeeded = [Bool](repeating: false, count: values.count)
    for value in roots { isNeeded[value] = true }
    var kept: [Op] = []
    for op in ops.reversed() {
      guard op.updatedInputs != nil || op.outputs.contains(where: { $0.map { isNeeded[$0] } ?? false }) else {
        continue
      }
      for value in op.reads { isNeeded[value] = true }
      kept.append(op)
    }
    ops = kept.reversed()
  }

  /// Moves updates behind the last reader of what they overwrite, so that every reader sees the old values.
  mutating func delayUpdates() {
    var lastReader: [Int: Int] = [:]
    for (index, op) in ops.enumerated() where op.updatedInputs == nil {
      for value in op.reads where values[value].isVariable { lastReader[value] = index }
    }
    let late = ops.indices.filter { index in
      guard let updated = ops[index].updatedInputs else { return false }
      return updated.contains { position in ops[index].input(position).map { (lastReader[$0] ?? -1) > index } ?? false }
    }
    guard !late.isEmpty else { return }
    let moved = Set(late)
    ops = ops.indices.filter { !moved.contains($0) }.map { ops[$0] } + late.map { ops[$0] }
  }
}

/// A function of one number that kernels can apply to their result while it is still in a register.
enum Activation: Equatable {
  case relu
  case leakyRelu(Float)
  case clip(Float, Float)
  case sigmoid
  case tanh
  case elu(Float)
  case hardSwish
  case gelu
  case geluTanh
  /// x * sigmoid(alpha * x)
  case swish(Float)
}
