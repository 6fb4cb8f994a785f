import PruneTensor

/// A WAV file (RIFF/WAVE, Microsoft and IBM 1991) of PCM of 8 to 32 bits or 32-bit floats: where its frames are.
struct WaveFile: Sendable {
  /// Frames a second.
  let rate: Int
  let channels: Int
  /// Of one channel.
  let bits: Int
  let isFloat: Bool
  /// The bytes of all frames.
  let data: Bytes

  var frames: Int { data.count / (channels * bits / 8) }

  /// - Throws: `.badFormat` for what is no such file, `.unsupported` for compressed sound.
  init(_ bytes: Bytes) throws(PruneError) {
    guard bytes.count >= 12, Self.text(bytes, 0) == "RIFF", Self.text(bytes, 8) == "WAVE" else {
      throw PruneError(.badFormat, "it is no WAV file: it does not begin with RIFF and WAVE")
    }
    var place = 12
    var format: (code: Int, channels: Int, rate: Int, bits: Int)?
    while place + 8 <= bytes.count {
      let name = Self.text(bytes, place), size = Self.number(bytes, place + 4, 4), first = place + 8
      if name == "fmt " {
        guard size >= 16, first + size <= bytes.count else { break }
        var code = Self.number(bytes, first, 2)
        // What the extensible form wraps is the first number of its identifier.
        if code == 0xFFFE, size >= 26 { code = Self.number(bytes, first + 24, 2) }
        format = (
          code, Self.number(bytes, first + 2, 2), Self.number(bytes, first + 4, 4), Self.number(bytes, first + 14, 2)
        )
      } else if name == "data" {
        guard let format else { break }
        try Self.check(format)
        // Recorders that were cut off, and streams, announce more than they wrote.
        let width = format.channels * format.bits / 8, given = min(size, bytes.count - first) / width * width
        guard given > 0, let data = bytes.slice(first, first + given) else {
          throw PruneError(.badFormat, "it has no frames")
        }
        (rate, channels, bits, isFloat) = (format.rate, format.channels, format.bits, format.code == 3)
        self.data = data
        return
      }
      // Chunks start at even places.
      place = first + size + size % 2
    }
    throw PruneError(.badFormat, "it was cut short: there is no \(format == nil ? "format" : "data") in it")
  }

  private static func check(_ format: (code: Int, channels: Int, rate: Int, bits: Int)) throws(PruneError) {
    let isPCM = format.code == 1 && [8, 16, 24, 32].contains(format.bits)
    guard isPCM || (format.code == 3 && format.bits == 32) else {
      throw PruneError(
        .unsupported, "its frames have encoding \(format.code) of \(format.bits) bits",
        hint: "PCM of 8, 16, 24 or 32 bits and 32-bit floats are read: ffmpeg -i IN -c:a pcm_s16le OUT.wav")
    }
    guard (1...64).contains(format.channels), (1...1 << 20).contains(format.rate) else {
      throw PruneError(.badFormat, "it has \(format.channels) channels and \(format.rate) frames a second")
    }
  }

  /// Frames first..<last as the mean of all channels, in -1...1; silence outside the file.
  func frames(_ first: Int, _ last: Int) throws(PruneError) -> [Float] {
    var result = [Float](repeating: 0, count: max(last - first, 0))
    let width = bits / 8, scale = 1 / Float(channels)
    let begin = max(first, 0), end = min(last, frames)
    guard begin < end else { return result }
    try data.withSpan { span throws(PruneError) in
      for frame in begin..<end {
        var sum: Float = 0
        for channel in 0..<channels { sum += sample(span, (frame * channels + channel) * width, width) }
        result[frame - first] = sum * scale
      }
    }
    return result
  }

  private func sample(_ span: Span<UInt8>, _ place: Int, _ width: Int) -> Float {
    // Bytes without a sign, as 8 bits have it.
    if width == 1 { return (Float(span[place]) - 128) / 128 }
    var bits: UInt32 = 0
    for index in 0..<width { bits |= UInt32(span[place + index]) << UInt32(8 * (index + 4 - width)) }
    return isFloat ? Float(bitPattern: bits) : Float(Int32(bitPattern: bits)) / 2_147_483_648
  }

  private static func text(_ bytes: Bytes, _ place: Int) -> String {
    bytes.slice(place, place + 4).map { String(decoding: $0.array, as: UTF8.self) } ?? ""
  }

  private static func number(_ bytes: Bytes, _ place: Int, _ count: Int) -> Int {
    (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
  }
}
