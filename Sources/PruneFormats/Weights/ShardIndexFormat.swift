import PruneTensor

/// The index of weights that are divided over several files, as Hugging Face writes it beside them:
/// `{"weight_map": {"layer.weight": "model-00001-of-00002.safetensors", …}}`.
struct ShardIndexFormat: WeightFormat {
  let name = "indices of shards"
  let suffixes = [".index.json"]

  func matches(_ bytes: Bytes) -> Bool {
    for index in 0..<min(bytes.count, 64) where ![9, 10, 13, 32].contains(bytes[index]) {
      return bytes[index] == UInt8(ascii: "{")
    }
    return false
  }

  func read(_ file: ModelFile) throws(PruneError) -> [WeightEntry] {
    guard let map = try JSON(text: file.bytes.array)["weight_map"]?.fields else {
      throw PruneError(.badFormat, "the JSON has no \"weight_map\", as an index of shards does")
    }
    guard !file.folders.isEmpty else {
      throw PruneError(.invalidArgument, "an index of shards wants the folder they lie in")
    }
    var names: [String: Set<String>] = [:]
    var shards: [String] = []
    for (tensor, value) in map {
      guard let shard = value.string else {
        throw PruneError(.badFormat, "the index has no file for tensor '\(tensor)'")
      }
      guard !shard.isEmpty, !shard.contains("/"), !shard.utf8.contains(0), shard != ".." else {
        throw PruneError(
          .badFormat, "the index looks for tensor '\(tensor)' in '\(shard)'",
          hint: "shards lie beside their index: a name is wanted, no path")
      }
      if names[shard] == nil { shards.append(shard) }
      guard names[shard, default: []].insert(tensor).inserted else {
        throw PruneError(.badFormat, "the index has tensor '\(tensor)' twice")
      }
    }
    var result: [WeightEntry] = []
    for shard in shards { result += try read(shard, names[shard] ?? [], file.folders) }
    return result
  }

  private func read(_ shard: String, _ names: Set<String>, _ folders: [String]) throws(PruneError) -> [WeightEntry] {
    let places = folders.map { $0.isEmpty ? shard : "\($0)/\(shard)" }
    guard let path = places.first(where: FileReader.exists) ?? places.first else { return [] }
    do throws(PruneError) {
      let bytes = try FileReader.bytes(of: path)
      guard !matches(bytes) else { throw PruneError(.badFormat, "a shard is itself an index") }
      let entries = try WeightFormats.read(ModelFile(bytes: bytes)).filter { names.contains($0.name) }
      if entries.count < names.count {
        let present = Set(entries.map(\.name)), missing = names.subtracting(present).sorted()
        throw PruneError(
          .badFormat, "the shard lacks \(missing.count) tensors of the index, such as '\(missing.first ?? "")'")
      }
      return entries
    } catch { throw error.located(at: shard) }
  }
}
