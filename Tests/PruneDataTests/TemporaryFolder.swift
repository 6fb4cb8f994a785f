import Foundation

/// A folder that goes away with the value that holds it.
final class TemporaryFolder {
  private let url = FileManager.default.temporaryDirectory.appendingPathComponent("prune-data-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: url) }

  /// The path of a new file of these bytes.
  func write(_ bytes: [UInt8]) throws -> String {
    let file = url.appendingPathComponent(UUID().uuidString)
    try Data(bytes).write(to: file)
    return file.path
  }
}
