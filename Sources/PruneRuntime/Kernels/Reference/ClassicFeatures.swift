import PruneGraph
import PruneTensor

/// Operators of `ai.onnx.ml` that look numbers up, by `domain.operator`.
enum ClassicFeatures {
  static let table: [String: Kernel] = [
    "ai.onnx.ml.ArrayFeatureExtractor": Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0), columns = try call.integers(1)
      guard let width = x.shape.dims.last, width > 0 else {
        throw call.fail("there is no column to take: the data is \(x.shape)")
      }
      if let outside = columns.first(where: { $0 < 0 || $0 >= width }) {
        throw call.fail("column \(outside) is outside 0..<\(width)")
      }
      let shape = try call.shape()
      try call.check(shape.count)
      let offsets = (0..<x.count / width).flatMap { row in columns.map { row * width + $0 } }
      return [try Moves.gather(x, offsets: offsets, length: 1, shape: shape)]
    },
    "ai.onnx.ml.LabelEncoder": Kernel { (call) throws(PruneError) in
      let pairs = try LabelPairs(call)
      return [try call.result(try call.doubles(0).map { pairs[$0] })]
    },
  ]

  /// What each key stands for; keys and values are numbers.
  private struct LabelPairs {
    private var values: [Double: Double] = [:]
    /// NaN equals nothing, not even itself, but may be a key.
    private var ofNaN: Double?
    private var other: Double

    subscript(_ key: Double) -> Double { (key.isNaN ? ofNaN : values[key]) ?? other }

    init(_ call: KernelCall) throws(PruneError) {
      let node = call.node
      func numbers(_ name: String) throws(PruneError) -> [Double]? {
        if let integers = node.ints("\(name)_int64s") { return integers.map(Double.init) }
        if let floats = node.floats("\(name)_floats") { return floats.map(Double.init) }
        guard let tensor = node.tensor("\(name)_tensor"), tensor.dtype != .string else { return nil }
        return try call.doubles(tensor)
      }
      guard let keys = try numbers("keys"), let labels = try numbers("values") else {
        throw call.unsupported("labels that are not numbers")
      }
      guard keys.count == labels.count else { throw call.fail("\(keys.count) keys have \(labels.count) values") }
      let dtype = try call.dtype()
      other =
        dtype.isFloatingPoint
        ? Double(node.float("default_float", default: 0)) : Double(node.int("default_int64", default: -1))
      if let tensor = node.tensor("default_tensor"), let first = try call.doubles(tensor).first { other = first }
      for (key, label) in zip(keys, labels) {
        if key.isNaN { ofNaN = ofNaN ?? label } else if values[key] == nil { values[key] = label }
      }
    }
  }
}
