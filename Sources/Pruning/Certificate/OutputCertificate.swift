import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// The proof that a model whose graph was rewritten still computes the same: both run on one sample.
enum OutputCertificate {
  /// Adds "certificate", the largest difference of any output relative to its largest value, or "certificate_missing",
  /// the reason why the given model does not run here.
  /// - Throws: `.refused` where the outputs differ by more than rounding does.
  static func add(to report: inout Report, of result: Model, against model: Model, seed: UInt64) throws(PruneError) {
    let outcome = try SampleInputs(model, seed: seed).first(model) { inputs throws(PruneError) in
      try Program(model, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
    }
    guard case .ran(let inputs, let outputs) = outcome else {
      if case .missing(let reason) = outcome { report["certificate_missing"] = .text(reason) }
      return
    }
    let noise = RoundingNoise(model: model, inputs: inputs, outputs: outputs, seed: seed)
    let compared = try StructuralCertificate.checked(result, noise, "the given model's")
    report["certificate"] = .number(compared.difference)
    if let rounding = compared.rounding { report["certificate_rounding"] = .number(rounding) }
  }
}
