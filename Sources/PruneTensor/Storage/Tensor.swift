#if canImport(Glibc)
  import Glibc
#endif

/// A dense, row-major array of one dtype: a view of a storage, copied when written to while shared.
///
/// Copying a tensor shares its bytes. Memory-mapped weights are tensors over the file itself.
package struct Tensor: Sendable {
  package let dtype: DType
  package private(set) var shape: Shape
  package private(set) var storage: Storage
  package private(set) var byteOffset: Int

  package var count: Int { shape.count }
  package var byteCount: Int { dtype.byteCount(shape.count) ?? 0 }

  // MARK: - Making tensors

  /// A tensor of zeros.
  package init(zeros dtype: DType, _ shape: Shape) throws(PruneError) {
    self.dtype = dtype
    self.shape = shape
    storage = try Storage(byteCount: dtype.byteCount(shape.count) ?? 0)
    byteOffset = 0
  }

  /// A tensor whose elements the caller writes before anyone reads them. For this folder only.
  init(unfilled dtype: DType, _ shape: Shape) throws(PruneError) {
    self.dtype = dtype
    self.shape = shape
    storage = try Storage(byteCount: dtype.byteCount(shape.count) ?? 0, zeroed: false)
    byteOffset = 0
  }

  /// - Throws: `.mismatch` when the number of values is not that of the shape.
  package init<T: TensorElement>(_ values: [T], _ shape: Shape) throws(PruneError) {
    guard values.count == shape.count else {
      throw PruneError(.mismatch, "shape \(shape) wants \(shape.count) values, got \(values.count)")
    }
    try self.init(zeros: T.dtype, shape)
    // Safe: storage has count * stride bytes, checked above.
    values.withUnsafeBytes { source in
      if let base = source.baseAddress { storage.base.copyMemory(from: base, byteCount: source.count) }
    }
  }

  package init<T: TensorElement>(_ values: [T]) throws(PruneError) {
    try self.init(values, try Shape([values.count]))
  }

  package init<T: TensorElement>(scalar value: T) throws(PruneError) { try self.init([value], .scalar) }

  /// A view of bytes that already hold the elements.
  /// - Throws: `.mismatch` when there are not exactly as many bytes as the shape needs.
  package init(_ dtype: DType, _ shape: Shape, over bytes: Bytes) throws(PruneError) {
    guard let byteCount = dtype.byteCount(shape.count), byteCount == bytes.count else {
      throw PruneError(
        .mismatch, "\(dtype.name) \(shape) takes \(dtype.byteCount(shape.count) ?? -1) bytes, got \(bytes.count)")
    }
    self.dtype = dtype
    self.shape = shape
    storage = bytes.storage
    byteOffset = bytes.offset
  }

  /// A copy of elements in memory. Safe: the caller vouches that `source` has as many bytes as the shape needs.
  package init(copying source: UnsafeRawPointer, _ dtype: DType, _ shape: Shape) throws(PruneError) {
    let bytes = dtype.byteCount(shape.count) ?? 0
    let copy = try Storage(byteCount: bytes, zeroed: false)
    copy.base.copyMemory(from: source, byteCount: bytes)
    self.dtype = dtype
    self.shape = shape
    storage = copy
    byteOffset = 0
  }

  // MARK: - Reading and writing

  /// The elements, in row-major order. Bytes that a file left misaligned are copied for the time of the call.
  /// - Throws: `.mismatch` when the dtype is not one that `T` reads.
  package func withSpan<T: TensorElement, R>(
    of type: T.Type = T.self, _ body: (Span<T>) throws(PruneError) -> R
  ) throws(PruneError) -> R {
    try check(T.self)
    let start = UnsafeRawPointer(storage.base).advanced(by: byteOffset)
    guard UInt(bitPattern: start) % UInt(MemoryLayout<T>.alignment) == 0 else {
      return try aligned(to: UInt(MemoryLayout<T>.alignment)).withSpan(of: type, body)
    }
    // Safe: every initializer keeps byteOffset + byteCount within the storage; alignment was checked.
    return try body(Span(_unsafeStart: start.assumingMemoryBound(to: T.self), count: elementCount(T.self)))
  }

  /// The elements, writable. Shared or read-only storage is copied first.
  package mutating func withMutableSpan<T: TensorElement, R>(
    of type: T.Type = T.self, _ body: (inout MutableSpan<T>) throws(PruneError) -> R
  ) throws(PruneError) -> R {
    try check(T.self)
    if !storage.isWritable || !isKnownUniquelyReferenced(&storage)
      || (UInt(bitPattern: storage.base) + UInt(byteOffset)) % UInt(MemoryLayout<T>.alignment) != 0
    {
      try makeOwned()
    }
    // Safe: as in withSpan, and no other tensor sees this storage.
    var span = MutableSpan(
      _unsafeStart: storage.base.advanced(by: byteOffset).assumingMemoryBound(to: T.self), count: elementCount(T.self))
    return try body(&span)
  }

  /// The first byte, for writing through a host's pointer; shared or read-only storage is copied first.
  package mutating func mutableBase() throws(PruneError) -> UnsafeMutableRawPointer {
    if !storage.isWritable || !isKnownUniquelyReferenced(&storage) { try makeOwned() }
    return storage.base.advanced(by: byteOffset)
  }

  /// The elements as an array.
  package func array<T: TensorElement>(of type: T.Type = T.self) throws(PruneError) -> [T] {
    try check(T.self)
    var result = [T](repeating: .zero, count: elementCount(T.self))
    // Safe: both sides have byteCount bytes.
    result.withUnsafeMutableBytes { target in
      if let base = target.baseAddress {
        base.copyMemory(from: storage.base.advanced(by: byteOffset), byteCount: min(target.count, byteCount))
      }
    }
    return result
  }

  /// The bytes, in memory order.
  package var bytes: Bytes {
    // The slice cannot fail: every initializer keeps it inside.
    Bytes(storage: storage).slice(byteOffset, byteOffset + byteCount) ?? Bytes(storage: storage)
  }

  // MARK: - Views

  /// The same elements under another shape.
  package func reshaped(_ shape: Shape) throws(PruneError) -> Tensor {
    guard shape.count == self.shape.count else {
      throw PruneError(
        .mismatch, "cannot view \(self.shape) as \(shape): \(self.shape.count) elements against \(shape.count)")
    }
    var view = self
    view.shape = shape
    return view
  }

  /// Rows first..<last of the outermost axis, without a copy.
  package func rows(_ first: Int, _ last: Int) throws(PruneError) -> Tensor {
    guard shape.rank > 0, first >= 0, first <= last, last <= shape[0], dtype.bitWidth % 8 == 0 else {
      throw PruneError(.invalidArgument, "rows \(first)..<\(last) of \(dtype.name) \(shape) do not exist")
    }
    let rowBytes = shape[0] == 0 ? 0 : byteCount / shape[0]
    var view = self
    view.shape = try Shape([last - first] + shape.dims.dropFirst())
    view.byteOffset = byteOffset + first * rowBytes
    return view
  }

  /// The tensor itself when its bytes start at a multiple of `alignment`, else an aligned copy.
  package func aligned(to alignment: UInt = 16) throws(PruneError) -> Tensor {
    guard (UInt(bitPattern: storage.base) + UInt(byteOffset)) % max(alignment, 1) != 0 else { return self }
    var copy = self
    try copy.makeOwned()
    return copy
  }

  /// A copy in storage of its own.
  package func copied() throws(PruneError) -> Tensor {
    var copy = self
    try copy.makeOwned()
    return copy
  }

  /// Lets go of the memory that mapped elements take, for a caller that has what it needs of them.
  package func forgetPages() { storage.forget(from: byteOffset, count: byteCount) }

  /// Whether two tensors are the same bytes in memory, not merely equal.
  package func sharesStorage(with other: Tensor) -> Bool {
    storage === other.storage && byteOffset == other.byteOffset && shape == other.shape && dtype == other.dtype
  }

  /// Makes the storage writable and this tensor's alone, copying it only if it is not.
  package mutating func makeUnique() throws(PruneError) {
    if !storage.isWritable || !isKnownUniquelyReferenced(&storage)
      || (UInt(bitPattern: storage.base) + UInt(byteOffset)) % 8 != 0
    {
      try makeOwned()
    }
  }

  private mutating func makeOwned() throws(PruneError) {
    let copy = try Storage(byteCount: byteCount, zeroed: false)
    copy.base.copyMemory(from: storage.base.advanced(by: byteOffset), byteCount: byteCount)
    storage = copy
    byteOffset = 0
  }

  private func elementCount<T>(_: T.Type) -> Int { byteCount / MemoryLayout<T>.stride }

  private func check<T: TensorElement>(_: T.Type) throws(PruneError) {
    guard T.reads(dtype) else {
      throw PruneError(.mismatch, "tensor is \(dtype.name), wanted \(T.dtype.name)")
    }
  }
}
