import PruneData
import PruneRuntime
import PruneTensor

/// The loss on a few samples that stay the same during a fit: what the network is before it and after.
struct FitProbe {
  private let setup: FitSetup
  private let data: Dataset
  /// Positions of the samples, whole batches of them.
  private let order: [Int]
  private let size: Int

  /// A small share of an epoch, and enough to tell networks apart.
  private static let most = 512
  private static let share = 16
  /// Of few samples more are needed.
  private static let (least, largestShare) = (128, 4)

  /// Nil when there is no whole batch for a model that takes no other.
  init?(_ setup: FitSetup, _ data: Dataset, validation: Dataset?, seed: UInt64) {
    let source = validation ?? data
    let batch = setup.scoreSize
    guard source.count > 0, source.y != nil, !setup.isFixed || source.count >= batch else { return nil }
    size = min(batch, source.count)
    let least = min(Self.least, data.count / Self.largestShare)
    let sampleCount = min(max(data.count / Self.share, least, size), Self.most, source.count)
    var random = RandomSource(seed: seed).fork(0x9205E)
    order = Array(random.permutation(source.count).prefix(max(sampleCount / size, 1) * size))
    self.setup = setup
    self.data = source
  }

  var count: Int { order.count }

  /// The mean loss; nil when cancelled, not a number for a network that gives none.
  /// - Parameter isMismatched: every sample has the target of another. A network that has not learned does no worse
  ///   then.
  func loss(isMismatched: Bool = false, cancel: CancelFlag?) throws(PruneError) -> Double? {
    let others = Array(order.dropFirst() + order.prefix(1)), communicator = setup.communicator
    var progress = Progress(), isStopped = false
    try communicator.each { () throws(PruneError) in
      for (index, first) in stride(from: 0, to: order.count, by: size).enumerated() where communicator.owns(index) {
        isStopped = cancel?.isRequested == true
        if isStopped { break }
        let range = first..<first + size
        let batch = try data.batch(order[range])
        guard let targets = isMismatched ? try data.batch(others[range]).y : batch.y else { continue }
        progress.add(try setup.trainer.score(batch, targets, cancel: nil).loss, size)
      }
    }
    if let communicator { isStopped = try progress.sum(over: communicator, isStopped: isStopped) }
    return isStopped ? nil : progress.loss
  }
}

/// How good a network is before a fit.
struct FitStanding {
  let loss: Double
  /// The loss with the targets of other samples.
  let mismatched: Double

  /// A trained network has a loss below this share of the loss with the targets of other samples.
  private static let trainedShare = 0.8
  /// Differences of losses that are nothing: of the loss itself, and of what there is to lose.
  private static let (relative, absolute) = (0.02, 0.002)

  /// Nil where there is nothing to measure.
  init?(_ probe: FitProbe?, cancel: CancelFlag?) throws(PruneError) {
    guard let loss = try probe?.loss(cancel: cancel),
      let mismatched = try probe?.loss(isMismatched: true, cancel: cancel)
    else {
      return nil
    }
    (self.loss, self.mismatched) = (loss, mismatched)
  }

  /// Whether its outputs have to do with the targets.
  var isTrained: Bool { loss.isFinite && (!mismatched.isFinite || loss < Self.trainedShare * mismatched) }

  /// How much a loss may rise and be the same; times a factor for noisy ones.
  func tolerance(_ factor: Double = 1) -> Double {
    factor * (Self.relative * abs(loss) + Self.absolute * (mismatched.isFinite ? max(mismatched, 0) : 0))
  }

  func isWorse(_ after: Double) -> Bool { !(after <= loss + tolerance()) }
}
