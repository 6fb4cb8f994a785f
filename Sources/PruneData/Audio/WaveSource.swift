import PruneTensor
import Synchronization

/// Where sound comes from and how it is cut into samples.
package struct WaveOptions: Sendable {
  /// A folder of folders, one a class; a folder of files; or a CSV of file and label.
  package var path = ""
  /// Frames a second that files are resampled to; 0 is that of the first file, which all have to have.
  package var rate = 0
  /// Frames of a sample.
  package var window = 0
  /// Frames from one window of a file to the next; 0 is the window.
  package var hop = 0
  /// Whether a file that cannot be read is an error, rather than left out and named.
  package var strict = false

  package init() {}
}

/// Windows of sound files, read when a batch is asked for. Only the headers are read before.
final class WaveSource: SampleSource {
  private let list: FileList
  private let options: WaveOptions
  private let rate: Int
  private let hop: Int
  /// Where the windows of each file begin, and behind the last.
  private let starts: [Int]
  private let skipped: [(file: String, reason: String)]
  /// The file that was read last: the next window is mostly of it.
  private let open = Mutex<(index: Int, wave: WaveFile)?>(nil)

  /// A class for each window, or a value, where files have them.
  let labels: [Int64]
  let values: [Float]

  var count: Int { starts.last ?? 0 }
  var sampleShape: [Int] { [1, options.window] }
  var broken: [(file: String, reason: String)] { list.skipped + skipped }

  init(_ list: FileList, _ options: WaveOptions) throws(PruneError) {
    let place = "wav"
    guard options.window >= 1, options.window <= 1 << 24 else {
      throw PruneError(
        .invalidArgument, options.window == 0 ? "window is missing" : "window is \(options.window)", at: place,
        hint: "give the frames that the model takes: window = 16000 is a second at rate = 16000")
    }
    guard options.hop >= 0, options.rate >= 0, options.rate <= 1 << 20 else {
      throw PruneError(
        .invalidArgument, "hop is \(options.hop) and rate \(options.rate), wanted 0 or more, a rate up to \(1 << 20)",
        at: place)
    }
    hop = options.hop == 0 ? options.window : options.hop
    var rate = options.rate
    var starts = [0], skipped: [(file: String, reason: String)] = []
    var labels: [Int64] = [], values: [Float] = []
    for index in 0..<list.count {
      var windows = 0
      do throws(PruneError) {
        let wave = try WaveFile(try FileReader.bytes(of: list.path(index)))
        if rate == 0 { rate = wave.rate }
        guard options.rate > 0 || wave.rate == rate else {
          throw PruneError(
            .invalidArgument, "it has \(wave.rate) frames a second, the files before have \(rate)",
            hint: "rate = \(rate) resamples all of them")
        }
        let frames = Resampler(source: wave.rate, target: rate).count(wave.frames)
        // What does not fill a window is left out, unless it is all there is.
        windows = frames <= options.window ? 1 : (frames - options.window) / hop + 1
      } catch {
        guard !options.strict, [.badFormat, .io, .unsupported].contains(error.status) else {
          throw error.located(at: list.path(index))
        }
        skipped.append((list.path(index), error.message))
      }
      starts.append((starts.last ?? 0) + windows)
      if !list.labels.isEmpty { labels += [Int64](repeating: list.labels[index], count: windows) }
      if !list.values.isEmpty { values += [Float](repeating: list.values[index], count: windows) }
    }
    guard let all = starts.last, all > 0 else {
      throw PruneError(
        .badFormat, "none of the \(list.count) files can be read: \(skipped.first?.reason ?? "")", at: list.root)
    }
    (self.list, self.options, self.rate, self.starts, self.skipped) = (list, options, rate, starts, skipped)
    (self.labels, self.values) = (labels, values)
  }

  func samples(at indices: [Int]) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, try Shape([indices.count] + sampleShape))
    for (position, index) in indices.enumerated() {
      let frames = try window(index)
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for place in 0..<min(frames.count, options.window) { span[position * options.window + place] = frames[place] }
      }
    }
    return result
  }

  private func window(_ index: Int) throws(PruneError) -> [Float] {
    // The last file that begins at or before the window.
    var (low, high) = (0, starts.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    let wave = try file(low), resampler = Resampler(source: wave.rate, target: rate)
    let first = (index - starts[low]) * hop, needed = resampler.needed(first, first + options.window)
    return resampler.frames(
      first, first + options.window, of: try wave.frames(needed.lowerBound, needed.upperBound))
  }

  private func file(_ index: Int) throws(PruneError) -> WaveFile {
    if let known = open.withLock({ $0?.index == index ? $0?.wave : nil }) { return known }
    do throws(PruneError) {
      let wave = try WaveFile(try FileReader.bytes(of: list.path(index)))
      open.withLock { $0 = (index, wave) }
      return wave
    } catch { throw error.located(at: list.path(index)) }
  }
}

extension Dataset {
  /// Windows of WAV files of a folder or of a table: float32 [N, 1, window], in -1...1, channels mixed into one.
  /// - Throws: `.invalidArgument` naming the option, `.io`, `.notFound` without files.
  package static func wav(_ options: WaveOptions) throws(PruneError) -> Dataset {
    let list = try FileList(options.path, .sound), source = try WaveSource(list, options)
    var y: Tensor?
    if !source.labels.isEmpty { y = try Tensor(source.labels) }
    if !source.values.isEmpty { y = try Tensor(source.values, try Shape([source.count, 1])) }
    let column = try Column(name: "", stream: SampleStream(source, Array(0..<source.count)))
    return Dataset(
      columns: [column], y: y, classCount: list.classCount, name: lastComponent(options.path),
      classNames: list.classes)
  }
}
