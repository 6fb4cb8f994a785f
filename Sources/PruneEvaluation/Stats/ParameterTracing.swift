import PruneGraph
import PruneTensor

/// A parameter as a node sees it: the stored tensor behind what the node reads.
struct TracedParameter {
  /// The initializer, or the output of the Constant node, that holds the values.
  var name: String
  /// The name made unique among the scopes of subgraphs.
  var key: String
  var tensor: Tensor
  /// Its scales and zero points: stored with the parameter, but not parameters.
  fileprivate(set) var quantization: [Tensor] = []
  fileprivate(set) var zeroPoint: (tensor: Tensor, axis: Int)?

  /// Elements that do not stand for zero.
  func countNonzero() -> Int {
    if let zeroPoint, let count = tensor.nonzeroCount(zeroPoint: zeroPoint.tensor, axis: zeroPoint.axis) {
      return count
    }
    return tensor.nonzeroCount
  }
}

/// Finds the parameters that nodes read: initializers and Constant nodes, directly or through operators that only
/// change how a tensor is stored.
struct ParameterTracing {
  private let sources: WeightSources
  /// Outputs of Constant nodes, which hold factors and exponents as well as weights.
  private var literals: Set<String>

  /// - Parameters:
  ///   - scope: goes in front of the names of this graph's own tensors, to tell those of several subgraphs apart.
  ///   - outer: what the enclosing graph knows, whose values a subgraph may read.
  init(_ graph: Graph, scope: String = "", outer: ParameterTracing? = nil) {
    sources = WeightSources(graph, scope: scope, outer: outer?.sources)
    literals = outer?.literals ?? []
    for node in graph.nodes where node.isStandard && node.opType == "Constant" { literals.formUnion(node.outputs) }
  }

  /// The tensors that a graph stores: its initializers and those of its Constant nodes.
  static func stored(in graph: Graph) -> [(name: String, tensor: Tensor)] {
    var result = graph.initializers.map { (name: $0.name, tensor: $0.tensor) }
    for node in graph.nodes {
      if let name = node.output(0), let tensor = node.constant { result.append((name: name, tensor: tensor)) }
    }
    return result
  }

  /// The parameters of a node, each once, in the order of its inputs. For a storage operator, the one it passes on.
  func parameters(of node: Node) -> [TracedParameter] {
    if node.isStorage { return node.output(0).flatMap { parameter($0, isIntegerWeight: false) }.map { [$0] } ?? [] }
    var result: [TracedParameter] = []
    for index in node.inputs.indices where !Self.isSetting(node, index) {
      guard let name = node.input(index),
        let tracedParameter = parameter(name, isIntegerWeight: Self.takesIntegers(node)),
        !result.contains(where: { $0.key == tracedParameter.key })
      else { continue }
      result.append(tracedParameter)
    }
    return result
  }

  /// The parameter of a value; nil for data, a single factor, and integers that are not quantized numbers.
  private func parameter(_ value: String, isIntegerWeight: Bool) -> TracedParameter? {
    guard let source = trace(value), source.tensor.shape.rank > 0,
      source.tensor.count > 1 || !literals.contains(source.name)
    else { return nil }
    let isWeight = source.tensor.dtype.isFloatingPoint || !source.quantization.isEmpty || isIntegerWeight
    return isWeight ? source : nil
  }

  /// The stored tensor that a value is computed from, with its scales and zero points.
  private func trace(_ value: String) -> TracedParameter? {
    guard let source = sources.source(of: value) else { return nil }
    var parameter = TracedParameter(name: source.name, key: source.key, tensor: source.tensor)
    for node in source.path where node.opType == "DequantizeLinear" || node.opType == "QuantizeLinear" {
      parameter.quantization += node.inputs.dropFirst().compactMap { sources.source(of: $0)?.tensor }
      if node.opType == "DequantizeLinear", let tensor = node.input(2).flatMap({ sources.source(of: $0)?.tensor }) {
        parameter.zeroPoint = (tensor, node.int("axis", default: 1))
      }
    }
    return parameter
  }

  /// Inputs that say how an operator works rather than being weights.
  private static func isSetting(_ node: Node, _ index: Int) -> Bool {
    if node.domain == "com.microsoft" {
      switch node.opType {
      case "QGemm": return ![0, 3, 6].contains(index)
      case "MatMulIntegerToFloat": return ![0, 1, 6].contains(index)
      default: return false
      }
    }
    guard node.isStandard else { return false }
    switch node.opType {
    case "Clip", "Resize", "Upsample", "Pad", "Dropout", "Pow", "Slice", "Expand", "Tile", "TopK", "OneHot",
      "ReduceSum",
      "ReduceMean":
      return index > 0
    case "QLinearConv", "QLinearMatMul": return ![0, 3, 8].contains(index)
    case "ConvInteger", "MatMulInteger": return index > 1
    case "Range", "ConstantOfShape": return true
    default: return false
    }
  }

  private static func takesIntegers(_ node: Node) -> Bool {
    node.isStandard && ["QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"].contains(node.opType)
      || node.domain == "com.microsoft" && ["QGemm", "MatMulIntegerToFloat"].contains(node.opType)
  }
}
