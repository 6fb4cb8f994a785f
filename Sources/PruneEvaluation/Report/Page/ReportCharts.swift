import PruneTensor

extension Report {
  /// The charts of a report, the most useful first. They follow from its lists, not from the call that made it.
  var charts: [Chart] {
    [front, journalPlane, models, sensitivityHeat, significanceBars, epochs, cuts, confusion, steps].compactMap { $0 }
  }

  private func rows(_ key: String) -> [Report] {
    guard case .list(let list)? = self[key] else { return [] }
    return list.compactMap { if case .report(let row) = $0 { row } else { nil } }
  }

  private func text(_ key: String) -> String {
    if case .text(let text)? = self[key] { text } else { "" }
  }

  private func flag(_ key: String) -> Bool {
    if case .flag(let flag)? = self[key] { flag } else { false }
  }

  /// Points of a search that no other beats; the chosen one is the cheapest within the bound.
  private var front: Chart? {
    let metric = text("metric"), cost = text("objective")
    let points = rows("front")
    let chosen = points.firstIndex { $0.flag("within") }
    return Chart.plane(
      "\(metric) against \(cost)", x: cost, y: metric,
      points.enumerated().map { index, row in
        let x = row.number("cost") ?? row.number("ms") ?? .nan
        return Chart.Point(
          x: x, y: row.number(metric) ?? .nan,
          tip: "\(row.text("way")), amount \(formatted(row.number("amount") ?? 0, digits: 3, style: "g"))",
          kind: row.flag("within") ? "one" : "hollow", isChosen: index == chosen)
      }, isConnected: true, note: "Filled points keep what was asked for; the ring is the model that was returned.")
  }

  /// Steps of a prune: the guard's metric against the share that is left.
  private var journalPlane: Chart? {
    let steps = rows("journal")
    // The guard's metric is what stands before its drop.
    let metric = steps.first.flatMap { row in
      row.entries.firstIndex { $0.key == "drop" }.flatMap { $0 > 0 ? row.entries[$0 - 1].key : nil }
    }
    guard let metric else { return nil }
    let cost = steps.contains { $0.number("macs") != nil } ? "macs" : "bytes"
    return Chart.plane(
      "\(metric) against \(cost), step by step", x: cost, y: metric,
      steps.map { row in
        Chart.Point(
          x: row.number(cost) ?? .nan, y: row.number(metric) ?? .nan,
          tip:
            "step \(row.entries.first?.value.displayText(for: "") ?? ""): \(metric) \(formatted(row.number(metric) ?? .nan, digits: 4, style: "g"))",
          kind: row.flag("kept") ? "one" : "hollow")
      }, note: "Filled steps were kept, hollow ones the guard took back.")
  }

  private var models: Chart? {
    let rows = rows("models")
    guard rows.count > 1 else { return nil }
    let keys = ["accuracy", "bytes", "macs", "median_ms"].filter { key in rows.allSatisfy { $0.number(key) != nil } }
    let bars = keys.flatMap { key in
      let largest = rows.compactMap { $0.number(key) }.max() ?? 0
      return rows.map { row in
        let value = row.number(key) ?? 0
        return Chart.Bar(
          label: "\(row.text("label")) \(key == "median_ms" ? "ms" : key)", value: largest > 0 ? value / largest : 0,
          before: 1,
          text: row[key]?.displayText(for: key))
      }
    }
    return Chart.bars("models side by side", bars, note: "Each measure by itself, the largest of it being a whole bar.")
  }

  private var sensitivityHeat: Chart? {
    let rows = rows("layers").filter { row in if case .list? = row["values"] { true } else { false } }
    guard !rows.isEmpty, case .list(let amounts)? = self["amounts"], let baseline = number("baseline") else {
      return nil
    }
    let values = rows.map { row -> [Double] in
      guard case .list(let list)? = row["values"] else { return [] }
      return list.map { $0.number ?? .nan }
    }
    let largest = values.flatMap { $0 }.filter(\.isFinite).map { abs($0 - baseline) }.max() ?? 0
    return Chart.heat(
      "sensitivity: \(text("metric")) when a layer alone is pruned", rows: rows.map { $0.text("name") },
      columns: amounts.map { formatted(($0.number ?? 0) * 100, digits: 3, style: "g") + " %" },
      shares: values.map { $0.map { largest > 0 ? abs($0 - baseline) / largest : 0 } },
      texts: values.map { $0.map { formatted($0, digits: 3, style: "g") } },
      note:
        "The stronger the colour, the further from \(formatted(baseline, digits: 4, style: "g")), that of the whole network."
    )
  }

  private var significanceBars: Chart? {
    let rows = rows("layers").filter { $0.number("share") != nil && $0.number("mean") != nil }
    return Chart.bars(
      "significance: mean \(text("criterion")) of a layer's weights",
      rows.map { Chart.Bar(label: $0.text("name"), value: $0.number("mean") ?? .nan) })
  }

  private var epochs: Chart? {
    let rows = rows("epochs")
    let keys = ["loss", "validation_loss", "accuracy", "validation_accuracy"]
    return Chart.lines(
      "training", x: "epoch",
      keys.map { key in (key, rows.map { $0.number(key) ?? .nan }) }.filter { $0.1.contains(where: \.isFinite) })
  }

  /// What is left of each layer or group.
  private var cuts: Chart? {
    let groups = rows("groups").filter { $0.number("left") != nil }
    let layers = rows("layers").filter { $0.number("pruned") != nil && $0.number("weights") != nil }
    let isUnits = !groups.isEmpty
    return Chart.bars(
      isUnits ? "units left of each group" : "weights left of each layer",
      (isUnits ? groups : layers).map { row in
        let whole = row.number(isUnits ? "units" : "weights") ?? 0
        let left = isUnits ? row.number("left") ?? 0 : whole - (row.number("pruned") ?? 0)
        return Chart.Bar(
          label: row.text("name"), value: whole > 0 ? left / whole : 0, before: 1,
          text: "\(formatted(whole > 0 ? left / whole * 100 : 0, digits: 3, style: "g")) %")
      }, note: "The grey bar is what there was before.")
  }

  private var confusion: Chart? {
    guard case .tensor(let counts)? = self["confusion"], counts.shape.rank == 2,
      let total = try? counts.array(of: Int64.self)
    else { return nil }
    let classes = counts.shape[0]
    let values = (0..<classes).map { row in (0..<classes).map { Double(total[row * classes + $0]) } }
    return Chart.heat(
      "confusion: rows are what it is, columns what the model says", rows: (0..<classes).map(String.init),
      columns: (0..<classes).map(String.init),
      shares: values.map { row in row.map { row.reduce(0, +) > 0 ? $0 / row.reduce(0, +) : 0 } },
      texts: values.map { $0.map { formatted($0, digits: 6, style: "g") } },
      note: "The stronger the colour, the larger the share of the row.")
  }

  private var steps: Chart? {
    Chart.bars(
      "time of each step",
      rows("steps").map {
        Chart.Bar(
          label: $0.text("name"), value: $0.number("ms") ?? .nan,
          text: formatted($0.number("ms") ?? 0, digits: 3, style: "g") + " ms")
      })
  }
}
