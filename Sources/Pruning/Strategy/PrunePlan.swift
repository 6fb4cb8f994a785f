import PruneTensor

/// A strategy taken apart into its choices: importance, granularity, allocation and schedule. Recovery and guard are
/// options of the run.
package struct PrunePlan: Sendable {
  package let strategy: String
  package let importance: any Importance
  package let granularity: Granularity
  package let allocation: Allocation
  package let schedule: PruneSchedule

  /// The named strategies, each a preset.
  package static let strategies = ["global", "local", "threshold"]
  package static let modes = ["mask"]
  package static let devices = ["cpu"]

  /// Everything that is wrong with the options is said here, before any work is done.
  /// - Throws: `.invalidArgument` for contradictions and unknown names, `.unsupported` for known ones that this build cannot do.
  package init(_ options: PruneOptions) throws(PruneError) {
    guard Self.devices.contains(options.device) else {
      throw PruneError(
        .unsupported, "device '\(options.device)' is not available", hint: "this build runs on device = \"cpu\"")
    }
    guard Self.modes.contains(options.mode) else {
      throw PruneError(
        .unsupported, "mode '\(options.mode)' is not available for granularity '\(options.granularity)'",
        hint: "there are: \(Self.modes.joined(separator: ", "))")
    }
    granularity = try Granularity(name: options.granularity)
    importance = try Criterion.named(options.criterion ?? "magnitude")
    schedule = try PruneSchedule(kind: options.schedule, steps: options.steps)
    strategy = options.strategy ?? (options.threshold == nil ? "global" : "threshold")
    allocation = try Self.allocation(strategy, amount: options.amount, threshold: options.threshold)
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
        hint: "amount = fraction of the weights to remove, or threshold = score below which they go")
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
