import PruneGraph
import PruneTensor

/// A number that is very likely another for other contents: whether ranks have the same, not who made it.
package struct Fingerprint {
  private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

  package init() {}
  package init(_ text: String) { add(text) }

  package var number: Int { Int(bitPattern: UInt(state ^ state >> 29)) }

  package mutating func add(_ word: UInt64) {
    state = (state ^ word) &* 0xD6E8_FEB8_6659_FD93
    state ^= state >> 32
  }
  package mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }
  package mutating func add(_ number: Double) { add(number.bitPattern) }
  package mutating func add(_ flag: Bool) { add(flag ? 1 : 2) }
  package mutating func add(_ text: String) {
    add(text.utf8.count)
    for byte in text.utf8 { add(UInt64(byte)) }
  }

  package mutating func add(_ tensor: Tensor) {
    add(Int(tensor.dtype.rawValue))
    for extent in tensor.shape.dims { add(extent) }
    let count = tensor.byteCount, base = tensor.storage.base + tensor.byteOffset
    // Safe: the tensor has byteCount bytes behind its base.
    for first in stride(from: 0, to: count & ~7, by: 8) {
      add(base.loadUnaligned(fromByteOffset: first, as: UInt64.self))
    }
    for index in count & ~7..<count { add(UInt64(base.load(fromByteOffset: index, as: UInt8.self))) }
  }

  /// Operators, names and all weights.
  package mutating func add(_ model: Model) {
    for node in model.graph.nodes {
      add(node.opType)
      for name in node.inputs + node.outputs { add(name) }
    }
    for entry in model.graph.initializers {
      add(entry.name)
      add(entry.tensor)
    }
  }
}
