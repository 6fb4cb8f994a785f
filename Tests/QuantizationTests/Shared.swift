import PruneTensor

/// The folder of models and data beside the repository.
enum Shared {
  static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/") + "/shared"
  }()
  static let isPresent = FileReader.exists(folder + "/SOURCES.md")
}
