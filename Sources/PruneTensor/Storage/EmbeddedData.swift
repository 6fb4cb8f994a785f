import CPruneSupport

/// Data compiled into the library.
package enum EmbeddedData {
  /// The UCI digits as gzip'ed CSV: 1,797 rows of 64 pixels 0...16 and the label.
  package static var digits: Bytes {
    // Safe: a constant of the library itself, and read-only storage is never written to.
    Bytes(
      storage: Storage(
        borrowing: UnsafeMutableRawPointer(mutating: UnsafeRawPointer(ps_digits_csv_gz)),
        byteCount: ps_digits_csv_gz_size,
        isWritable: false, release: { _ in }))
  }
}
