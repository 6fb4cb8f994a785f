import PruneGraph
import PruneTensor

/// Who writes and who reads each value of a graph that is being rewritten; valid until its operations move.
struct FlowIndex {
  private let producers: [Int: Int]
  private let consumers: [Int: [Int]]
  private let counts: [Int]

  init(_ flow: Dataflow) {
    var producers: [Int: Int] = [:]
    var consumers: [Int: [Int]] = [:]
    for (index, op) in flow.ops.enumerated() {
      for case let value? in op.outputs { producers[value] = index }
      for value in Set(op.reads) { consumers[value, default: []].append(index) }
    }
    (self.producers, self.consumers, counts) = (producers, consumers, flow.useCounts)
  }

  /// The operation that writes a value.
  func producer(of value: Int?) -> Int? { value.flatMap { producers[$0] } }

  /// The operation that writes a value, when it is of that kind.
  func producer(of value: Int?, _ key: String, _ flow: Dataflow) -> Dataflow.Op? {
    guard let index = producer(of: value), flow.ops[index].key == key else { return nil }
    return flow.ops[index]
  }

  /// The one operation that reads a value, which is no output of the graph and is read there once.
  func onlyConsumer(of value: Int?) -> Int? {
    guard let value, value < counts.count, counts[value] == 1 else { return nil }
    return consumers[value]?.first
  }

  func readers(of value: Int) -> [Int] { consumers[value] ?? [] }
}

extension Dataflow: ValueTable {
  func value(_ id: Int) -> Value { values[id] }

  /// The number a constant of one element is.
  func scalar(_ value: Int?) -> Double? {
    guard let tensor = value.flatMap({ values[$0].constant }), tensor.count == 1, tensor.dtype != .string else {
      return nil
    }
    return try? tensor.doubles().first
  }

  /// The other operand of a commutative operation on a value and a number.
  func operand(_ op: Op, with number: (Double) -> Bool) -> Int? {
    guard op.inputs.count == 2 else { return nil }
    if let other = scalar(op.inputs[1]), number(other) { return op.inputs[0] }
    if let other = scalar(op.inputs[0]), number(other) { return op.inputs[1] }
    return nil
  }

  func isFloat(_ value: Int?) -> Bool { value.map { values[$0].dtype == .float32 && values[$0].shape != nil } ?? false }

  /// An operation of our own making in the place of another.
  func replacement(
    _ opType: String, domain: String = "", for op: Op, opset: Int64, inputs: [Int?], output: Int?,
    attributes: [Attribute] = []
  ) -> Op {
    let node = Node(opType, domain: domain, name: op.node.name, inputs: [], outputs: [], attributes: attributes)
    return Op(node: node, opset: opset, inputs: inputs, outputs: [output])
  }
}
