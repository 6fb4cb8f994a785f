import Glibc
import PruneTensor
import Testing

@Suite struct AtomicFileTests {
  /// A folder that goes with its test.
  private final class Folder {
    let path: String
    init() throws {
      path = "/tmp/prune-atomic-\(FilePath.randomDigits())"
      try #require(mkdir(path, 0o777) == 0)
    }
    deinit {
      for name in names { unlink("\(path)/\(name)") }
      rmdir(path)
    }
    var names: [String] { FilePath.names(in: path).filter { ![".", ".."].contains($0) }.sorted() }
  }

  private func put(_ path: String, _ bytes: [UInt8]) throws {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  private func mode(_ path: String) -> mode_t {
    var info = stat()
    return lstat(path, &info) == 0 ? info.st_mode : 0
  }

  @Test func aFileThatIsNotCommittedLeavesNothing() throws {
    let folder = try Folder(), path = folder.path + "/f"
    do {
      let file = try AtomicFile(path: path)
      try file.write([1, 2, 3])
      #expect(folder.names.count == 1)
    }
    #expect(folder.names.isEmpty)
    try put(path, [1, 2, 3])
    #expect(try FileReader.bytes(of: path).array == [1, 2, 3])
    #expect(folder.names == ["f"])
  }

  @Test func whatKilledSavesLeftIsRemovedAndWhatIsHeldStays() throws {
    let folder = try Folder(), path = folder.path + "/f"
    for name in ["f.0123abcd.prune-tmp", "f.0123abcx.prune-tmp", "g.0123abcd.prune-tmp", "f.0123abcd9.prune-tmp"] {
      close(open("\(folder.path)/\(name)", O_CREAT | O_WRONLY, 0o600))
    }
    let held = try AtomicFile(path: path)
    try put(path, [1])
    #expect(folder.names.count == 5 && !folder.names.contains("f.0123abcd.prune-tmp"), "\(folder.names)")
    try held.write([2])
    try held.commit()
    #expect(try FileReader.bytes(of: path).array == [2])
  }

  @Test func modesStay() throws {
    let folder = try Folder(), path = folder.path + "/f"
    try put(path, [1])
    for wanted: mode_t in [0o600, 0o640, 0o755] {
      chmod(path, wanted)
      try put(path, [2])
      #expect(mode(path) & 0o7777 == wanted)
    }
  }

  /// Not even by root, whom no mode keeps from it.
  @Test func whatNobodyMayWriteIsNotReplaced() throws {
    let folder = try Folder(), path = folder.path + "/f"
    try put(path, [1])
    chmod(path, 0o444)
    #expect(throws: PruneError.self) { try put(path, [2]) }
    #expect(folder.names == ["f"])
    #expect(try FileReader.bytes(of: path).array == [1])
  }

  @Test func linksStay() throws {
    let folder = try Folder(), path = folder.path + "/f"
    symlink("second", path)
    symlink(folder.path + "/third", folder.path + "/second")
    for round: UInt8 in 1...2 {
      try put(path, [round])
      #expect(folder.names == ["f", "second", "third"])
      #expect(mode(path) & S_IFMT == S_IFLNK && mode(folder.path + "/second") & S_IFMT == S_IFLNK)
      #expect(try FileReader.bytes(of: folder.path + "/third").array == [round])
    }
    symlink("b", folder.path + "/a")
    symlink("a", folder.path + "/b")
    #expect(throws: PruneError.self) { try put(folder.path + "/a", [1]) }
  }

  @Test func whatIsNoFileIsNeverReplaced() throws {
    let folder = try Folder()
    try put("/dev/null", [1])
    #expect(mode("/dev/null") & S_IFMT == S_IFCHR)
    #expect(throws: PruneError.self) { try put("/dev/full", [1]) }
    #expect(throws: PruneError.self) { try put(folder.path, [1]) }
    let pipe = folder.path + "/pipe"
    mkfifo(pipe, 0o600)
    #expect(throws: PruneError.self) { try put(pipe, [1]) }
    let reader = open(pipe, O_RDONLY | O_NONBLOCK)
    try put(pipe, [1, 2, 3])
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &bytes, 8) == 3 && bytes[2] == 3)
    let file = try AtomicFile(path: pipe)
    close(reader)
    // Without a reader a signal would end this process.
    try file.write([1])
    #expect(throws: PruneError.self) { try file.commit() }
    #expect(folder.names == ["pipe"] && mode(pipe) & S_IFMT == S_IFIFO)
  }

  @Test func takenNamesAreLeft() throws {
    let folder = try Folder(), path = folder.path + "/f"
    let file = try AtomicFile(path: path)
    try file.write([1])
    #expect(try file.commitNew())
    let second = try AtomicFile(path: path)
    try second.write([2])
    #expect(try !second.commitNew())
    #expect(try FileReader.bytes(of: path).array == [1])
    file.withdraw()
    #expect(!FileReader.exists(path))
  }

  @Test func printfFormats() {
    #expect(formatted(3.14159, digits: 2) == "3.14")
    #expect(formatted(1e-9, digits: 3, style: "g") == "1e-09")
  }
}
