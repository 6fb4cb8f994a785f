import PruneTensor

/// What the layers that read an input say of its shape: a convolution by a weight [8,3,3,3] reads images of 3 channels.
package enum ImpliedInputs {
  /// The rank of inputs, and the extents that are certain, nil for the others; of inputs alone whose declaration leaves
  /// something open.
  package static func of(_ model: Model) -> [String: [Int?]] {
    let open = model.graph.trueInputs.filter { $0.type?.dims?.dropFirst().contains { $0.value == nil } ?? true }
    guard !open.isEmpty else { return [:] }
    let graph = model.graph, consumers = graph.consumers, sources = WeightSources(graph)
    var result: [String: [Int?]] = [:]
    for input in open {
      let dims = Self.dims(of: input, graph, consumers, sources)
      if let dims, dims.count == input.type?.dims?.count ?? dims.count { result[input.name] = dims }
    }
    return result
  }

  /// Nodes to look at behind an input.
  private static let limit = 64

  private static func dims(
    of input: ValueInfo, _ graph: Graph, _ consumers: [String: [Int]], _ sources: WeightSources
  ) -> [Int?]? {
    let rank = input.type?.dims?.count
    /// A value, and which axis of the input each of its axes is; nil for the same ones.
    var open: [(value: String, axes: [Int]?)] = [(input.name, nil)], next = 0
    while next < min(open.count, limit) {
      let (value, axes) = open[next]
      next += 1
      for place in consumers[value] ?? [] {
        let node = graph.nodes[place]
        guard node.isStandard, let output = node.output(0) else { continue }
        if let demand = demanded(by: node, of: value, rank: axes?.count ?? rank, sources) {
          guard let axes else { return demand }
          guard axes.count == demand.count else { continue }
          var result = demand
          for (axis, origin) in axes.enumerated() { result[origin] = demand[axis] }
          return result
        }
        switch node.operation?.kind {
        case _ where node.opType == "Transpose":
          guard let perm = node.ints("perm"), Set(perm) == Set(0..<perm.count), rank.map({ $0 == perm.count }) ?? true
          else { continue }
          open.append((output, perm.map { axes?[$0] ?? $0 }))
        case .unary?, .storage?: if node.input(0) == value { open.append((output, axes)) }
        case .broadcasting?:
          // Scalars, and what has no more axes than the input, leave its rank as it is.
          let others = node.inputs.filter { $0 != value }.map { graph.initializer($0)?.shape }
          guard others.allSatisfy({ $0.map { $0.count == 1 && $0.rank <= 1 || $0.rank <= rank ?? 0 } ?? false }) else {
            continue
          }
          open.append((output, axes))
        default: continue
        }
      }
    }
    return nil
  }

  /// The shape that a layer wants of what it reads.
  private static func demanded(by node: Node, of value: String, rank: Int?, _ sources: WeightSources) -> [Int?]? {
    guard node.input(0) == value, let operand = node.input(1),
      let weight = sources.source(of: operand, through: { $0.isStorage && !$0.isMovement || $0.opType == "Identity" })?
        .tensor.shape
    else { return nil }
    switch node.opType {
    case "Conv" where weight.rank >= 3:
      let (channels, overflow) = weight[1].multipliedReportingOverflow(by: max(node.int("group", default: 1), 1))
      return overflow ? nil : [nil, channels] + [Int?](repeating: nil, count: weight.rank - 2)
    case "ConvTranspose" where weight.rank >= 3:
      return [nil, weight[0]] + [Int?](repeating: nil, count: weight.rank - 2)
    case "Gemm" where weight.rank == 2 && node.int("transA", default: 0) == 0:
      return [nil, weight[node.int("transB", default: 0) != 0 ? 1 : 0]]
    case "MatMul" where weight.rank >= 2:
      guard let rank, rank >= 2 else { return nil }
      return [Int?](repeating: nil, count: rank - 1) + [weight[weight.rank - 2]]
    case "LSTM", "GRU", "RNN": return weight.rank == 3 ? [nil, nil, weight[2]] : nil
    default: return nil
    }
  }
}

extension Model {
  /// The model with the shapes of its inputs as far as its layers demand them, or as samples have them where the file
  /// does not even say how many axes there are.
  /// - Parameter samples: extents of a sample, without the batch, by input.
  package func withImpliedInputs(samples: [String: [Int]] = [:]) -> Model {
    let implied = ImpliedInputs.of(self)
    var result = self
    for (place, info) in graph.inputs.enumerated() {
      if let dims = info.type?.dims {
        guard let demand = implied[info.name],
          dims.indices.contains(where: { dims[$0].value == nil && demand[$0] != nil })
        else { continue }
        result.graph.inputs[place].type?.dims = zip(dims, demand).map { dim, value in
          dim.value == nil ? value.map(Dim.fixed) ?? dim : dim
        }
        continue
      }
      let sample = samples[info.name].map { [nil] + $0.map(Optional.some) }
      guard !graph.hasInitializer(info.name), let dims = sample ?? implied[info.name] else { continue }
      result.graph.inputs[place].type = TensorType(info.type?.dtype, dims.map { $0.map(Dim.fixed) ?? .unknown })
    }
    return result
  }
}
