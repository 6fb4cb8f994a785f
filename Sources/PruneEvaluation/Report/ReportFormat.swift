import PruneTensor

/// How a report is written to a file, by the end of its name.
package enum ReportFormat: String, Choice {
  case json, csv, md, html, svg, txt
  /// Events of TensorBoard, whose files it knows by that word in their names.
  case tfevents

  /// - Throws: `.invalidArgument` naming those that there are.
  package init(path: String) throws(PruneError) {
    let name = path.split(separator: "/").last ?? ""
    let suffix = name.contains(".") ? String(name.split(separator: ".").last ?? "").lowercased() : ""
    if name.split(separator: ".").contains("tfevents") {
      self = .tfevents
      return
    }
    guard let format = ReportFormat(rawValue: suffix) else {
      throw PruneError(
        .invalidArgument, "'\(path)' does not say how to write a report",
        hint: "end the name in .\(Self.names.joined(separator: ", ."))")
    }
    self = format
  }
}

extension Report {
  /// The report in a format.
  /// - Parameter recipe: of a prune, for the page.
  /// - Throws: `.unsupported` for a drawing of a report without charts, and for events of a report without steps.
  package func bytes(_ format: ReportFormat, madeBy: String, recipe: String? = nil) throws(PruneError) -> [UInt8] {
    let text: String
    switch format {
    case .json: text = jsonFile(madeBy: madeBy)
    case .csv: text = csv()
    case .md: text = markdown()
    case .html: text = page(madeBy: madeBy, recipe: recipe)
    case .svg: text = try drawing()
    case .txt: text = self.text(width: 120) + "\n"
    case .tfevents: return try tensorBoard()
    }
    return Array(text.utf8)
  }

  /// Writes a report, atomically.
  /// - Throws: as `ReportFormat`, `text` and `AtomicFile`.
  package func save(_ path: String, madeBy: String, recipe: String? = nil) throws(PruneError) {
    let bytes = try bytes(try ReportFormat(path: path), madeBy: madeBy, recipe: recipe)
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}
