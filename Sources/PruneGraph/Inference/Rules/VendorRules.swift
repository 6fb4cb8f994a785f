import PruneTensor

/// Operators of ONNX Runtime's own domain that this library writes and runs.
package enum VendorRules {
  static let table: [String: Rule] = [
    // A [.., K] times a matrix of K x N stored in blocks of few bits.
    "com.microsoft.MatMulNBits": Rule { (x) throws(PruneError) in
      let (k, n) = (try x.int("K", default: 0, in: 1...(1 << 40)), try x.int("N", default: 0, in: 1...(1 << 40)))
      guard let dims = try x.dims(0, atLeast: 1) else { return [TensorType(x.dtype(0), nil)] }
      guard Dim.unified(dims[dims.count - 1], .fixed(k)) != nil else {
        throw x.fail("the data is \(Dims.text(dims)), the weight has \(k) rows")
      }
      return [TensorType(x.dtype(0), Array(dims.dropLast()) + [.fixed(n)])]
    }
  ]
}
