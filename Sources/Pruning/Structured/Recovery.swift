import PruneGraph
import PruneTensor

/// What mends a shrunk network before any training.
struct Recovery {
  private let options: PruneOptions

  init(_ options: PruneOptions) { self.options = options }

  /// What was done, for the report.
  func repair(
    _ model: inout Model, _ dependencies: Dependencies, _ cut: Cut, _ batchSize: Int
  ) throws(PruneError) -> [String] {
    []
  }
}
