import PruneTensor

/// A strategy taken apart into its choices: importance, granularity, allocation and schedule. Recovery and guard are
/// options of the run.
package struct PrunePlan: Sendable {
  package let strategy: String
  package let importance: any Importance
  package let granularity: Granularity
  package let allocation: Allocation
  package let schedule: PruneSchedule
  /// A cost to meet, in place of an amount.
  package let target: CostTarget?
  /// Whether units are taken out, rather than zeroed.
  package let removes: Bool
  package let isIsomorphic: Bool
  package let maxFraction: Double
  let reduction: UnitImportance.Reduction
  let normalization: UnitImportance.Normalization

  /// The named strategies, each a preset.
  package static let strategies = ["global", "local", "threshold"]
  package static let devices = ["cpu"]

  /// Everything that is wrong with the options is said here, before any work is done.
  /// - Throws: `.invalidArgument` for contradictions and unknown names, `.unsupported` for known ones that this build cannot do.
  package init(_ options: PruneOptions) throws(PruneError) {
    guard Self.devices.contains(options.device) else {
      throw PruneError(
        .unsupported, "device '\(options.device)' is not available", hint: "this build runs on device = \"cpu\"")
    }
    granularity = try Granularity(name: options.granularity)
    let mode = options.mode ?? granularity.modes[0]
    guard granularity.modes.contains(mode) else {
      throw PruneError(
        .unsupported, "mode '\(mode)' is not available for granularity '\(options.granularity)'",
        hint: "there are: \(granularity.modes.joined(separator: ", "))")
    }
    removes = mode == "remove"
    target = try Self.target(options, granularity)
    isIsomorphic = options.isIsomorphic
    reduction = try Self.choice("reduce", options.reduction)
    normalization = try Self.choice("normalize", options.normalization)
    if let given = options.maxFraction, !(0...1).contains(given) {
      throw PruneError(.invalidArgument, "max_fraction is \(given), it must be a fraction from 0 to 1")
    }
    maxFraction = options.maxFraction ?? max(0.9, options.amount ?? 0)
    guard (0...65536).contains(options.roundTo) else {
      throw PruneError(.invalidArgument, "round_to is \(options.roundTo), it must be 1 to 65536 (0 for the default)")
    }
    importance = try Criterion.named(options.criterion ?? "magnitude")
    schedule = try PruneSchedule(kind: options.schedule, steps: options.steps)
    strategy = options.strategy ?? (options.threshold == nil ? "global" : "threshold")
    if target == nil {
      allocation = try Self.allocation(strategy, amount: options.amount, threshold: options.threshold)
    } else {
      allocation = try Self.allocation(strategy, amount: 1, threshold: nil)
    }
    guard options.batchSize >= 0 else {
      throw PruneError(.invalidArgument, "batch_size is \(options.batchSize), it must be 1 or more (0 for the default)")
    }
    if importance.needsData, options.data == nil {
      throw PruneError(
        .invalidArgument, "criterion '\(importance.name)' scores weights on data, and there is none",
        hint: "give data = …, or use criterion = \"magnitude\"")
    }
    if options.recover != nil, options.recoverData == nil, options.data == nil {
      throw PruneError(
        .invalidArgument, "recover trains on data, and there is none", hint: "give recover a data = …, or prune a data = …")
    }
  }

  private static func choice<T: RawRepresentable & CaseIterable>(
    _ option: String, _ name: String
  ) throws(PruneError) -> T where T.RawValue == String {
    guard let found = T(rawValue: name) else {
      throw PruneError(
        .invalidArgument, "there is no \(option) '\(name)'",
        hint: Suggestion.hint(for: name, among: T.allCases.map(\.rawValue)))
    }
    return found
  }

  private static func target(_ options: PruneOptions, _ granularity: Granularity) throws(PruneError) -> CostTarget? {
    guard let target = options.target else { return nil }
    guard granularity.isStructural, options.mode != "mask" else {
      throw PruneError(
        .unsupported, "a target of \(target.kind.rawValue) needs units that are removed",
        hint: "use granularity = \"channel\" or \"head\" with mode = \"remove\"")
    }
    guard options.amount == nil, options.threshold == nil else {
      throw PruneError(.invalidArgument, "both a target and an amount or threshold are given", hint: "give one of them")
    }
    guard target.fraction > 0, target.fraction <= 1 else {
      throw PruneError(
        .invalidArgument, "target \(target.kind.rawValue) is \(target.fraction), it must be the fraction to keep, above 0 and up to 1")
    }
    return target
  }

  private static func allocation(
    _ strategy: String, amount: Double?, threshold: Double?
  ) throws(PruneError) -> Allocation {
    guard strategies.contains(strategy) else {
      throw PruneError(
        .invalidArgument, "there is no strategy '\(strategy)'", hint: Suggestion.hint(for: strategy, among: strategies))
    }
    switch (amount, threshold) {
    case (nil, nil):
      throw PruneError(
        .invalidArgument, "neither amount nor threshold is given",
        hint: "amount = fraction of the units to remove, threshold = score below which they go, or for channels a target")
    case (_?, _?):
      throw PruneError(.invalidArgument, "both amount and threshold are given", hint: "give one of the two")
    case (let amount?, nil):
      guard amount >= 0, amount <= 1 else {
        throw PruneError(
          .invalidArgument, "amount is \(amount), it must be a fraction from 0 to 1",
          hint: amount > 1 && amount <= 100 ? "for \(formatted(amount, digits: 4, style: "g"))% write \(formatted(amount / 100, digits: 6, style: "g"))" : "")
      }
      if strategy == "threshold" {
        throw PruneError(
          .invalidArgument, "strategy 'threshold' takes a threshold, got an amount",
          hint: "use strategy = \"global\" or \"local\" for an amount")
      }
      return strategy == "local" ? .local(amount: amount) : .global(amount: amount)
    case (nil, let threshold?):
      // A threshold is the same in one ranking and in each layer's own.
      guard threshold.isFinite, threshold >= 0 else {
        throw PruneError(.invalidArgument, "threshold is \(threshold), it must be a number of 0 or more")
      }
      return .threshold(threshold)
    }
  }
}
