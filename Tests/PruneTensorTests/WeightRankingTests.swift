import PruneTensor
import Testing

@Suite struct WeightRankingTests {
  /// Values with many ties and zeros, in tensors of uneven sizes.
  private func values(_ count: Int, seed: UInt64, coarse: Bool) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { _ in
      let value = Float(random.normal())
      return coarse ? (value * 4).rounded() / 4 : value
    }
  }

  /// What a stable sort by (key, position) would zero.
  private func sorted(_ values: [Float], by keys: [Float], removing wanted: Int) -> [Float] {
    var result = values
    for index in values.indices.sorted(by: { (keys[$0], $0) < (keys[$1], $1) }).prefix(wanted) { result[index] = 0 }
    return result
  }

  @Test(arguments: [0, 1, 17, 50_000, 119_999, 120_000, 200_000], [true, false])
  func magnitudeSelectionEqualsASort(wanted: Int, coarse: Bool) throws {
    let all = values(120_000, seed: UInt64(wanted + 1), coarse: coarse)
    let parts = [(0, 7), (7, 90_007), (90_007, 120_000)]
    let ranking = try WeightRanking(parts.map { try Tensor(Array(all[$0.0..<$0.1])) })
    let masked = try ranking.masked(ranking.cut(removing: wanted))
    let found = try masked.flatMap { try $0.tensor.array(of: Float.self) }
    #expect(found == sorted(all, by: all.map(abs), removing: min(wanted, all.count)))
    let zeros = masked.reduce(0) { $0 + $1.zeros }
    #expect(zeros == found.count { $0 == 0 })
    #expect(zeros == max(min(wanted, all.count), all.count { $0 == 0 }))
  }

  @Test(arguments: [3, 40_000, 99_000])
  func scoresRankInsteadOfWeightsAndZerosAreLowest(wanted: Int) throws {
    let all = values(100_000, seed: 3, coarse: true)
    let scores = values(100_000, seed: 4, coarse: true)
    let ranking = try WeightRanking([Tensor(all)], scores: [Tensor(scores)])
    let found = try ranking.masked(ranking.cut(removing: wanted))[0].tensor.array(of: Float.self)
    let keys = zip(all, scores).map { $0 == 0 ? -Float.infinity : $1 }
    // Both zeros order as one number in a sort, but -0 comes before 0 here.
    let signed = keys.map { $0 == 0 ? ($0.sign == .minus ? -1e-30 : 0) : $0 }
    #expect(found == sorted(all, by: signed, removing: wanted))
  }

  @Test func aThresholdRemovesWhatIsBelowIt() throws {
    let ranking = try WeightRanking([Tensor([0.5, -0.25, 0.125, -0.0, 0.25] as [Float])])
    let masked = try ranking.masked(ranking.cut(below: 0.25))
    #expect(try masked[0].tensor.array(of: Float.self) == [0.5, -0.25, 0, 0, 0.25])
    #expect(masked[0].zeros == 2)
  }

  @Test func threadsDoNotChangeTheResult() throws {
    let all = values(300_000, seed: 9, coarse: true)
    func run() throws -> [Float] {
      let ranking = try WeightRanking([Tensor(all)])
      return try ranking.masked(ranking.cut(removing: 123_456))[0].tensor.array(of: Float.self)
    }
    let threads = Parallel.threads
    defer { Parallel.threads = threads }
    Parallel.threads = 1
    let single = try run()
    Parallel.threads = 5
    #expect(try run() == single)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsFound(value: Float) throws {
    let tensors = try [Tensor([1, 2] as [Float]), Tensor([3, value] as [Float])]
    #expect(try WeightRanking(tensors).firstNotFinite?.index == 1)
    let scored = try WeightRanking([Tensor([3, 4] as [Float])], scores: [Tensor([3, value] as [Float])])
    #expect(scored.firstNotFinite?.inScores == true)
    #expect(try WeightRanking([Tensor([3] as [Float])]).firstNotFinite == nil)
  }

  @Test func misalignedWeightsAreRead() throws {
    let bytes = try Bytes([9, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    let view = try Tensor(.float32, Shape([2]), over: try #require(bytes.slice(1, 9)))
    let ranking = try WeightRanking([view])
    #expect(try ranking.masked(ranking.cut(removing: 1))[0].tensor.array(of: Float.self) == [0, 2])
  }

  @Test func otherDtypesAreRefused() throws {
    #expect(throws: PruneError.self) { try WeightRanking([Tensor([1] as [Int8])]) }
    #expect(throws: PruneError.self) {
      try WeightRanking([Tensor([1] as [Float])], scores: [Tensor([1, 2] as [Float])])
    }
  }
}

@Suite struct NamePatternTests {
  @Test(arguments: [
    ("conv*", "conv1", true), ("*weight", "layer1.weight", true), ("conv?", "conv12", false), ("*", "", true),
    ("a*b*c", "a/x/b.y.c", true), ("a*b*c", "acb", false), ("", "", true), ("", "a", false), ("fc1", "fc1", true),
    ("**a", "bca", true), ("[a]", "a", false),
  ])
  func patternsMatchAsAShellWouldMatchOneWord(pattern: String, name: String, expected: Bool) {
    #expect(NamePattern(pattern).matches(name) == expected)
  }

  @Test func suggestionsAreTheClosestNames() {
    #expect(Suggestion.closest(to: "ammount", among: ["amount", "threshold", "mode"]) == ["amount"])
    #expect(Suggestion.hint(for: "conv9*", among: ["layer.conv1", "fc"]).contains("there are") == true)
    #expect(Suggestion.closest(to: "*conv*", among: ["layer.conv1", "fc"]) == ["layer.conv1"])
  }
}
