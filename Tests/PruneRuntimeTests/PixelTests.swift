import CPruneSupport
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Convolutions of any count of channels, as pruning leaves them, against the reference kernels.
@Suite(.serialized) struct PixelTests {
  private struct Case {
    var groups, inputs, outputs: Int
    var attributes: [Attribute]
    var x, w, y: [Int]
  }

  /// Counts from 1 to 40, any strides, dilations, pads and groups, images of one axis and two.
  private func layer(_ random: inout RandomSource) -> Case {
    let rank = random.pick([1, 2, 2, 2]), groups = random.pick([1, 1, 1, 2, 3, 5])
    let (i, o) = groups == 1 ? (random.pick(1...40), random.pick(1...40)) : (random.pick(1...9), random.pick(1...13))
    let kernel = (0..<rank).map { _ in random.pick([1, 2, 3, 3, 3, 5]) }
    let strides = (0..<rank).map { _ in random.pick([1, 1, 2, 3]) }
    let dilations = (0..<rank).map { _ in random.pick([1, 1, 2]) }
    let pads = (0..<2 * rank).map { random.pick(0...min(2, kernel[$0 % rank] - 1)) }
    let extents = (0..<rank).map { (kernel[$0] - 1) * dilations[$0] + 1 + random.pick(0...37) }
    let result = (0..<rank).map { (axis: Int) -> Int in
      let window = (kernel[axis] - 1) * dilations[axis] + 1
      let padded = extents[axis] + pads[axis] + pads[rank + axis]
      return (padded - window) / strides[axis] + 1
    }
    let batch = random.pick([1, 1, 2, 3])
    return Case(
      groups: groups, inputs: i, outputs: o,
      attributes: [
        Attribute("strides", .integers(strides)), Attribute("dilations", .integers(dilations)),
        Attribute("pads", .integers(pads)),
        Attribute("group", .int(Int64(groups))),
      ], x: [batch, groups * i] + extents, w: [groups * o, i] + kernel, y: [batch, groups * o] + result)
  }

