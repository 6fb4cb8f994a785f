import PruneRuntime
import PruneTensor

/// What results depend on besides the model and the data: versions, processor, instruction sets, threads.
/// - Parameter version: that of the library.
package func environment(version: String) -> Report {
  var report = Report(title: "libprune")
  report["version"] = .text(version)
  report["processor"] = .text(Machine.processor)
  report["instruction_sets"] = .text(Machine.instructionSets.joined(separator: " "))
  report["threads"] = .integer(Parallel.threads)
  report["oneDNN"] = .text(OneDNN.version)
  report["int8_products"] = .flag(OneDNN.multipliesBytes)
  report["zlib"] = .text(Machine.zlibVersion)
  report["libzip"] = .text(Machine.libzipVersion)
  return report
}
