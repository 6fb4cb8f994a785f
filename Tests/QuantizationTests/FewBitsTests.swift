import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

import Quantization

/// Weight-only forms of 2, 3, 5 and 6 bits, half-quadratic zero points, and float8, beside plain formulas.
@Suite struct FewBitsTests {
  private static let (rows, columns, size) = (40, 12, 16)

  /// x[N,40] · w[40,12]; the last block of a column is shorter.
  private func product(_ weight: Tensor? = nil) throws -> Model {
    var graph = Graph(name: "product")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(Self.rows)]))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    graph.setInitializer("w", try weight ?? Networks.random([Self.rows, Self.columns], seed: 3))
    graph.nodes = [Node("MatMul", name: "layer", inputs: ["x", "w"], outputs: ["y"])]
    return Model(graph: graph, opset: 17)
  }

  private func quantized(_ model: Model, _ set: (inout QuantizeOptions) -> Void) throws -> (Model, Report) {
    var options = QuantizeOptions()
    options.scheme = "weight_only"
    set(&options)
    let (small, report) = try quantize(model, options)
    #expect(!(try ONNX.encode(small)).isEmpty)
    return (small, report)
  }

  /// The weight that a model multiplies by: what it gives for the identity.
  private func weight(_ model: Model) throws -> [Float] {
    var identity = [Float](repeating: 0, count: Self.rows * Self.rows)
    for row in 0..<Self.rows { identity[row * Self.rows + row] = 1 }
    let x = try Tensor(identity, try Shape([Self.rows, Self.rows]))
    return try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func error(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
  }

  /// Rounding between the least and the most of each block.
  private func plain(_ values: [Float], bits: Int) -> [Float] {
    var result = values
    let most = Float(1 << bits - 1)
    for column in 0..<Self.columns {
      for first in stride(from: 0, to: Self.rows, by: Self.size) {
        let places = (first..<min(first + Self.size, Self.rows)).map { $0 * Self.columns + column }
        let low = min(places.map { values[$0] }.min() ?? 0, 0), high = max(places.map { values[$0] }.max() ?? 0, 0)
        let scale = (high - low) / most, zero = (-low / scale).rounded(.toNearestOrEven)
        for place in places {
          let code = min(max((values[place] / scale).rounded(.toNearestOrEven) + zero, 0), most)
          result[place] = (code - zero) * scale
        }
      }
    }
    return result
  }

  @Test(arguments: [2, 3, 4, 5, 6], ["qdq", "matmul_nbits"])
  func fewBitsAreNoWorseThanBetweenLeastAndMost(bits: Int, format: String) throws {
    let model = try product(), float = try weight(model)
    let (small, report) = try quantized(model) { ($0.bits, $0.blockSize, $0.format) = (bits, Self.size, format) }
    let found = try weight(small)
    #expect(error(found, float) <= error(plain(float, bits: bits), float) * 1.0001)
    #expect(report["bits"]?.integer == bits)
    #expect(report["stored_bits"]?.integer == [2: 4, 3: 4, 5: 8, 6: 8][bits])
    // One row at a time is computed from the packed codes.
    for row in [0, 17, Self.rows - 1] {
      var one = [Float](repeating: 0, count: Self.rows)
      one[row] = 1
      let y = try #require(try Session(small).run(["x": Tensor(one, try Shape([1, Self.rows]))])["y"])
      let wanted = found[row * Self.columns..<(row + 1) * Self.columns]
      #expect(zip(try y.array(of: Float.self), wanted).allSatisfy { abs($0 - $1) < 1e-6 }, "row \(row)")
    }
    // No block has more numbers than there are codes.
    for column in 0..<Self.columns {
      for first in stride(from: 0, to: Self.rows, by: Self.size) {
        let numbers = Set((first..<min(first + Self.size, Self.rows)).map { found[$0 * Self.columns + column] })
        #expect(numbers.count <= 1 << bits)
      }
    }
  }

  @Test(arguments: [2, 3, 5, 6], [true, false])
  func fewBitsHaveSymmetricCodesAndScalesOfChannels(bits: Int, perChannel: Bool) throws {
    let model = try product(), float = try weight(model)
    let (blocks, _) = try quantized(model) { ($0.bits, $0.blockSize, $0.symmetric) = (bits, Self.size, true) }
    let (whole, _) = try quantized(model) { ($0.bits, $0.perChannel) = (bits, perChannel) }
    let step = 1.3 / Double(1 << (bits - 1)), signal = error(float, float.map { _ in 0 })
    #expect(error(try weight(blocks), float) < step * step * signal)
    #expect(error(try weight(whole), float) < 2 * step * step * signal)
  }

  /// Algorithm 1 of the paper, in double precision, with its zero point rounded.
  private func halfQuadratic(_ block: [Float], bits: Int) -> (codes: [Double], zero: Double, scale: Double) {
    let most = Double(1 << bits - 1), low = Double(min(block.min() ?? 0, 0)), high = Double(max(block.max() ?? 0, 0))
    let scale = (high - low) / most, values = block.map(Double.init)
    func codes(_ zero: Double) -> [Double] {
      values.map { min(max(($0 / scale + zero).rounded(.toNearestOrEven), 0), most) }
    }
    var zero = -low / scale, best = zero, least = Double.infinity, beta = 10.0
    for _ in 0..<20 {
      let q = codes(zero), errors = zip(values, q).map { $0 - ($1 - zero) * scale }
      let shrunk = errors.map { e in
        e == 0 ? 0 : (e < 0 ? -1 : 1) * max(e.magnitude - power(e.magnitude, 0.7 - 1) / beta, 0)
      }
      let error = errors.reduce(0) { $0 + $1.magnitude }
      if error >= least { break }
      (least, best) = (error, zero)
      zero = zip(q, zip(values, shrunk)).reduce(0) { $0 + $1.0 - ($1.1.0 - $1.1.1) / scale } / Double(values.count)
      beta *= 1.01
    }
    func loss(_ zero: Double) -> Double {
      zip(values, codes(zero)).reduce(0) { $0 + power(($1.0 - ($1.1 - zero) * scale).magnitude, 0.7) }
    }
    let start = (-low / scale).rounded(.toNearestOrEven), end = min(max(best.rounded(.toNearestOrEven), 0), most)
    let chosen = loss(end) <= loss(start) ? end : start
    return (codes(chosen), chosen, scale)
  }

  @Test(arguments: [2, 3, 4], ["qdq", "matmul_nbits"])
  func halfQuadraticZeroPointsAreThoseOfThePaper(bits: Int, format: String) throws {
    // A few weights far out, as trained layers have.
    var values = try Networks.random([Self.rows, Self.columns], seed: 5, scale: 0.05)
    try values.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices where place % 37 == 5 { span[place] *= 6 }
    }
    let model = try product(values), float = try weight(model)
    let (small, report) = try quantized(model) {
      ($0.bits, $0.blockSize, $0.format, $0.rounding) = (bits, Self.size, format, "hqq")
    }
    #expect(report["hqq_layers"]?.integer == 1)
    let found = try weight(small)
    for column in 0..<Self.columns {
      for first in stride(from: 0, to: Self.rows, by: Self.size) {
        let places = (first..<min(first + Self.size, Self.rows)).map { $0 * Self.columns + column }
        let made = halfQuadratic(places.map { float[$0] }, bits: bits)
        for (place, code) in zip(places, made.codes) {
          #expect(abs(Double(found[place]) - (code - made.zero) * made.scale) < 1e-6, "\(place)")
        }
      }
    }
  }

  @Test func halfQuadraticRoundingSaysWhatItCannotServe() throws {
    let model = try product()
    for set: (inout QuantizeOptions) -> Void in [
      { $0.symmetric = true }, { $0.bits = 8 }, { $0.scheme = "static" }, { $0.scheme = "dynamic" },
    ] {
      let refused = #expect(throws: PruneError.self) {
        _ = try quantized(model) { options in
          (options.bits, options.rounding) = (4, "hqq")
          set(&options)
          if options.scheme != "weight_only" { options.bits = 8 }
        }
      }
      #expect(refused?.status == .invalidArgument && refused?.message.contains("rounding") == true, "\(refused as Any)")
    }
  }

  @Test(arguments: [0, 16])
  func float8WeightsAreTheNearestNumbers(blockSize: Int) throws {
    let model = try product(), float = try weight(model)
    let (small, report) = try quantized(model) { ($0.scheme, $0.blockSize) = ("float8", blockSize) }
    #expect(small.opset() == 21 && small.irVersion >= 10)
    let codes = try #require(small.graph.initializers.first { $0.tensor.dtype == .float8e4m3fn })
    #expect(codes.tensor.shape.dims == [Self.rows, Self.columns])
    #expect(report["layers"]?.list?.count == 1)
    // Every finite number of the type: a sign, four bits of exponent with a bias of 7, three of fraction.
    let numbers = (0..<127).map { code in
      let (exponent, fraction) = (code >> 3, Double(code & 7))
      return exponent == 0 ? fraction / 8 * power(2, -6) : (1 + fraction / 8) * power(2, Double(exponent - 7))
    }
    let found = try weight(small)
    for column in 0..<Self.columns {
      let step = blockSize == 0 ? Self.rows : blockSize
      for first in stride(from: 0, to: Self.rows, by: step) {
        let places = (first..<min(first + step, Self.rows)).map { $0 * Self.columns + column }
        let scale = Double((places.map { float[$0].magnitude }.max() ?? 0) / 448)
        for place in places {
          let wanted = Double(float[place].magnitude)
          let nearest = numbers.map { abs($0 * scale - wanted) }.min() ?? 0
          #expect(abs(abs(Double(found[place])) - wanted) <= nearest + 1e-6 * wanted)
        }
      }
    }
  }
}
