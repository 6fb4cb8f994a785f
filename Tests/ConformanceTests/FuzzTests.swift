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
  private static let setting = (ProcessInfo.processInfo.environment["PRUNE_FUZZ"] ?? "1:1:0").split(separator: ":")
    .compactMap { UInt64($0) }
  private static let log = ProcessInfo.processInfo.environment["PRUNE_FUZZ_LOG"]

  @Test func tamperedModelsGiveAResultOrAnErrorWithAPlace() throws {
    try #require(Self.setting.count == 3, "PRUNE_FUZZ is SEED:ROUNDS:FIRST")
    let (seed, rounds, first) = (Self.setting[0], Int(Self.setting[1]), Int(Self.setting[2]))
    var (results, errors) = (0, 0)
    for (index, name) in (Self.networks + Suite.names).enumerated().dropFirst(first) {
      guard let (original, inputs) = try? Self.subject(name), inputs.count == original.graph.inputs.count else {
        continue
      }
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

  /// Small networks beside the node tests.
  private static let networks =
    !Shared.isPresent
    ? []
    : [
      "encoder_separate_qkv", "gru_bidirectional", "lstm", "mobilenet_v3_se", "shufflenet_v2", "tied_embedding",
      "two_inputs_two_outputs", "unet_convtranspose", "vit_merged_qkv", "yolo_split_concat_resize",
    ]

  private static func subject(_ name: String) throws -> (Model, [Tensor]) {
    guard networks.contains(name) else {
      return (try ModelFormats.load(path: "\(Suite.folder)/\(name)/model.onnx"), try Suite.tensors(name, "input"))
    }
    let model = try Shared.model("topologies/\(name)")
    let stored = try Shared.arrays("models/topologies/\(name).npz")
    return (model, model.graph.inputs.enumerated().compactMap { stored["in_\($0)_\($1.name)"] })
  }

  private static func run(_ mutation: Mutation, optimizes: Bool) throws {
    let names = mutation.model.graph.inputs.map(\.name)
    let feeds = Dictionary(zip(names, mutation.inputs), uniquingKeysWith: { first, _ in first })
    _ = try? ShapeInference.run(mutation.model)
    let options = ProgramOptions(inputShapes: feeds.mapValues(\.shape), optimizes: optimizes)
    let program = try Program(mutation.model, options)
    // A loop may well have become endless.
    let watch = try Watchdog(seconds: 1)
    defer { watch.end() }
    _ = try program.run(feeds, cancel: watch.stop)
  }
}

/// What is too large, and what is not what the model takes.
@Suite struct RefusalTests {
  private static let huge: [(String, [(String, AttributeValue)])] = [
    ("Expand", []), ("Tile", []), ("ConstantOfShape", []), ("Reshape", []), ("Pad", []), ("Range", []), ("EyeLike", []),
    ("Resize", []), ("OneHot", []), ("Upsample", []), ("RandomNormal", [("shape", .ints([1 << 20, 1 << 20]))]),
    ("MaxPool", [("kernel_shape", .ints([1])), ("pads", .ints([0, 1 << 40]))]), ("Concat", [("axis", .int(.min))]),
  ]

  /// With sizes known when compiling, and with sizes that only a run tells.
  @Test(arguments: huge.indices, [true, false])
  func tooLargeIsAnErrorThatNamesTheNode(which: Int, isConstant: Bool) throws {
    let (op, attributes) = Self.huge[which]
    let x = try floats([1, 2], 1, 1, 2)
    var inputs: [(String, Tensor)] = [("x", x), ("n", try longs([1 << 20, 1 << 10, 1 << 13]))]
    switch op {
    case "ConstantOfShape": inputs.removeFirst()
    case "EyeLike": inputs.removeLast()
    case "Pad": inputs[1].1 = try longs([0, 0, 0, 1 << 15, 1 << 15, 1 << 15])
    case "Range":
      inputs = [
        ("x", try Tensor(scalar: Int64(0))), ("l", try Tensor(scalar: Int64.max)), ("n", try Tensor(scalar: Int64(1))),
      ]
    case "Resize", "Upsample": inputs[1].1 = try floats([1e5, 1e5, 1e5])
    case "OneHot":
      inputs = [("i", try longs([0])), ("n", try Tensor(scalar: Int64(1) << 40)), ("v", try floats([0, 1]))]
    case "RandomNormal": inputs = []
    case "MaxPool", "Concat": inputs.removeLast()
    default: break
    }
    if op == "EyeLike" { inputs[0].1 = try Tensor(zeros: .float32, Shape([1 << 20, 0])) }
    var names = inputs.map(\.0)
    if op == "Resize" { names.insert("", at: 1) }
    let fed = inputs.filter { !isConstant || $0.0 == "x" }
    let graph = makeGraph(
      [node(op, names, "y", attributes)], inputs: fed.map { ($0.0, TensorType($0.1.dtype, $0.1.shape)) },
      constants: inputs.filter { isConstant && $0.0 != "x" })
    var model = Model(graph: graph)
    if op == "Upsample" { model.opsets[0].version = 9 }
    guard op != "EyeLike" else {
      // Nothing, but in absurdly many rows: a result or an error, at once.
      _ = try? Program(model).run(Dictionary(uniqueKeysWithValues: fed))
      return
    }
    let error = #expect(throws: PruneError.self, "\(op)") {
      try Program(model).run(Dictionary(uniqueKeysWithValues: fed))
    }
    #expect(error?.place == "\(op) 'the y'", "\(op): \(error?.description ?? "")")
    #expect(error?.status != .internal)
  }

  @Test func wrongInputsAreNamed() throws {
    let graph = makeGraph([node("Relu", ["x"], "y")], inputs: [("x", TensorType(.float32, [.named("N"), .fixed(3)]))])
    let session = Session(Model(graph: graph))
    func failure(_ inputs: [String: Tensor]) throws -> String {
      let error = #expect(throws: PruneError.self) { try session.run(inputs) }
      return try #require(error).description
    }
    let good = try floats([1, 2, 3], 1, 3)
    #expect(try session.run(["x": good])["y"]?.shape.dims == [1, 3])
    #expect(try failure([:]).contains("'x'"))
    #expect(try failure(["x": good, "z": good]).contains("'z'"))
    #expect(try failure(["z": good]).contains("'z'"))
    let size = try failure(["x": floats([1, 2], 1, 2)])
    #expect(size.contains("'x'") && size.contains("[1,2]") && size.contains("[N,3]"), "\(size)")
    #expect(try failure(["x": floats([1, 2, 3])]).contains("[3]"))
    let dtype = try failure(["x": longs([1, 2, 3], 1, 3)])
    #expect(dtype.contains("'x'") && dtype.contains("int64") && dtype.contains("float32"), "\(dtype)")
  }
}

/// Cancels what takes too long.
private final class Watchdog: @unchecked Sendable {
  let stop: CancelFlag
  private let ended = DispatchSemaphore(value: 0)

  init(seconds: Double) throws {
    stop = try CancelFlag()
    Thread.detachNewThread { [self] in
      if ended.wait(timeout: .now() + seconds) == .timedOut { stop.request() }
    }
  }

  func end() { ended.signal() }
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
      if values.isEmpty || index(3) == 0 {
        values.append(pick(Self.floats))
      } else {
        values[index(values.count)] = pick(Self.floats)
      }
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
      let dtypes: [DType] = [
        .float32, .float64, .float16, .bfloat16, .int64, .int32, .int8, .uint8, .bool, .uint64, .int4,
      ]
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
      let elements = (try? result.cast(to: .float64).array(of: Double.self))?.prefix(8).map { "\($0)" }.joined(
        separator: " ")
      story += "\(result.dtype.name) \(result.shape) \(elements ?? "") "
    }
    return result
  }
}
