import PruneTensor

/// Attributes and data.
extension HDF5Object {
  /// The attribute of that name, nil when there is none.
  package func attribute(_ name: String) throws(PruneError) -> HDF5Value? {
    do throws(PruneError) {
      for message in messages where message.kind == Kind.attribute {
        if let value = try attribute(message.body, named: name) { return value }
      }
      guard let message = message(Kind.attributeInfo) else { return nil }
      var cursor = HDF5Cursor(message.body)
      try cursor.skip(1)
      if try cursor.byte() & 1 != 0 { try cursor.skip(2) }
      let heap = try cursor.size()
      let tree = try cursor.size()
      guard heap != HDF5File.noAddress else { return nil }
      for record in try HDF5Records(file, heap: heap, tree: tree, kind: 8).all() {
        if let value = try attribute(record, named: name) { return value }
      }
      return nil
    } catch {
      var located = error
      located.message = "attribute '\(name)': \(error.message)"
      throw located.located(at: path.isEmpty ? "/" : path)
    }
  }

  private func attribute(_ body: Bytes, named name: String) throws(PruneError) -> HDF5Value? {
    var cursor = HDF5Cursor(body)
    let version = try cursor.byte()
    let flags = try cursor.byte()
    guard (1...3).contains(version) else {
      throw PruneError(.unsupported, "an attribute of version \(version) is not known")
    }
    let nameSize = try cursor.number(2)
    let typeSize = try cursor.number(2)
    let spaceSize = try cursor.number(2)
    if version == 3 { try cursor.skip(1) }
    func padded(_ size: Int) -> Int { version == 1 ? (size + 7) & ~7 : size }
    guard HDF5Value.terminated(try cursor.take(padded(nameSize))) == name else { return nil }
    guard version == 1 || flags & 3 == 0 else {
      throw PruneError(.unsupported, "its type is shared with other objects, which is not read")
    }
    let type = try HDF5Type(try cursor.take(padded(typeSize)))
    let shape = try HDF5Type.shape(try cursor.take(padded(spaceSize)))
    return try HDF5Value(file, type, shape, try cursor.take(cursor.rest))
  }

  /// The elements of a data set: a view of the file where they lie in one piece.
  /// - Throws: `.badFormat`, or `.unsupported` naming the filter, the type or the layout.
  package func tensor() throws(PruneError) -> Tensor {
    do throws(PruneError) { return try read() } catch { throw error.located(at: path) }
  }

  private func read() throws(PruneError) -> Tensor {
    guard let typeMessage = message(Kind.datatype), let space = message(Kind.dataspace),
      let layout = message(Kind.layout)
    else {
      throw PruneError(.badFormat, "a data set was wanted, this is none")
    }
    guard message(Kind.external) == nil else {
      throw PruneError(.unsupported, "the elements lie in another file, which is not opened")
    }
    guard typeMessage.flags & 2 == 0, space.flags & 2 == 0 else {
      throw PruneError(.unsupported, "its type is shared with other objects, which is not read")
    }
    let type = try HDF5Type(typeMessage.body)
    guard case .tensor(let dtype) = type.kind, let shape = try HDF5Type.shape(space.body) else {
      throw PruneError(.unsupported, "the data set holds texts or nothing, numbers were wanted")
    }
    guard let byteCount = dtype.byteCount(shape.count) else {
      throw PruneError(.badFormat, "shape \(shape) is too large")
    }
    var cursor = HDF5Cursor(layout.body)
    let version = try cursor.byte()
    guard version == 3 || version == 4 else {
      throw PruneError(.unsupported, "a data layout of version \(version) is not read")
    }
    let kind = try cursor.byte()
    switch kind {
    case 0:
      return try exact(dtype, shape, try cursor.take(try cursor.number(2)), byteCount)
    case 1:
      let address = try cursor.size()
      let size = try cursor.size()
      guard message(Kind.filters) == nil else { throw PruneError(.badFormat, "the data set has filters and no chunks") }
      // Elements that were never written are zero.
      if address == HDF5File.noAddress {
        guard byteCount <= 1 << 20 else {
          throw PruneError(.badFormat, "the elements of shape \(shape) were never written")
        }
        return try Tensor(zeros: dtype, shape)
      }
      return try exact(dtype, shape, try file.part(at: address, size), byteCount)
    case 2 where version == 3:
      let rank = try cursor.byte()
      let address = try cursor.size()
      var chunk: [Int] = []
      for _ in 0..<rank { chunk.append(try cursor.number(4)) }
      guard chunk.popLast() == type.size, chunk.count == shape.rank, chunk.allSatisfy({ $0 > 0 }) else {
        throw PruneError(.badFormat, "the chunks of shape \(chunk) do not fit shape \(shape)")
      }
      let filters = try HDF5Filters(message(Kind.filters)?.body)
      var chunks = try HDF5Chunks(file, dtype, shape, chunk: try Shape(chunk), filters)
      return try chunks.read(tree: address)
    default:
      throw PruneError(
        .unsupported, "the data layout is of a kind that is not read (\(kind), version \(version))",
        hint: "write the file without libver='latest'")
    }
  }

  private func exact(_ dtype: DType, _ shape: Shape, _ data: Bytes, _ byteCount: Int) throws(PruneError) -> Tensor {
    guard let part = data.slice(0, byteCount) else {
      throw PruneError(
        .badFormat, "\(dtype.name) \(shape) takes \(byteCount) bytes, the file holds \(data.count)",
        hint: "the file is damaged")
    }
    return try Tensor(dtype, shape, over: part)
  }
}
