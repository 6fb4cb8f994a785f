import PruneTensor

/// What chunks went through when they were written. Others than these are refused: they would be plugins.
struct HDF5Filters {
  enum Filter { case deflate, shuffle, fletcher32 }
  private(set) var all: [Filter] = []

  init(_ body: Bytes?) throws(PruneError) {
    guard let body else { return }
    var cursor = HDF5Cursor(body)
    let version = try cursor.byte()
    let count = try cursor.byte()
    guard version == 1 || version == 2 else {
      throw PruneError(.unsupported, "filters of version \(version) are not known")
    }
    if version == 1 { try cursor.skip(6) }
    for _ in 0..<count {
      let number = try cursor.number(2)
      let nameSize = version == 1 || number >= 256 ? try cursor.number(2) : 0
      try cursor.skip(2)
      let values = try cursor.number(2)
      let name = HDF5Value.terminated(try cursor.take(version == 1 ? (nameSize + 7) & ~7 : nameSize))
      try cursor.skip(4 * (version == 1 ? (values + 1) & ~1 : values))
      switch number {
      case 1: all.append(.deflate)
      case 2: all.append(.shuffle)
      case 3: all.append(.fletcher32)
      default:
        throw PruneError(
          .unsupported, "the elements are packed with filter \(number)\(name.isEmpty ? "" : " '\(name)'")",
          hint: "deflate, shuffle and fletcher32 are read")
      }
    }
  }
}

/// The elements of a data set that lies in chunks.
struct HDF5Chunks {
  private let file: HDF5File
  private let dtype: DType
  private let shape: Shape
  private let chunk: Shape
  private let filters: HDF5Filters
  private var elements: [UInt8]
  private var budget: Int

  init(_ file: HDF5File, _ dtype: DType, _ shape: Shape, chunk: Shape, _ filters: HDF5Filters) throws(PruneError) {
    (self.file, self.dtype, self.shape, self.chunk, self.filters) = (file, dtype, shape, chunk, filters)
    let width = dtype.bitWidth / 8
    // Deflate packs at most 1032 to 1: what claims more was never written.
    guard shape.count <= (file.bytes.count / width + 1) * 1100, chunk.count <= (file.bytes.count / width + 1) * 1100
    else {
      throw PruneError(
        .badFormat, "shape \(shape) in chunks of \(chunk) is more than the file can hold", hint: "the file is damaged")
    }
    try Storage.checkAvailable(byteCount: shape.count * width)
    elements = [UInt8](repeating: 0, count: shape.count * width)
    budget = file.bytes.count / 24 + 1
  }

  mutating func read(tree: Int) throws(PruneError) -> Tensor {
    if tree != HDF5File.noAddress { try node(at: tree, level: nil) }
    return try Tensor(dtype, shape, over: try Bytes(elements))
  }

  private mutating func node(at address: Int, level: Int?) throws(PruneError) {
    var cursor = try file.cursor(at: address)
    try cursor.expect("TREE", "a list of chunks")
    let kind = try cursor.byte()
    let nodeLevel = try cursor.byte()
    let count = try cursor.number(2)
    guard kind == 1, nodeLevel < 32, level == nil || nodeLevel == level else {
      throw PruneError(.badFormat, "the chunks of the data set are no tree", hint: "the file is damaged")
    }
    try cursor.skip(16)
    for _ in 0..<count {
      let size = try cursor.number(4)
      let skipped = try cursor.number(4)
      var origin: [Int] = []
      for _ in 0..<shape.rank { origin.append(try cursor.size()) }
      try cursor.skip(8)
      let child = try cursor.size()
      budget -= 1
      guard budget > 0 else {
        throw PruneError(.badFormat, "the data set has more chunks than fit", hint: "the file is damaged")
      }
      if nodeLevel > 0 {
        try node(at: child, level: nodeLevel - 1)
      } else {
        try place(try unpacked(try file.part(at: child, size), skipped: skipped), at: origin)
      }
    }
  }

  private func unpacked(_ packed: Bytes, skipped: Int) throws(PruneError) -> [UInt8] {
    let byteCount = chunk.count * (dtype.bitWidth / 8)
    var data = packed
    for (index, filter) in filters.all.enumerated().reversed() where skipped >> index & 1 == 0 {
      switch filter {
      case .fletcher32: data = data.slice(0, max(data.count - 4, 0)) ?? data
      case .deflate: data = try inflate(data, limit: byteCount + 4)
      case .shuffle: data = try Bytes(unshuffled(data.array))
      }
    }
    guard data.count == byteCount else {
      throw PruneError(
        .badFormat, "a chunk of \(chunk) takes \(byteCount) bytes, \(data.count) were found",
        hint: "the file is damaged")
    }
    return data.array
  }

  /// Shuffle keeps the first bytes of all elements together, then the second ones, and so on.
  private func unshuffled(_ data: [UInt8]) -> [UInt8] {
    let width = dtype.bitWidth / 8
    let count = data.count / width
    guard width > 1 else { return data }
    var result = data
    for byte in 0..<width {
      for element in 0..<count { result[element * width + byte] = data[byte * count + element] }
    }
    return result
  }

  /// Copies the rows of a chunk that lie inside the shape.
  private mutating func place(_ data: [UInt8], at origin: [Int]) throws(PruneError) {
    let width = dtype.bitWidth / 8
    let rank = shape.rank
    guard zip(origin, shape.dims).allSatisfy({ $0 >= 0 && $0 < $1 }) else {
      throw PruneError(.badFormat, "a chunk at \(origin) lies outside shape \(shape)", hint: "the file is damaged")
    }
    guard rank > 0 else {
      elements = data
      return
    }
    let strides = shape.strides
    let run = min(chunk[rank - 1], shape[rank - 1] - origin[rank - 1]) * width
    var index = [Int](repeating: 0, count: rank)
    var source = 0
    while true {
      if (0..<rank - 1).allSatisfy({ origin[$0] + index[$0] < shape[$0] }) {
        let start = (0..<rank).reduce(0) { $0 + (origin[$1] + index[$1]) * strides[$1] } * width
        for byte in 0..<run { elements[start + byte] = data[source + byte] }
      }
      source += chunk[rank - 1] * width
      var axis = rank - 2
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < chunk[axis] { break }
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}
