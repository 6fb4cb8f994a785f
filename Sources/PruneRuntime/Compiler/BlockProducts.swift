import CPruneSupport
import PruneGraph
import PruneTensor

/// Products with weights of few bits (com.microsoft.MatMulNBits). For a few rows, as of one token, they are computed
/// from the codes as they are; for more the codes, which are constants, are decoded once into a float weight, and the
/// fast kernels do the rest.
enum BlockProducts {
  static let key = "com.microsoft.MatMulNBits"

  /// The numbers that say how a weight is stored.
  struct Form {
    let k, n, bits, size: Int

    /// Nil for what this library does not read.
    init?(_ node: Node) {
      (k, n, bits) = (node.int("K", default: 0), node.int("N", default: 0), node.int("bits", default: 4))
      size = node.int("block_size", default: 0)
      guard bits == 4 || bits == 8, size >= 16, size <= 1 << 20, k > 0, n > 0, k < 1 << 30, n < 1 << 30 else {
        return nil
      }
    }

    var blocks: Int { (k + size - 1) / size }
    var rowBytes: Int { blocks * size * bits / 8 }
    var zeroBytes: Int { (blocks * bits + 7) / 8 }

    /// Whether constants are those of such a weight, in the types that the packed kernel reads.
    func isPacked(codes: Tensor?, scales: Tensor?, zeros: Tensor?) -> Bool {
      guard size % 16 == 0, let codes, let scales, codes.dtype == .uint8, codes.count == n * rowBytes,
        scales.dtype == .float32,
        scales.count == n * blocks
      else { return false }
      return zeros.map { $0.dtype == .uint8 && $0.count == n * zeroBytes } ?? true
    }
  }

  /// - Parameter keepsPacked: whether nodes stay that `run` on the dataflow decides about, when shapes are known.
  static func run(_ model: Model, keepsPacked: Bool) throws(PruneError) -> Model {
    let model = keepsPacked ? try BlockDequantization.packed(model) : model
    func isBlocked(_ node: Node) -> Bool {
      guard node.operatorName == key else { return false }
      guard keepsPacked, let form = Form(node), node.input(4) == nil else { return true }
      func constant(_ place: Int) -> Tensor? { node.input(place).flatMap { model.graph.initializer($0) } }
      return !form.isPacked(codes: constant(1), scales: constant(2), zeros: constant(3))
        || node.input(3) != nil && constant(3) == nil
    }
    guard model.graph.nodes.contains(where: isBlocked) else { return model }
    var result = model
    var names = model.graph.allNames
    var nodes: [Node] = []
    for node in model.graph.nodes {
      guard isBlocked(node), let data = node.input(0), let output = node.output(0) else {
        nodes.append(node)
        continue
      }
      do throws(PruneError) {
        let weight = Graph.uniqueName(output + "_weight", &names)
        result.graph.setInitializer(
          weight, try decode(node) { place in node.input(place).map { model.graph.initializer($0) } })
        guard let bias = node.input(5) else {
          nodes.append(Node("MatMul", name: node.name, inputs: [data, weight], outputs: [output]))
          continue
        }
        let product = Graph.uniqueName(output + "_product", &names)
        nodes.append(Node("MatMul", name: node.name, inputs: [data, weight], outputs: [product]))
        nodes.append(Node("Add", inputs: [product, bias], outputs: [output]))
      } catch { throw error.located(at: node.label) }
    }
    result.graph.nodes = nodes
    return result
  }

