import PruneTensor

/// Fourier transforms and what goes with them.
package enum SignalRules {
  static let table: [String: Rule] = [
    "DFT": Rule { (x) throws(PruneError) in
      guard var dims = try x.dims(0, atLeast: 2) else { return [TensorType(x.dtype(0), nil)] }
      // `axis` is an attribute in opset 17 and an input from opset 20 on.
      var number: Int? = x.node.int("axis", default: 1)
      if x.opset >= 20 { number = x.has(2) ? try x.integer(2) : -2 }
      dims[dims.count - 1] = .fixed(2)
      guard let number else {
        return [TensorType(x.dtype(0), dims.dropLast().map { _ in .unknown } + [.fixed(2)])]
      }
      let axis = try x.axis(number, rank: dims.count)
      guard axis < dims.count - 1 else {
        throw x.fail("axis \(number) is that of real and imaginary parts")
      }
      var length = dims[axis]
      if x.has(1) {
        let count = try x.integer(1)
        if let count, count < 1 { throw x.fail("dft_length is \(count), wanted 1 or more") }
        length = count.map(Dim.fixed) ?? .unknown
      }
      dims[axis] =
        x.node.int("onesided", default: 0) != 0
        ? length.value.map { .fixed($0 / 2 + 1) } ?? .unknown : length
      return [TensorType(x.dtype(0), dims)]
    },
    "STFT": Rule { (x) throws(PruneError) in
      guard let dims = try x.dims(0, rank: 3) else { return [TensorType(x.dtype(0), nil)] }
      var frame: Dim = .unknown
      if x.has(3) {
        frame = try x.integer(3).map(Dim.fixed) ?? .unknown
      } else if let window = try x.dims(2, rank: 1) {
        frame = window[0]
      }
      let step = try x.integer(1)
      if let step, step < 1 { throw x.fail("frame_step is \(step), wanted 1 or more") }
      var frames: Dim = .unknown
      if let length = dims[1].value, let step, let size = frame.value {
        guard size >= 1, size <= length else {
          throw x.fail("frames of \(size) samples do not fit a signal of \(length)")
        }
        frames = .fixed((length - size) / step + 1)
      }
      let bins =
        x.node.int("onesided", default: 1) != 0
        ? frame.value.map { Dim.fixed($0 / 2 + 1) } ?? .unknown : frame
      return [TensorType(x.dtype(0), [dims[0], frames, bins, .fixed(2)])]
    },
    "MelWeightMatrix": Rule { (x) throws(PruneError) in
      let bins = try x.integer(0)
      let length = try x.integer(1)
      if bins ?? 0 < 0 || length ?? 0 < 0 {
        throw x.fail("num_mel_bins and dft_length must be 0 or more")
      }
      return [
        TensorType(
          try x.dtypeAttribute("output_datatype") ?? .float32,
          [length.map { .fixed($0 / 2 + 1) } ?? .unknown, bins.map(Dim.fixed) ?? .unknown])
      ]
    },
  ]
}
