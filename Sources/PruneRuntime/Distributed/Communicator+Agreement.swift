import PruneGraph
import PruneTensor

/// Something that has to be the same on all ranks before they start on one thing together.
package struct SharedFact {
  package var name: String
  package var value: Int
  /// Whether the value itself says something to a reader, as a count does and a hash does not.
  package var isCount: Bool

  package static func count(_ name: String, _ value: Int) -> SharedFact {
    .init(name: name, value: value, isCount: true)
  }
  package static func hash(_ name: String, _ value: Fingerprint) -> SharedFact {
    .init(name: name, value: value.number, isCount: false)
  }
}

extension Communicator {
  /// Facts that a call can have: all ranks send as many numbers, also when they are in different calls.
  private static let most = 14

  /// Sees to it that all ranks are in the same call with the same facts.
  /// - Throws: `.mismatch` on every rank, with the fact and who has what.
  package func agree(_ call: String, _ facts: [SharedFact]) throws(PruneError) {
    let width = Self.most + 1
    var table = [Int](repeating: 0, count: size * width)
    table[rank * width] = Fingerprint(call).number
    for (index, fact) in facts.prefix(Self.most).enumerated() { table[rank * width + 1 + index] = fact.value }
    let all = try sum(table)
    func other(_ column: Int) -> Int? { (1..<size).first { all[$0 * width + column] != all[column] } }
    if let other = other(0) {
      throw PruneError(
        .mismatch, "rank \(other) is in another call than rank 0, this rank (\(rank)) in \(call)", at: call,
        hint: "every rank runs the same calls in the same order")
    }
    for (index, fact) in facts.enumerated() {
      guard let other = other(index + 1) else { continue }
      let difference =
        fact.isCount
        ? "\(fact.name) is \(all[index + 1]) on rank 0 and \(all[other * width + index + 1]) on rank \(other)"
        : "\(fact.name) of rank \(other) is not that of rank 0"
      throw PruneError(
        .mismatch, "the ranks disagree: \(difference)", at: call,
        hint: "every rank needs the same model, data and options")
    }
  }

  private static let messageBytes = 2048

  /// Ends what each rank did on its own: returns when it went well everywhere.
  /// - Throws: on every rank the failure of the first rank that has one.
  package func settle(_ failure: PruneError?) throws(PruneError) {
    let worst = try max([failure == nil ? 0 : size - rank])[0]
    guard worst > 0 else { return }
    try raise(failure, of: size - worst)
  }

  /// Throws on every rank the failure that one rank has.
  func raise(_ failure: PruneError?, of root: Int) throws(PruneError) {
    var bytes = [UInt8](repeating: 0, count: Self.messageBytes)
    if let failure, rank == root {
      let text = [String(failure.status.rawValue), failure.place, failure.hint, failure.message].joined(
        separator: "\u{0}")
      for (index, byte) in text.utf8.prefix(bytes.count).enumerated() { bytes[index] = byte }
    }
    bytes = try broadcast(bytes, from: root)
    let parts = bytes.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
      .map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let status = parts.first.flatMap { Int32($0) }.flatMap { Status(rawValue: $0) } ?? .internal
    func text(_ index: Int) -> String { index < parts.count ? parts[index] : "" }
    throw PruneError(status, "rank \(root): \(text(3))", at: text(1), hint: text(2))
  }
}

extension Optional where Wrapped == Communicator {
  package var rank: Int { self?.rank ?? 0 }
  package var size: Int { self?.size ?? 1 }

  /// Whether one of many things in order, as the batches of a data set, is this rank's.
  package func owns(_ index: Int) -> Bool { self.map { index % $0.size == $0.rank } ?? true }

  /// Does what this rank does on its own, between two collectives; none may be inside.
  /// - Throws: on every rank what the first rank that failed threw.
  package func each<T>(_ body: () throws(PruneError) -> T) throws(PruneError) -> T {
    guard let communicator = self else { return try body() }
    let result: T
    do throws(PruneError) { result = try body() } catch {
      try communicator.settle(error)
      throw error
    }
    try communicator.settle(nil)
    return result
  }

  /// The sums over all ranks of float32 tensors.
  package func sum(_ tensors: [Tensor]) throws(PruneError) -> [Tensor] {
    guard let communicator = self else { return tensors }
    var result = tensors
    for index in result.indices { try communicator.sum(&result[index]) }
    return result
  }
}
