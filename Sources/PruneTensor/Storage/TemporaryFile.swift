import CPruneSupport

#if canImport(Glibc)
  import Glibc
#endif

/// The file that an `AtomicFile` is written to before it has its name. Its lock says that somebody still writes it: the
/// next save of the same file removes those that killed processes left.
final class TemporaryFile {
  let path: String
  let descriptor: Int32
  /// Whether the file has got its name, and there is nothing left to remove.
  var isNamed = false

  private static let suffix = ".prune-tmp"

  /// Creates the file for a target, as readable for others as what it will replace.
  /// - Throws: `.io` when the folder cannot be written.
  init(_ target: FileTarget, stem: String) throws(PruneError) {
    // Names end at 255 bytes, and those of very long ones are to be told apart too.
    let stem = stem.utf8.count <= 200 ? stem : hexadecimal(stem.utf8.reduce(5381) { ($0 &* 33) ^ UInt64($1) })
    let folder = target.folder
    Self.removeLeft(in: folder, stem)
    var file: (String, Int32)?
    for _ in 0..<100 where file == nil {
      let path = "\(folder)/\(stem).\(FilePath.randomDigits())\(Self.suffix)"
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, target.mode == nil ? 0o666 : 0o600)
      if descriptor < 0, errno == EEXIST { continue }
      guard descriptor >= 0 else { throw FileReader.failure("cannot write '\(target.original)'") }
      if Self.isHeld(descriptor) {
        file = (path, descriptor)
      } else {
        close(descriptor)
      }
    }
    guard let file else {
      throw PruneError(.io, "cannot write '\(target.original)': no free name for a temporary file")
    }
    (path, descriptor) = file
    if let mode = target.mode { copyAttributes(of: target, mode) }
  }

  deinit {
    // Before the lock goes, so that nobody meets the name without it.
    if !isNamed { unlink(path) }
    close(descriptor)
  }

  /// Locks a new file. Another save may have taken it for one that is left, and removed it.
  private static func isHeld(_ descriptor: Int32) -> Bool {
    // A file system without locks removes nothing either.
    guard flock(descriptor, LOCK_EX) == 0 else { return true }
    var info = stat()
    return fstat(descriptor, &info) == 0 && info.st_nlink > 0
  }

  private func copyAttributes(of target: FileTarget, _ mode: mode_t) {
    var mode = mode
    if fchown(descriptor, target.owner.user, target.owner.group) != 0,
      fchown(descriptor, uid_t.max, target.owner.group) != 0
    {
      // What the old group could do is not for the new one, which gets what all have.
      mode = mode & ~0o6070 | (mode & 0o007) << 3
    }
    fchmod(descriptor, mode)
    let old = open(target.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard old >= 0 else { return }
    ps_copy_attributes(old, descriptor)
    close(old)
  }

  private static func removeLeft(in folder: String, _ stem: String) {
    for name in FilePath.names(in: folder) where FilePath.isNumbered(name, stem + ".", suffix) {
      FilePath.removeUnheld("\(folder)/\(name)")
    }
  }
}

extension FilePath {
  /// Eight digits of a name that nothing else has.
  package static func randomDigits() -> String {
    let text = hexadecimal(UInt64(UInt32.random(in: 0...UInt32.max)))
    return String(text.suffix(8))
  }

  /// Whether a name is `prefix`, eight hexadecimal digits and `suffix`.
  package static func isNumbered(_ name: String, _ prefix: String, _ suffix: String) -> Bool {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
    let digits = name.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
    return digits.count == 8 && name.utf8.count == prefix.utf8.count + 8 + suffix.utf8.count
      && digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  /// Removes a regular file that no save, of this or another process, holds.
  /// - Parameter isUnused: asked once the file is known not to be held.
  package static func removeUnheld(_ path: String, where isUnused: () -> Bool = { true }) {
    var descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var info = stat(), named = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, flock(descriptor, LOCK_EX | LOCK_NB) == 0,
      isUnused(), lstat(path, &named) == 0, named.st_ino == info.st_ino, named.st_dev == info.st_dev
    else { return }
    unlink(path)
  }
}

/// Sixteen hexadecimal digits.
private func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}
