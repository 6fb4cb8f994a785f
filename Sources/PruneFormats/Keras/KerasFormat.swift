import PruneGraph
import PruneTensor

/// HDF5 files of Keras.
struct KerasHDF5Format: ModelFormat {
  let name = "Keras, HDF5"
  let suffixes = [".h5", ".hdf5"]

  func matches(_ bytes: Bytes) -> Bool { HDF5File.matches(bytes) }
  func read(_ file: ModelFile) throws(PruneError) -> Model { try Keras.read(hdf5: file.bytes) }

  func write(_ model: Model, to path: String, cancel: CancelFlag?) throws(PruneError) {
    let pieces = try HDF5Writer.encode(try KerasWriter.hdf5(try KerasWriter.content(of: model)))
    let file = try AtomicFile(path: path)
    for piece in pieces {
      try cancel?.check()
      try file.write(piece)
    }
    try file.commit()
  }
}

/// Archives of Keras 3.
struct KerasArchiveFormat: ModelFormat {
  let name = "Keras 3"
  let suffixes = [".keras"]

  func matches(_ bytes: Bytes) -> Bool {
    guard bytes.count > 4, bytes[0] == 0x50, bytes[1] == 0x4B, let archive = try? ZipArchive(bytes) else {
      return false
    }
    return ["config.json", "model.weights.h5"].allSatisfy { name in archive.entries.contains { $0.name == name } }
  }
  func read(_ file: ModelFile) throws(PruneError) -> Model { try Keras.read(archive: file.bytes) }

  func write(_ model: Model, to path: String, cancel: CancelFlag?) throws(PruneError) {
    let content = try KerasWriter.content(of: model)
    var zip = ZipWriter()
    for (name, text) in [
      ("metadata.json", KerasWriter.about(content).text), ("config.json", KerasWriter.modern(content.file.config).text),
    ] {
      zip.add(name, try Bytes(Array(text.utf8)))
    }
    var bytes: [UInt8] = []
    for piece in try HDF5Writer.encode(try KerasWriter.variables(content)) { bytes += piece.array }
    try cancel?.check()
    zip.add("model.weights.h5", try Bytes(bytes))
    try zip.save(path: path, compressed: false)
  }
}
