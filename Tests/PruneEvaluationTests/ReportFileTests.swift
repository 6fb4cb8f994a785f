import Foundation
import PruneEvaluation
import PruneTensor
import Testing

@Suite struct ReportFileTests {
  private static func row(_ entries: [(key: String, value: ReportValue)]) -> ReportValue {
    .report(Report(title: "", entries: entries))
  }

  /// What reports of every kind hold, with what files must escape.
  private var report: Report {
    var report = Report(title: "prune <b> & \"co\"")
    report["accuracy"] = .number(0.5)
    report["nothing"] = .number(.nan)
    report["text"] = .text("a,b \"c\"\u{1}")
    report["layers"] = .list([
      Self.row([("name", .text("a|b")), ("weights", .integer(10)), ("pruned", .integer(5)), ("bar", .drawing("██"))]),
      Self.row([
        ("name", .text("/layer1/conv")), ("weights", .integer(20)), ("pruned", .integer(5)), ("bar", .drawing("█")),
      ]),
    ])
    report["epochs"] = .list(
      (1...3).map { Self.row([("epoch", .integer($0)), ("loss", .number(1 / Double($0))), ("seconds", .number(2))]) })
    report["notes"] = .list([.text("one"), .text("two\nlines")])
    report["after"] = .report(Report(title: "", entries: [("loss", .number(0.25))]))
    report.headline = "less than was asked for"
    return report
  }

  @Test func theHeadlineIsOnTheFirstLine() {
    #expect(report.text(width: 100).hasPrefix("prune <b> & \"co\": less than was asked for\n"))
    #expect(Draw.width(String(report.text(width: 40).split(separator: "\n")[0])) <= 40)
    var plain = report
    plain.headline = nil
    #expect(plain.headline == nil && plain.text(width: 100).hasPrefix("prune <b> & \"co\"\n"))
  }

