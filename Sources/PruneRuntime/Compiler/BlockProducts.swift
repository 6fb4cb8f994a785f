import PruneGraph
import PruneTensor

/// Replaces products with weights of few bits (com.microsoft.MatMulNBits) by float products: the codes are constants, so that
/// they are decoded once, and the fast kernels do the rest.
enum BlockProducts {
  static func run(_ model: Model) throws(PruneError) -> Model {
    func isBlocked(_ node: Node) -> Bool { node.domain == "com.microsoft" && node.opType == "MatMulNBits" }
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
        result.graph.setInitializer(weight, try decode(node, model.graph))
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

  /// The float weight [K, N].
  private static func decode(_ node: Node, _ graph: Graph) throws(PruneError) -> Tensor {
    let (k, n, bits) = (node.int("K", default: 0), node.int("N", default: 0), node.int("bits", default: 4))
    let size = node.int("block_size", default: 0)
    guard bits == 4 || bits == 8, size >= 16, size <= 1 << 20, k > 0, n > 0, k < 1 << 30, n < 1 << 30 else {
      throw PruneError(.unsupported, "\(bits) bits in blocks of \(size) for a weight of \(k) x \(n)")
    }
    guard node.input(4) == nil else { throw PruneError(.unsupported, "its columns are permuted by g_idx") }
    func constant(_ index: Int, _ what: String) throws(PruneError) -> Tensor? {
      guard let name = node.input(index) else { return nil }
      guard let tensor = graph.initializer(name) else { throw PruneError(.unsupported, "its \(what) are no constants") }
      return tensor
    }
    let blocks = (k + size - 1) / size, rowBytes = blocks * size * bits / 8, zeroBytes = (blocks * bits + 7) / 8
    guard let codes = try constant(1, "codes"), let scales = try constant(2, "scales"), codes.dtype == .uint8,
      codes.count == n * rowBytes, scales.count == n * blocks
    else { throw PruneError(.mismatch, "its codes or scales are not those of a weight of \(k) x \(n)") }
    let zeros = try constant(3, "zero points")
    if let zeros, zeros.dtype != .uint8 || zeros.count != n * zeroBytes {
      throw PruneError(.unsupported, "its zero points are \(zeros.dtype.name) \(zeros.shape), wanted uint8 of \(n * zeroBytes)")
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
