import CPrune
import CPruneSupport
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Runs the body of an exported function: errors become a status and this thread's last error.
func call(_ body: () throws(PruneError) -> Void) -> prune_status {
  let previous = MemoryAccount.beginCall()
  defer { MemoryAccount.endCall(previous) }
  do {
    try body()
    return PRUNE_OK
  } catch {
    var error = error
    // What failed because something else had no memory.
    if MemoryAccount.isShort, error.status != .cancelled, error.status != .outOfMemory {
      error = PruneError(.outOfMemory, "memory ran short: \(error.message)", at: error.place)
    }
    record(error)
    return prune_status(rawValue: error.status.rawValue)
  }
}

func record(_ error: PruneError) {
  ps_error_set(error.status.rawValue, error.message, error.place, error.hint)
}

/// A required output pointer.
func output<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String) throws(PruneError) -> UnsafeMutablePointer<T> {
  guard let pointer else { throw PruneError(.invalidArgument, "\(name) is NULL") }
  return pointer
}

/// A required string.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(PruneError) -> String {
  guard let string = try optionalText(pointer, name) else { throw PruneError(.invalidArgument, "\(name) is NULL") }
  return string
}

func optionalText(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(PruneError) -> String? {
  guard let pointer else { return nil }
  guard let string = String(validatingCString: pointer) else {
    throw PruneError(.invalidArgument, "\(name) is not valid UTF-8")
  }
  return string
}

/// An array of strings; NULL with a count of 0 is empty.
func texts(_ pointer: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ name: String) throws(PruneError)
  -> [String]
{
  try elements(pointer, count, name).enumerated().mapThrowing { index, item throws(PruneError) in
    try text(item, "\(name)[\(index)]")
  }
}

/// An array's elements; NULL with a count of 0 is empty.
func elements<T>(_ pointer: UnsafePointer<T>?, _ count: Int, _ name: String) throws(PruneError) -> [T] {
  guard count >= 0, count < 1 << 40 else { throw PruneError(.invalidArgument, "\(name) cannot have \(count) elements") }
  guard let pointer else {
    if count == 0 { return [] }
    throw PruneError(.invalidArgument, "\(name) is NULL, but its count is \(count)")
  }
  // Safe: the caller promises count elements.
  return Array(UnsafeBufferPointer(start: pointer, count: count))
}

/// Writes as much of a struct as the caller's version of it has room for, its own `struct_size` as it was.
func write<T: BitwiseCopyable>(
  _ value: T, _ out: UnsafeMutablePointer<T>, size: UInt32, _ name: String
) throws(PruneError) {
  guard size >= 8, size <= 1 << 16 else {
    throw PruneError(
      .invalidArgument, "\(name).struct_size is \(size)", hint: "set it to sizeof(\(name)) before the call")
  }
  // Safe: the caller promises struct_size bytes; struct_size itself, the first field, is skipped.
  withUnsafeBytes(of: value) { source in
    let count = min(Int(size), source.count)
    if let base = source.baseAddress {
      UnsafeMutableRawPointer(out).advanced(by: 4).copyMemory(from: base.advanced(by: 4), byteCount: count - 4)
    }
  }
}

/// Copies text into a buffer that the caller frees.
func fill(_ buffer: UnsafeMutablePointer<prune_buffer>, with bytes: [UInt8]) throws(PruneError) {
  guard let data = malloc(bytes.count + 1) else { throw PruneError(.outOfMemory, "no memory for \(bytes.count) bytes") }
  // Safe: data has bytes.count + 1 bytes.
  bytes.withUnsafeBytes { source in
    if let base = source.baseAddress { data.copyMemory(from: base, byteCount: source.count) }
  }
  data.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
  buffer.pointee = prune_buffer(data: data.assumingMemoryBound(to: CChar.self), size: bytes.count)
}

extension Sequence {
  /// `map` that keeps the thrown type.
  func mapThrowing<R>(_ transform: (Element) throws(PruneError) -> R) throws(PruneError) -> [R] {
    var result: [R] = []
    for element in self { result.append(try transform(element)) }
    return result
  }
}
