import CPrune
import CPruneSupport
import PruneTensor

extension DType {
  /// DLPack's type code and bits, nil for what it has no code for.
  fileprivate var dlpack: (code: UInt8, bits: UInt8)? {
    switch self {
    case .int8, .int16, .int32, .int64: (0, UInt8(bitWidth))
    case .uint8, .uint16, .uint32, .uint64: (1, UInt8(bitWidth))
    case .float16, .float32, .float64: (2, UInt8(bitWidth))
    case .bfloat16: (4, 16)
    case .bool: (6, 8)
    default: nil
    }
  }

  fileprivate static func dlpack(code: UInt8, bits: UInt8) -> DType? {
    allCases.first { type in type.dlpack.map { $0.code == code && $0.bits == bits } ?? false }
  }
}

/// Keeps a tensor's storage alive while a DLPack consumer uses it.
private final class Lender {
  let tensor: Tensor
  init(_ tensor: Tensor) { self.tensor = tensor }
}

@_cdecl("prune_tensor_export_dlpack") @implementation
public func prune_tensor_export_dlpack(
  _ tensor: OpaquePointer!, _ out_managed: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_managed, "out_managed")
    let source = try Handles.object(tensor, TensorBox.self).tensor.aligned()
    guard let type = source.dtype.dlpack else {
      throw PruneError(.unsupported, "DLPack has no type for \(source.dtype.name)")
    }
    let owner = Unmanaged.passRetained(Lender(source))
    let dims = source.shape.dims.map(Int64.init)
    // Safe: ps_dlpack_lend copies the shape; the owner keeps the bytes until the deleter releases it.
    let managed = dims.withUnsafeBufferPointer { shape in
      var view = ps_dlpack_view(
        data: source.storage.base.advanced(by: source.byteOffset), rank: Int32(dims.count), code: type.code,
        bits: type.bits,
        shape: shape.baseAddress, strides: nil)
      return ps_dlpack_lend(&view, owner.toOpaque()) { pointer in
        if let pointer { Unmanaged<Lender>.fromOpaque(pointer).release() }
      }
    }
    guard let managed else {
      owner.release()
      throw PruneError(.outOfMemory, "no memory for a DLPack tensor")
    }
    out.pointee = OpaquePointer(managed)
  }
}

@_cdecl("prune_tensor_import_dlpack") @implementation
public func prune_tensor_import_dlpack(
  _ managed: OpaquePointer!, _ out_tensor: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensor, "out_tensor")
    guard let managed else { throw PruneError(.invalidArgument, "managed is NULL") }
    let pointer = UnsafeMutableRawPointer(managed)
    var view = ps_dlpack_view()
    switch ps_dlpack_read(pointer, &view) {
    case 0: break
    case 1: throw PruneError(.unsupported, "DLPack tensor is not of version 1")
    case 2: throw PruneError(.unsupported, "DLPack tensor is not in CPU memory", hint: "copy it to the CPU first")
    default: throw PruneError(.unsupported, "DLPack tensor has vector elements (lanes > 1)")
    }
    guard let type = DType.dlpack(code: view.code, bits: view.bits) else {
      throw PruneError(.unsupported, "DLPack type code \(view.code) of \(view.bits) bits is not one of ours")
    }
    guard view.rank >= 0 else { throw PruneError(.invalidArgument, "DLPack tensor has rank \(view.rank)") }
    let extents = try shape(Int(view.rank), view.shape, "DLPack shape")
    guard let data = view.data ?? (extents.count == 0 ? pointer : nil) else {
      throw PruneError(.invalidArgument, "DLPack tensor has no data")
    }
    let strides = try view.strides.map { pointer throws(PruneError) in
      try elements(pointer, extents.rank, "DLPack strides").map(Int.init)
    }
    let isDense =
      strides.map { numbers in zip(extents.dims, zip(numbers, extents.strides)).allSatisfy { $0 <= 1 || $1.0 == $1.1 } }
      ?? true
    if isDense, UInt(bitPattern: data) % 16 == 0 {
      let storage = Storage(borrowing: data, byteCount: type.byteCount(extents.count) ?? 0, isWritable: false) { _ in
        ps_dlpack_release(pointer)
      }
      out.pointee = Handles.make(TensorBox(try Tensor(type, extents, over: Bytes(storage: storage))))
    } else {
      let copy = try gathered(type, extents, strides ?? extents.strides, from: data)
      ps_dlpack_release(pointer)
      out.pointee = Handles.make(TensorBox(copy))
    }
  }
}

/// A dense copy of strided elements.
private func gathered(
  _ type: DType, _ extents: Shape, _ strides: [Int], from data: UnsafeMutableRawPointer
) throws(PruneError) -> Tensor {
  let result = try Tensor(zeros: type, extents)
  let size = type.bitWidth / 8
  var index = [Int](repeating: 0, count: extents.rank)
  for position in 0..<extents.count {
    let offset = zip(index, strides).reduce(0) { $0 &+ $1.0 &* $1.1 }
    // Safe: the result has count elements; the producer promises every index within the shape at these strides.
    result.storage.base.advanced(by: position * size).copyMemory(
      from: data.advanced(by: offset &* size), byteCount: size)
    var axis = extents.rank - 1
    while axis >= 0 {
      index[axis] += 1
      if index[axis] < extents[axis] { break }
      index[axis] = 0
      axis -= 1
    }
  }
  return result
}
