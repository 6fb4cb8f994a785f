import PruneGraph
import PruneTensor
import Pruning
import Testing

@Suite struct PrunableWeightTests {
  @Test func weightsAreFoundBehindTransposesAndConstantsAndBiasesAreNot() throws {
    let found = try PrunableWeights(of: Networks.mixed())
    #expect(found.weights.map(\.name) == ["a", "b", "c", "d"])
    #expect(found.weights.map(\.layer) == ["first", "second", "third", "fourth"])
    #expect(found.weights[0].layers == ["first", "fifth"])
    #expect(found.count == 64)
  }

  @Test func constantNodesBecomeInitializers() throws {
    let found = try PrunableWeights(of: Networks.mixed())
    #expect(found.model.graph.hasInitializer("d"))
    #expect(!found.model.graph.nodes.contains { $0.opType == "Constant" })
  }

  @Test(
    arguments: [
      (["first"], [], ["a"]), (["f*"], [], ["a", "d"]), ([], ["f*", "c"], ["b"]), (["?"], ["b"], ["a", "c", "d"]),
      (["fifth"], [], ["a"]), ([], ["bias"], ["a", "b", "c", "d"]),
    ] as [([String], [String], [String])])
  func patternsChooseByLayerOrWeight(scope: [String], ignore: [String], expected: [String]) throws {
    #expect(try PrunableWeights(of: Networks.mixed(), scope: scope, ignore: ignore).weights.map(\.name) == expected)
  }

  @Test(arguments: [(["sixth"], []), ([], ["conv*"]), (["add"], []), (["first"], ["a"])] as [([String], [String])])
  func patternsThatLeaveNothingAreErrors(scope: [String], ignore: [String]) {
    #expect(throws: PruneError.self) { try PrunableWeights(of: Networks.mixed(), scope: scope, ignore: ignore) }
  }

  @Test func aMisspelledPatternNamesWhatIsClose() throws {
    let error = #expect(throws: PruneError.self) {
      try PrunableWeights(of: Networks.mixed(), scope: ["frist"], ignore: [])
    }
    #expect(error?.message.contains("frist") == true)
    #expect(error?.hint.contains("first") == true)
  }

  @Test func whatCannotBePrunedIsListedWithTheReason() throws {
    var model = try Networks.mixed()
    model.graph.setInitializer("a", try Tensor([Int8](repeating: 1, count: 16), Shape([4, 4])))
    let found = try PrunableWeights(of: model)
    #expect(found.weights.map(\.name) == ["b", "c", "d"])
    #expect(found.skipped.map(\.name) == ["a"])
    #expect(found.skipped[0].reason.contains("int8"))
  }
}
