import PruneTensor

/// The orientation that EXIF has for an image (tag 0x0112; CIPA DC-008): 1 is upright, 6 turned right by a quarter.
enum Orientation {
  /// 1 where the file does not say.
  static func of(_ file: Bytes) -> Int {
    guard let block = jpegBlock(file) ?? pngBlock(file) else { return 1 }
    return value(in: block) ?? 1
  }

  private static func number(_ bytes: Bytes, _ at: Int, _ count: Int, isLittle: Bool = false) -> Int? {
    guard let part = bytes.slice(at, at + count) else { return nil }
    let ordered = isLittle ? part.array.reversed() : part.array
    return ordered.reduce(0) { $0 << 8 | Int($1) }
  }

  /// The block of an APP1 segment in front of the pixels.
  private static func jpegBlock(_ file: Bytes) -> Bytes? {
    guard file.count > 4, file[0] == 0xFF, file[1] == 0xD8 else { return nil }
    var position = 2
    while let marker = number(file, position, 2), marker >= 0xFF00, let length = number(file, position + 2, 2),
      length >= 2
    {
      if marker == 0xFFDA { return nil }
      let start = position + 4, end = position + 2 + length
      if marker == 0xFFE1, let segment = file.slice(start, end), segment.slice(0, 6)?.array == Array("Exif\0\0".utf8) {
        return segment.slice(6, segment.count)
      }
      position = end
    }
    return nil
  }

  /// The eXIf chunk of a PNG.
  private static func pngBlock(_ file: Bytes) -> Bytes? {
    guard file.count > 8, file[0] == 0x89, file[1] == 0x50 else { return nil }
    var position = 8
    while let length = number(file, position, 4), let kind = file.slice(position + 4, position + 8)?.array {
      if kind == Array("eXIf".utf8) { return file.slice(position + 8, position + 8 + length) }
      if kind == Array("IDAT".utf8) { return nil }
      position += 12 + length
    }
    return nil
  }

  /// The tag's value in the first directory of a TIFF block.
  private static func value(in block: Bytes) -> Int? {
    guard let order = block.slice(0, 2)?.array else { return nil }
    let isLittle = order == Array("II".utf8)
    guard isLittle || order == Array("MM".utf8), let directory = number(block, 4, 4, isLittle: isLittle),
      let count = number(block, directory, 2, isLittle: isLittle)
    else { return nil }
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard let tag = number(block, entry, 2, isLittle: isLittle) else { return nil }
      if tag == 0x0112 { return number(block, entry + 8, 2, isLittle: isLittle) }
    }
    return nil
  }
}
