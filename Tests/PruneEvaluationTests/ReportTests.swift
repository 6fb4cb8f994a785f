import Foundation
import PruneEvaluation
import PruneTensor
import Testing

@Suite struct ReportTests {
  private var report: Report {
    func row(_ name: String, _ params: Int, _ sparsity: Double) -> ReportValue {
      .report(
        Report(
          title: "", entries: [("name", .text(name)), ("params", .integer(params)), ("sparsity", .number(sparsity))]))
    }
    return Report(
      title: "prune",
      entries: [
        ("accuracy", .number(0.98765)), ("params", .integer(1_234_567)), ("bytes", .integer(4_938_268)),
        ("kept", .flag(true)),
        ("before", .report(Report(title: "", entries: [("loss", .number(0.5)), ("a.b", .integer(3))]))),
        ("layers", .list([row("conv1", 450, 0.5), row("fc", 50_000, 0.25)])),
      ])
  }

  @Test(arguments: [
    ("accuracy", 0.98765), ("before.loss", 0.5), ("before.a.b", 3), ("layers.1.params", 50_000), ("kept", 1),
  ])
  func pathsLeadToNumbers(path: String, value: Double) { #expect(report.number(path) == value) }

  @Test(arguments: ["", ".", "nothing", "layers.2", "layers.-1", "layers.x", "before.loss.more", "before."])
  func otherPathsLeadNowhere(path: String) { #expect(report[path] == nil) }

  @Test func settingReplacesInPlaceAppendsAndRemoves() {
    var changed = report
    changed["accuracy"] = .number(1)
    changed["new"] = .text("x")
    changed["kept"] = nil
    #expect(changed.entries.map(\.key) == ["accuracy", "params", "bytes", "before", "layers", "new"])
    #expect(changed.number("accuracy") == 1)
  }

  @Test func textIsAlignedAndReadable() {
    #expect(
      report.text(color: false, width: 60) == """
        prune
          accuracy  0.9877
          params    1,234,567
          bytes     4938.3 kB
          kept      yes
          before
            loss  0.5
            a.b   3
          layers
            name   params  sparsity
            ───────────────────────
            conv1     450   50.00 %
            fc     50,000   25.00 %
        """)
    #expect(report.text(color: true, width: 60).hasPrefix("\u{1B}[1mprune\u{1B}[0m\n"))
  }

  @Test func jsonIsValidWhateverIsInside() throws {
    var odd = report
    odd["nan"] = .number(.nan)
    odd["infinite"] = .number(-.infinity)
    odd["text \"quoted\""] = .text("a\n\t\\\"\u{1}\u{7F}é😀")
    odd["tensor"] = .tensor(try Tensor([1, 2] as [Float]))
    odd["empty"] = .list([])
    let data = try #require(try JSONSerialization.jsonObject(with: Data(odd.json().utf8)) as? [String: Any])
    #expect(data["nan"] is NSNull && data["infinite"] is NSNull)
    #expect(data["text \"quoted\""] as? String == "a\n\t\\\"\u{1}\u{7F}é😀")
    #expect((data["layers"] as? [[String: Any]])?[1]["params"] as? Int == 50_000)
    #expect(data["accuracy"] as? Double == 0.98765)
  }
}

@Suite struct DrawTests {
  @Test(arguments: [
    ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("層", 2), ("한글", 4), ("😀", 2), ("\u{1B}[1mab\u{1B}[0m", 2),
    ("█▏", 2),
  ])
  func widthIsThatOfTheTerminal(text: String, columns: Int) { #expect(Draw.width(text) == columns) }

  @Test(arguments: [0, 1, 2, 3, 7, 20], ["", "abc", "a longer name", "層の名前は長い", "\u{1B}[1mbold text\u{1B}[0m"])
  func fittedTextTakesExactlyItsColumns(columns: Int, text: String) {
    #expect(Draw.width(Draw.fitted(text, columns)) == columns)
    #expect(Draw.width(Draw.fitted(text, columns, .right)) == columns)
    #expect(Draw.width(Draw.shortened(text, columns)) <= max(columns, 0))
  }

  @Test func shorteningKeepsBothEnds() { #expect(Draw.shortened("/layer1/layer1.0/conv1/Conv", 11) == "/laye…/Conv") }

  @Test(arguments: [
    (0.0, "    "), (1, "████"), (0.5, "██  "), (0.28125, "█▏  "), (2, "████"), (-1, "    "), (.nan, "    "),
  ])
  func barsFillInEighths(fraction: Double, bar: String) { #expect(Draw.bar(fraction: fraction, width: 4) == bar) }

  @Test func sparklines() {
    #expect(Draw.sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█")
    #expect(Draw.sparkline([5, .nan, 5]) == "▄ ▄" && Draw.sparkline([]) == "")
    #expect(Draw.sparkline([-.greatestFiniteMagnitude, .greatestFiniteMagnitude]).count == 2)
  }

  @Test func tablesGiveWayWhereTextIsWidest() {
    let table = Draw.table(
      header: ["name", "n"], rows: [["a very long name indeed", "1"], ["b"]], rightAligned: [1], width: 16)
    #expect(table.split(separator: "\n").allSatisfy { Draw.width(String($0)) <= 16 })
    #expect(table.contains("…") && Draw.table(header: [], rows: [], rightAligned: [], width: 0) == "\n")
  }

  @Test func charts() {
    let chart = Draw.barChart([("conv", 1), ("fc", 0.5), ("odd", .nan)], width: 40)
    #expect(chart.split(separator: "\n").count == 3)
    #expect(chart.split(separator: "\n").allSatisfy { Draw.width(String($0)) <= 40 })
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (Int.min, "-9,223,372,036,854,775,808"),
  ])
  func groups(value: Int, text: String) { #expect(Draw.grouped(value) == text) }
}
