import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// The proof that a model whose graph was rewritten still computes the same: both run on one sample.
enum OutputCertificate {
  /// Adds "certificate", the largest difference of any output relative to its largest value, or "certificate_missing", the reason
  /// why the given model does not run here.
  /// - Throws: `.refused` where the outputs differ by more than `StructuralCertificate.tolerance`.
  static func add(to report: inout Report, of result: Model, against model: Model, seed: UInt64) throws(PruneError) {
    let outcome = try SampleInputs(model, seed: seed).first(model) { inputs throws(PruneError) in
      try Program(model, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
    }
    guard case .ran(let inputs, let wanted) = outcome else {
      if case .missing(let reason) = outcome { report["certificate_missing"] = .text(reason) }
      return
    }
    let found = try Program(result, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
    var largest = 0.0
    for name in model.graph.outputs.map(\.name) {
      guard let a = found[name], let b = wanted[name] else { continue }
      largest = max(largest, try StructuralCertificate.difference(a, b))
    }
    guard largest <= StructuralCertificate.tolerance else {
      throw PruneError(
        .refused, "the certificate failed: outputs differ by \(formatted(largest, digits: 3, style: "g")) from the given model's",
        hint: "the model is left as it was")
    }
    report["certificate"] = .number(largest)
  }
}
