import CPruneSupport

/// Packed models, as the decoder of prunez.h reads them.
package enum PackedFile {
  /// Whether bytes begin like a packed model.
  package static func isPacked(_ bytes: Bytes) -> Bool { bytes.slice(0, 4)?.array == Array("PRNZ".utf8) }

  /// The ONNX file that was packed.
  /// - Throws: `.badFormat` for a damaged file, `.outOfMemory` for one that unpacks to more than the machine has.
  package static func unpack(_ bytes: Bytes) throws(PruneError) -> Bytes {
    let damaged = PruneError(.badFormat, "this is not a packed model of a version this build reads, or it is damaged")
    // Safe: data and size are those of the bytes, which live through the calls; work memory and output have the sizes
    // given.
    return try withExtendedLifetime(bytes) { () throws(PruneError) in
      let data = UnsafePointer(bytes.storage.base.advanced(by: bytes.offset).assumingMemoryBound(to: UInt8.self))
      let size = Int64(bytes.count), workSize = ps_prunez_work_size(data, size)
      guard workSize > 0 else { throw damaged }
      let work = try Storage(byteCount: Int(workSize), zeroed: false)
      let table = work.base.assumingMemoryBound(to: UInt32.self)
      let byteCount = ps_prunez_onnx_size(data, size, table, workSize)
      guard byteCount > 0 else { throw damaged }
      let target = try Storage(byteCount: Int(byteCount))
      guard ps_prunez_onnx(data, size, table, workSize, target.base.assumingMemoryBound(to: UInt8.self), byteCount) == 0
      else {
        throw damaged
      }
      return Bytes(storage: target)
    }
  }
}
