import PruneGraph

/// What the numbers of an output are, as the operators that make them tell.
enum OutputKind {
  /// Any real numbers: the softmax is still to be taken.
  case logits
  /// Shares of one that add up to it.
  case probabilities
  case logProbabilities
  /// Each a probability of its own.
  case sigmoid

  /// Looks at the end of the network, through operators that change neither values nor their order.
  init(of output: String, in graph: Graph) {
    let producers = graph.producers
    var name = output
    self = .logits
    for _ in 0..<16 {
      guard let index = producers[name] else { return }
      let node = graph.nodes[index]
      switch node.operatorName {
      case "Softmax": self = .probabilities
      case "LogSoftmax": self = .logProbabilities
      case "Sigmoid": self = .sigmoid
      case "ai.onnx.ml.ZipMap", "Identity",
        _ where [.storage, .reshaping].contains(node.operation?.kind):
        guard let input = node.input(0) else { return }
        name = input
        continue
      default: break
      }
      return
    }
  }
}
