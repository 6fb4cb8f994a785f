import PruneTensor

/// What the numbers of a reduction are.
package enum ReducedType: Int32, Sendable {
  case float32 = 0, float64 = 1, int64 = 2
}

/// What becomes of the numbers of all ranks.
package enum Reduction: Int32, Sendable {
  case sum = 0, max = 1
}

/// How ranks reach each other: MPI, or the threads of a test. Every rank calls the same functions in the same order; each
/// returns within the transport's time limit, or throws.
package protocol CollectiveTransport: AnyObject, Sendable {
  /// The number of this rank, from 0, and how many there are.
  var rank: Int { get }
  var size: Int { get }

  /// Replaces `count` numbers by the sum, or the largest, over all ranks: the same bits on every rank.
  func allReduce(
    _ values: UnsafeMutableRawPointer, count: Int, _ type: ReducedType, _ reduction: Reduction
  ) throws(PruneError)
  /// Gives every rank the bytes of one.
  func broadcast(_ bytes: UnsafeMutableRawPointer, count: Int, from root: Int) throws(PruneError)
  /// Puts `count` bytes of every rank one behind the other, in `all` of rank `root`.
  func gather(
    _ bytes: UnsafeRawPointer, count: Int, into all: UnsafeMutableRawPointer?, at root: Int
  ) throws(PruneError)
  /// Returns when every rank is there.
  func barrier() throws(PruneError)
}
