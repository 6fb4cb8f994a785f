import CPruneSupport
import Synchronization

extension Tensor {
  /// Elements that are not zero; NaN is not zero, both zeros of a float are. Complex numbers and strings count whole.
  package var nonzeroCount: Int {
    guard let (bits, mask) = zeroTest else { return count }
    let total = Atomic<Int>(0)
    // Ranges begin at even elements, so that two 4-bit ones share no byte.
    Parallel.forEach((count + 1) / 2, grain: 1 << 17) { pairs in
      let first = pairs.lowerBound * 2, last = min(pairs.upperBound * 2, count)
      // Safe: first and last lie within the elements; the loop takes any alignment and the tensor outlives the call.
      let start = UnsafeRawPointer(storage.base.advanced(by: byteOffset + first * bits / 8))
      total.add(Int(ps_count_nonzero(start, Int64(last - first), Int32(bits), mask)), ordering: .relaxed)
    }
    return total.load(ordering: .relaxed)
  }

  /// Elements of a quantized tensor that do not stand for zero.
  /// - Parameters:
  ///   - zeroPoint: one for all elements, or one for each position along `axis`.
  /// - Returns: nil when the zero points do not go with the tensor or it is not of 8 bits.
  package func nonzeroCount(zeroPoint: Tensor, axis: Int) -> Int? {
    guard dtype.bitWidth == 8, zeroPoint.dtype == dtype, let zeros = try? zeroPoint.array(of: UInt8.self) else {
      return nil
    }
    var outer = 1, inner = count
    if zeros.count != 1 {
      guard let axis = shape.axis(axis), shape[axis] == zeros.count else { return nil }
      outer = shape.dims[..<axis].reduce(1, *)
      inner = shape.dims[(axis + 1)...].reduce(1, *)
    }
    // Safe: outer * zeros.count * inner is the element count, checked above.
    return withExtendedLifetime(self) {
      Int(
        ps_count_unequal(
          storage.base.advanced(by: byteOffset).assumingMemoryBound(to: UInt8.self), Int64(outer), Int64(zeros.count),
          Int64(inner), zeros))
    }
  }

  /// The width of an element and the bits that make it differ from zero: all but the sign of a float.
  private var zeroTest: (bits: Int, mask: UInt64)? {
    switch dtype {
    case .string, .complex64, .complex128: nil
    // These have no negative zero: its pattern is their NaN.
    case .float8e4m3fnuz, .float8e5m2fnuz: (8, 0xFF)
    case .float4e2m1, .float8e4m3fn, .float8e5m2, .float16, .bfloat16, .float32, .float64:
      (dtype.bitWidth, UInt64.max >> (65 - UInt64(dtype.bitWidth)))
    default: (dtype.bitWidth, UInt64.max >> (64 - UInt64(dtype.bitWidth)))
    }
  }
}
