import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// The data beside the repository that bigger tests need.
enum Shared {
  static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/") + "/shared"
  }()
  static let isPresent = FileReader.exists(folder + "/SOURCES.md")
}

/// ||a - b|| / ||b||, infinite when a number is not finite.
func relativeNorm(_ a: Tensor, _ b: Tensor) throws -> Double {
  let (x, y) = (try a.array(of: Float.self), try b.array(of: Float.self))
  guard x.count == y.count else { return .infinity }
  var (difference, norm) = (0.0, 0.0)
  for (u, v) in zip(x, y) {
    difference += (Double(u) - Double(v)) * (Double(u) - Double(v))
    norm += Double(v) * Double(v)
  }
  let result = (difference / max(norm, 1e-30)).squareRoot()
  return result.isNaN ? .infinity : result
}

extension RandomSource {
  /// A tensor of standard normal numbers.
  mutating func tensor(_ dims: [Int]) throws -> Tensor {
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Float(normal()) }, shape)
  }
  mutating func pick<T>(_ values: [T]) -> T { values[Int(next() % UInt64(values.count))] }
  mutating func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(next() % UInt64(range.count)) }
}

/// The same numbers, one byte beside where they would be aligned.
func shifted(_ tensor: Tensor) throws -> Tensor {
  var copy = [UInt8](repeating: 0, count: tensor.byteCount + 1)
  try tensor.bytes.withSpan { span throws(PruneError) in for place in 0..<span.count { copy[place + 1] = span[place] } }
  return try Tensor(tensor.dtype, tensor.shape, over: #require(Bytes(copy).slice(1, copy.count)))
}

/// A model of nodes over given inputs, its outputs those of the last node unless said.
func makeModel(
  _ nodes: [Node], inputs: [(String, Tensor)], constants: [(String, Tensor)] = [], outputs: [String]? = nil,
  opset: Int64 = 17
) -> Model {
  var graph = Graph(name: "test")
  graph.nodes = nodes
  graph.inputs = inputs.map { ValueInfo(name: $0.0, type: TensorType($0.1.dtype, $0.1.shape)) }
  for (name, tensor) in constants { graph.setInitializer(name, tensor) }
  graph.outputs = (outputs ?? nodes.last?.outputs.filter { !$0.isEmpty } ?? []).map { ValueInfo(name: $0, type: nil) }
  var model = Model(graph: graph, opset: opset)
  model.opsets.append(OpsetImport(domain: "ai.libprune", version: 1))
  return model
}

/// Runs a model optimized and by reference kernels, and expects the same.
///
/// - Parameter isFast: whether every node has to have a fast kernel.
func expectSame(_ model: Model, _ inputs: [(String, Tensor)], tolerance: Double = 1e-5, isFast: Bool = true) throws {
  let fed = Dictionary(uniqueKeysWithValues: inputs)
  let program = try Program(model)
  if isFast { #expect(program.referenceLabels == [], "\(model.graph.nodes)") }
  let fast = try program.run(fed)
  let slow = try Program(model, .init(optimizes: false)).run(fed)
  for output in model.graph.outputs {
    let (a, b) = (try #require(fast[output.name]), try #require(slow[output.name]))
    #expect(a.dtype == b.dtype && a.shape == b.shape)
    if a.dtype == .float32 {
      let difference = try relativeNorm(a, b)
      #expect(difference <= tolerance, "\(output.name) differs by \(difference) in \(model.graph.nodes.map(\.label))")
    } else {
      #expect(a.bytes.isEqual(to: b.bytes))
    }
  }
}
