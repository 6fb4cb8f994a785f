import PruneEvaluation
import PruneGraph
import PruneTensor

/// The coupled groups of a model, for people and programs: a list "groups" of {name, kind, units, params, macs, layers, pinned,
/// by, reason}, params and macs being those of one unit.
/// - Throws: `.mismatch` when shapes in the model contradict each other.
package func unitGroups(_ model: Model, rules: [String: CustomRule] = [:]) throws(PruneError) -> Report {
  let dependencies = try Dependencies(of: model, rules: rules)
  let costs = CostModel(dependencies), whole = costs.cost([:])
  var rows: [ReportValue] = []
  for group in dependencies.groups {
    var row = Report(title: "")
    row["name"] = .text(group.name)
    row["kind"] = .text(group.kind)
    row["units"] = .integer(group.size)
    if group.isPinned {
      row["by"] = .text(group.pins[0].place)
      row["reason"] = .text(group.pins[0].reason)
    } else {
      let less = costs.cost([group.space: group.size - 1])
      row["params"] = .integer(whole.params - less.params)
      row["macs"] = .integer(whole.macs - less.macs)
    }
    row["pinned"] = .flag(group.isPinned)
    var layers: [String] = []
    for member in group.members where !layers.contains(member.layer) { layers.append(member.layer) }
    row["layers"] = .integer(layers.count)
    row["members"] = .list(
      group.members.map { member in
        var entry = Report(title: "")
        entry["layer"] = .text(member.layer)
        entry["tensor"] = .text(member.tensor)
        entry["axis"] = .integer(member.axis)
        return .report(entry)
      })
    row["pins"] = .list(group.pins.map { .text("\($0.place): \($0.reason)") })
    rows.append(.report(row))
  }
  var report = Report(title: "groups")
  report["count"] = .integer(rows.count)
  report["prunable"] = .integer(dependencies.groups.count(where: \.isPrunable))
  report["groups"] = .list(rows)
  return report
}

extension UnitGroup {
  /// What a unit is.
  var kind: String {
    if roles.contains(.head) { return "head" }
    if roles.contains(.headDim) { return "head_dim" }
    if roles.contains(.group) { return "group" }
    return roles.contains(.copies) ? "copy" : "channel"
  }
}
