import CPrune
import PruneEvaluation
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

let versionText = "\(PRUNE_VERSION_MAJOR).\(PRUNE_VERSION_MINOR).\(PRUNE_VERSION_PATCH)"
// Safe: made once, never freed, never written.
nonisolated(unsafe) private let versionString = UnsafePointer(strdup(versionText))

@_cdecl("prune_version_number") @implementation
public func prune_version_number() -> UInt32 {
  UInt32(PRUNE_VERSION_MAJOR * 10000 + PRUNE_VERSION_MINOR * 100 + PRUNE_VERSION_PATCH)
}

@_cdecl("prune_version_string") @implementation
public func prune_version_string() -> UnsafePointer<CChar>! { versionString }

@_cdecl("prune_library_info") @implementation
public func prune_library_info(_ context: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    _ = try ContextBox.enter(context)
    give(environment(version: versionText), out)
  }
}

@_cdecl("prune_status_name") @implementation
public func prune_status_name(_ status: prune_status) -> UnsafePointer<CChar>! {
  // Safe: the pointers of static strings are valid for ever and end in a zero byte.
  let name: StaticString =
    switch Status(rawValue: status.rawValue) {
    case .ok: "ok"
    case .invalidArgument: "invalid_argument"
    case .io: "io"
    case .badFormat: "bad_format"
    case .invalidModel: "invalid_model"
    case .mismatch: "mismatch"
    case .unsupported: "unsupported"
    case .notFound: "not_found"
    case .cancelled: "cancelled"
    case .outOfMemory: "out_of_memory"
    case .refused: "refused"
    case .numeric: "numeric"
    case .internal: "internal"
    case nil: "unknown"
    }
  return UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
}

@_cdecl("prune_buffer_free") @implementation
public func prune_buffer_free(_ buffer: UnsafeMutablePointer<prune_buffer>!) {
  guard let buffer else { return }
  free(buffer.pointee.data)
  buffer.pointee = prune_buffer(data: nil, size: 0)
}
