import Foundation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Models that were tampered with: each gives a result or an error that says where, and never ends the process.
///
/// PRUNE_FUZZ=SEED:ROUNDS:FIRST runs other and more mutations, from one model on; the one in progress is named in the
/// file PRUNE_FUZZ_LOG.
@Suite struct FuzzTests {
  private static let setting = (ProcessInfo.processInfo.environment["PRUNE_FUZZ"] ?? "1:1:0").split(separator: ":").compactMap { UInt64($0) }
  private static let log = ProcessInfo.processInfo.environment["PRUNE_FUZZ_LOG"]

  @Test func tamperedModelsGiveAResultOrAnErrorWithAPlace() throws {
    try #require(Self.setting.count == 3, "PRUNE_FUZZ is SEED:ROUNDS:FIRST")
    let (seed, rounds, first) = (Self.setting[0], Int(Self.setting[1]), Int(Self.setting[2]))
    var (results, errors) = (0, 0)
    for (index, name) in Suite.names.enumerated().dropFirst(first) {
      guard let original = try? ONNX.load(path: "\(Suite.folder)/\(name)/model.onnx"),
        let inputs = try? Suite.tensors(name, "input"), inputs.count == original.graph.inputs.count
      else { continue }
      for round in 0..<rounds * 3 {
        var mutation = Mutation(seed: seed &* 1_000_003 &+ UInt64(index * 1000 + round), original, inputs)
        mutation.apply()
        if let log = Self.log {
          try? "\(index) \(name) \(round) \(mutation.story)".write(toFile: log, atomically: false, encoding: .utf8)
        }
        do {
          try Self.run(mutation, optimizes: round % 2 == 0)
          results += 1
        } catch let error as PruneError {
          errors += 1
          #expect(
            !error.place.isEmpty || error.message.contains("'"), "\(name), \(mutation.story): names nothing: \(error)")
          #expect(error.status != .internal, "\(name), \(mutation.story): \(error)")
        }
      }
    }
    // Mutations that all fail, or none, would test little.
    #expect(first > 0 || results > 100 && errors > 100, "\(results) results, \(errors) errors")
  }

  private static func run(_ mutation: Mutation, optimizes: Bool) throws {
    let names = mutation.model.graph.inputs.map(\.name)
    let feeds = Dictionary(zip(names, mutation.inputs), uniquingKeysWith: { first, _ in first })
    _ = try? ShapeInference.run(mutation.model)
    let options = ProgramOptions(inputShapes: feeds.mapValues(\.shape), optimizes: optimizes)
    let stop = try CancelFlag()
    _ = try Program(mutation.model, options).run(feeds, cancel: stop)
  }
}

/// A few changes to a model and its inputs.
private struct Mutation {
  var model: Model
  var inputs: [Tensor]
  private(set) var story = ""
  private var random: RandomSource

  /// Small numbers, and numbers so large that whoever does not check them overflows.
  private static let integers: [Int64] = [
    0, 1, -1, 2, -2, 3, 5, 100, .max, .min, .min + 1, 1 << 31, -1 << 31, 1 << 47, 1 << 62, -1 << 62,
  ]
  private static let floats: [Float] = [0, 1, -1, .infinity, -.infinity, .nan, 1e38, -1e38, 1e-38, 0.5, 3.7e9]
  private static let operators = ReferenceKernels.operators + ["If", "Loop", "Scan", "Frobnicate"]

  init(seed: UInt64, _ model: Model, _ inputs: [Tensor]) {
    random = RandomSource(seed: seed)
    self.model = model
    self.inputs = inputs
    // Shapes come from the tensors that are fed.
    for index in inputs.indices {
      self.model.graph.inputs[index].type = TensorType(inputs[index].dtype, inputs[index].shape)
    }
  }

  private mutating func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
  private mutating func index(_ count: Int) -> Int { Int(random.next() % UInt64(max(count, 1))) }

  mutating func apply() {
    for _ in 0...index(2) { change() }
  }

  private mutating func change() {
    let node = index(model.graph.nodes.count)
    let hasNodes = !model.graph.nodes.isEmpty
    switch index(9) {
    case 0 where hasNodes, 1 where hasNodes, 2 where hasNodes: changeAttribute(of: node)
    case 3 where hasNodes: changeInputs(of: node)
    case 4 where hasNodes && index(3) == 0:
      model.graph.nodes[node].opType = pick(Self.operators)
      story += "op=\(model.graph.nodes[node].opType) "
    case 5:
      let version = pick([1, 5, 7, 9, 11, 13, 15, 17, 18, 20, 21, 23] as [Int64])
      if !model.opsets.isEmpty { model.opsets[0].version = version }
      story += "opset=\(version) "
    case 6 where !model.graph.initializers.isEmpty:
      let weight = pick(model.graph.initializers)
      if let tensor = changed(weight.tensor) { model.graph.setInitializer(weight.name, tensor) }
    default:
      guard !inputs.isEmpty else { return }
      let which = index(inputs.count)
      guard let tensor = changed(inputs[which]) else { return }
      inputs[which] = tensor
      model.graph.inputs[which].type = TensorType(tensor.dtype, tensor.shape)
    }
  }

