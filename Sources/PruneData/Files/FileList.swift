import PruneTensor

/// What the files of a data set are.
struct FileKind: Sendable {
  /// "image".
  let name: String
  let suffixes: [String]
  /// Of kinds that hold the like, and are not read.
  let others: [String]
  /// What is read, for a reader.
  let readable: String

  static let images = FileKind(
    name: "image", suffixes: [".jpg", ".jpeg", ".png"],
    others: [".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".heic", ".jp2", ".ppm"], readable: "JPEG and PNG")
  static let sound = FileKind(
    name: "sound", suffixes: [".wav", ".wave"], others: [".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff"],
    readable: "WAV")
  static let arrays = FileKind(name: "array", suffixes: [".npy"], others: [".npz", ".mat", ".pt"], readable: ".npy")

  private static func suffix(of name: String) -> String? {
    name.utf8.lastIndex(of: UInt8(ascii: ".")).map { name[$0...].lowercased() }
  }
  func reads(_ name: String) -> Bool { Self.suffix(of: name).map(suffixes.contains) ?? false }
  func isOther(_ name: String) -> Bool { Self.suffix(of: name).map(others.contains) ?? false }
  func reason(_ name: String) -> String {
    "files of kind \(Self.suffix(of: name)?.dropFirst() ?? "?") are not read, \(readable) files are"
  }
}

/// The files of a data set and their targets. A path takes a few bytes more than its name, so that millions fit.
struct FileList: Sendable {
  private let kind: FileKind
  /// What paths are relative to.
  let root: String
  private var text: [UInt8] = []
  private var ends: [Int] = []
  /// Class numbers, or none.
  private(set) var labels: [Int64] = []
  /// Values, where the targets of a CSV are no classes.
  private(set) var values: [Float] = []
  private(set) var classes: [String] = []

  /// Files of kinds that are not read, and folders of classes without any.
  private(set) var skipped: [(file: String, reason: String)] = []

  private static let deepest = 32

  var count: Int { ends.count }

  func path(_ index: Int) -> String {
    place(of: String(decoding: text[(index == 0 ? 0 : ends[index - 1])..<ends[index]], as: UTF8.self))
  }

  private func place(of name: String) -> String { name.hasPrefix("/") ? name : "\(root)/\(name)" }

  /// - Throws: `.io`, `.badFormat` or `.notFound` where there is no such file.
  init(_ path: String, _ kind: FileKind) throws(PruneError) {
    self.kind = kind
    switch FolderTree.kind(of: path) {
    case .nothing:
      throw PruneError(
        .io, "there is nothing at '\(path)'", hint: "give a folder of \(kind.name)s, or a CSV of file and label")
    case .file:
      root = FilePath.folder(of: path)
      guard !kind.reads(path), !kind.isOther(path) else {
        throw PruneError(
          .invalidArgument, "it is one \(kind.name) file", at: path,
          hint: "give the folder that it is in, or a CSV of file and label")
      }
      try readTable(path)
    case .folder:
      root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
      try readFolder()
    }
    guard count > 0 else {
      let others = skipped.count { kind.isOther($0.file) }
      throw PruneError(
        .notFound,
        others > 0
          ? "none of the \(others) \(kind.name) files in it is read: \(kind.readable) files are"
          : "no \(kind.name) file is in it",
        at: path,
        hint: "names end in \(kind.suffixes.joined(separator: ", ")), in the folder itself or in one a class")
    }
  }

  /// How many classes there are: those that folders name, or up to the highest number.
  var classCount: Int? { labels.max().map { max(Int($0) + 1, classes.count) } }

  private mutating func add(_ name: String) {
    text += Array(name.utf8)
    ends.append(text.count)
  }

  /// Notes the files among a folder's that are of a kind that is not read.
  private mutating func skipOthers(_ files: [String], of folder: String) {
    for name in files where kind.isOther(name) { skipped.append(("\(folder)/\(name)", kind.reason(name))) }
  }

  /// A folder's folders are classes, numbered in the order of their names; without any it is one flat set.
  private mutating func readFolder() throws(PruneError) {
    let (files, folders) = try FolderTree.entries(of: root)
    let images = files.filter(kind.reads)
    skipOthers(files, of: root)
    guard !folders.isEmpty else {
      for name in images { add(name) }
      return
    }
    guard images.isEmpty else {
      throw PruneError(
        .badFormat, "it has \(images.count) \(kind.name) files beside \(folders.count) folders", at: root,
        hint: "put each file in the folder of its class, or all into one folder")
    }
    for name in folders {
      let before = count
      try addAll(name, depth: 0)
      if count == before {
        guard try isEmptyClass(name) else { continue }
        skipped.append(
          ("\(root)/\(name)", "the class '\(name)' has no \(kind.name) file; it keeps its number, \(classes.count)"))
      }
      labels += [Int64](repeating: Int64(classes.count), count: count - before)
      classes.append(name)
    }
  }

  /// Whether a folder without images that are read stands for a class, so that the classes behind it keep their numbers:
  /// it has nothing, or images of other kinds. Other tools keep lists and caches beside the classes.
  private func isEmptyClass(_ folder: String) throws(PruneError) -> Bool {
    guard !folder.hasPrefix("__") else { return false }
    let (files, folders) = try FolderTree.entries(of: "\(root)/\(folder)")
    return (files.isEmpty && folders.isEmpty) || files.contains(where: kind.isOther)
  }

  private mutating func addAll(_ folder: String, depth: Int) throws(PruneError) {
    guard depth < Self.deepest else {
      throw PruneError(.io, "folders are more than \(Self.deepest) deep", at: "\(root)/\(folder)")
    }
    let (files, folders) = try FolderTree.entries(of: "\(root)/\(folder)")
    for name in files where kind.reads(name) { add("\(folder)/\(name)") }
    skipOthers(files, of: "\(root)/\(folder)")
    for name in folders { try addAll("\(folder)/\(name)", depth: depth + 1) }
  }

  /// Lines of a file and its label, the files relative to the table's folder. Labels are class numbers, values, or
  /// names.
  private mutating func readTable(_ path: String) throws(PruneError) {
    var reader = LineReader(try ByteStream(FileReader.bytes(of: path), limit: Dataset.limit))
    var names: [String] = []
    var isFirst = true
    while try reader.next() {
      let cells = reader.texts
      // A header names no image.
      if isFirst, let file = cells.first, !kind.reads(file), FolderTree.kind(of: place(of: file)) == .nothing {
        isFirst = false
        continue
      }
      isFirst = false
      guard (1...2).contains(cells.count), !cells[0].isEmpty, names.isEmpty == (count == 0) || cells.count == 1 else {
        throw PruneError(
          .badFormat, "line \(reader.number) has \(cells.count) columns, wanted a file and its label", at: path)
      }
      add(cells[0])
      if cells.count == 2 { names.append(cells[1]) }
    }
    guard names.isEmpty || names.count == count else {
      throw PruneError(.badFormat, "\(count - names.count) files have no label", at: path)
    }
    guard !names.isEmpty else { return }
    let numbers = names.map(Double.init)
    if numbers.allSatisfy({ $0 != nil }) {
      let known = numbers.compactMap { $0 }
      if known.allSatisfy({ $0 >= 0 && $0 < 16_777_216 && $0 == $0.rounded() }) {
        labels = known.map { Int64($0) }
      } else {
        values = known.map { Float($0) }
      }
    } else {
      classes = Set(names).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      let known = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, Int64($0)) })
      labels = names.map { known[$0] ?? 0 }
    }
  }
}
