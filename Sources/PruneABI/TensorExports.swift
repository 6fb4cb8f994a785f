import CPrune
import PruneTensor

/// Behind `prune_tensor`.
final class TensorBox: Box {
  static let kind = "tensor"
  var tensor: Tensor
  /// The extents as C wants them, made when asked for.
  private(set) lazy var shape: UnsafePointer<Int64> = strings.array(tensor.shape.dims.map(Int64.init))
  private let strings = CStringArena()

  init(_ tensor: Tensor) { self.tensor = tensor }
}

/// The shape that `rank` extents at `pointer` make.
func shape(_ rank: Int, _ pointer: UnsafePointer<Int64>?, _ name: String) throws(PruneError) -> Shape {
  guard rank <= 64 else { throw PruneError(.invalidArgument, "\(name) has rank \(rank), at most 64 are possible") }
  return try Shape(try elements(pointer, rank, name).map { Int(clamping: $0) })
}

private func numericType(_ dtype: prune_dtype) throws(PruneError) -> DType {
  guard let type = DType(rawValue: Int32(bitPattern: dtype.rawValue)), type.bitWidth >= 8, type.bitWidth <= 64,
    type != .complex64
  else { throw PruneError(.invalidArgument, "dtype \(dtype.rawValue) is not one that tensors can be made of") }
  return type
}

@_cdecl("prune_tensor_create") @implementation
public func prune_tensor_create(
  _ dtype: prune_dtype, _ rank: Int, _ shape: UnsafePointer<Int64>!, _ data: UnsafeRawPointer!,
  _ out_tensor: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensor, "out_tensor")
    let tensor = try Tensor(zeros: try numericType(dtype), try PruneABI.shape(rank, shape, "shape"))
    // Safe: the storage is new and the caller promises as many bytes as the shape takes.
    if let data { tensor.storage.base.copyMemory(from: data, byteCount: tensor.byteCount) }
    out.pointee = Handles.make(TensorBox(tensor))
  }
}

@_cdecl("prune_tensor_from_data") @implementation
public func prune_tensor_from_data(
  _ dtype: prune_dtype, _ rank: Int, _ shape: UnsafePointer<Int64>!, _ data: UnsafeMutableRawPointer!,
  _ deleter: (@convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void)!,
  _ user: UnsafeMutableRawPointer!, _ out_tensor: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensor, "out_tensor")
    guard let data else { throw PruneError(.invalidArgument, "data is NULL") }
    let type = try numericType(dtype)
    let extents = try PruneABI.shape(rank, shape, "shape")
    let storage = Storage(
      borrowing: data, byteCount: type.byteCount(extents.count) ?? 0, isWritable: false,
      release: { deleter?($0, user) })
    out.pointee = Handles.make(TensorBox(try Tensor(type, extents, over: Bytes(storage: storage))))
  }
}

@_cdecl("prune_tensor_free") @implementation
public func prune_tensor_free(_ tensor: OpaquePointer!) { Handles.free(tensor, TensorBox.self) }

private func tensorBox(_ handle: OpaquePointer?) -> TensorBox? { try? Handles.object(handle) }

@_cdecl("prune_tensor_dtype") @implementation
public func prune_tensor_dtype(_ tensor: OpaquePointer!) -> prune_dtype {
  prune_dtype(rawValue: UInt32(bitPattern: tensorBox(tensor)?.tensor.dtype.rawValue ?? 0))
}

@_cdecl("prune_tensor_rank") @implementation
public func prune_tensor_rank(_ tensor: OpaquePointer!) -> Int { tensorBox(tensor)?.tensor.shape.rank ?? 0 }

@_cdecl("prune_tensor_shape") @implementation
public func prune_tensor_shape(_ tensor: OpaquePointer!) -> UnsafePointer<Int64>! { tensorBox(tensor)?.shape }

@_cdecl("prune_tensor_count") @implementation
public func prune_tensor_count(_ tensor: OpaquePointer!) -> Int { tensorBox(tensor)?.tensor.count ?? 0 }

@_cdecl("prune_tensor_byte_count") @implementation
public func prune_tensor_byte_count(_ tensor: OpaquePointer!) -> Int { tensorBox(tensor)?.tensor.byteCount ?? 0 }

@_cdecl("prune_tensor_data") @implementation
public func prune_tensor_data(_ tensor: OpaquePointer!) -> UnsafeRawPointer! {
  guard let box = tensorBox(tensor) else { return nil }
  // A host reads elements, not bytes: what a file left misaligned is moved once.
  if let aligned = try? box.tensor.aligned() { box.tensor = aligned }
  return UnsafeRawPointer(box.tensor.storage.base.advanced(by: box.tensor.byteOffset))
}

@_cdecl("prune_tensor_data_mutable") @implementation
public func prune_tensor_data_mutable(
  _ tensor: OpaquePointer!, _ out_data: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_data, "out_data")
    let box: TensorBox = try Handles.object(tensor)
    out.pointee = try box.tensor.mutableBase()
  }
}
