#if canImport(Glibc)
  import Glibc
#endif

/// What lies in folders.
package enum FolderTree {
  package enum Kind: Sendable { case file, folder, nothing }

  /// What is at a path, links followed.
  package static func kind(of path: String) -> Kind {
    var info = stat()
    guard !path.utf8.contains(0), stat(path, &info) == 0 else { return .nothing }
    switch info.st_mode & S_IFMT {
    case S_IFDIR: return .folder
    case S_IFREG: return .file
    default: return .nothing
    }
  }

  /// The names of the files and folders in a folder, in the order of their bytes. Hidden ones and what is no UTF-8 are
  /// left out.
  /// - Throws: `.io` with the system's reason.
  package static func entries(of folder: String) throws(PruneError) -> (files: [String], folders: [String]) {
    guard !folder.utf8.contains(0), let stream = opendir(folder) else {
      throw FileReader.failure("cannot read the folder '\(folder)'")
    }
    defer { closedir(stream) }
    var files: [String] = [], folders: [String] = []
    while let entry = readdir(stream) {
      // Safe: the name ends in a zero byte within the entry.
      let text = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
      }
      guard let name = text, !name.hasPrefix(".") else { continue }
      var isFolder = Int32(entry.pointee.d_type) == Int32(DT_DIR)
      // Links, and file systems that do not say.
      if Int32(entry.pointee.d_type) == Int32(DT_LNK) || Int32(entry.pointee.d_type) == Int32(DT_UNKNOWN) {
        switch kind(of: "\(folder)/\(name)") {
        case .folder: isFolder = true
        case .file: break
        case .nothing: continue
        }
      }
      if isFolder { folders.append(name) } else { files.append(name) }
    }
    return (files.sorted(by: precedes), folders.sorted(by: precedes))
  }

  private static func precedes(_ one: String, _ other: String) -> Bool {
    one.utf8.lexicographicallyPrecedes(other.utf8)
  }
}
