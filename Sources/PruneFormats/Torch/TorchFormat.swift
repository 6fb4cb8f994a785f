import PruneTensor

/// PyTorch's checkpoints: a zip archive with a pickle and a file a storage (since 1.6), or pickles with the storages
/// behind them. Nothing of a pickle is executed.
struct TorchFormat: WeightFormat {
  let name = "PyTorch"
  let suffixes = [".pt", ".pth", ".bin", ".ckpt"]

  /// How a legacy file begins: the pickle of the number 0x1950a86a20f9469cfc6c.
  private static let legacyNumber: [UInt8] = [
    0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  func matches(_ bytes: Bytes) -> Bool {
    if let archive = ZipArchive.opened(bytes) { return Self.pickle(of: archive) != nil }
    return Self.isLegacy(bytes) || Self.isPickle(bytes)
  }

  private static func isLegacy(_ bytes: Bytes) -> Bool {
    bytes.count > 15 && bytes[0] == 0x80 && bytes.slice(2, 15)?.array == legacyNumber
  }

  /// Any pickle: of arrays or other things, which is said when it is read.
  private static func isPickle(_ bytes: Bytes) -> Bool {
    bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
  }

  private static func pickle(of archive: ZipArchive) -> String? {
    archive.entries.map(\.name).filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }.min {
      $0.utf8.count < $1.utf8.count
    }
  }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    if let archive = ZipArchive.opened(file.bytes) { return try read(archive) }
    if Self.isLegacy(file.bytes) { return try readLegacy(file.bytes) }
    var reader = PickleReader(file.bytes)
    _ = try reader.read { root throws(PruneError) in try StateDict(root) }
    throw PruneError(.unsupported, "the pickle's tensors have no storages", hint: "save it by torch.save")
  }

  private func read(_ archive: ZipArchive) throws(PruneError) -> [WeightEntry] {
    guard let pickle = Self.pickle(of: archive) else { throw PruneError(.badFormat, "the archive has no data.pkl") }
    let root = pickle.dropLast("data.pkl".count)
    if archive.entries.contains(where: { $0.name == root + "byteorder" }) {
      guard try archive.read(root + "byteorder").text != "big" else {
        throw PruneError(.unsupported, "the checkpoint was written on a big-endian machine")
      }
    }
    var reader = PickleReader(try archive.read(pickle))
    var positions: [String: Int] = [:]
    for (index, entry) in archive.entries.enumerated() { positions[entry.name] = index }
    return try reader.read { value throws(PruneError) in
      var storages: [String: Bytes] = [:]
      var result: [WeightEntry] = []
      for (name, tensor) in try StateDict(value).tensors {
        let key = tensor.storage.key
        do throws(PruneError) {
          if storages[key] == nil {
            guard let index = positions["\(root)data/\(key)"] else {
              throw PruneError(.badFormat, "the archive has no '\(root)data/\(key)', where its elements lie")
            }
            storages[key] = try archive.read(at: index)
          }
          guard let bytes = storages[key] else { continue }
          result.append(WeightEntry(name, try tensor.view.tensor(over: bytes)))
        } catch { throw PruneError(error.status, "tensor '\(name)': \(error.message)", hint: error.hint) }
      }
      return result
    }
  }

  /// Four pickles (the number, the version, the machine, the checkpoint), one of the storages' keys in the order they
  /// follow, and each storage with its length in front.
  private func readLegacy(_ bytes: Bytes) throws(PruneError) -> [WeightEntry] {
    var position = 0
    for _ in 0..<3 {
      var reader = PickleReader(bytes, from: position)
      try reader.read { _ throws(PruneError) in }
      position = reader.position
    }
    var reader = PickleReader(bytes, from: position)
    let tensors = try reader.read { value throws(PruneError) in try StateDict(value).tensors }
    let widths = reader.widths
    reader = PickleReader(bytes, from: reader.position)
    let keys = try reader.read { value throws(PruneError) in value.container?.items.compactMap(\.text) ?? [] }
    position = reader.position
    var storages: [String: Bytes] = [:]
    for key in keys {
      guard let width = widths[key], position + 8 <= bytes.count else {
        throw PruneError(.badFormat, "storage '\(key)' is missing", hint: "the file was cut short")
      }
      let count = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
      position += 8
      guard count <= UInt64(bytes.count), let part = bytes.slice(position, position + Int(count) * width) else {
        throw PruneError(
          .badFormat, "storage '\(key)' of \(count) elements goes past the end of the file",
          hint: "the file was cut short")
      }
      storages[key] = part
      position += part.count
    }
    var result: [WeightEntry] = []
    for (name, tensor) in tensors {
      guard let part = storages[tensor.storage.key] else {
        throw PruneError(.badFormat, "tensor '\(name)': storage '\(tensor.storage.key)' is not in the file")
      }
      do throws(PruneError) { result.append(WeightEntry(name, try tensor.view.tensor(over: part))) } catch {
        throw PruneError(error.status, "tensor '\(name)': \(error.message)", hint: error.hint)
      }
    }
    return result
  }
}
