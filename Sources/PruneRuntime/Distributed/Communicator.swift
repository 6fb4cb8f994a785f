import PruneTensor

/// The ranks that work on one thing together, each a process (or, in tests, a thread) with the same model and data.
///
/// Options hand it down as they hand down the cancel flag; nil is one rank alone. What is only this rank's part is done
/// between two collectives, and a failure there reaches all ranks: see `each`.
package final class Communicator: Sendable {
  private let transport: any CollectiveTransport
  package let rank: Int
  package let size: Int

  /// Numbers that travel at once: MPI counts in 32 bits.
  private static let most = 1 << 24

  /// - Throws: `.invalidArgument` for a rank that is not one of the ranks.
  package init(_ transport: any CollectiveTransport) throws(PruneError) {
    guard transport.size > 0, transport.size < 1 << 20, transport.rank >= 0, transport.rank < transport.size else {
      throw PruneError(
        .invalidArgument, "rank is \(transport.rank) of \(transport.size), wanted 0 to size - 1", at: "communicator")
    }
    self.transport = transport
    (rank, size) = (transport.rank, transport.size)
  }

  /// The bounds of this rank's part of `count` things in order: parts differ by one at most.
  package func part(of count: Int) -> Range<Int> {
    let (share, rest) = count.quotientAndRemainder(dividingBy: size)
    let first = rank * share + min(rank, rest)
    return first..<first + share + (rank < rest ? 1 : 0)
  }

  // MARK: - Collectives

  /// Replaces a float32 tensor by its sum over the ranks, element by element.
  package func sum(_ tensor: inout Tensor) throws(PruneError) {
    guard tensor.dtype == .float32 else {
      throw PruneError(.internal, "tensors of \(tensor.dtype.name) are not summed over ranks")
    }
    // Safe: the base is unshared and has count elements of four bytes.
    try reduce(tensor.mutableBase(), count: tensor.count, stride: 4, .float32, .sum)
  }

  package func sum(_ values: [Double]) throws(PruneError) -> [Double] { try reduced(values, .float64, .sum) }
  package func sum(_ values: [Float]) throws(PruneError) -> [Float] { try reduced(values, .float32, .sum) }
  package func sum(_ values: [Int]) throws(PruneError) -> [Int] {
    try reduced(values.map { Int64($0) }, .int64, .sum).map { Int($0) }
  }
  package func max(_ values: [Double]) throws(PruneError) -> [Double] { try reduced(values, .float64, .max) }
  package func max(_ values: [Float]) throws(PruneError) -> [Float] { try reduced(values, .float32, .max) }
  package func max(_ values: [Int]) throws(PruneError) -> [Int] {
    try reduced(values.map { Int64($0) }, .int64, .max).map { Int($0) }
  }

  /// Gives every rank the tensor of one; all have the same shape and dtype.
  package func broadcast(_ tensor: inout Tensor, from root: Int = 0) throws(PruneError) {
    let base = try tensor.mutableBase()
    let chunk = Self.most * 4
    for first in stride(from: 0, to: tensor.byteCount, by: chunk) {
      // Safe: the base is unshared and has byteCount bytes.
      try transport.broadcast(base + first, count: min(chunk, tensor.byteCount - first), from: root)
    }
  }

  package func broadcast(_ bytes: [UInt8], from root: Int) throws(PruneError) -> [UInt8] {
    var result = bytes, failure: PruneError?
    result.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      // Safe: the buffer has as many bytes.
      do throws(PruneError) { try transport.broadcast(base, count: buffer.count, from: root) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return result
  }

  /// The bytes of every rank one behind the other, on rank `root`; empty on others. All ranks give as many.
  package func gather(_ bytes: [UInt8], at root: Int = 0) throws(PruneError) -> [UInt8] {
    var all = [UInt8](repeating: 0, count: rank == root ? bytes.count * size : 0), failure: PruneError?
    guard !bytes.isEmpty else { return all }
    bytes.withUnsafeBytes { source in
      all.withUnsafeMutableBytes { target in
        guard let base = source.baseAddress else { return }
        // Safe: the target has room for the bytes of all ranks where it is the root's.
        do throws(PruneError) {
          try transport.gather(base, count: source.count, into: target.baseAddress, at: root)
        } catch { failure = error }
      }
    }
    if let failure { throw failure }
    return all
  }

  package func barrier() throws(PruneError) { try transport.barrier() }

  private func reduced<T: BitwiseCopyable>(
    _ values: [T], _ type: ReducedType, _ reduction: Reduction
  ) throws(PruneError) -> [T] {
    var result = values, failure: PruneError?
    result.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      // Safe: the buffer has values.count numbers.
      do throws(PruneError) {
        try reduce(base, count: values.count, stride: MemoryLayout<T>.stride, type, reduction)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }

  private func reduce(
    _ base: UnsafeMutableRawPointer, count: Int, stride: Int, _ type: ReducedType, _ reduction: Reduction
  ) throws(PruneError) {
    for first in Swift.stride(from: 0, to: count, by: Self.most) {
      try transport.allReduce(base + first * stride, count: min(Self.most, count - first), type, reduction)
    }
  }
}
