import PruneTensor

/// The files of a data set and their targets. A path takes a few bytes more than its name, so that millions fit.
struct ImageList: Sendable {
  /// What paths are relative to.
  let root: String
  private var text: [UInt8] = []
  private var ends: [Int] = []
  /// Class numbers, or none.
  private(set) var labels: [Int64] = []
  /// Values, where the targets of a CSV are no classes.
  private(set) var values: [Float] = []
  private(set) var classes: [String] = []

  private static let suffixes = [".jpg", ".jpeg", ".png"]
  private static let deepest = 32

  var count: Int { ends.count }

  func path(_ index: Int) -> String {
    place(of: String(decoding: text[(index == 0 ? 0 : ends[index - 1])..<ends[index]], as: UTF8.self))
  }

  private func place(of name: String) -> String { name.hasPrefix("/") ? name : "\(root)/\(name)" }

  /// - Throws: `.io`, `.badFormat` or `.notFound` where there is no image.
  init(_ path: String) throws(PruneError) {
    switch FolderTree.kind(of: path) {
    case .nothing:
      throw PruneError(
        .io, "there is nothing at '\(path)'", hint: "give a folder of images, or a CSV of file and label")
    case .file:
      root = FilePath.folder(of: path)
      try readTable(path)
    case .folder:
      root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
      try readFolder()
    }
    guard count > 0 else {
      throw PruneError(
        .notFound, "no image is in it", at: path,
        hint: "images end in \(Self.suffixes.joined(separator: ", ")), in the folder itself or in one a class")
    }
  }

  private mutating func add(_ name: String) {
    text += Array(name.utf8)
    ends.append(text.count)
  }

  private static func isImage(_ name: String) -> Bool {
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
    return suffixes.contains(name[dot...].lowercased())
  }

  /// A folder's folders are classes, numbered in the order of their names; without any it is one flat set.
  private mutating func readFolder() throws(PruneError) {
    let (files, folders) = try FolderTree.entries(of: root)
    let images = files.filter(Self.isImage)
    guard !folders.isEmpty else {
      for name in images { add(name) }
      return
    }
    guard images.isEmpty else {
      throw PruneError(
        .badFormat, "it has \(images.count) images beside \(folders.count) folders", at: root,
        hint: "put each image in the folder of its class, or all into one folder")
    }
    for name in folders {
      let before = count
      try addAll(name, depth: 0)
      // A folder without images is no class: others' tools keep lists and thumbnails beside them.
      guard count > before else { continue }
      labels += [Int64](repeating: Int64(classes.count), count: count - before)
      classes.append(name)
    }
  }

  private mutating func addAll(_ folder: String, depth: Int) throws(PruneError) {
    guard depth < Self.deepest else {
      throw PruneError(.io, "folders are more than \(Self.deepest) deep", at: "\(root)/\(folder)")
    }
    let (files, folders) = try FolderTree.entries(of: "\(root)/\(folder)")
    for name in files where Self.isImage(name) { add("\(folder)/\(name)") }
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
      if isFirst, let file = cells.first, !Self.isImage(file), FolderTree.kind(of: place(of: file)) == .nothing {
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