  /// Leaves the products of a few rows to the packed kernel, and makes float products of all others.
  static func run(_ flow: inout Dataflow) throws(PruneError) {
    guard flow.ops.contains(where: { $0.key == key }) else { return }
    var ops: [Dataflow.Op] = []
    for op in flow.ops {
      guard op.key == key, let data = op.input(0), let output = op.output(0), !isForPacked(op, flow) else {
        ops.append(op)
        continue
      }
      let decoded: Tensor
      do throws(PruneError) {
        decoded = try decode(op.node) { place in op.input(place).map { flow.values[$0].constant } }
      } catch { throw error.located(at: op.node.label) }
      let weight = flow.addConstant(decoded, name: flow.values[output].name + "_weight")
      var product = output
      if op.input(5) != nil {
        product = flow.addValue(
          .init(
            name: flow.values[output].name + "_product", dtype: flow.values[output].dtype,
            shape: flow.values[output].shape, origin: .computed))
      }
      let node = Node("MatMul", name: op.node.name, inputs: op.node.inputs, outputs: op.node.outputs)
      ops.append(Dataflow.Op(node: node, opset: Model.defaultOpset, inputs: [data, weight], outputs: [product]))
      if let bias = op.input(5) {
        let add = Node("Add", name: op.node.name + "_bias", inputs: op.node.inputs, outputs: op.node.outputs)
        ops.append(Dataflow.Op(node: add, opset: Model.defaultOpset, inputs: [product, bias], outputs: [output]))
      }
    }
    flow.ops = ops
  }

  private static func isForPacked(_ op: Dataflow.Op, _ flow: Dataflow) -> Bool {
    guard let form = Form(op.node), let x = op.input(0).map({ flow.values[$0] }), let shape = x.shape,
      x.dtype == .float32,
      shape.dims.last == form.k, (1...Int(PS_BLOCK_ROWS)).contains(shape.count / form.k),
      let y = op.output(0).map({ flow.values[$0] }), y.dtype == .float32, y.shape != nil
    else { return false }
    guard let bias = op.input(5).map({ flow.values[$0] }) else { return true }
    return bias.dtype == .float32 && bias.shape?.count == form.n
  }

  /// The float weight [K, N].
  /// - Parameter operand: nil where there is none, nil inside where it is no constant.
  private static func decode(_ node: Node, _ operand: (Int) -> Tensor??) throws(PruneError) -> Tensor {
    guard let form = Form(node) else {
      throw PruneError(
        .unsupported,
        "\(node.int("bits", default: 4)) bits in blocks of \(node.int("block_size", default: 0)) for a weight of "
          + "\(node.int("K", default: 0)) x \(node.int("N", default: 0))")
    }
    let (k, n, bits, size) = (form.k, form.n, form.bits, form.size)
    guard node.input(4) == nil else { throw PruneError(.unsupported, "its columns are permuted by g_idx") }
    func constant(_ index: Int, _ what: String) throws(PruneError) -> Tensor? {
      guard let constant = operand(index) else { return nil }
      guard let tensor = constant else { throw PruneError(.unsupported, "its \(what) are no constants") }
      return tensor
    }
    let (blocks, rowBytes, zeroBytes) = (form.blocks, form.rowBytes, form.zeroBytes)
    guard let codes = try constant(1, "codes"), let scales = try constant(2, "scales"), codes.dtype == .uint8,
      codes.count == n * rowBytes, scales.count == n * blocks
    else { throw PruneError(.mismatch, "its codes or scales are not those of a weight of \(k) x \(n)") }
    let zeros = try constant(3, "zero points")
    if let zeros, zeros.dtype != .uint8 || zeros.count != n * zeroBytes {
      throw PruneError(
        .unsupported, "its zero points are \(zeros.dtype.name) \(zeros.shape), wanted uint8 of \(n * zeroBytes)")
    }
    let points = try zeros?.array(of: UInt8.self)
    let steps = try scales.cast(to: .float32).array(of: Float.self)
    var weight = try Tensor(zeros: .float32, try Shape([k, n]))
    func code(_ bytes: Span<UInt8>, _ start: Int, _ place: Int) -> Int {
      bits == 8 ? Int(bytes[start + place]) : Int(bytes[start + place / 2] >> (place % 2 == 0 ? 0 : 4)) & 0xF
    }
    try codes.withSpan(of: UInt8.self) { bytes throws(PruneError) in
      try weight.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for row in 0..<n {
          for place in 0..<k {
            let block = place / size
            var zero = 1 << (bits - 1)
            if let points {
              let byte = Int(points[row * zeroBytes + block * bits / 8])
              zero = bits == 8 ? byte : (byte >> (block % 2 == 0 ? 0 : 4)) & 0xF
            }
            target[place * n + row] = Float(code(bytes, row * rowBytes, place) - zero) * steps[row * blocks + block]
          }
        }
      }
    }
    return weight
  }
}
