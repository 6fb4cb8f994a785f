#if canImport(Glibc)
  import Glibc
#endif

/// What a path that is to be written leads to, links followed to the end.
package struct FileTarget: Sendable {
  /// The path as it was given, for errors.
  let original: String
  /// The file itself; it need not exist.
  package let path: String
  /// A terminal, pipe or character device: it takes bytes as they come, and is never replaced.
  package let isStream: Bool
  /// What the replaced file was like, nil when there is none.
  let mode: mode_t?
  let owner: (user: uid_t, group: gid_t)

  /// - Throws: `.invalidArgument` for what cannot be a path, `.io` for a folder, a socket, a block device, a file that
  ///   nobody may write, links in a circle, or what cannot be looked at.
  package init(_ original: String) throws(PruneError) {
    guard !original.isEmpty, !original.utf8.contains(0) else {
      throw PruneError(.invalidArgument, "'\(original)' is not a path")
    }
    self.original = original
    let (place, isDescriptor) = try Self.resolve(original)
    path = place
    var info = stat()
    if stat(place, &info) != 0 {
      guard errno == ENOENT else { throw FileReader.failure("cannot write '\(original)'") }
      (isStream, mode, owner) = (false, nil, (0, 0))
      return
    }
    let kind = info.st_mode & S_IFMT
    switch kind {
    case S_IFREG where !isDescriptor: break
    case S_IFIFO, S_IFCHR: break
    default:
      throw PruneError(
        .io, "cannot write '\(original)': it is \(Self.name(of: kind))",
        hint: "give the path of a file, a pipe or a terminal")
    }
    // A rename would replace a file that nobody may write.
    guard kind != S_IFREG || info.st_mode & 0o222 != 0 else {
      throw PruneError(
        .io, "cannot write '\(original)': it is read-only",
        hint: "save under another name, or make it writable: chmod u+w"
      )
    }
    isStream = kind != S_IFREG
    mode = isStream ? nil : info.st_mode & 0o7777
    owner = (info.st_uid, info.st_gid)
  }

  /// The folder that holds the file.
  var folder: String { FilePath.folder(of: path) }
  package var name: String { FilePath.name(of: path) }

  /// Follows links by their text, so that the last one may lead to a file that does not exist yet. The links in a
  /// folder of /proc stand for open files; the text of the link does not matter.
  private static func resolve(_ original: String) throws(PruneError) -> (path: String, isDescriptor: Bool) {
    var place = original
    for _ in 0..<40 {
      guard let link = FilePath.link(at: place) else { return (place, false) }
      let folder = FilePath.folder(of: place)
      if FilePath.real(folder)?.hasPrefix("/proc/") == true { return (place, true) }
      place = link.hasPrefix("/") ? link : "\(folder)/\(link)"
    }
    throw PruneError(.io, "cannot write '\(original)': its links lead in a circle")
  }

  private static func name(of kind: mode_t) -> String {
    switch kind {
    case S_IFDIR: "a folder"
    case S_IFSOCK: "a socket"
    case S_IFBLK: "a block device"
    case S_IFREG: "a file that is open already, under no name of its own"
    default: "no regular file"
    }
  }
}

/// Paths taken apart, and looked up.
package enum FilePath {
  /// What is before the last slash; "." when there is none.
  package static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What is behind the last slash.
  package static func name(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }

  /// The absolute path without links, nil when nothing is there or its name is no UTF-8.
  package static func real(_ path: String) -> String? {
    guard !path.utf8.contains(0), let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(validatingCString: resolved)
  }

  /// What a symbolic link says, nil for all else.
  package static func link(at path: String) -> String? {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    // Safe: at most text.count bytes are written.
    let count = readlink(path, &text, text.count)
    guard count > 0, count < text.count else { return nil }
    return String(validating: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether `path`, without links, is `folder`, without links, or below it.
  package static func isInside(_ path: String, _ folder: String) -> Bool {
    folder == "/" || path.hasPrefix(folder + "/")
  }

  /// The names in a folder, in no order; none when it cannot be read. What is no UTF-8 is left out.
  package static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      // Safe: d_name ends with a zero byte.
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: 1) { String(validatingCString: $0) }
      }
      if let name { names.append(name) }
    }
    return names
  }
}
