import PruneEvaluation
import PruneGraph
import PruneTensor

/// The coupled groups of a model, for people and programs: a list "groups" of {name, kind, units, params, macs, layers,
/// members}, params and macs being those of one unit; and a list "pinned" of {name, kind, units, reason, pins,
/// members}.
/// - Throws: `.mismatch` when shapes in the model contradict each other.
package func unitGroups(_ model: Model, rules: [String: CustomRule] = [:]) throws(PruneError) -> Report {
  let dependencies = try Dependencies(of: model, rules: rules)
  let extents = try BoundExtents(model, assumes: true)
  let costs = CostModel(dependencies, extents), whole = costs.cost([:])
  var free: [ReportValue] = [], pinned: [ReportValue] = []
  for group in dependencies.groups {
    var row = Report(title: "")
    row["name"] = .text(group.name)
    if group.kind != "channel" || !group.isPinned { row["kind"] = .text(group.kind) }
    row["units"] = .integer(group.size)
    if let pin = group.pins.first {
      row["reason"] = .text("\(pin.place): \(pin.reason)")
      row["pins"] = .list(group.pins.map { .text("\($0.place): \($0.reason)") })
    } else if !group.isTaken {
      row["reason"] = .text("no granularity takes units of this kind")
    } else {
      let less = costs.cost([group.space: group.size - 1])
      row["params"] = .integer(whole.params - less.params)
      if let all = whole.macs, let rest = less.macs { row["macs"] = .integer(all - rest) } else { row["macs"] = .open }
      row["layers"] = .integer(Set(group.members.map(\.layer)).count)
    }
    row["members"] = .list(
      group.members.map { member in
        var entry = Report(title: "")
        entry["layer"] = .text(member.layer)
        entry["tensor"] = .text(member.tensor)
        entry["axis"] = .integer(member.axis)
        return .report(entry)
      })
    if group.isPinned || !group.isTaken { pinned.append(.report(row)) } else { free.append(.report(row)) }
  }
  var report = Report(title: "groups")
  report["units"] = .integer(dependencies.groups.reduce(0) { $0 + ($1.isPrunable && $1.isTaken ? $1.size : 0) })
  if let assumption = extents.assumption { report["shapes"] = .text("\(assumption) (assumed)") }
  report["groups"] = .list(free)
  if !pinned.isEmpty { report["pinned"] = .list(pinned) }
  return report
}

extension UnitGroup {
  /// Whether its units are of a kind that prunes can be asked for.
  var isTaken: Bool { [Granularity.channel, .head, .headDim].contains { $0.takes(self) } }

  /// What a unit is.
  var kind: String {
    if roles.contains(.copies) { return "copy" }
    if roles.contains(.head) { return "head" }
    if roles.contains(.headDim) { return "head_dim" }
    if roles.contains(.group) { return "group" }
    return roles.contains(.width) ? "width" : "channel"
  }
}
