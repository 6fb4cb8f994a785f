/// The binary range coder that prunez.h decodes: 32 bits of range, carries propagated through a cached byte.
struct RangeEncoder {
  private var bytes: [UInt8] = []
  private var low: UInt64 = 0
  private var range: UInt32 = .max
  private var cache: UInt8 = 0
  private var pending = 1

  /// A probability: 22 bits of "the bit is 0", and 10 bits of how often it was seen.
  static let fresh: UInt32 = 1 << 31
  private static let limit: Int32 = 1022

  /// - Parameter chance: of the bit being 0, of 4096.
  @inline(__always) mutating func encode(_ bit: Bool, chance: UInt32) {
    let bound = (range >> 12) &* chance
    if bit {
      low &+= UInt64(bound)
      range &-= bound
    } else {
      range = bound
    }
    while range < 1 << 24 {
      range <<= 8
      shift()
    }
  }

  /// Encodes a bit with an adaptive probability, which learns it.
  @inline(__always) mutating func encode(_ bit: Bool, _ state: inout UInt32) {
    encode(bit, chance: min(max(state >> 20, 1), 4095))
    Self.learn(&state, bit)
  }

  @inline(__always) static func learn(_ state: inout UInt32, _ bit: Bool) {
    var p = Int32(bitPattern: state >> 10)
    let n = Int32(bitPattern: state & 1023), target: Int32 = bit ? 0 : 4_194_303
    p &+= 2 &* (target &- p) / (2 &* n &+ 3)
    state = UInt32(bitPattern: p) << 10 | UInt32(bitPattern: n < limit ? n &+ 1 : n)
  }

  /// The `depth` low bits of a symbol, high ones first, through the tree of probabilities that begins at `first`.
  @inline(__always) mutating func encode(_ symbol: Int, depth: Int, _ trees: inout [UInt32], first: Int) {
    var node = 1
    for place in stride(from: depth - 1, through: 0, by: -1) {
      let bit = symbol >> place & 1
      encode(bit == 1, &trees[first + node])
      node = node << 1 | bit
    }
  }

  /// The coded stream. The first byte is always 0 and zeros at the end are what the decoder reads past it: both are
  /// left out.
  consuming func finish() -> [UInt8] {
    for _ in 0..<5 { shift() }
    let end = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    return Array(bytes[..<end].dropFirst())
  }

  private mutating func shift() {
    if low < 0xFF00_0000 || low > 0xFFFF_FFFF {
      let carry = UInt8(truncatingIfNeeded: low >> 32)
      bytes.append(cache &+ carry)
      for _ in 1..<pending { bytes.append(0xFF &+ carry) }
      pending = 0
      cache = UInt8(truncatingIfNeeded: low >> 24)
    }
    pending += 1
    low = (low & 0x00FF_FFFF) << 8
  }
}
