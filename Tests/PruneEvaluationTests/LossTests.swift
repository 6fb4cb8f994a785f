import PruneEvaluation
import PruneTensor
import Testing

@Suite struct LossTests {
  @Test func crossEntropyOfTheKnownExample() throws {
    let (truth, predicted) = ([0, 0, 1, 0, 0] as [Double], [0.1, 0.2, 0.6, 0.05, 0.05] as [Double])
    #expect(abs(try Losses.crossEntropy(true: truth, predicted: predicted) - 0.5108) < 5e-5)
    let rows = try Losses.crossEntropy(
      true: Tensor(truth.map { Float($0) }), predicted: Tensor(predicted.map { Float($0) }))
    #expect(abs(rows - 0.5108) < 5e-5)
  }

  @Test func meanSquaredErrorOfTheKnownExample() throws {
    #expect(try Losses.mse(true: [3, -0.5, 2, 7], predicted: [2.5, 0, 2, 8]) == 0.375)
    #expect(
      try Losses.mse(true: Tensor([3, -0.5, 2, 7] as [Float]), predicted: Tensor([2.5, 0, 2, 8] as [Float])) == 0.375)
  }

  @Test func rowsAreAveragedAndClassNumbersServe() throws {
    let predicted = try Tensor([0.5, 0.5, 0.25, 0.75] as [Double], Shape([2, 2]))
    let oneHot = try Tensor([1, 0, 0, 1] as [Double], Shape([2, 2]))
    let labels = try Tensor([0, 1] as [Int64])
    let wanted = (logarithm(2) + logarithm(4.0 / 3)) / 2
    #expect(abs(try Losses.crossEntropy(true: oneHot, predicted: predicted) - wanted) < 1e-12)
    #expect(abs(try Losses.crossEntropy(true: labels, predicted: predicted) - wanted) < 1e-12)
  }

  @Test func certaintyOfTheWrongClassIsFiniteAndNaNIsSeen() throws {
    #expect(abs(try Losses.crossEntropy(true: [1, 0], predicted: [0, 1]) + logarithm(1e-15)) < 1e-9)
    #expect(try Losses.crossEntropy(true: [1, 0], predicted: [.nan, 1]).isNaN)
  }

  @Test func mismatchesAreErrors() throws {
    let (two, three) = (try Tensor([1, 2] as [Float]), try Tensor([1, 2, 3] as [Float]))
    #expect(throws: PruneError.self) { try Losses.crossEntropy(true: two, predicted: three) }
    #expect(throws: PruneError.self) { try Losses.mse(true: two, predicted: three) }
    #expect(throws: PruneError.self) { try Losses.mse(true: [], predicted: []) }
    let empty = try Tensor(zeros: .float32, Shape([0]))
    #expect(throws: PruneError.self) { try Losses.crossEntropy(true: empty, predicted: empty) }
    let labels = try Tensor([5] as [Int64]), row = try Tensor([0.5, 0.5] as [Float], Shape([1, 2]))
    #expect(throws: PruneError.self) { try Losses.crossEntropy(true: labels, predicted: row) }
    let scalar = try Tensor(scalar: Float(1))
    #expect(throws: PruneError.self) { try Losses.crossEntropy(true: scalar, predicted: scalar) }
    #expect(throws: PruneError.self) {
      try Losses.crossEntropy(
        true: Tensor(zeros: .float32, Shape([2, 0])), predicted: Tensor(zeros: .float32, Shape([2, 0])))
    }
  }
}