  @Test func csvHasTheValuesAndEachList() {
    let text = report.csv()
    #expect(
      text.hasPrefix(
        "headline,accuracy,nothing,text,after.loss\r\nless than was asked for,0.5,,\"a,b \"\"c\"\"\u{1}\",0.25\r\n\r\nlayers\r\nname,weights,pruned\r\n"
      ))
    #expect(text.contains("a|b,10,5\r\n") && !text.contains("█"))
    guard case .list(let epochs)? = report["epochs"] else { return }
    #expect(
      Report(title: "", entries: [("epochs", .list(epochs))]).csv()
        == "epoch,loss,seconds\r\n1,1,2\r\n2,0.5,2\r\n3,0.3333333333333333,2\r\n")
  }

  @Test func markdownEscapesWhatItMust() {
    let text = report.markdown()
    #expect(text.hasPrefix("# prune \\<b\\> & \"co\"\n\n**less than was asked for**\n"))
    #expect(
      text.contains("| a\\|b | 10 | 5 |") && text.contains("| name | weights | pruned |\n| --- | ---: | ---: |")
        && text.contains("- two lines"))
  }

  @Test func jsonHasNoDrawings() throws {
    let data = try #require(
      try JSONSerialization.jsonObject(with: Data(report.jsonFile(madeBy: "x").utf8)) as? [String: Any])
    #expect(data["schema"] as? Int == 1 && data["made_by"] as? String == "x" && data["headline"] != nil)
    #expect((data["layers"] as? [[String: Any]])?[0]["bar"] == nil)
  }

  /// Whether every tag is closed where it must be, and no bare mark or control character stands between them.
  private static func isWellFormed(_ text: String) -> Bool {
    var open: [Substring] = []
    var rest = text[...]
    while let start = rest.firstIndex(of: "<") {
      guard isPlain(rest[..<start]), let end = rest[start...].firstIndex(of: ">") else { return false }
      let tag = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      if tag.hasPrefix("?") { continue }
      if tag.hasPrefix("/") {
        guard open.popLast() == tag.dropFirst() else { return false }
      } else if !tag.hasSuffix("/") {
        open.append(tag.prefix { !$0.isWhitespace })
      }
    }
    return open.isEmpty && isPlain(rest)
  }

  private static func isPlain(_ text: Substring) -> Bool {
    let scalars = text.unicodeScalars
    guard scalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" || $0 == "\t" }),
      !text.contains(">") || text.contains("{")
    else { return false }
    return text.components(separatedBy: "&").dropFirst().allSatisfy { part in
      ["amp;", "lt;", "gt;", "quot;"].contains { part.hasPrefix($0) }
    }
  }

  @Test func pageAndDrawingAreValidMarkup() throws {
    let page = report.page(madeBy: "libprune", recipe: "a < b")
    #expect(Self.isWellFormed(page.replacingOccurrences(of: "<!DOCTYPE html>", with: "")))
    #expect(page.contains("a &lt; b") && page.contains("training") && page.contains("prefers-color-scheme"))
    #expect(!page.contains("<script") && !page.contains("src=") && !page.contains("href="))
    #expect(Self.isWellFormed(try report.drawing()))
    #expect(throws: PruneError.self) { try Report(title: "empty").drawing() }
  }

  @Test func everyKindOfReportHasItsChart() {
    var search = Report(title: "search")
    search["metric"] = .text("accuracy")
    search["objective"] = .text("macs")
    search["front"] = .list(
      [1.0, 2, 3].map {
        Self.row([("way", .text("w")), ("accuracy", .number($0 / 4)), ("cost", .number($0)), ("within", .flag($0 > 1))])
      })
    #expect(search.page(madeBy: "").contains("class=\"ring\""))
    var sensitivity = Report(title: "sensitivity")
    sensitivity["baseline"] = .number(0.9)
    sensitivity["amounts"] = .list([.number(0.1), .number(0.5)])
    sensitivity["layers"] = .list([
      Self.row([("name", .text("conv")), ("values", .list([.number(0.9), .number(.nan)]))])
    ])
    #expect(sensitivity.page(madeBy: "").contains("50 %"))
    var journal = Report(title: "prune")
    journal["journal"] = .list(
      (1...2).map {
        Self.row([
          ("step", .integer($0)), ("macs", .integer(100 / $0)), ("f1", .number(0.5)), ("drop", .number(0)),
          ("kept", .flag($0 == 1)),
        ])
      })
    #expect(journal.page(madeBy: "").contains("f1 against macs"))
    var compare = Report(title: "comparison")
    compare["models"] = .list(["a", "b"].map { Self.row([("label", .text($0)), ("bytes", .integer(5))]) })
    #expect(compare.page(madeBy: "").contains("models side by side"))
  }

  @Test func namesSayTheFormat() throws {
    #expect(try ReportFormat(path: "/tmp/a.b/X.HTML") == .html)
    #expect(try ReportFormat(path: "events.out.tfevents.1.host") == .tfevents)
    for path in ["", "report", "a.pdf", "/tmp.csv/report"] {
      #expect(throws: PruneError.self) { try ReportFormat(path: path) }
    }
  }

  @Test func tensorBoardReadsTheEvents() throws {
    let bytes = try report.tensorBoard()
    // The first record: its length, that length's checksum as TensorFlow writes it for 24 bytes, wall time, step,
    // version.
    #expect(bytes[0..<8] == [24, 0, 0, 0, 0, 0, 0, 0] && bytes[8..<12] == [163, 127, 75, 34])
    #expect(
      String(decoding: bytes, as: UTF8.self).contains("brain.Event:2")
        && String(decoding: bytes, as: UTF8.self).contains("/loss"))
    #expect(throws: PruneError.self) { try Report(title: "x").tensorBoard() }
  }

  @Test func wideTablesLeaveColumnsOutAndSayWhich() {
    let rows = [["/layer1/layer1.0/conv1/Conv", "1", "2", "3"], ["/layer1/layer1.0/conv2/Conv", "1", "2", "3"]]
    let table = Draw.table(
      header: ["name", "params", "accuracy_cut", "macs"], rows: rows, rightAligned: [1, 2, 3], width: 34, paths: [0],
      dispensable: [2, 3, 1])
    #expect(table.split(separator: "\n").allSatisfy { Draw.width(String($0)) <= 34 })
    let drawn = Draw.table(
      header: ["name", "bar"], rows: [["a long name without an end", "██████████"]], rightAligned: [], width: 26,
      rigid: [1], dispensable: [1])
    #expect(drawn.contains("██████████") && drawn.contains("…"))
    #expect(
      table.contains("conv1/Conv") && table.contains("conv2/Conv") && table.contains("(too narrow for: accuracy_cut)"))
  }

  @Test func manyTensorsFoldIntoALine() throws {
    var scores = Report(title: "")
    for index in 0..<90 { scores["conv\(index).weight"] = .tensor(try Tensor([1] as [Float])) }
    let text = Report(title: "significance", entries: [("scores", .report(scores))]).text(width: 80)
    #expect(text.split(separator: "\n").count == 2 && text.contains("90 tensors: conv0.weight, "))
  }
}
