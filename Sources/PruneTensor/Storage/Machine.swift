import CPruneSupport
import CZip
import CZlib

/// What this machine is called and can do.
package enum Machine {
  /// The processor's name for itself; empty where it has none.
  package static var processor: String { text(ps_processor_name) }

  /// Instruction sets that kernels ask for.
  package static var instructionSets: [String] { text(ps_instruction_sets).split(separator: " ").map(String.init) }

  package static var zlibVersion: String { CZlib.zlibVersion().map { String(cString: $0) } ?? "" }
  package static var libzipVersion: String { zip_libzip_version().map { String(cString: $0) } ?? "" }

  private static func text(_ write: (UnsafeMutablePointer<CChar>?, Int) -> Void) -> String {
    var buffer = [CChar](repeating: 0, count: 512)
    // Safe: no more than the count is written, a zero byte at its end.
    buffer.withUnsafeMutableBufferPointer { write($0.baseAddress, $0.count) }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
