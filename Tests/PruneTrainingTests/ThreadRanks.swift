import Foundation
import PruneRuntime
import PruneTensor

/// Ranks that are threads of this process, which meet at every collective: what MPI does, for tests without it.
final class ThreadRanks: @unchecked Sendable {
  let size: Int
  private let condition = NSCondition()
  private var waiting = 0
  private var round = 0
  private var slots: [[UInt8]]
  private let seconds: Double

  init(_ size: Int, seconds: Double = 60) {
    self.size = size
    self.seconds = seconds
    slots = .init(repeating: [], count: size)
  }

  /// Leaves bytes, waits for those of all ranks, and takes them.
  fileprivate func meet(_ rank: Int, _ bytes: [UInt8]) throws(PruneError) -> [[UInt8]] {
    condition.lock()
    slots[rank] = bytes
    guard wait() else {
      condition.unlock()
      throw PruneError(.io, "a collective did not end within \(seconds) s")
    }
    let all = slots
    _ = wait()
    condition.unlock()
    return all
  }

  /// Until all are here; false when one does not come.
  private func wait() -> Bool {
    let own = round
    waiting += 1
    if waiting == size {
      (waiting, round) = (0, round + 1)
      condition.broadcast()
      return true
    }
    let end = Date(timeIntervalSinceNow: seconds)
    while round == own { if !condition.wait(until: end) { return round != own } }
    return true
  }

  /// Runs a body as every rank, and gives the results or what it threw.
  static func run<T: Sendable>(
    _ size: Int, seconds: Double = 60, _ body: @escaping @Sendable (Communicator) throws -> T
  ) -> [Result<T, any Error>] {
    let ranks = ThreadRanks(size, seconds: seconds), results = Results<T>(size)
    var threads: [Thread] = []
    let group = DispatchGroup()
    for rank in 0..<size {
      group.enter()
      let thread = Thread {
        Parallel.threads = 1
        results.set(rank, Result { try body(Communicator(ThreadTransport(ranks, rank))) })
        group.leave()
      }
      thread.stackSize = 8 << 20
      threads.append(thread)
    }
    for thread in threads { thread.start() }
    group.wait()
    return results.all
  }

  private final class Results<T: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Int: Result<T, any Error>] = [:]
    private let size: Int
    init(_ size: Int) { self.size = size }
    func set(_ rank: Int, _ value: Result<T, any Error>) { lock.withLock { values[rank] = value } }
    var all: [Result<T, any Error>] {
      lock.withLock { (0..<size).map { values[$0] ?? .failure(PruneError(.internal, "no result")) } }
    }
  }
}

/// One rank's end of them.
final class ThreadTransport: CollectiveTransport {
  private let ranks: ThreadRanks
  let rank: Int
  var size: Int { ranks.size }

  init(_ ranks: ThreadRanks, _ rank: Int) { (self.ranks, self.rank) = (ranks, rank) }

  func allReduce(
    _ values: UnsafeMutableRawPointer, count: Int, _ type: ReducedType, _ reduction: Reduction
  ) throws(PruneError) {
    let width = type == .float32 ? 4 : 8
    let all = try ranks.meet(rank, [UInt8](UnsafeRawBufferPointer(start: values, count: count * width)))
    func reduce<T: BitwiseCopyable & Comparable>(_: T.Type, _ add: (T, T) -> T) {
      for index in 0..<count {
        func value(_ rank: Int) -> T {
          all[rank].withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.stride, as: T.self) }
        }
        var result = value(0)
        for other in 1..<max(all.count, 1) {
          result = reduction == .sum ? add(result, value(other)) : max(result, value(other))
        }
        values.storeBytes(of: result, toByteOffset: index * MemoryLayout<T>.stride, as: T.self)
      }
    }
    switch type {
    case .float32: reduce(Float.self, +)
    case .float64: reduce(Double.self, +)
    case .int64: reduce(Int64.self, &+)
    }
  }

  func broadcast(_ bytes: UnsafeMutableRawPointer, count: Int, from root: Int) throws(PruneError) {
    let all = try ranks.meet(rank, [UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
    all[root].withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress!, byteCount: count) }
  }

  func gather(
    _ bytes: UnsafeRawPointer, count: Int, into all: UnsafeMutableRawPointer?, at root: Int
  ) throws(PruneError) {
    let found = try ranks.meet(rank, [UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
    guard rank == root, let all else { return }
    for (index, part) in found.enumerated() {
      part.withUnsafeBytes { (all + index * count).copyMemory(from: $0.baseAddress!, byteCount: count) }
    }
  }

  func barrier() throws(PruneError) { _ = try ranks.meet(rank, []) }
}