  @Test(arguments: 0..<120) func layers(seed: Int) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = seed % 3 + 1
    var random = RandomSource(seed: UInt64(seed) &+ 2_026)
    let layer = layer(&random), x = try random.tensor(layer.x)
    var nodes = [
      Node("Conv", inputs: seed % 2 == 0 ? ["x", "w", "b"] : ["x", "w"], outputs: ["c"], attributes: layer.attributes)
    ]
    var (fed, last) = ([("x", x)], "c")
    if seed % 3 == 0 {
      fed.append(("r", try random.tensor(layer.y)))
      nodes.append(Node("Add", inputs: [last, "r"], outputs: ["s"]))
      last = "s"
    }
    let function = random.pick(["", "Relu", "LeakyRelu", "Clip", "Sigmoid"])
    if !function.isEmpty {
      nodes.append(Node(function, inputs: function == "Clip" ? [last, "low", "high"] : [last], outputs: ["f"]))
    }
    let constants = [
      ("w", try shifted(random.tensor(layer.w))), ("b", try random.tensor([layer.w[0]])),
      ("low", try Tensor(scalar: Float(-0.5))),
      ("high", try Tensor(scalar: Float(2))),
    ]
    try expectSame(makeModel(nodes, inputs: fed, constants: constants), fed, tolerance: 1e-5)
  }

  /// The kernel itself, whatever the runtime would choose: more workers than there is work, pads as wide as windows.
  @Test(arguments: 0..<60) func kernel(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed) &+ 99)
    let layer = layer(&random)
    guard layer.x.count == 4 else { return }
    let x = try random.tensor(layer.x), w = try random.tensor(layer.w), b = try random.tensor([layer.w[0]])
    let node = Node("Conv", inputs: ["x", "w", "b"], outputs: ["y"], attributes: layer.attributes)
    let model = makeModel([node], inputs: [("x", x), ("w", w), ("b", b)])
    let wanted = try #require(Program(model, .init(optimizes: false)).run(["x": x, "w": w, "b": b])["y"])

    var arguments = ps_pixel_convolution_args()
    func ints(_ name: String) -> [Int64] { node.ints(name)?.map(Int64.init) ?? [] }
    let (strides, dilations, pads) = (ints("strides"), ints("dilations"), ints("pads"))
    (arguments.images, arguments.groups) = (Int64(layer.x[0]), Int64(layer.groups))
    (arguments.inputs, arguments.outputs) = (Int64(layer.inputs), Int64(layer.outputs))
    (arguments.height, arguments.width) = (Int64(layer.x[2]), Int64(layer.x[3]))
    (arguments.rows, arguments.columns) = (Int64(layer.y[2]), Int64(layer.y[3]))
    arguments.kernel = (Int64(layer.w[2]), Int64(layer.w[3]))
    (arguments.strides, arguments.dilations, arguments.before) = (
      (strides[0], strides[1]), (dilations[0], dilations[1]), (pads[0], pads[1])
    )
    (arguments.workers, arguments.slope, arguments.low, arguments.high) = (
      Int64(random.pick(1...9)), 1, -.infinity, .infinity
    )
    var packing = ps_pixel_weights_args()
    (packing.groups, packing.inputs, packing.outputs) = (arguments.groups, arguments.inputs, arguments.outputs)
    (packing.taps, packing.group_stride) = (
      arguments.kernel.0 * arguments.kernel.1, arguments.inputs * arguments.outputs
    )
    (packing.output_stride, packing.input_stride) = (arguments.inputs, 1)
    var (packed, made) = ([Float](repeating: .nan, count: w.count), [Float](repeating: .nan, count: wanted.count))
    var scratch = [Float](repeating: .nan, count: Int(ps_pixel_scratch(&arguments)) / 4)
    let (images, weights, biases) = (
      try x.array(of: Float.self), try w.array(of: Float.self), try b.array(of: Float.self)
    )
    // Safe: every array is as long as the arguments say, and outlives the calls.
    images.withUnsafeBufferPointer { images in
      weights.withUnsafeBufferPointer { weights in
        biases.withUnsafeBufferPointer { biases in
          packed.withUnsafeMutableBufferPointer { packed in
            made.withUnsafeMutableBufferPointer { made in
              scratch.withUnsafeMutableBufferPointer { scratch in
                (packing.weights, packing.result) = (UnsafeRawPointer(weights.baseAddress), packed.baseAddress)
                _ = ps_pixel_weights(&packing)
                (arguments.x, arguments.weights, arguments.bias) = (
                  images.baseAddress, UnsafePointer(packed.baseAddress), biases.baseAddress
                )
                (arguments.y, arguments.scratch) = (made.baseAddress, UnsafeMutableRawPointer(scratch.baseAddress))
                _ = ps_pixel_convolution(&arguments)
              }
            }
          }
        }
      }
    }
    #expect(try relativeNorm(Tensor(made, wanted.shape), wanted) <= 1e-5)
  }

  /// Images stay as they lie from one layer to the next: nothing is laid out anew for counts that are no multiples.
  @Test func layoutsFlow() throws {
    var random = RandomSource(seed: 4)
    let x = try random.tensor([1, 3, 32, 32])
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    let nodes = [
      Node("Conv", inputs: ["x", "u"], outputs: ["a"], attributes: pads), Node("Relu", inputs: ["a"], outputs: ["b"]),
      Node("Conv", inputs: ["b", "v"], outputs: ["c"], attributes: pads), Node("Relu", inputs: ["c"], outputs: ["d"]),
      Node("Conv", inputs: ["d", "w"], outputs: ["e"], attributes: pads),
      Node("Add", inputs: ["e", "b"], outputs: ["f"]),
      Node("Relu", inputs: ["f"], outputs: ["y"]),
    ]
    let constants = [
      ("u", try random.tensor([11, 3, 3, 3])), ("v", try random.tensor([9, 11, 3, 3])),
      ("w", try random.tensor([11, 9, 3, 3])),
    ]
    let model = makeModel(nodes, inputs: [("x", x)], constants: constants)
    let labels = try Program(model).stepLabels
    if OneDNN.block == 8 { #expect(labels.allSatisfy { $0.hasPrefix("Conv") }, "\(labels)") }
    try expectSame(model, [("x", x)], tolerance: 1e-5)
  }

  /// Weights that are no constants, and the gradients of what goes in, weights and bias.
  @Test(arguments: [(11, 13, 32, 1), (5, 7, 9, 1), (9, 30, 16, 1), (3, 5, 20, 3), (7, 9, 12, 2)])
  func training(_ shape: (inputs: Int, outputs: Int, side: Int, groups: Int)) throws {
    var random = RandomSource(seed: UInt64(shape.side))
    let groups = shape.groups,
      attributes = [Attribute("pads", .integers([1, 0, 1, 2])), Attribute("group", .int(Int64(groups)))]
    let x = try random.tensor([4, groups * shape.inputs, shape.side, shape.side])
    let w = try random.tensor([groups * shape.outputs, shape.inputs, 3, 3])
    let dy = try random.tensor([4, groups * shape.outputs, shape.side, shape.side])
    let nodes = [
      Node("Conv", inputs: ["x", "w", "b"], outputs: ["y"], attributes: attributes),
      Node(
        "ConvGradInput", domain: "ai.libprune", inputs: ["dy", "w"], outputs: ["dx"],
        attributes: attributes + [Attribute("input_shape", .integers(x.shape.dims))]),
      Node(
        "ConvGradWeight", domain: "ai.libprune", inputs: ["dy", "x"], outputs: ["dw", "db"],
        attributes: attributes + [Attribute("weight_shape", .integers(w.shape.dims))]),
    ]
    let fed = [("x", x), ("w", w), ("b", try random.tensor([groups * shape.outputs])), ("dy", dy)]
    try expectSame(makeModel(nodes, inputs: fed, outputs: ["y", "dx", "dw", "db"]), fed, tolerance: 1e-5)
  }

  /// Numbers that are none come out as that, and nowhere but near where they went in.
  @Test func notNumbers() throws {
    var values = [Float](repeating: 1, count: 11 * 16 * 16)
    values[5 * 256 + 3 * 16 + 3] = .nan
    let x = try Tensor(values, try Shape([1, 11, 16, 16])),
      w = try Tensor([Float](repeating: 1, count: 11 * 11 * 9), try Shape([11, 11, 3, 3]))
    let nodes = [
      Node("Conv", inputs: ["x", "w"], outputs: ["c"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]),
      Node("Relu", inputs: ["c"], outputs: ["y"]),
    ]
    let y = try #require(Program(makeModel(nodes, inputs: [("x", x)], constants: [("w", w)])).run(["x": x])["y"]).array(
      of: Float.self)
    #expect(y[3 * 16 + 3].isNaN)
    #expect(abs(y[15 * 16 + 15] - 4 * 11) < 1e-3)
  }
}
