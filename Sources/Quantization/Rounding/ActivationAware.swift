import PruneData
import PruneGraph
import PruneTensor

/// Scales inputs of matrix products so that the weights which meet large activations are rounded more finely (Lin et
/// al., "AWQ", 2023): W is multiplied by s and its input divided by it, with s = mean|Xⱼ|^α, α from a grid, such that
/// the products' error, Σⱼ E[Xⱼ²]·‖Q(Ws)ⱼ/sⱼ - Wⱼ‖², is least. An input that gains too little stays as it is.
enum ActivationAware {
  private static let exponents: [Double] = [0.25, 0.5, 0.75, 1]
  /// A Mul node has to be worth it.
  private static let worthwhile = 0.9

  /// One product that reads an input.
  private struct Product {
    let node: Int
    let weight: String
    let axis: Int
  }

  /// - Parameter outcome: is told how many inputs gained, and why those of other layers stay as they are.
  /// - Returns: the model with scaled weights and a Mul in front of the layers that gained.
  static func apply(
    _ model: Model, _ data: Dataset, _ scheme: QuantizationScheme, symmetric: Bool, _ outcome: inout OptionOutcome,
    cancel: CancelFlag?
  ) throws(PruneError) -> Model {
    let index = GraphIndex(model.graph)
    let plan = try WeightPlan(index, ignore: scheme.ignore, operators: Set(Operator.names(with: .product)))
    var products: [String: [Product]] = [:]
    for layer in plan.layers {
      let node = index.graph.nodes[layer.node]
      guard let axis = layer.blockAxis else {
        outcome.leave(node, "\(node.opType) is no matrix product")
        continue
      }
      guard layer.input == 1, let input = node.input(0), !index.isConstant(input), node.int("transA", default: 0) == 0
      else {
        outcome.leave(node, "its input is a constant or transposed")
        continue
      }
      guard index.isOwned(layer.weight) else {
        outcome.leave(node, "others read its weight as well")
        continue
      }
      guard index.constant(layer.weight)?.shape.rank == 2 else {
        outcome.leave(node, "its weight is no matrix")
        continue
      }
      products[input, default: []].append(
        Product(node: layer.node, weight: layer.weight, axis: axis))
    }
    guard !products.isEmpty else { return model }
    let statistics = try Calibration(
      model, data, values: [], channels: products.mapValues { _ in true }, scheme: scheme, cancel: cancel
    ).channels
    var result = model, scaling = InputScaling(model)
    for (input, readers) in products.sorted(by: { $0.key < $1.key }) {
      try cancel?.check()
      guard let seen = statistics[input], seen.absolutes.count > 1,
        let factors = try factors(seen, readers.map { ($0, model.graph.initializer($0.weight)) }, scheme, symmetric)
      else {
        for reader in readers {
          outcome.leave(model.graph.nodes[reader.node], "no factors make its error less by a tenth")
        }
        continue
      }
      for reader in readers {
        guard var weight = model.graph.initializer(reader.weight) else { continue }
        try scale(&weight, axis: reader.axis, factors)
        result.graph.setInitializer(reader.weight, weight)
      }
      try scaling.multiply(input, by: factors.map { 1 / $0 }, for: readers.map(\.node), &result.graph)
    }
    scaling.insert(&result.graph)
    outcome.serve(scaling.count)
    return result
  }

  /// The best factors for all weights that read an input together; nil when none is worth it.
  private static func factors(
    _ seen: ChannelStatistics, _ readers: [(product: Product, weight: Tensor?)], _ scheme: QuantizationScheme,
    _ symmetric: Bool
  ) throws(PruneError) -> [Float]? {
    let squares = seen.squares.map { Float($0) }
    func error(_ factors: [Float]) throws(PruneError) -> Double {
      var sum = 0.0
      for (product, weight) in readers {
        guard var scaled = weight, scaled.shape[product.axis] == factors.count else { return .infinity }
        try scale(&scaled, axis: product.axis, factors)
        // One scale a channel is a block of everything.
        let size = scheme.blockSize > 0 ? scheme.blockSize : factors.count
        let form = BlockCodes.Form(bits: scheme.bits, symmetric: symmetric || scheme.blockSize == 0)
        let codes = try BlockCodes(scaled, axis: product.axis, size: size, form)
        sum += try codes.error(
          scaled, axis: product.axis, size: size,
          weights: factors.indices.map { squares[$0] / (factors[$0] * factors[$0]) })
      }
      return sum
    }
    let plain = try error([Float](repeating: 1, count: squares.count))
    let largest = seen.absolutes.max() ?? 0
    guard plain > 0, plain.isFinite, largest > 0 else { return nil }
    var best: [Float]?, least = plain * worthwhile
    for exponent in exponents {
      let raw = seen.absolutes.map { exponential(exponent * logarithm(max($0, largest * 1e-4))) }
      // Around one, so that neither weights nor inputs leave the range of floats.
      let middle = ((raw.max() ?? 1) * (raw.min() ?? 1)).squareRoot()
      let factors = raw.map { Float($0 / middle) }
      let found = try error(factors)
      if found < least { (least, best) = (found, factors) }
    }
    return best
  }

  private static func scale(_ weight: inout Tensor, axis: Int, _ factors: [Float]) throws(PruneError) {
    let inner = weight.shape.dims[(axis + 1)...].reduce(1, *)
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices { span[place] *= factors[place / inner % factors.count] }
    }
  }
}

extension BlockCodes {
  /// The sum of squared distances between a matrix and what its codes stand for, those of index k along `axis` times
  /// `weights[k]`.
  func error(_ matrix: Tensor, axis: Int, size: Int, weights: [Float]) throws(PruneError) -> Double {
    let rows = matrix.shape[0], columns = matrix.shape[1], count = blocks[axis]
    var sum = 0.0
    try matrix.withSpan(of: Float.self) { values throws(PruneError) in
      for row in 0..<rows {
        for column in 0..<columns {
          let slot = axis == 0 ? row / size * columns + column : row * count + column / size
          let place = row * columns + column
          let code =
            zeroPoints.isEmpty
            ? Int(codes[place]) : Int(UInt8(bitPattern: codes[place])) - Int(UInt8(bitPattern: zeroPoints[slot]))
          let difference = values[place] - Float(code) * scales[slot]
          sum += Double(difference * difference * weights[axis == 0 ? row : column])
        }
      }
    }
    return sum
  }
}
