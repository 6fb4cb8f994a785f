#if canImport(Glibc)
  import Glibc
#endif

// The C library's functions under names of our own, so that modules inside the fence need no C import.

package func logarithm(_ x: Double) -> Double { log(x) }
package func exponential(_ x: Double) -> Double { exp(x) }
package func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
package func cosine(_ x: Double) -> Double { cos(x) }

/// A number as printf's `%.{digits}{style}` writes it: style `f`, `e` or `g`.
package func formatted(_ value: Double, digits: Int, style: Character = "f") -> String {
  let format = "%.\(max(0, min(digits, 40)))\(["f", "e", "g"].contains(style) ? style : "g")"
  var buffer = [CChar](repeating: 0, count: 400)
  // Safe: snprintf never writes past the count given; the format takes exactly one double.
  let length = withVaList([value]) { vsnprintf(&buffer, buffer.count, format, $0) }
  return String(
    decoding: buffer.prefix(max(0, min(Int(length), buffer.count - 1))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
