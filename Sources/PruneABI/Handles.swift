import CPrune
import PruneTensor
import Synchronization

/// Every live handle, by its address: what tells a good handle from a freed one or one of another kind.
///
/// The table keeps the objects alive; `_free` takes them out. Objects hold each other by reference, so handles may be
/// freed in any order.
enum Handles {
  private static let table = Mutex<[UInt: HandleEntry]>([:])

  // Safe: objects behind handles are used by one thread at a time, as prune.h says; the table itself is locked.
  private struct HandleEntry: @unchecked Sendable { let object: AnyObject }

  /// Makes a handle for an object, at its own address unless the object has another.
  static func make(_ object: AnyObject, at address: OpaquePointer? = nil) -> OpaquePointer {
    let handle = address ?? OpaquePointer(Unmanaged.passUnretained(object).toOpaque())
    let entry = HandleEntry(object: object)
    let key = UInt(bitPattern: handle)
    table.withLock { $0[key] = entry }
    return handle
  }

  /// The object behind a handle.
  /// - Throws: `.invalidArgument` for NULL, a freed handle, or one of another kind.
  static func object<T: Box>(_ handle: OpaquePointer?, _: T.Type = T.self) throws(PruneError) -> T {
    guard let handle else { throw PruneError(.invalidArgument, "\(T.kind) is NULL") }
    let key = UInt(bitPattern: handle)
    let entry = table.withLock { $0[key] }
    guard let object = entry?.object else {
      throw PruneError(
        .invalidArgument, "\(T.kind) is not a live handle", hint: "it was freed already, or never came from libprune")
    }
    guard let typed = object as? T else {
      throw PruneError(
        .invalidArgument,
        "\(T.kind) wanted, got a \((object as? any Box).map { type(of: $0).kind } ?? "handle of another kind")")
    }
    return typed
  }

  static func optional<T: Box>(_ handle: OpaquePointer?, _: T.Type = T.self) throws(PruneError) -> T? {
    handle == nil ? nil : try object(handle)
  }

  /// Forgets a handle. Handles of another kind, unknown ones and NULL are left alone.
  static func free<T: Box>(_ handle: OpaquePointer?, _: T.Type) {
    guard let handle else { return }
    // The object is released outside the lock: its deinit may free other handles.
    let key = UInt(bitPattern: handle)
    let removed = table.withLock { $0[key]?.object is T ? $0.removeValue(forKey: key) : nil }
    _ = removed
  }

  /// Forgets a handle that is not the caller's to free, such as a child of a report.
  static func forget(_ handle: OpaquePointer) {
    let key = UInt(bitPattern: handle)
    let removed = table.withLock { $0.removeValue(forKey: key) }
    _ = removed
  }
}

/// An object behind a handle.
protocol Box: AnyObject {
  /// What error messages call it.
  static var kind: String { get }
}

/// C strings and arrays that the caller may read as long as this object lives.
final class CStringArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  func string(_ text: String) -> UnsafePointer<CChar> {
    let utf8 = Array(text.utf8CString)
    return array(utf8)
  }

  func array<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
    let byteCount = max(values.count, 1) * MemoryLayout<T>.stride
    let block = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: MemoryLayout<T>.alignment)
    blocks.append(block)
    // Safe: the block holds values.count elements.
    let typed = block.bindMemory(to: T.self, capacity: max(values.count, 1))
    for (index, value) in values.enumerated() { (typed + index).initialize(to: value) }
    return UnsafePointer(typed)
  }

  deinit { for block in blocks { block.deallocate() } }
}