  private mutating func changeAttribute(of node: Int) {
    let attributes = model.graph.nodes[node].attributes
    guard !attributes.isEmpty else { return changeInputs(of: node) }
    let which = index(attributes.count)
    let name = attributes[which].name
    if index(8) == 0 {
      model.graph.nodes[node].attributes.remove(at: which)
      story += "\(name) removed "
      return
    }
    switch attributes[which].value {
    case .int: model.graph.nodes[node].attributes[which].value = .int(pick(Self.integers))
    case .float: model.graph.nodes[node].attributes[which].value = .float(pick(Self.floats))
    case .string:
      let words = ["", "SAME_UPPER", "VALID", "nearest", "cubic", "bidirectional", "nonsense", "ij,jk->ik", "...,->"]
      model.graph.nodes[node].attributes[which].value = .text(pick(words))
    case .ints(var values):
      switch index(4) {
      case 0: values.append(pick(Self.integers))
      case 1: values = Array(values.dropLast())
      case 2: values = []
      default: if !values.isEmpty { values[index(values.count)] = pick(Self.integers) }
      }
      model.graph.nodes[node].attributes[which].value = .ints(values)
    case .floats(var values):
      if values.isEmpty || index(3) == 0 { values.append(pick(Self.floats)) } else { values[index(values.count)] = pick(Self.floats) }
      model.graph.nodes[node].attributes[which].value = .floats(values)
    case .tensor(var value):
      if let tensor = changed(value.tensor) { value.tensor = tensor }
      model.graph.nodes[node].attributes[which].value = .tensor(value)
    case .graph(var graph):
      if index(2) == 0 || graph.nodes.isEmpty {
        graph.outputs = Array(graph.outputs.dropLast())
      } else {
        graph.nodes[index(graph.nodes.count)].inputs = []
      }
      model.graph.nodes[node].attributes[which].value = .graph(graph)
    default: break
    }
    story += "\(name)=\(model.graph.nodes[node].attributes[which].value) ".prefix(120)
  }

  private mutating func changeInputs(of node: Int) {
    guard !model.graph.nodes[node].inputs.isEmpty else { return }
    let which = index(model.graph.nodes[node].inputs.count)
    switch index(4) {
    case 0: model.graph.nodes[node].inputs[which] = ""
    case 1: model.graph.nodes[node].inputs.removeLast()
    case 2: model.graph.nodes[node].inputs.append(model.graph.nodes[node].inputs[which])
    default: model.graph.nodes[node].inputs.swapAt(0, which)
    }
    story += "inputs=\(model.graph.nodes[node].inputs) "
  }

  /// Other elements, another dtype or another shape.
  private mutating func changed(_ tensor: Tensor) -> Tensor? {
    let result: Tensor?
    switch index(4) {
    case 0:
      let dtypes: [DType] = [.float32, .float64, .float16, .bfloat16, .int64, .int32, .int8, .uint8, .bool, .uint64, .int4]
      result = try? tensor.cast(to: pick(dtypes))
    case 1, 2:
      var dims = tensor.shape.dims
      switch index(4) {
      case 0: dims.append(1 + index(2))
      case 1: dims = Array(dims.dropFirst())
      default: if !dims.isEmpty { dims[index(dims.count)] = pick([0, 1, 2, 3, 7]) }
      }
      guard let shape = try? Shape(dims), shape.count < 1 << 16 else { return nil }
      result = try? Tensor(zeros: tensor.dtype, shape)
    default:
      guard tensor.count > 0, tensor.count < 1 << 16 else { return nil }
      if tensor.dtype.isFloatingPoint {
        guard var values = try? tensor.cast(to: .float32).array(of: Float.self) else { return nil }
        values[index(values.count)] = pick(Self.floats)
        result = try? Tensor(values, tensor.shape).cast(to: tensor.dtype)
      } else {
        guard var values = try? tensor.cast(to: .int64).array(of: Int64.self) else { return nil }
        for _ in 0...index(2) { values[index(values.count)] = pick(Self.integers) }
        result = try? Tensor(values, tensor.shape).cast(to: tensor.dtype)
      }
    }
    if let result {
      let elements = (try? result.cast(to: .float64).array(of: Double.self))?.prefix(8).map { "\($0)" }.joined(separator: " ")
      story += "\(result.dtype.name) \(result.shape) \(elements ?? "") "
    }
    return result
  }
}
