import Foundation
import PruneTensor

/// The folder with models and data that sits beside a checkout; tests that need it are skipped where it is absent.
enum Shared {
  static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../shared").standardized.path
  static let isPresent = FileManager.default.fileExists(atPath: folder + "/models")

  /// Paths below `folder` of all files with one of these endings, sorted.
  static func files(_ endings: String...) -> [String] {
    let all = FileManager.default.enumerator(atPath: folder + "/models")?.allObjects as? [String] ?? []
    return all.filter { name in endings.contains { name.hasSuffix($0) } }.sorted().map { "models/" + $0 }
  }

  static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
}

/// A folder that goes away with the value that holds it.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/prune-formats-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    return path + "/" + name
  }
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// What an operation throws, nil when it succeeds or throws anything else.
func failure(_ body: () throws -> Void) -> PruneError? {
  do {
    try body()
    return nil
  } catch { return error as? PruneError }
}
