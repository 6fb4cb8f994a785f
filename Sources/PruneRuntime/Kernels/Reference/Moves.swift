import PruneTensor

/// Copies of elements of any type, by their width in memory.
enum Moves {
  /// A walk over `dims` in one tensor.
  struct Walk {
    var base: Int
    var strides: [Int]
  }

  /// Copies the elements that `from` walks over to where `to` walks over. Both walks must stay inside their tensors.
  static func copy(
    _ source: Tensor, _ from: Walk, into target: inout Tensor, _ to: Walk, dims: [Int]
  ) throws(PruneError) {
    switch source.dtype.bitWidth {
    case 8: try copy(UInt8.self, source, from, &target, to, dims)
    case 16: try copy(UInt16.self, source, from, &target, to, dims)
    case 32: try copy(UInt32.self, source, from, &target, to, dims)
    case 64: try copy(UInt64.self, source, from, &target, to, dims)
    default: throw unsupported(source)
    }
  }

  /// A tensor of `shape` with what a walk over it in `source` reads.
  static func read(_ source: Tensor, _ from: Walk, shape: Shape) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: source.dtype, shape)
    try copy(source, from, into: &result, Walk(base: 0, strides: shape.strides), dims: shape.dims)
    return result
  }

  /// Blocks of `length` elements at `offsets` of `source`, one after the other.
  static func gather(_ source: Tensor, offsets: [Int], length: Int, shape: Shape) throws(PruneError)
    -> Tensor
  {
    switch source.dtype.bitWidth {
    case 8: try gather(UInt8.self, source, offsets, length, shape)
    case 16: try gather(UInt16.self, source, offsets, length, shape)
    case 32: try gather(UInt32.self, source, offsets, length, shape)
    case 64: try gather(UInt64.self, source, offsets, length, shape)
    default: throw unsupported(source)
    }
  }

  /// `target` with consecutive blocks of `updates` written at `offsets`.
  static func scatter(
    _ updates: Tensor, into target: Tensor, offsets: [Int], length: Int
  ) throws(PruneError) -> Tensor {
    switch updates.dtype.bitWidth {
    case 8: try scatter(UInt8.self, updates, target, offsets, length)
    case 16: try scatter(UInt16.self, updates, target, offsets, length)
    case 32: try scatter(UInt32.self, updates, target, offsets, length)
    case 64: try scatter(UInt64.self, updates, target, offsets, length)
    default: throw unsupported(updates)
    }
  }

  /// The element at every combination of positions along the axes; a negative position gives `fill`, a scalar of the
  /// same dtype, or zero.
  static func pick(_ source: Tensor, positions: [[Int]], fill: Tensor? = nil) throws(PruneError)
    -> Tensor
  {
    switch source.dtype.bitWidth {
    case 8: try pick(UInt8.self, source, positions, fill)
    case 16: try pick(UInt16.self, source, positions, fill)
    case 32: try pick(UInt32.self, source, positions, fill)
    case 64: try pick(UInt64.self, source, positions, fill)
    default: throw unsupported(source)
    }
  }

  private static func unsupported(_ tensor: Tensor) -> PruneError {
    PruneError(.unsupported, "elements of type \(tensor.dtype.name) cannot be moved one by one")
  }

  // MARK: - By width

  private static func copy<T: TensorElement>(
    _: T.Type, _ source: Tensor, _ from: Walk, _ target: inout Tensor, _ to: Walk, _ dims: [Int]
  ) throws(PruneError) {
    let loop = StridedLoop(dims, [from.strides, to.strides])
    let (readStep, writeStep) = (loop.rowStrides[0], loop.rowStrides[1])
    try source.withSpan(of: T.self) { (input: Span<T>) throws(PruneError) in
      try target.withMutableSpan(of: T.self) { (output: inout MutableSpan<T>) throws(PruneError) in
        try loop.forEachRow(from: [from.base, to.base]) { offsets in
          var (read, write) = (offsets[0], offsets[1])
          for _ in 0..<loop.rowLength {
            output[write] = input[read]
            read += readStep
            write += writeStep
          }
        }
      }
    }
  }

  private static func gather<T: TensorElement>(
    _: T.Type, _ source: Tensor, _ offsets: [Int], _ length: Int, _ shape: Shape
  ) throws(PruneError) -> Tensor {
    try source.withSpan(of: T.self) { (input: Span<T>) throws(PruneError) in
      try Tensor.filled(shape, source.dtype) { (output: inout MutableSpan<T>) in
        var write = 0
        for offset in offsets {
          for index in 0..<length { output[write + index] = input[offset + index] }
          write += length
        }
      }
    }
  }

  private static func scatter<T: TensorElement>(
    _: T.Type, _ updates: Tensor, _ target: Tensor, _ offsets: [Int], _ length: Int
  ) throws(PruneError) -> Tensor {
    var result = target
    try updates.withSpan(of: T.self) { (input: Span<T>) throws(PruneError) in
      try result.withMutableSpan(of: T.self) { (output: inout MutableSpan<T>) in
        var read = 0
        for offset in offsets {
          for index in 0..<length { output[offset + index] = input[read + index] }
          read += length
        }
      }
    }
    return result
  }

  private static func pick<T: TensorElement>(
    _: T.Type, _ source: Tensor, _ positions: [[Int]], _ fill: Tensor?
  ) throws(PruneError) -> Tensor {
    let shape = try Shape(positions.map(\.count))
    let filler = try fill?.array(of: T.self).first ?? .zero
    guard shape.rank > 0 else { return source }
    let strides = source.shape.strides
    let last = positions[shape.rank - 1]
    let outer = Array(positions.dropLast())
    return try source.withSpan(of: T.self) { (input: Span<T>) throws(PruneError) in
      try Tensor.filled(shape, source.dtype) { (output: inout MutableSpan<T>) in
        guard output.count > 0 else { return }
        var counter = [Int](repeating: 0, count: outer.count)
        for row in 0..<(output.count / last.count) {
          var base = 0
          var isInside = true
          for axis in outer.indices {
            let position = outer[axis][counter[axis]]
            isInside = isInside && position >= 0
            base += position * strides[axis]
          }
          for (column, position) in last.enumerated() {
            output[row * last.count + column] =
              isInside && position >= 0 ? input[base + position] : filler
          }
          var axis = outer.count - 1
          while axis >= 0 {
            counter[axis] += 1
            if counter[axis] < outer[axis].count { break }
            counter[axis] = 0
            axis -= 1
          }
        }
      }
    }
  }
}
