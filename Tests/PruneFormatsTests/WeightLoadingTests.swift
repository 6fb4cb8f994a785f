import PruneFormats
import PruneGraph
import PruneTensor
import Testing

/// Weights of a file put into a model.
@Suite struct WeightLoadingTests {
  private func model() throws -> Model {
    try ModelFormats.load(path: WeightFilesTests.folder + "/module.onnx").opened()
  }
  private func retrained() throws -> [WeightEntry] {
    try WeightFormats.load(path: WeightFilesTests.folder + "/retrained.pt")
  }

  /// The exporter stored the matrices of 3-dimensional inputs transposed and without a name.
  @Test func weightsGoWhereTheirLayersAre() throws {
    let before = try model(), loaded = try LoadedWeights(try retrained(), into: before, .init())
    #expect(
      loaded.matched.count == 9 && loaded.missing.isEmpty && loaded.unexpected.isEmpty && loaded.differing.isEmpty)
    #expect(loaded.ignored == ["norm.num_batches_tracked"])
    let file = try #require(try retrained().first { $0.name == "blocks.0.weight" }).tensor().array(of: Float.self)
    let names = Set(before.graph.initializers.map(\.name)).subtracting(try retrained().map(\.name))
    let found = names.compactMap { loaded.model.graph.initializer($0) }.filter { $0.shape == Shape(known: 4, 4) }
    let matrix = try #require(found.first).array(of: Float.self)
    for row in 0..<4 { for column in 0..<4 { #expect(matrix[column * 4 + row] == file[row * 4 + column]) } }
    // What was saved comes back under the model's own names.
    let again = try LoadedWeights(loaded.model.weights.map { WeightEntry($0.name, $0.tensor) }, into: before, .init())
    #expect(again.matched.count == 9)
  }

  @Test func whatDoesNotFitIsSaidAndLeavesTheModel() throws {
    let model = try model()
    var entries = try retrained().filter { $0.name != "fc.bias" }
    entries.append(WeightEntry("extra", try Tensor([1] as [Float])))
    entries.removeAll { $0.name == "fc.weight" }
    entries.append(WeightEntry("fc.weight", try Tensor(zeros: .float32, Shape(known: 3, 4))))
    let error = failure { _ = try LoadedWeights(entries, into: model, .init()) }
    #expect(error?.status == .mismatch)
    for part in ["'fc.bias'", "'extra'", "[3,4], which axes [1, 0] would make fit"] {
      #expect(error?.message.contains(part) == true, "\(part) in \(error?.message ?? "")")
    }
    var options = WeightsOptions()
    options.strict = false
    let loaded = try LoadedWeights(entries, into: model, options)
    #expect(loaded.matched.count == 7 && loaded.missing == ["fc.bias"] && loaded.unexpected == ["extra"])
    #expect(loaded.differing.first?.transposition == [1, 0])
  }

  @Test func namesAreMapped() throws {
    let model = try model()
    let entries =
      try retrained().map { WeightEntry("module." + $0.name, try $0.tensor()) } + [
        WeightEntry("module.ema", try Tensor([1] as [Float]))
      ]
    let error = failure { _ = try LoadedWeights(entries, into: model, .init()) }
    #expect(error?.hint.contains("map = {[\"module.*\"] = \"*\"}") == true)
    var options = WeightsOptions()
    (options.mapFrom, options.mapTo) = (["module.*", "module.ema"], ["*", ""])
    let loaded = try LoadedWeights(entries, into: model, options)
    #expect(loaded.matched.count == 9 && loaded.ignored.contains("module.ema"))
    (options.mapFrom, options.mapTo) = (["*.*"], ["*"])
    #expect(failure { _ = try LoadedWeights(entries, into: model, options) }?.status == .invalidArgument)
  }

  @Test(arguments: [
    ([3, 4], [4, 3], [1, 0]), ([3, 3, 8, 16], [16, 8, 3, 3], [3, 2, 0, 1]), ([5, 2, 7], [7, 2, 5], [2, 1, 0]),
    ([2, 3, 4], [3, 2, 4], [1, 0, 2]),
  ]) func transpositionsAreFound(dims: [Int], expected: [Int], order: [Int]) {
    #expect(LoadedWeights.transposition(of: dims, to: expected) == order)
  }

  @Test func otherExtentsHaveNoTransposition() { #expect(LoadedWeights.transposition(of: [3, 4], to: [3, 5]) == nil) }
}
