import PruneTensor

/// NumPy's archive of named arrays.
package enum Npz {
  /// The arrays, in the archive's order, without the `.npy` of their names.
  /// - Throws: `.io`, `.badFormat`, or `.unsupported` naming the array.
  package static func load(path: String) throws(PruneError) -> [(name: String, tensor: Tensor)] {
    do throws(PruneError) { return try decode(try FileReader.bytes(of: path)) } catch { throw error.located(at: path) }
  }

  /// The arrays of an archive in memory.
  package static func decode(_ bytes: Bytes) throws(PruneError) -> [(name: String, tensor: Tensor)] {
    if bytes.count == 0 { throw PruneError(.badFormat, "the file is empty, an .npz archive was wanted") }
    let archive = try ZipArchive(bytes)
    var result: [(name: String, tensor: Tensor)] = []
    for (index, entry) in archive.entries.enumerated() {
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      do throws(PruneError) { result.append((name, try Npy.decode(try archive.read(at: index)))) } catch {
        var named = error
        named.message = "array '\(name)': \(error.message)"
        throw named
      }
    }
    return result
  }

  /// Writes the arrays, atomically.
  /// - Throws: `.io`, `.unsupported` for dtypes NumPy does not have, `.invalidArgument` when two have one name.
  package static func save(
    _ arrays: [(name: String, tensor: Tensor)], path: String, compressed: Bool = true
  ) throws(PruneError) {
    var writer = ZipWriter()
    for (name, tensor) in arrays {
      do throws(PruneError) { writer.add(name + ".npy", try Bytes(try Npy.encode(tensor))) } catch {
        var named = error
        named.message = "array '\(name)': \(error.message)"
        throw named
      }
    }
    try writer.save(path: path, compressed: compressed)
  }
}
