import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Convolutions of 8-bit codes whose windows span hundreds of places: oneDNN 2.6 reads a null pointer for some numbers
/// of channels.
struct WideWindowTests {
  @Test(arguments: [125, 126, 127, 128, 191], [(2, 255), (3, 127), (9, 32)])
  func dilated(channels: Int, window: (kernel: Int, dilation: Int)) throws {
    var random = RandomSource(seed: UInt64(channels))
    let x = try random.tensor([1, channels, 264])
    let codes = (0..<(4 * channels * window.kernel)).map { _ in Int8(random.pick(-9...9)) }
    func node(_ type: String, _ inputs: [String], _ output: String, _ attributes: [Attribute] = []) -> Node {
      Node(type, inputs: inputs, outputs: [output], attributes: attributes)
    }
    let nodes = [
      node("QuantizeLinear", ["x", "s", "zero"], "xq"), node("DequantizeLinear", ["xq", "s", "zero"], "xd"),
      node("DequantizeLinear", ["w", "ws", "wz"], "wd"),
      node("Conv", ["xd", "wd"], "c", [Attribute("dilations", .ints([Int64(window.dilation)]))]),
      node("QuantizeLinear", ["c", "cs", "zero"], "cq"), node("DequantizeLinear", ["cq", "cs", "zero"], "y"),
    ]
    let constants: [(String, Tensor)] = [
      ("s", try Tensor(scalar: Float(0.03))), ("zero", try Tensor(scalar: UInt8(128))),
      ("ws", try Tensor(scalar: Float(0.01))),
      ("wz", try Tensor(scalar: Int8(0))), ("cs", try Tensor(scalar: Float(0.05))),
      ("w", try Tensor(codes, try Shape([4, channels, window.kernel]))),
    ]
    let model = makeModel(nodes, inputs: [("x", x)], constants: constants)
    let fast = try #require(try Program(model).run(["x": x])["y"]).array(of: Float.self)
    let slow = try #require(try Program(model, .init(optimizes: false)).run(["x": x])["y"]).array(of: Float.self)
    for (a, b) in zip(fast, slow) { #expect(abs(a - b) < 0.0501) }
  }
}
