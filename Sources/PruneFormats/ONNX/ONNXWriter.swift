import PruneGraph
import PruneTensor

/// Puts an encoded model into files.
package enum ONNXWriter {
  /// Writes the model, and a data file beside it when it has external data or would be over `limit` bytes.
  ///
  /// The data gets a name that nothing has yet, the model is renamed last, and only then what the replaced model used
  /// is removed: at every moment the model's name leads to the old model with its data, or to the new one with its own.
  package static func save(_ model: Model, path: String, limit: Int = ONNX.messageLimit) throws(PruneError) {
    let target = try FileTarget(path)
    guard !target.isStream else { return try stream(model, to: target, limit: limit) }
    let files = DataFiles(model: target)
    let outdated = files.present.isEmpty ? [] : files.outdated
    var isSaved = false
    // Somebody else may take a name between the look and the save; names of random digits are free at once.
    for attempt in 0..<3 where !isSaved { isSaved = try save(model, target, limit: limit, files.name(attempt)) }
    guard isSaved else { throw PruneError(.io, "cannot write '\(path)': no free name for its data file") }
    files.remove(outdated)
  }

  /// - Returns: false when the data file's name was taken meanwhile.
  private static func save(
    _ model: Model, _ target: FileTarget, limit: Int, _ dataFile: String
  ) throws(PruneError) -> Bool {
    var encoder = ONNXEncoder(placement: model.externalLocations.isEmpty ? .inside : .asLoaded(dataFile: dataFile))
    var message = try encoder.model(model)
    if message.count > limit {
      encoder = ONNXEncoder(placement: .beside(dataFile: dataFile))
      message = try encoder.model(model)
    }
    try check(message, limit)
    let file = try AtomicFile(target)
    try write(message, to: file)
    // Complete on disk before the data gets its name.
    try file.sync()
    guard !encoder.external.pieces.isEmpty else {
      try file.commit()
      return true
    }
    let data = try AtomicFile(try FileTarget("\(FilePath.folder(of: target.path))/\(dataFile)"), stem: target.name)
    for piece in encoder.external.pieces {
      try data.write([UInt8](repeating: 0, count: max(piece.offset - data.offset, 0)))
      try data.write(piece.bytes)
    }
    guard try data.commitNew() else { return false }
    do throws(PruneError) { try file.commit() } catch {
      data.withdraw()
      throw error
    }
    return true
  }

  /// Writes to a pipe or a terminal, which cannot have a data file.
  private static func stream(_ model: Model, to target: FileTarget, limit: Int) throws(PruneError) {
    var encoder = ONNXEncoder(placement: .inside)
    let message = try encoder.model(model)
    try check(message, limit)
    let file = try AtomicFile(target)
    try write(message, to: file)
    try file.commit()
  }

  private static func write(_ message: ProtoWriter, to file: AtomicFile) throws(PruneError) {
    for segment in message.segments {
      switch segment {
      case .owned(let bytes): try file.write(bytes)
      case .view(let bytes): try file.write(bytes)
      }
    }
  }

  private static func check(_ message: ProtoWriter, _ limit: Int) throws(PruneError) {
    guard message.count <= limit else {
      throw PruneError(
        .unsupported,
        "the model takes \(message.count) bytes without what goes to a data file, a protobuf message holds at most \(limit)",
        hint: "save it to a regular file: large weights then go to a second file beside it")
    }
  }
}

/// The data files beside a model that saves named: `<model>.data`, or `<model>.<8 digits>.data` where there is one
/// already. So a save over a model that has data, when it is killed on the way, leaves digits by which the next one
/// knows what to remove.
private struct DataFiles {
  private let path: String
  private let folder: String
  private let stem: String
  /// The data files that exist. `<model>.data` may belong to another model.
  let present: [String]

  init(model target: FileTarget) {
    (path, stem) = (target.path, target.name)
    folder = FilePath.folder(of: target.path)
    let (first, prefix) = ("\(target.name).data", "\(target.name).")
    present = FilePath.names(in: folder).filter { $0 == first || FilePath.isNumbered($0, prefix, ".data") }
  }

  /// A name for new data.
  func name(_ attempt: Int) -> String {
    attempt == 0 && present.isEmpty ? "\(stem).data" : "\(stem).\(FilePath.randomDigits()).data"
  }

  /// The data files of the model that is at the path now, and numbered files of a killed save. `remove` deletes them
  /// when the model is replaced.
  var outdated: [String] {
    let used = Self.used(by: path) ?? []
    return present.filter { $0 != "\(stem).data" || used.contains($0) }
  }

  /// Removes what no save holds and the model does not use. Saves hold their data until their model has its name: the
  /// model that is read once the lock is had is that of the last save.
  func remove(_ names: [String]) {
    for name in names {
      FilePath.removeUnheld("\(folder)/\(name)") { Self.used(by: path).map { !$0.contains(name) } ?? false }
    }
  }

  private static func used(by path: String) -> Set<String>? {
    do throws(PruneError) { return try ModelFormats.load(path: path).externalLocations } catch { return nil }
  }
}
