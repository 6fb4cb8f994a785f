import PruneTensor

/// What a group holds.
extension HDF5Object {
  /// Names and addresses of the objects in a group, in the file's order: by name.
  /// - Throws: `.unsupported` for links to other files or places.
  package var links: [(name: String, address: Int)] {
    get throws(PruneError) {
      do throws(PruneError) {
        if let message = message(Kind.symbolTable) { return try symbolTable(message.body) }
        var links: [(name: String, address: Int)] = []
        for message in messages where message.kind == Kind.link { links.append(try link(message.body)) }
        if let message = message(Kind.linkInfo) {
          var cursor = HDF5Cursor(message.body)
          try cursor.skip(1)
          if try cursor.byte() & 1 != 0 { try cursor.skip(8) }
          let heap = try cursor.size()
          let tree = try cursor.size()
          if heap != HDF5File.noAddress {
            for record in try HDF5Records(file, heap: heap, tree: tree, kind: 5).all() {
              links.append(try link(record))
            }
          }
        }
        return links
      } catch { throw error.located(at: path.isEmpty ? "/" : path) }
    }
  }

  /// The object of that name in a group, nil when there is none.
  package func child(_ name: String) throws(PruneError) -> HDF5Object? {
    guard let link = try links.first(where: { $0.name == name }) else { return nil }
    return try open(link)
  }

  package func open(_ link: (name: String, address: Int)) throws(PruneError) -> HDF5Object {
    try HDF5Object(file, address: link.address, path: path.isEmpty ? link.name : "\(path)/\(link.name)")
  }

  /// The object at a path below this one, parts joined by `/`; nil when there is none.
  package func descendant(_ path: String) throws(PruneError) -> HDF5Object? {
    var object = self
    for part in path.split(separator: "/") {
      guard let next = try object.child(String(part)) else { return nil }
      object = next
    }
    return object
  }

  private func link(_ body: Bytes) throws(PruneError) -> (name: String, address: Int) {
    var cursor = HDF5Cursor(body)
    guard try cursor.byte() == 1 else {
      throw PruneError(.unsupported, "the HDF5 file has a link of an unknown version")
    }
    let flags = try cursor.byte()
    let kind = flags & 8 != 0 ? try cursor.byte() : 0
    if flags & 4 != 0 { try cursor.skip(8) }
    if flags & 16 != 0 { try cursor.skip(1) }
    let name = try cursor.take(try cursor.number(1 << (flags & 3))).text
    guard kind == 0 else { throw Self.elsewhere(name, kind == 64) }
    return (name, try cursor.size())
  }

  private static func elsewhere(_ name: String, _ isExternal: Bool) -> PruneError {
    PruneError(
      .unsupported, "'\(name)' is a link to \(isExternal ? "another file" : "another place"), which is not followed")
  }

  // MARK: - Groups of the older kind

  private func symbolTable(_ body: Bytes) throws(PruneError) -> [(name: String, address: Int)] {
    var cursor = HDF5Cursor(body)
    let tree = try cursor.size()
    var heap = try file.cursor(at: try cursor.size())
    try heap.expect("HEAP", "a heap of names")
    try heap.skip(4)
    let size = try heap.size()
    try heap.skip(8)
    let names = try file.part(at: try heap.size(), size)
    var entries: [(name: String, address: Int)] = []
    var budget = file.bytes.count / 40 + 1
    try nodes(at: tree, names, level: nil, &entries, &budget)
    return entries
  }

  /// - Parameter level: what the node's level has to be; every step down is one less, so no tree runs in circles.
  private func nodes(
    at address: Int, _ names: Bytes, level: Int?, _ entries: inout [(name: String, address: Int)], _ budget: inout Int
  ) throws(PruneError) {
    var cursor = try file.cursor(at: address)
    try cursor.expect("TREE", "a group")
    let kind = try cursor.byte()
    let nodeLevel = try cursor.byte()
    let count = try cursor.number(2)
    guard kind == 0, nodeLevel < 32, level == nil || nodeLevel == level else {
      throw PruneError(.badFormat, "a group of the HDF5 file is no tree", hint: "the file is damaged")
    }
    try cursor.skip(16 + 8)
    for _ in 0..<count {
      let child = try cursor.size()
      try cursor.skip(8)
      budget -= 1
      guard budget > 0 else {
        throw PruneError(.badFormat, "a group of the HDF5 file has more members than fit", hint: "the file is damaged")
      }
      if nodeLevel > 0 {
        try nodes(at: child, names, level: nodeLevel - 1, &entries, &budget)
      } else {
        try leaf(at: child, names, &entries, &budget)
      }
    }
  }

  private func leaf(
    at address: Int, _ names: Bytes, _ entries: inout [(name: String, address: Int)], _ budget: inout Int
  ) throws(PruneError) {
    var cursor = try file.cursor(at: address)
    try cursor.expect("SNOD", "members of a group")
    try cursor.skip(2)
    for _ in 0..<(try cursor.number(2)) {
      let offset = try cursor.size()
      let target = try cursor.size()
      let cache = try cursor.number(4)
      try cursor.skip(20)
      budget -= 1
      guard budget > 0, offset >= 0, offset < names.count, let text = names.slice(offset, names.count) else {
        throw PruneError(.badFormat, "a name in the HDF5 file lies outside its heap", hint: "the file is damaged")
      }
      let name = HDF5Value.terminated(text)
      guard cache != 2 else { throw Self.elsewhere(name, false) }
      entries.append((name, target))
    }
  }
}
