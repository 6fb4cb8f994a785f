import PruneTensor

extension MetricAccumulator {
  /// Adds "classes" (class, samples, precision, recall, f1) or "confusion" (an int64 tensor [class, what the model
  /// says], drawn where there are few classes) and "confused", the pairs that are mixed up most.
  /// - Returns: whether there is one.
  /// - Throws: `.unsupported` for a matrix of too many classes.
  func add(_ metric: Metric, to report: inout Report) throws(PruneError) -> Bool {
    guard !confusion.isEmpty else { return false }
    if metric == .curve { return addCurves(to: &report) }
    if metric == .perClass {
      report["classes"] = .list(confusion.indices.map { .report(row($0)) })
      return true
    }
    let count = confusion.count
    guard !matrix.isEmpty || count > Self.mostClasses else {
      throw PruneError(
        .unsupported, "labels that a sample may have several of are not confused with each other",
        hint: "metric \"per_class\" has a line a label")
    }
    guard !matrix.isEmpty else {
      throw PruneError(
        .unsupported,
        "a confusion matrix of \(count) classes is more than anyone looks at: \(Self.mostClasses) at most",
        hint: "metric \"per_class\" has a line a class")
    }
    report["confusion"] = .tensor(try Tensor(matrix, Shape([count, count])))
    if count <= 20 { report["matrix"] = .drawing(drawn) }
    let pairs = matrix.indices.filter { $0 / count != $0 % count && matrix[$0] > 0 }
      .sorted { (-matrix[$0], $0) < (-matrix[$1], $1) }.prefix(5)
    if !pairs.isEmpty {
      report["confused"] = .list(
        pairs.map { place in
          .report(
            Report(
              title: "",
              entries: [
                ("class", .integer(place / count)), ("taken_for", .integer(place % count)),
                ("times", .integer(Int(matrix[place]))),
              ]))
        })
    }
    return true
  }

  /// "roc": a row a class with "auc" and "points".
  private func addCurves(to report: inout Report) -> Bool {
    let all =
      labelCurves.isEmpty
      ? curve?.curves(points: Self.curvePoints) ?? []
      : labelCurves.enumerated().flatMap { label, scores in
        scores.curves(points: Self.curvePoints).map { Curve(label: label, area: $0.area, points: $0.points) }
      }
    guard !all.isEmpty else { return false }
    report["roc"] = .list(
      all.map { entry in
        let points = entry.points.map { point in
          ReportValue.report(
            Report(
              title: "",
              entries: [
                ("false_rate", .number(point.falseRate)), ("true_rate", .number(point.trueRate)),
              ] + (point.score.map { [("score", .number($0))] } ?? [])))
        }
        return .report(
          Report(
            title: "",
            entries: [("class", .integer(entry.label)), ("auc", .number(entry.area)), ("points", .list(points))]))
      })
    return true
  }

  /// Points of a curve that a report keeps.
  private static let curvePoints = 101

  private func row(_ index: Int) -> Report {
    let (hits, predicted, actual) = confusion[index]
    func share(_ count: Int) -> Double { count > 0 ? Double(hits) / Double(count) : .nan }
    return Report(
      title: "",
      entries: [
        ("class", .integer(index)), ("samples", .integer(actual)), ("precision", .number(share(predicted))),
        ("recall", .number(share(actual))),
        ("f1", .number(predicted + actual > 0 ? 2 * Double(hits) / Double(predicted + actual) : .nan)),
      ])
  }

  /// Rows are what it is, columns what the model says.
  private var drawn: String {
    let count = confusion.count
    let width = max(matrix.map { String($0).count }.max() ?? 1, String(count - 1).count) + 1
    func line(_ head: String, _ cells: [String]) -> String {
      var text = Draw.fitted(head, 4, .right)
      for cell in cells { text += Draw.fitted(cell, width, .right) }
      return text
    }
    var lines = [line("", (0..<count).map { String($0) })]
    for row in 0..<count {
      let counts = matrix[row * count..<(row + 1) * count]
      lines.append(line(String(row), counts.map { $0 == 0 ? "·" : String($0) }))
    }
    return lines.joined(separator: "\n")
  }
}
