import PruneTensor

/// The links or attributes of an object that has many: a heap of records and a tree that lists them.
struct HDF5Records {
  private let file: HDF5File
  private let heap: Heap
  private let tree: Int
  /// 5 for links, 8 for attributes.
  private let kind: Int

  init(_ file: HDF5File, heap: Int, tree: Int, kind: Int) throws(PruneError) {
    (self.file, self.tree, self.kind) = (file, tree, kind)
    self.heap = try Heap(file, at: heap)
  }

  /// The records, in the order of the tree.
  func all() throws(PruneError) -> [Bytes] {
    var cursor = try file.cursor(at: tree)
    try cursor.expect("BTHD", "a list of records")
    try cursor.skip(1)
    let nodeKind = try cursor.byte()
    let nodeSize = try cursor.number(4)
    let recordSize = try cursor.number(2)
    let depth = try cursor.number(2)
    try cursor.skip(2)
    let root = try cursor.size()
    let count = try cursor.number(2)
    guard nodeKind == kind, depth < 8, nodeSize > 32, recordSize >= (kind == 5 ? 11 : 17) else {
      throw PruneError(.badFormat, "a list of records of the HDF5 file is not readable", hint: "the file is damaged")
    }
    var result: [Bytes] = []
    if root == HDF5File.noAddress { return result }
    let layout = Layout(nodeSize: nodeSize, recordSize: recordSize, depth: depth)
    try node(at: root, count, depth: depth, layout, &result)
    return result
  }

  /// The width of the counts next to child pointers: it follows from how many records fit.
  private struct Layout {
    let recordSize: Int
    private(set) var countWidths: [Int] = []
    private(set) var totalWidths: [Int] = [0]

    init(nodeSize: Int, recordSize: Int, depth: Int) {
      self.recordSize = recordSize
      var most = (nodeSize - 10) / recordSize
      var total = most
      countWidths = [Self.width(most)]
      for level in stride(from: 1, through: depth, by: 1) {
        let pointer = 8 + countWidths[0] + (level > 1 ? totalWidths[level - 1] : 0)
        most = max((nodeSize - 10 - pointer) / (recordSize + pointer), 1)
        total = (most + 1).multipliedReportingOverflow(by: total).partialValue & (1 << 60 - 1)
        countWidths.append(Self.width(most))
        totalWidths.append(Self.width(total))
      }
    }

    private static func width(_ most: Int) -> Int {
      var width = 1
      while width < 8, most >> (8 * width) > 0 { width += 1 }
      return width
    }
  }

  private func node(
    at address: Int, _ count: Int, depth: Int, _ layout: Layout, _ result: inout [Bytes]
  ) throws(PruneError) {
    var cursor = try file.cursor(at: address)
    try cursor.expect(depth > 0 ? "BTIN" : "BTLF", "a node of records")
    try cursor.skip(2)
    var records: [Bytes] = []
    for _ in 0..<count { records.append(try cursor.take(layout.recordSize)) }
    guard result.count + count < file.bytes.count / 8 else {
      throw PruneError(.badFormat, "a group of the HDF5 file has more members than fit", hint: "the file is damaged")
    }
    for record in records { result.append(try heap.object(record.slice(kind == 5 ? 4 : 0, record.count) ?? record)) }
    guard depth > 0 else { return }
    for _ in 0...count {
      let child = try cursor.size()
      let members = try cursor.number(layout.countWidths[0])
      if depth > 1 { try cursor.skip(layout.totalWidths[depth - 1]) }
      try node(at: child, members, depth: depth - 1, layout, &result)
    }
  }
}

/// A fractal heap: blocks of doubling sizes that hold records.
private struct Heap {
  private let file: HDF5File
  private let offsetWidth: Int, lengthWidth: Int, tableWidth: Int, startSize: Int, directLimit: Int, rows: Int,
    root: Int

  init(_ file: HDF5File, at address: Int) throws(PruneError) {
    self.file = file
    var cursor = try file.cursor(at: address)
    try cursor.expect("FRHP", "a heap of records")
    try cursor.skip(3)
    let filters = try cursor.number(2)
    try cursor.skip(1)
    let largest = try cursor.number(4)
    try cursor.skip(12 * 8)
    tableWidth = try cursor.number(2)
    startSize = try cursor.size()
    directLimit = try cursor.size()
    let bits = try cursor.number(2)
    try cursor.skip(2)
    root = try cursor.size()
    rows = try cursor.number(2)
    guard filters == 0 else {
      throw PruneError(.unsupported, "names in the HDF5 file are compressed, which is not read")
    }
    guard tableWidth > 0, tableWidth <= 1024, startSize > 0, directLimit >= startSize, directLimit < 1 << 40,
      bits <= 64, rows <= 64
    else {
      throw PruneError(.badFormat, "a heap of the HDF5 file is not readable", hint: "the file is damaged")
    }
    offsetWidth = (bits + 7) / 8
    lengthWidth = min(Self.width(directLimit), Self.width(largest))
  }

  private static func width(_ limit: Int) -> Int {
    var width = 1
    while width < 8, limit >> (8 * width) > 0 { width += 1 }
    return width
  }

  /// The object that an identifier names.
  func object(_ identifier: Bytes) throws(PruneError) -> Bytes {
    var cursor = HDF5Cursor(identifier)
    let kind = try cursor.byte() >> 4 & 3
    if kind == 2 { return try cursor.take((try HDF5Cursor(identifier).peeked() & 15) + 1) }
    guard kind == 0 else {
      throw PruneError(.unsupported, "the HDF5 file holds an attribute of more than 64 kB, which is not read")
    }
    let offset = try cursor.number(offsetWidth)
    let length = try cursor.number(lengthWidth)
    guard offset >= 0 else {
      throw PruneError(.badFormat, "a heap of the HDF5 file is not readable", hint: "the file is damaged")
    }
    return try part(offset, length, of: root, rows: rows, depth: 0)
  }

  private func part(_ offset: Int, _ length: Int, of block: Int, rows: Int, depth: Int) throws(PruneError) -> Bytes {
    let (start, overflow) = block.addingReportingOverflow(offset)
    guard rows > 0 else {
      guard !overflow else { throw damaged }
      return try file.part(at: start, length)
    }
    guard depth < 8 else { throw damaged }
    var cursor = try file.cursor(at: block)
    try cursor.expect("FHIB", "a table of blocks")
    try cursor.skip(1 + 8 + offsetWidth)
    var first = 0
    var size = startSize
    for row in 0..<rows {
      if row > 1 { size *= 2 }
      let isDirect = size <= directLimit
      for _ in 0..<tableWidth {
        let child = try cursor.size()
        if offset >= first, offset - first < size {
          return try part(offset - first, length, of: child, rows: isDirect ? 0 : rowCount(of: size), depth: depth + 1)
        }
        first += size
        guard first < 1 << 50, size < 1 << 40 else { throw damaged }
      }
    }
    throw damaged
  }

  /// Rows of an indirect block that stands for `size` bytes.
  private func rowCount(of size: Int) -> Int {
    var rows = 1
    var covered = startSize.multipliedReportingOverflow(by: tableWidth).partialValue
    while covered < size, covered > 0, rows < 48 { (covered, rows) = (covered * 2, rows + 1) }
    return rows
  }

  private var damaged: PruneError {
    PruneError(.badFormat, "a record of the HDF5 file lies outside its heap", hint: "the file is damaged")
  }
}

extension HDF5Cursor {
  /// The next byte, which stays the next one.
  fileprivate func peeked() throws(PruneError) -> Int {
    var copy = self
    return try copy.byte()
  }
}
