import PruneTensor

/// Samples that are made when they are asked for, so that a data set need not fit in memory.
package protocol SampleSource: AnyObject, Sendable {
  var count: Int { get }
  /// The shape of one sample; samples are float32.
  var sampleShape: [Int] { get }
  /// Samples by their positions, [indices.count, …]. Several threads may ask at once.
  func samples(at indices: [Int]) throws(PruneError) -> Tensor
  /// What could not be read so far, in order.
  var broken: [(file: String, reason: String)] { get }
}

/// Some samples of a source, in an order.
package struct SampleStream: Sendable {
  package let source: any SampleSource
  private let indices: [Int]

  package init(_ source: any SampleSource, _ indices: [Int]) { (self.source, self.indices) = (source, indices) }

  package var count: Int { indices.count }

  package func samples(at positions: some Collection<Int>) throws(PruneError) -> Tensor {
    try source.samples(at: try chosen(positions))
  }

  package func selecting(_ positions: some Collection<Int>) throws(PruneError) -> SampleStream {
    SampleStream(source, try chosen(positions))
  }

  private func chosen(_ positions: some Collection<Int>) throws(PruneError) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(positions.count)
    for position in positions {
      guard indices.indices.contains(position) else {
        throw PruneError(.invalidArgument, "row \(position) does not exist: there are \(indices.count)")
      }
      result.append(indices[position])
    }
    return result
  }
}

/// Where the channels of images are.
package enum Layout: String, Choice {
  /// [N, C, H, W], as PyTorch and ONNX have it.
  case nchw
  /// [N, H, W, C], as Keras and TensorFlow have it.
  case nhwc

  /// What samples of such extents most likely are: few channels behind large extents are NHWC.
  package static func guess(_ sample: [Int]) -> Layout {
    guard sample.count == 3 else { return .nchw }
    func isChannels(_ extent: Int) -> Bool { extent == 1 || extent == 3 || extent == 4 }
    return isChannels(sample[2]) && !isChannels(sample[0]) ? .nhwc : .nchw
  }
}
