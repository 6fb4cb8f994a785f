import Foundation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// The data beside the repository that whole models need.
enum Shared {
  static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../shared").standardized.path
  static let isPresent = FileManager.default.fileExists(atPath: folder + "/SOURCES.md")
  /// all-MiniLM-L6-v2 as `models/minilm_l6_v2/get` builds it: where PRUNE_MINILM says, or in the temporary folder.
  static let minilm =
    ProcessInfo.processInfo.environment["PRUNE_MINILM"] ?? NSTemporaryDirectory() + "/minilm/minilm_l6_v2.onnx"
  static let hasMiniLM =
    isPresent && FileManager.default.fileExists(atPath: minilm)
    && FileManager.default.fileExists(atPath: minilm + ".data")

  static func model(_ name: String) throws -> Model { try ModelFormats.load(path: "\(folder)/models/\(name).onnx") }
  static func arrays(_ path: String) throws -> [String: Tensor] {
    Dictionary(
      try Npz.load(path: "\(folder)/\(path)").map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
  }
}

/// ||a - b|| / ||b||, infinite when a number is not finite.
func relativeNorm(_ a: Tensor, _ b: Tensor) throws -> Double {
  let (x, y) = (try a.doubles(), try b.doubles())
  guard x.count == y.count else { return .infinity }
  let difference = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let result = (difference / max(y.reduce(0) { $0 + $1 * $1 }, 1e-30)).squareRoot()
  return result.isNaN ? .infinity : result
}

/// A graph of nodes; outputs are those of the last node unless said.
func makeGraph(
  _ nodes: [Node], inputs: [(String, TensorType?)] = [], constants: [(String, Tensor)] = [], outputs: [String]? = nil
) -> Graph {
  var graph = Graph(name: "test")
  graph.nodes = nodes
  graph.inputs = inputs.map { ValueInfo(name: $0.0, type: $0.1) }
  for (name, tensor) in constants { graph.setInitializer(name, tensor) }
  graph.outputs = (outputs ?? nodes.last?.outputs ?? []).map { ValueInfo(name: $0, type: nil) }
  return graph
}

func type(_ dtype: DType, _ dims: Int...) -> TensorType { TensorType(dtype, dims.map(Dim.fixed)) }

/// Runs a model through a program, fast and by reference kernels, which must agree.
func runBoth(_ model: Model, _ inputs: [String: Tensor]) throws -> [String: Tensor] {
  let shapes = inputs.mapValues(\.shape)
  let fast = try Program(model, .init(inputShapes: shapes)).run(inputs)
  let slow = try Program(model, .init(inputShapes: shapes, optimizes: false)).run(inputs)
  for (name, tensor) in fast { #expect(try difference(tensor, try #require(slow[name])) == nil, "\(name)") }
  return fast
}

/// A node of one output, named after it.
func node(_ op: String, _ inputs: [String], _ output: String, _ attributes: [(String, AttributeValue)] = []) -> Node {
  Node(
    op, name: "the \(output)", inputs: inputs, outputs: [output], attributes: attributes.map { Attribute($0.0, $0.1) })
}
