import PruneTensor
import Pruning
import Testing

@Suite struct LayerAmountsTests {
  private func amounts(_ entries: [(String, Double)]) throws -> LayerAmounts {
    try #require(try LayerAmounts(entries.map { LayerAmounts.Entry($0.0, $0.1) }))
  }

  @Test(
    arguments: [(["conv1"], 0.1), (["conv12"], 0.2), (["layer3.0.conv"], 0.3), (["other", "conv1"], 0.1), (["fc"], 0)]
      as [([String], Double)])
  func plainNamesComeFirstThenTheLongestPattern(names: [String], amount: Double) throws {
    #expect(try amounts([("conv*", 0.2), ("conv1", 0.1), ("l*", 0.4), ("layer3.*", 0.3)]).amount(of: names) == amount)
  }

  @Test func whatMatchesNothingIsAnError() throws {
    let amounts = try amounts([("conv", 0.2)])
    do {
      try amounts.check(["conv1", "fc"])
      Issue.record("no error")
    } catch let error as PruneError { #expect(error.status == .notFound && error.hint.contains("conv1")) }
  }

  @Test(arguments: [-0.1, 1.1, .nan, .infinity])
  func fractionsAreChecked(amount: Double) {
    #expect(throws: PruneError.self) { try LayerAmounts([.init("a", amount)]) }
  }
}
