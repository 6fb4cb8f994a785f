import PruneTensor

/// The files beside a model that hold its external data, each opened once.
struct ExternalFiles {
  let folder: String?
  let copy: Bool
  private var opened: [String: Bytes] = [:]

  init(folder: String?, copy: Bool = false) {
    self.folder = folder
    self.copy = copy
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
    guard length <= file.count, offset <= file.count - length, let found = file.slice(offset, offset + length) else {
      throw PruneError(
        .mismatch, "its data is bytes \(offset)..<\(offset)+\(length) of '\(location)', which has \(file.count)",
        hint: "the file was cut short, or belongs to another model")
    }
    return (found, location)
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
    guard let folder else {
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
    do throws(PruneError) { bytes = try FileReader.bytes(of: "\(folder)/\(location)", copy: copy) } catch {
      var explained = error
      if explained.hint.isEmpty { explained.hint = "the model keeps its weights in that file: put it beside the model" }
      throw explained
    }
    opened[location] = bytes
    return bytes
  }
}
