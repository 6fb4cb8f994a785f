import PruneTensor

/// A group or a data set of an HDF5 file: its header's messages, read when it is opened.
package struct HDF5Object: Sendable {
  /// What a header says, by kind.
  struct Message {
    let kind: Int
    let flags: Int
    let body: Bytes
  }

  let file: HDF5File
  /// Where the object lies, for errors: `model_weights/dense/kernel`.
  package let path: String
  let messages: [Message]

  enum Kind {
    static let dataspace = 0x01, linkInfo = 0x02, datatype = 0x03, link = 0x06, external = 0x07, layout = 0x08
    static let filters = 0x0B, attribute = 0x0C, continuation = 0x10, symbolTable = 0x11, attributeInfo = 0x15
  }

  init(_ file: HDF5File, address: Int, path: String) throws(PruneError) {
    self.file = file
    self.path = path
    do throws(PruneError) {
      var cursor = try file.cursor(at: address)
      let isNew = cursor.rest >= 4 && cursor.bytes.slice(cursor.position, cursor.position + 4)?.text == "OHDR"
      messages = isNew ? try Self.newHeader(file, &cursor) : try Self.oldHeader(file, &cursor)
    } catch { throw error.located(at: path.isEmpty ? "/" : path) }
  }

  package var isDataset: Bool { messages.contains { $0.kind == Kind.layout } }

  func message(_ kind: Int) -> Message? { messages.first { $0.kind == kind } }

  // MARK: - Headers

  /// No header has more blocks or messages than this; what claims more runs in circles.
  private static let blockLimit = 1 << 12, messageLimit = 1 << 16

  private static func oldHeader(_ file: HDF5File, _ cursor: inout HDF5Cursor) throws(PruneError) -> [Message] {
    guard try cursor.byte() == 1 else {
      throw PruneError(
        .badFormat, "a header of the HDF5 file was wanted, something else stands there", hint: "the file is damaged")
    }
    try cursor.skip(1)
    let count = try cursor.number(2)
    try cursor.skip(4)
    let size = try cursor.number(4)
    try cursor.skip(4)
    var blocks = [try cursor.take(size)]
    var next = 0
    var messages: [Message] = []
    while next < blocks.count {
      var block = HDF5Cursor(blocks[next])
      next += 1
      while block.rest >= 8, messages.count < count {
        let kind = try block.number(2)
        let length = try block.number(2)
        let flags = try block.byte()
        try block.skip(3)
        let message = Message(kind: kind, flags: flags, body: try block.take(length))
        messages.append(message)
        if kind == Kind.continuation { blocks.append(try continuation(file, message, count: blocks.count)) }
      }
    }
    return messages
  }

  private static func newHeader(_ file: HDF5File, _ cursor: inout HDF5Cursor) throws(PruneError) -> [Message] {
    try cursor.skip(4)
    guard try cursor.byte() == 2 else {
      throw PruneError(.unsupported, "the HDF5 file has a header of an unknown version")
    }
    let flags = try cursor.byte()
    if flags & 0x20 != 0 { try cursor.skip(16) }
    if flags & 0x10 != 0 { try cursor.skip(4) }
    let size = try cursor.number(1 << (flags & 3))
    var blocks = [try cursor.take(size)]
    var next = 0
    var messages: [Message] = []
    while next < blocks.count, messages.count < messageLimit {
      var block = HDF5Cursor(blocks[next])
      next += 1
      let lead = flags & 4 != 0 ? 6 : 4
      while block.rest >= lead {
        let kind = try block.byte()
        let length = try block.number(2)
        let messageFlags = try block.byte()
        if flags & 4 != 0 { try block.skip(2) }
        let message = Message(kind: kind, flags: messageFlags, body: try block.take(length))
        messages.append(message)
        guard kind == Kind.continuation else { continue }
        let more = try continuation(file, message, count: blocks.count)
        // "OCHK" before and a checksum behind.
        guard more.count >= 8, more.slice(0, 4)?.text == "OCHK", let inner = more.slice(4, more.count - 4) else {
          throw PruneError(
            .badFormat, "a header of the HDF5 file goes on where there is none", hint: "the file is damaged")
        }
        blocks.append(inner)
      }
    }
    return messages
  }

  private static func continuation(_ file: HDF5File, _ message: Message, count: Int) throws(PruneError) -> Bytes {
    guard count < blockLimit else { throw PruneError(.badFormat, "a header of the HDF5 file goes on without end") }
    var cursor = HDF5Cursor(message.body)
    let address = try cursor.size()
    return try file.part(at: address, try cursor.size())
  }
}
