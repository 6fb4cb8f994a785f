import PruneFormats
import Testing

@Suite struct JSONTests {
  @Test func whatIsReadIsWrittenAlike() throws {
    let text = #"{"a": [1, -2.50e-07, NaN, -Infinity, null, true], "b": {"ü": "x\n\"\\\u0001"}, "c": [], "d": {}}"#
    #expect(try JSON(text: Array(text.utf8)).text == text)
  }

  @Test func escapes() throws {
    #expect(try JSON(text: Array(#""\u00e9\ud83d\ude00\/""#.utf8)).string == "é😀/")
  }

  @Test(arguments: [
    "", "{", "[1,", "[1 2]", "{\"a\" 1}", "{a: 1}", "tru", "01x", "\"", "\"\\u12", "[1] 2", "-", "nan", "1..2",
    String(repeating: "[", count: 100_000),
  ])
  func anythingElseIsAnError(text: String) {
    #expect(failure { _ = try JSON(text: Array(text.utf8)) }?.status == .badFormat)
  }
}
