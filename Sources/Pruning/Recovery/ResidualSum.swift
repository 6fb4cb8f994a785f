import PruneGraph
import PruneTensor

/// The sum that ends a residual block, after the block's last layer and its normalization, if any.
struct ResidualSum {
  /// What the layer's output is added to.
  let other: String
  private let normalization: Node?

  /// - Parameters:
  ///   - consumers, producers: of the graph.
  init?(behind output: String, _ graph: Graph, _ consumers: [String: [Int]], _ producers: [String: Int]) {
    var value = output, normalization: Node?
    func reader() -> Node? {
      guard let readers = consumers[value], readers.count == 1, let place = readers.first else { return nil }
      return graph.nodes[place].isStandard ? graph.nodes[place] : nil
    }
    if let norm = reader(), norm.opType == "BatchNormalization", norm.input(0) == value, let next = norm.output(0) {
      (normalization, value) = (norm, next)
    }
    guard let sum = reader(), ["Add", "Sum"].contains(sum.opType), sum.inputs.count == 2,
      let other = sum.inputs.first(where: { $0 != value }), producers[other] != nil
    else { return nil }
    self.other = other
    self.normalization = normalization
  }

  /// What one of the layer's outputs is multiplied by on its way to the sum, by channel; nil is 1.
  func scales(_ graph: Graph) throws(PruneError) -> [Double]? {
    guard let normalization else { return nil }
    guard let gamma = try normalization.input(1).flatMap({ graph.initializer($0) })?.doubles(),
      let variance = try normalization.input(4).flatMap({ graph.initializer($0) })?.doubles(),
      gamma.count == variance.count
    else { return [] }
    let epsilon = Double(normalization.float("epsilon", default: 1e-5))
    return zip(gamma, variance).map { $0 / max($1 + epsilon, 1e-12).squareRoot() }
  }
}
