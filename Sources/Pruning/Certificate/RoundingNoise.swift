import PruneGraph
import PruneRuntime
import PruneTensor

/// What rounding alone does to a network's outputs, and so how far the outputs of two networks that are the same in
/// exact arithmetic may lie apart: sums of fewer terms are added in another order.
///
/// Measured where the plain tolerance is exceeded: the network runs again with every weight and every input moved by
/// one unit in the last place, or left, at random. A deep network amplifies that.
///
/// One with quantized activations turns a value between two steps into another step, which is much or nothing: one unit
/// seldom shows it. There numbers move by up to 64 units, as much as sums of some thousand terms may; and the same two
/// networks without those steps must agree like any others, which tells what is wrong from what is rounded.
struct RoundingNoise {
  let model: Model
  let inputs: [String: Tensor]
  let outputs: [String: Tensor]
  let seed: UInt64

  /// Runs with numbers moved, of which the largest difference counts.
  private static let runs = 3
  /// Two networks may differ by this factor times the measured difference: few runs do not show the largest.
  private static let margin = 8.0
  /// More of the largest output is never rounding; with steps that were seen not to hide anything, and with those that
  /// were not.
  private static let limits = (plain: 1e-2, seen: 0.5, steps: 0.1)

  /// The largest difference that is allowed.
  struct Bound {
    let allowed: Double
    let noise: Double
  }

  /// - Parameter isSeen: whether the networks agree without the steps of their activations.
  func bound(isSeen: Bool) throws(PruneError) -> Bound {
    let isQuantized = QuantizedActivations.isQuantized(model)
    let most: Float = isQuantized ? 64 : 1
    var noise = 0.0
    for run in 1...Self.runs {
      let random = RandomSource(seed: seed).fork(UInt64(run))
      let (moved, movedInputs) = try moved(random, by: most)
      // What no longer runs, or gives other extents, tells nothing.
      let settings = ProgramOptions(inputShapes: movedInputs.mapValues(\.shape))
      guard let noisy = try? Program(moved, settings).run(movedInputs) else { continue }
      let difference = try StructuralCertificate.difference(noisy, outputs)
      if difference.isFinite { noise = max(noise, difference) }
    }
    let limit = isQuantized ? isSeen ? Self.limits.seen : Self.limits.steps : Self.limits.plain
    return Bound(allowed: max(StructuralCertificate.tolerance, min(noise * Self.margin, limit)), noise: noise)
  }

  private func moved(_ random: RandomSource, by most: Float) throws(PruneError) -> (Model, [String: Tensor]) {
    var random = random
    var model = model
    // Numbers that extents are computed from are exact.
    let exact = Set(
      model.graph.nodes.filter { ["Resize", "Upsample", "Range", "Pad", "OneHot", "Clip", "Pow"].contains($0.opType) }
        .flatMap { $0.inputs.dropFirst($0.opType == "Range" ? 0 : 1) })
    for value in model.graph.initializers where value.tensor.dtype == .float32 && !exact.contains(value.name) {
      model.graph.setInitializer(value.name, try Self.moved(value.tensor, &random, by: most))
    }
    var movedInputs = inputs
    for name in inputs.keys.sorted() {
      if let tensor = inputs[name], tensor.dtype == .float32 {
        movedInputs[name] = try Self.moved(tensor, &random, by: most)
      }
    }
    return (model, movedInputs)
  }

  /// Each number moved by a whole number of units in the last place, up to `most` either way.
  private static func moved(
    _ tensor: Tensor, _ random: inout RandomSource, by most: Float
  ) throws(PruneError) -> Tensor {
    var result = tensor
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      var bits: UInt64 = 0
      for index in span.indices {
        if index & 7 == 0 { bits = random.next() }
        let value = span[index], share = Float(bits & 255) / 127.5 - 1
        if value.isNormal { span[index] = value + (share * most).rounded() * value.ulp }
        bits >>= 8
      }
    }
    return result
  }
}

/// The steps that activations of a quantized network are rounded to.
enum QuantizedActivations {
  private static let operators = ["QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"]

  static func isQuantized(_ model: Model) -> Bool {
    model.graph.nodes.contains { operators.contains($0.opType) }
  }

  /// The network with its activations not rounded: without every QuantizeLinear that DequantizeLinear undoes. Nil where
  /// there is none. Small differences stay small in it.
  static func removed(from model: Model) -> Model? {
    let graph = model.graph, producers = graph.producers
    var renamed: [String: String] = [:]
    for node in graph.nodes where node.isStandard && node.opType == "DequantizeLinear" {
      guard let codes = node.input(0), let place = producers[codes], case let source = graph.nodes[place],
        source.isStandard, source.opType == "QuantizeLinear", let value = source.input(0), let output = node.output(0),
        source.inputs.dropFirst().elementsEqual(node.inputs.dropFirst()),
        !graph.outputs.contains(where: { $0.name == output })
      else { continue }
      renamed[output] = renamed[value] ?? value
    }
    guard !renamed.isEmpty else { return nil }
    var result = model
    for index in result.graph.nodes.indices {
      result.graph.nodes[index].inputs = result.graph.nodes[index].inputs.map { renamed[$0] ?? $0 }
    }
    result.removeDeadNodes()
    return result
  }
}
