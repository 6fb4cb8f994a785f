import PruneGraph
import PruneTensor

/// Where the classes are in an output that says one for each position: [N, C, H, W] of pixels, [N, L, C] of tokens.
package enum ClassAxis {
  /// The axis of classes for targets [N, …]; nil where the two do not fit. Where both do, the axis of the softmax decides,
  /// else the last of three axes and the second of more.
  package static func of(_ output: [Int], targets: [Int], softmax: Int? = nil) -> Int? {
    guard output.count >= 3, output.count <= targets.count + 1 else { return nil }
    var positions = Array(targets.dropFirst())
    // Masks often keep an axis of one channel.
    if positions.count == output.count - 1 {
      if positions.first == 1 { positions.removeFirst() } else if positions.last == 1 { positions.removeLast() }
    }
    let isSecond = Array(output[2...]) == positions, isLast = Array(output[1..<output.count - 1]) == positions
    switch (isSecond, isLast) {
    case (true, false): return 1
    case (false, true): return output.count - 1
    case (true, true):
      if let softmax, softmax == 1 || softmax == output.count - 1 { return softmax }
      return output.count == 3 ? 2 : 1
    case (false, false): return nil
    }
  }

  /// The axis of the softmax that ends a network.
  package static func softmax(of output: String, in graph: Graph, rank: Int) -> Int? {
    guard let index = graph.producers[output], case let node = graph.nodes[index],
      ["Softmax", "LogSoftmax"].contains(node.operatorName)
    else { return nil }
    let axis = node.int("axis", default: -1)
    return axis < 0 ? axis + rank : axis
  }

  /// Whether an output says one number where targets have a class of two, or as many numbers as there are flags.
  package static func isOneNumber(_ output: [Int?], targets: [Int]) -> Bool {
    let own = output.dropFirst().filter { $0 != 1 }, wanted = targets.dropFirst().filter { $0 != 1 }
    return own.count == wanted.count && zip(own, wanted).allSatisfy { $0 == nil || $0 == $1 }
  }

  /// [positions, classes] of an output, one position after the other.
  static func rows(_ output: Tensor, axis: Int) throws(PruneError) -> Tensor {
    let dims = output.shape.dims, classes = dims[axis], inner = dims[(axis + 1)...].reduce(1, *)
    let shape = try Shape([classes == 0 ? 0 : output.count / classes, classes])
    guard inner > 1 else { return try output.reshaped(shape) }
    var result = try Tensor(zeros: .float32, shape)
    try output.withSpan(of: Float.self) { from throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { to throws(PruneError) in
        for start in stride(from: 0, to: from.count, by: classes * inner) {
          for index in 0..<classes {
            for place in 0..<inner { to[start + place * classes + index] = from[start + index * inner + place] }
          }
        }
      }
    }
    return result
  }
}
