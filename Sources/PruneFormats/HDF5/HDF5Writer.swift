import PruneTensor

/// Writes an HDF5 file of the oldest kind, which every version of libhdf5 reads: superblock 0, symbol tables,
/// contiguous data.
package struct HDF5Writer {
  /// The file, in pieces: what describes it, and the bytes of tensors as they are.
  private var pieces: [Bytes] = []
  private var pending: [UInt8] = []
  private var end = 0
  private let treeWidth: Int
  private static let leafWidth = 4

  /// The pieces of the file, one behind the other.
  package static func encode(_ tree: HDF5Tree) throws(PruneError) -> [Bytes] {
    var writer = HDF5Writer(treeWidth: max(16, (widest(tree) / (2 * leafWidth) + 2) / 2 + 1))
    writer.append([UInt8](repeating: 0, count: superblockSize))
    let root = try writer.group(tree)
    try writer.flush()
    var head: [UInt8] = HDF5File.signature + [0, 0, 0, 0, 0, 8, 8, 0]
    head.append(number: leafWidth, 2)
    head.append(number: writer.treeWidth, 2)
    head.append(number: 0, 4)
    for address in [0, HDF5File.noAddress, writer.end, HDF5File.noAddress, 0, root.header] {
      head.append(number: address, 8)
    }
    head.append(number: 1, 4)
    head.append(number: 0, 4)
    head.append(number: root.tree, 8)
    head.append(number: root.heap, 8)
    guard let first = writer.pieces.first, let rest = first.slice(head.count, first.count) else { return [] }
    return [try Bytes(head), rest] + writer.pieces.dropFirst()
  }

  private static let superblockSize = 96

  private init(treeWidth: Int) { self.treeWidth = treeWidth }

  /// The most members that a group has.
  private static func widest(_ tree: HDF5Tree) -> Int {
    tree.groups.reduce(tree.groups.count + tree.datasets.count) { max($0, widest($1.tree)) }
  }

  // MARK: - Places

  /// Adds bytes at a multiple of 8; where they lie.
  @discardableResult
  private mutating func append(_ bytes: [UInt8]) -> Int {
    align(8)
    let place = end
    pending += bytes
    end += bytes.count
    return place
  }

  private mutating func align(_ alignment: Int) {
    let padding = (alignment - end % alignment) % alignment
    pending += [UInt8](repeating: 0, count: padding)
    end += padding
  }

  private mutating func flush() throws(PruneError) {
    align(8)
    if !pending.isEmpty { pieces.append(try Bytes(pending)) }
    pending = []
  }

  // MARK: - Objects

  private mutating func group(_ tree: HDF5Tree) throws(PruneError) -> (header: Int, tree: Int, heap: Int) {
    var members: [(name: [UInt8], address: Int)] = []
    for (name, inner) in tree.groups { members.append((Array(name.utf8), try group(inner).header)) }
    for (name, tensor) in tree.datasets { members.append((Array(name.utf8), try dataset(tensor))) }
    members.sort { $0.name.lexicographicallyPrecedes($1.name) }
    // Names lie in a heap that starts with an empty one.
    var names = [UInt8](repeating: 0, count: 8)
    var places: [Int] = []
    for member in members {
      places.append(names.count)
      names += member.name
      names += [UInt8](repeating: 0, count: 8 - member.name.count % 8)
    }
    let data = append(names)
    var heap = Array("HEAP".utf8) + [0, 0, 0, 0]
    // 1: nothing is free.
    for value in [names.count, 1, data] { heap.append(number: value, 8) }
    let heapPlace = append(heap)
    let width = 2 * Self.leafWidth
    var node = Array("TREE".utf8) + [0, 0]
    let leaves = (members.count + width - 1) / width
    node.append(number: leaves, 2)
    for _ in 0..<2 { node.append(number: HDF5File.noAddress, 8) }
    node.append(number: 0, 8)
    for leaf in 0..<leaves {
      let range = leaf * width..<min((leaf + 1) * width, members.count)
      var symbols = Array("SNOD".utf8) + [1, 0]
      symbols.append(number: range.count, 2)
      for index in range {
        symbols.append(number: places[index], 8)
        symbols.append(number: members[index].address, 8)
        symbols += [UInt8](repeating: 0, count: 24)
      }
      symbols += [UInt8](repeating: 0, count: (width - range.count) * 40)
      node.append(number: append(symbols), 8)
      node.append(number: places[range.upperBound - 1], 8)
    }
    node += [UInt8](repeating: 0, count: 24 + 8 + 2 * treeWidth * 16 - node.count)
    let nodePlace = append(node)
    var table: [UInt8] = []
    table.append(number: nodePlace, 8)
    table.append(number: heapPlace, 8)
    var messages = [(HDF5Object.Kind.symbolTable, table)]
    for (name, value) in tree.attributes { messages.append((HDF5Object.Kind.attribute, try attribute(name, value))) }
    return (try header(messages), nodePlace, heapPlace)
  }

  private mutating func dataset(_ tensor: Tensor) throws(PruneError) -> Int {
    try flush()
    align(64)
    try flush()
    let place = end
    if tensor.byteCount > 0 { pieces.append(tensor.bytes) }
    end += tensor.byteCount
    var layout: [UInt8] = [3, 1]
    layout.append(number: tensor.byteCount > 0 ? place : HDF5File.noAddress, 8)
    layout.append(number: tensor.byteCount, 8)
    return try header([
      (HDF5Object.Kind.dataspace, Self.space(tensor.shape.dims)),
      (HDF5Object.Kind.datatype, try Self.type(tensor.dtype)),
      // Space is given late, a fill value is written where one is set, and it is zero.
      (0x05, [2, 2, 2, 1, 0, 0, 0, 0]), (HDF5Object.Kind.layout, layout),
    ])
  }

  private mutating func header(_ messages: [(kind: Int, body: [UInt8])]) throws(PruneError) -> Int {
    var bytes: [UInt8] = []
    for (kind, body) in messages {
      let size = (body.count + 7) & ~7
      guard size < 1 << 16 else {
        throw PruneError(.unsupported, "an attribute of \(size) bytes is more than an HDF5 header holds")
      }
      bytes.append(number: kind, 2)
      bytes.append(number: size, 2)
      bytes += [0, 0, 0, 0] + body + [UInt8](repeating: 0, count: size - body.count)
    }
    var header: [UInt8] = [1, 0]
    header.append(number: messages.count, 2)
    header.append(number: 1, 4)
    header.append(number: bytes.count, 4)
    header.append(number: 0, 4)
    return append(header + bytes)
  }

  // MARK: - Attributes

  private mutating func attribute(_ name: String, _ value: HDF5Tree.Attribute) throws(PruneError) -> [UInt8] {
    let type: [UInt8]
    let space: [UInt8]
    let data: [UInt8]
    switch value {
    case .text(let text):
      // A text of any length, in UTF-8: its length and where it lies.
      type = [0x19, 0x01, 0x01, 0, 16, 0, 0, 0, 0x13, 0, 1, 0, 1, 0, 0, 0]
      space = Self.space([])
      var reference: [UInt8] = []
      reference.append(number: text.utf8.count, 4)
      reference.append(number: textHeap(Array(text.utf8)), 8)
      reference.append(number: 1, 4)
      data = reference
    case .texts(let texts):
      let size = max(texts.map(\.utf8.count).max() ?? 0, 1)
      var fixed: [UInt8] = [0x13, 0x01, 0, 0]
      fixed.append(number: size, 4)
      type = fixed
      space = Self.space([texts.count])
      data = texts.flatMap { Array($0.utf8) + [UInt8](repeating: 0, count: size - $0.utf8.count) }
    }
    let title = Array(name.utf8) + [0]
    var body: [UInt8] = [1, 0]
    for part in [title, type, space] { body.append(number: part.count, 2) }
    for part in [title, type, space] { body += part + [UInt8](repeating: 0, count: (8 - part.count % 8) % 8) }
    return body + data
  }

  /// A heap of one text.
  private mutating func textHeap(_ text: [UInt8]) -> Int {
    let padded = (text.count + 7) & ~7
    // libhdf5 has no heap of less than 4096 bytes; what is left is one free object.
    let size = max(16 + 16 + padded + 16, 4096)
    let free = size - 32 - padded
    var heap = Array("GCOL".utf8) + [1, 0, 0, 0]
    heap.append(number: size, 8)
    heap.append(number: 1, 2)
    heap.append(number: 0, 6)
    heap.append(number: text.count, 8)
    heap += text + [UInt8](repeating: 0, count: padded - text.count)
    heap.append(number: 0, 8)
    heap.append(number: free, 8)
    return append(heap + [UInt8](repeating: 0, count: free - 16))
  }

  // MARK: - Types

  private static func space(_ dims: [Int]) -> [UInt8] {
    var bytes: [UInt8] = [1, UInt8(truncatingIfNeeded: dims.count), 0, 0, 0, 0, 0, 0]
    for extent in dims { bytes.append(number: extent, 8) }
    return bytes
  }

  private static func type(_ dtype: DType) throws(PruneError) -> [UInt8] {
    func float(_ sign: UInt8, _ exponentAt: UInt8, _ exponent: UInt8, bias: Int) -> [UInt8] {
      let bits = Int(sign) + 1
      var bytes: [UInt8] = [0x11, 0x20, sign, 0]
      bytes.append(number: bits / 8, 4)
      bytes.append(number: 0, 2)
      bytes.append(number: bits, 2)
      bytes += [exponentAt, exponent, 0, exponentAt]
      bytes.append(number: bias, 4)
      return bytes
    }
    switch dtype {
    case .float32: return float(31, 23, 8, bias: 127)
    case .float64: return float(63, 52, 11, bias: 1023)
    case .float16: return float(15, 10, 5, bias: 15)
    case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64:
      let isSigned = [DType.int8, .int16, .int32, .int64].contains(dtype)
      var bytes: [UInt8] = [0x10, isSigned ? 8 : 0, 0, 0]
      bytes.append(number: dtype.bitWidth / 8, 4)
      bytes.append(number: 0, 2)
      bytes.append(number: dtype.bitWidth, 2)
      return bytes
    default:
      throw PruneError(.unsupported, "weights of \(dtype.name) are not written to HDF5", hint: "cast them to float32")
    }
  }
}

extension [UInt8] {
  /// Appends a little-endian number of `width` bytes; -1 is all ones.
  fileprivate mutating func append(number: Int, _ width: Int) {
    for index in 0..<width { append(UInt8(truncatingIfNeeded: index < 8 ? number >> (8 * index) : 0)) }
  }
}
