import PruneEvaluation
import PruneGraph
import PruneTensor

extension PruneOptions {
  /// The extents of a sample of the data that is there, by input.
  func sampleShapes(of model: Model) -> [String: [Int]] {
    InputBinding.sampleShapes(validate ?? data ?? `guard`?.data ?? recoverData, model)
  }

  /// What the open extents of a model's inputs are, for everything that a prune measures and times.
  func extents(of model: Model) throws(PruneError) -> BoundExtents {
    try BoundExtents(model, shapes: shapes, samples: sampleShapes(of: model), assumes: true)
  }

  /// What a prune's certificates compare on.
  func sampleInputs(of model: Model) throws(PruneError) -> SampleInputs {
    try SampleInputs(model, shapes: shapes, samples: sampleShapes(of: model), seed: seed)
  }
}

extension BoundExtents {
  /// What a report says of numbers that rest on an assumption.
  var note: String? {
    assumption.map { "macs are those of one sample with \($0), which is assumed: give shapes = {…} or data" }
  }

  /// Refuses a budget of a cost that is not known. MACs at assumed extents stand to each other as at others, times do
  /// not.
  /// - Parameter macs: those of the whole model.
  func check(_ kind: CostTarget.Kind?, macs: Int?) throws(PruneError) {
    switch kind {
    case .macs where macs == nil: throw Self.refusal("target macs: what the model computes", openNames)
    case .latency where !open.isEmpty || !assumed.isEmpty:
      throw Self.refusal("target latency: the time of a run", openNames)
    default: break
    }
  }

  private var openNames: [String] {
    let names = open + assumed.map(\.description)
    return names.isEmpty ? ["extents that follow from the data"] : names
  }
}
