/// Packs the part of a file that is not weights: each byte is predicted from those before it, by contexts of 0 to 6
/// bytes. The mirror of `prunez_unpack_head` in prunez.h.
struct HeadPacker {
  private static let orders = [0, 1, 2, 3, 4, 6]

  /// log2 of the number of probabilities: as many as the head may need, within 2 KB and 1 MB, and at most a quarter of
  /// the file's bytes, which a device has to have memory for while it opens the file.
  static func tableBits(_ count: Int, payloads: Int) -> Int {
    var bits = 9
    while bits < 18, 1 << bits < count * 8, 8 << bits <= (count + payloads) / 4 { bits += 1 }
    return bits
  }

  static func pack(_ head: [UInt8], tableBits: Int) -> [UInt8] {
    var encoder = RangeEncoder()
    var table = [UInt32](repeating: RangeEncoder.fresh, count: 1 << tableBits)
    var slots = [Int](repeating: 0, count: orders.count)
    for place in head.indices {
      let hashes = hashes(head, place)
      var node: UInt32 = 1
      for bit in stride(from: 7, through: 0, by: -1) {
        for (index, hash) in hashes.enumerated() {
          slots[index] = Int(((hash &+ node &* 0x9e37_79b1) &* 0x85eb_ca6b) >> (32 - UInt32(tableBits)))
        }
        let isOne = head[place] >> UInt8(bit) & 1 == 1
        encoder.encode(isOne, chance: mix(table, slots))
        for slot in slots { RangeEncoder.learn(&table[slot], isOne) }
        node = node << 1 | (isOne ? 1 : 0)
      }
    }
    return encoder.finish()
  }

  private static func hashes(_ head: [UInt8], _ place: Int) -> [UInt32] {
    orders.enumerated().map { index, order in
      var hash = UInt32(index + 1) &* 0x9e37_79b1
      for back in stride(from: 1, through: order, by: 1) {
        hash = (hash ^ (place >= back ? UInt32(head[place - back]) : 0)) &* 0x0100_0193
        hash ^= hash >> 15
      }
      return hash
    }
  }

  private static func mix(_ table: [UInt32], _ slots: [Int]) -> UInt32 {
    var sum: UInt64 = 2048, weights: UInt64 = 1
    for (index, slot) in slots.enumerated() {
      let state = table[slot], seen = state & 1023
      guard seen > 0 else { continue }
      let p = state >> 20, far = p > 2048 ? p - 2048 : 2048 - p
      let weight = UInt32((index + 1) * (index + 1)) * (far * far / 2048 + 32) * min(seen, 3)
      sum += UInt64(weight) * UInt64(p)
      weights += UInt64(weight)
    }
    return min(max(UInt32(truncatingIfNeeded: sum / weights), 16), 4080)
  }
}
