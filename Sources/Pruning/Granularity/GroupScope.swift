import PruneTensor

/// Which groups a prune may take units from.
struct GroupScope {
  /// By the group's place in the list.
  let chosen: [Bool]

  /// - Parameters:
  ///   - streams: groups that stay whole; nil is none.
  ///   - checks: whether patterns that match nothing, and nothing to prune, are errors.
  /// - Throws: `.notFound` for a pattern that matches nothing, `.invalidArgument` when nothing is left.
  init(
    _ dependencies: Dependencies, _ granularity: Granularity, scope: [String], ignore: [String],
    without streams: ResidualStreams? = nil,
    checks: Bool = true
  ) throws(PruneError) {
    let groups = dependencies.groups
    func names(_ group: UnitGroup) -> [String] { [group.name] + group.members.flatMap { [$0.layer, $0.tensor] } }
    if checks {
      let allNames = Set(groups.flatMap(names) + dependencies.model.graph.nodes.map(\.layerName))
      for (option, patterns) in [("scope", scope), ("ignore", ignore)] {
        for pattern in patterns {
          let matcher = NamePattern(pattern)
          guard !allNames.contains(where: matcher.matches) else { continue }
          throw PruneError(
            .notFound, "\(option) pattern '\(pattern)' matches no layer and no weight",
            hint: Suggestion.hint(for: pattern, among: groups.map(\.name)))
        }
      }
    }
    let scopePatterns = scope.map { NamePattern($0) }, ignorePatterns = ignore.map { NamePattern($0) }
    func isMatched(_ group: UnitGroup, _ patterns: [NamePattern], makes: Bool) -> Bool {
      patterns.contains { pattern in
        pattern.matches(group.name)
          || group.members.contains {
            (!makes || !$0.isInput) && (pattern.matches($0.layer) || pattern.matches($0.tensor))
          }
      }
    }
    let candidates = groups.map { group in
      group.isPrunable && granularity.takes(group) && streams?.contains(group) != true
    }
    // Scope names what makes units; a layer to ignore must not change at all.
    chosen = zip(groups, candidates).map { group, isCandidate in
      isCandidate && (scopePatterns.isEmpty || isMatched(group, scopePatterns, makes: true))
        && !isMatched(group, ignorePatterns, makes: false)
    }
    guard checks, !chosen.contains(true) else { return }
    if candidates.contains(true) {
      throw PruneError(
        .invalidArgument, "scope and ignore leave none of the \(candidates.count { $0 }) groups that could be pruned")
    }
    if streams != nil, groups.contains(where: { $0.isPrunable && granularity.takes($0) }) {
      throw PruneError(
        .invalidArgument, "residual = false keeps residual streams whole, and no other group could be pruned",
        hint: "leave residual out")
    }
    let kind = groups.filter { granularity.takes($0) }
    let why = kind.prefix(3).compactMap { group in
      group.pins.first.map { "'\(group.name)' stays for \($0.place): \($0.reason)" }
    }
    throw PruneError(
      .invalidArgument,
      "the model has no \(granularity.name) to prune: "
        + (kind.isEmpty ? "no layer has any" : "all \(kind.count) groups are pinned"),
      hint: why.isEmpty ? "m:groups() lists what there is" : why.joined(separator: "; "))
  }

  /// Without the groups of which these weights are all that could be scored.
  func chosen(of dependencies: Dependencies, without unreached: Set<String>) throws(PruneError) -> [Bool] {
    guard !unreached.isEmpty else { return chosen }
    let reached = Set(try PrunableWeights(of: dependencies.model).weights.map(\.name)).subtracting(unreached)
    return zip(dependencies.groups, chosen).map { group, isChosen in
      let tensors = Set(group.members.map(\.tensor))
      return isChosen && (tensors.isDisjoint(with: unreached) || !tensors.isDisjoint(with: reached))
    }
  }
}

extension Granularity {
  /// Whether a group's units are of this kind.
  func takes(_ group: UnitGroup) -> Bool {
    switch self {
    case .head: group.roles.contains(.head) && !group.roles.contains(.copies)
    case .headDim: group.roles.contains(.headDim) && !group.roles.contains(.head)
    case .channel:
      group.roles.isDisjoint(with: [.head, .group, .copies]) && group.members.contains { $0.positions.count > 1 }
    default: false
    }
  }
}
