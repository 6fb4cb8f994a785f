import PruneGraph
import PruneTensor

/// Products with a weight that DequantizeLinear expands in blocks along the summed axis, as products with the packed
/// weight (com.microsoft.MatMulNBits), so that the float weight is never there.
struct BlockDequantization {
  private var model: Model
  private var names: Set<String>

  /// The model with such products; weights that something else reads too stay as they are.
  static func packed(_ model: Model) throws(PruneError) -> Model {
    let dequantized = model.graph.nodes.indices.filter {
      let node = model.graph.nodes[$0]
      return node.isStandard && node.opType == "DequantizeLinear" && node.int("block_size", default: 0) >= 16
    }
    guard !dequantized.isEmpty else { return model }
    let consumers = model.graph.consumers, outputs = Set(model.graph.outputs.map(\.name))
    var rewriter = BlockDequantization(model: model, names: model.graph.allNames)
    for place in dequantized {
      let node = model.graph.nodes[place]
      guard let output = node.output(0), !outputs.contains(output), let readers = consumers[output],
        readers.allSatisfy({ isProduct(model.graph.nodes[$0], with: output) }),
        let operands = try rewriter.pack(node)
      else { continue }
      for reader in readers {
        let product = model.graph.nodes[reader]
        rewriter.model.graph.nodes[reader] = Node(
          "MatMulNBits", domain: "com.microsoft", name: product.name, inputs: [product.inputs[0]] + operands.inputs,
          outputs: product.outputs, attributes: operands.attributes)
      }
    }
    rewriter.model.removeDeadNodes()
    return rewriter.model
  }

  private static func isProduct(_ node: Node, with weight: String) -> Bool {
    node.isStandard && node.opType == "MatMul" && node.inputs.count == 2 && node.inputs[1] == weight
      && node.inputs[0] != weight && node.subgraphs.isEmpty
  }

  /// Names of the packed codes, the scales and the zero points, and what the product says of them; nil for what it
  /// cannot say.
  private mutating func pack(_ node: Node) throws(PruneError) -> (inputs: [String], attributes: [Attribute])? {
    guard let codes = node.input(0).flatMap(model.graph.initializer), codes.shape.rank == 2,
      let scales = node.input(1).flatMap(model.graph.initializer), scales.dtype == .float32,
      codes.shape.axis(node.int("axis", default: 1)) == 0, let bits = Self.bits(codes.dtype)
    else { return nil }
    let (k, n, size) = (codes.shape[0], codes.shape[1], node.int("block_size", default: 0))
    let zeros = node.input(2).flatMap(model.graph.initializer)
    guard size % 16 == 0, size <= 1 << 20, k > 0, n > 0, k < 1 << 30, n < 1 << 30, scales.shape.rank == 2,
      scales.shape[0] == (k + size - 1) / size, scales.shape[1] == n, node.input(2) == nil || zeros != nil,
      zeros.map({ $0.dtype == codes.dtype && $0.shape == scales.shape }) ?? true
    else { return nil }
    let blocks = scales.shape[0], base = node.outputs[0]
    var inputs = [
      add(base + "_packed", try Self.turned(codes, bits: bits, rowBytes: blocks * size * bits / 8)),
      add(base + "_scales", try Tensor(try Self.turned(scales.array(of: Float.self), blocks, n))),
    ]
    // Signed codes are stored from 0, around the middle, which is what no zero points means.
    let isSigned = codes.dtype == .int4 || codes.dtype == .int8
    if let zeros {
      inputs.append(add(base + "_zeros", try Self.turned(zeros, bits: bits, rowBytes: (blocks * bits + 7) / 8)))
    } else if !isSigned {
      let none = try Tensor(zeros: .uint8, try Shape([n * ((blocks * bits + 7) / 8)]))
      inputs.append(add(base + "_zeros", none))
    }
    let numbers = [("K", k), ("N", n), ("bits", bits), ("block_size", size)]
    return (inputs, numbers.map { Attribute($0.0, .int(Int64($0.1))) })
  }

  private static func bits(_ dtype: DType) -> Int? {
    switch dtype {
    case .int4, .uint4: 4
    case .int8, .uint8: 8
    default: nil
    }
  }

  /// A matrix of codes with rows and columns exchanged, each row in whole bytes, signed codes from 0.
  private static func turned(_ codes: Tensor, bits: Int, rowBytes: Int) throws(PruneError) -> Tensor {
    let (rows, columns) = (codes.shape[0], codes.shape[1])
    let shift: UInt8 = codes.dtype == .int4 ? 8 : codes.dtype == .int8 ? 128 : 0
    var result = try Tensor(zeros: .uint8, try Shape([columns * rowBytes]))
    try codes.withSpan(of: UInt8.self) { source throws(PruneError) in
      try result.withMutableSpan(of: UInt8.self) { target throws(PruneError) in
        for row in 0..<rows {
          let place = row * bits / 8, high = UInt8(bits == 4 && row % 2 == 1 ? 4 : 0)
          for column in 0..<columns {
            let element = row * columns + column
            if bits == 8 {
              target[column * rowBytes + place] = source[element] ^ shift
            } else {
              let code = (source[element / 2] >> (element % 2 == 0 ? 0 : 4)) & 0xF ^ shift
              target[column * rowBytes + place] |= code << high
            }
          }
        }
      }
    }
    return result
  }

  private static func turned(_ values: [Float], _ rows: Int, _ columns: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows { for column in 0..<columns { result[column * rows + row] = values[row * columns + column] } }
    return result
  }

  private mutating func add(_ wanted: String, _ tensor: Tensor) -> String {
    let name = Graph.uniqueName(wanted, &names)
    model.graph.setInitializer(name, tensor)
    return name
  }
}
