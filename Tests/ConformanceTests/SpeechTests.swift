import Foundation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Silero's voice activity detector: If around both sample rates, nested Ifs, LSTM.
@Suite(.enabled(if: Shared.isPresent, "../shared is not beside this checkout"))
struct SpeechTests {
  /// 540 frames of 64 samples of context and 512 new ones.
  private static let frames: [[Float]] = {
    guard let wave = FileManager.default.contents(atPath: "\(Shared.folder)/data/audio/speech_16k.wav") else {
      return []
    }
    let samples = wave.dropFirst(44).withUnsafeBytes { bytes in
      (0..<bytes.count / 2).map {
        Float(Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self))) / 32768
      }
    }
    var context = [Float](repeating: 0, count: 64)
    return stride(from: 0, to: samples.count, by: 512).prefix(540).map { first in
      var frame = context + samples[first..<min(first + 512, samples.count)]
      frame += [Float](repeating: 0, count: 576 - frame.count)
      context = Array(frame.suffix(64))
      return frame
    }
  }()

  @Test(arguments: ["silero_vad", "silero_vad_16k_op15", "silero_vad_op18_ifless"])
  func everyFrameIsAsInTheReference(name: String) throws {
    let session = Session(try Shared.model("silero_vad/\(name)"))
    let wanted = try #require(try Shared.arrays("ref/silero_vad_speech_16k.npz")["prob"]).doubles()
    #expect(Self.frames.count == wanted.count)
    var state = try Tensor(zeros: .float32, Shape([2, 1, 128]))
    let rate = try Tensor(scalar: Int64(16000))
    var got: [Float] = []
    for frame in Self.frames {
      let results = try session.run(["input": floats(frame, 1, 576), "state": state, "sr": rate])
      state = try #require(results["stateN"])
      got += try #require(results["output"]).array(of: Float.self)
    }
    #expect(try relativeNorm(Tensor(got), Tensor(wanted)) < 1e-4)
    #expect(zip(got, wanted).allSatisfy { abs(Double($0) - $1) < 1e-4 })
    #expect(abs(Double(got.count { $0 > 0.5 }) / 540 - 0.4537) < 1e-4)
  }

  @Test func theSequenceModelIsAsInTheReference() throws {
    let model = try Shared.model("silero_vad/silero_vad_16k_sequence")
    let wanted = try #require(try Shared.arrays("ref/silero_vad_speech_16k.npz")["prob_seq"])
    let zero = try Tensor(zeros: .float32, Shape([1, 1, 128]))
    let input = try floats(Self.frames.flatMap { $0 }, 540, 576)
    let results = try Session(model).run(["input": input, "h": zero, "c": zero])
    #expect(try relativeNorm(#require(results["speech_probs"]), wanted) < 1e-4)
  }
}
