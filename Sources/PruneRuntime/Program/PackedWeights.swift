import PruneTensor
import Synchronization

/// Which constants something was computed from: places in memory, and a number that mattered.
struct Derivation {
  private struct Part {
    weak var storage: Storage?
    let id: ObjectIdentifier
    let offset: Int
    let byteCount: Int
  }

  private let parts: [Part]
  private let parameter: Float

  init(_ sources: [Tensor], parameter: Float = 0) {
    parts = sources.map {
      Part(storage: $0.storage, id: ObjectIdentifier($0.storage), offset: $0.byteOffset, byteCount: $0.byteCount)
    }
    self.parameter = parameter
  }

  /// Whether both are the same elements. Freed storage equals nothing: its address may be another's
  /// now.
  func isSame(as other: Derivation) -> Bool {
    parts.count == other.parts.count && parameter == other.parameter
      && zip(parts, other.parts).allSatisfy { a, b in
        a.id == b.id && a.offset == b.offset && a.byteCount == b.byteCount && a.storage != nil && b.storage != nil
      }
  }
}

/// Weights in the layouts that kernels want, shared by the programs of one model: each is packed once, and kept while a
/// program uses it.
final class PackedWeights: Sendable {
  struct Key {
    let source: Derivation
    let from: Layout
    let to: Layout

    fileprivate func isSame(as other: Key) -> Bool {
      source.isSame(as: other.source) && from == other.from && to == other.to
    }
  }

  // Safe: descriptors are plain numbers, and weak references may be read from any thread.
  private struct Entry: @unchecked Sendable {
    let key: Key
    weak var storage: Storage?
  }

  private let entries = Mutex<[Entry]>([])

  func find(_ key: Key) -> Tensor? {
    let storage = entries.withLock { entries in
      entries.lazy.filter { $0.storage != nil && $0.key.isSame(as: key) }.first?.storage
    }
    guard let storage, let shape = try? Shape([storage.byteCount]) else { return nil }
    return try? Tensor(.uint8, shape, over: Bytes(storage: storage))
  }

  func add(_ packed: Tensor, _ key: Key) {
    entries.withLock { entries in
      entries.removeAll { $0.storage == nil }
      entries.append(Entry(key: key, storage: packed.storage))
    }
  }
}
