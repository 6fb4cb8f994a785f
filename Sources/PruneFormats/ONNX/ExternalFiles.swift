import PruneTensor

/// The files beside a model that hold its external data, each opened once.
///
/// A model that is reached through a link has two folders, the link's and its own; data is looked for in this order.
/// What is found must, once all links are followed, lie in or below one of them: a file that was handed over cannot
/// reach others.
struct ExternalFiles {
  /// Where data is looked for; none when the model was given as bytes alone.
  let folders: [String]
  let copy: Bool
  private var opened: [String: Bytes] = [:]

  init(folders: [String], copy: Bool = false) {
    self.folders = folders
    self.copy = copy
  }

  /// The folders of a model file.
  static func folders(of path: String) -> [String] {
    let folder = FilePath.folder(of: path)
    guard FilePath.link(at: path) != nil, let real = FilePath.real(path) else { return [folder] }
    return [folder, FilePath.folder(of: real)]
  }

  /// The bytes that `external_data` entries point to.
  /// - Parameter byteCount: what the tensor's shape and dtype take.
  /// - Throws: `.refused` for a location outside the model's folder, `.io`, or `.mismatch` when offset and length are
  ///   not within the file or not what the tensor needs.
  mutating func bytes(_ entries: [(key: String, value: String)], byteCount: Int) throws(PruneError) -> (Bytes, String) {
    func entry(_ key: String) -> String? { entries.last { $0.key == key }?.value }
    guard let location = entry("location"), !location.isEmpty else {
      throw PruneError(.badFormat, "its data is in another file, but external_data names none")
    }
    let offset = try Self.number(entry("offset"), "offset") ?? 0
    let length = try Self.number(entry("length"), "length") ?? byteCount
    guard length == byteCount else {
      throw PruneError(.mismatch, "its shape takes \(byteCount) bytes, but external_data gives it \(length)")
    }
    let file = try open(location)
    guard length <= file.count, offset <= file.count - length, let bytes = file.slice(offset, offset + length) else {
      throw PruneError(
        .mismatch, "its data is bytes \(offset)..<\(offset)+\(length) of '\(location)', which has \(file.count)",
        hint: "the file was cut short, or belongs to another model")
    }
    return (bytes, location)
  }

  private static func number(_ text: String?, _ key: String) throws(PruneError) -> Int? {
    guard let text else { return nil }
    guard let value = Int(text), value >= 0 else {
      throw PruneError(.badFormat, "external_data has the \(key) '\(text.prefix(40))', a number of bytes was wanted")
    }
    return value
  }

  private mutating func open(_ location: String) throws(PruneError) -> Bytes {
    if let bytes = opened[location] { return bytes }
    guard !folders.isEmpty else {
      throw PruneError(
        .unsupported, "its data is in the file '\(location)', but the model was given as bytes without a folder",
        hint: "load the model by its path")
    }
    let steps = location.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
    let hasDrive = location.utf8.dropFirst().first == UInt8(ascii: ":")
    guard !steps.contains(".."), steps.first?.isEmpty == false, !hasDrive, !location.utf8.contains(0) else {
      throw PruneError(
        .refused, "its data is said to be in '\(location)', outside the model's folder",
        hint: "external data must be in the model's folder or below it")
    }
    let bytes: Bytes
    do throws(PruneError) { bytes = try FileReader.bytes(of: try place(of: location), copy: copy) } catch {
      var explained = error
      if explained.hint.isEmpty { explained.hint = "the model keeps its weights in that file: put it beside the model" }
      throw explained
    }
    opened[location] = bytes
    return bytes
  }

  /// The file that a location means, free of links.
  private func place(of location: String) throws(PruneError) -> String {
    let allowed = folders.compactMap(FilePath.real)
    for folder in folders {
      guard let real = FilePath.real("\(folder)/\(location)") else { continue }
      guard allowed.contains(where: { FilePath.isInside(real, $0) }) else {
        throw PruneError(
          .refused, "its data is said to be in '\(location)', a link to '\(real)', outside the model's folder",
          hint: "put a copy of that file in place of the link, or the model file and the data file into one folder")
      }
      return real
    }
    // Nothing is there: opening it says why.
    return "\(folders.first ?? ".")/\(location)"
  }
}
