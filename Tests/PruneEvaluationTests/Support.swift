import PruneData
import PruneFormats
import PruneGraph
import PruneTensor

/// The data beside the repository that bigger tests need.
enum Shared {
  static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/") + "/shared"
  }()
  static let isPresent = FileReader.exists(folder + "/SOURCES.md")

  static func model(_ path: String) throws -> Model { try ModelFormats.load(path: "\(folder)/models/\(path).onnx") }

  /// CIFAR-10 as the stored networks want it.
  static func cifar(_ path: String) throws -> Dataset {
    try Dataset.cifar10(paths: [path]).normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
  }
  static var firstThousand: Dataset { get throws { try cifar(folder + "/data/cifar10/test_first1000.bin.gz") } }
}

/// What an operation throws, nil when it succeeds or throws anything else.
func failure(_ body: () throws -> Void) -> PruneError? {
  do {
    try body()
    return nil
  } catch { return error as? PruneError }
}

/// A model of nodes from "x" [N, features] to the last node's output.
func chain(
  _ nodes: [Node], features: [Dim], constants: [(String, Tensor)] = [], dtype: DType = .float32,
  batch: Dim = .named("N")
) -> Model {
  var graph = Graph(name: "chain")
  graph.nodes = nodes
  graph.inputs = [ValueInfo(name: "x", type: TensorType(dtype, [batch] + features))]
  for (name, tensor) in constants { graph.setInitializer(name, tensor) }
  graph.outputs = [ValueInfo(name: nodes.last?.outputs.first ?? "x", type: nil)]
  return Model(graph: graph)
}

/// A model that gives back what it is fed, through one more operator if asked.
func echo(_ features: Int, then op: String? = nil, batch: Dim = .named("N")) -> Model {
  var nodes = [Node("Identity", inputs: ["x"], outputs: ["same"])]
  if let op { nodes.append(Node(op, inputs: ["same"], outputs: ["y"])) }
  return chain(nodes, features: [.fixed(features)], batch: batch)
}
