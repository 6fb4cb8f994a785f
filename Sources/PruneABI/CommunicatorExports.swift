import CPrune
import PruneRuntime
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// A host's table of functions as the transport of a communicator.
final class CommunicatorTable: CollectiveTransport, @unchecked Sendable {
  // Safe: the table is a copy that never changes, all functions are there; the host keeps `user` as long as the context.
  private let table: prune_communicator
  private let seconds: Double
  let rank: Int
  let size: Int

  /// - Throws: `.unsupported` for a table of another version, `.invalidArgument` for one with a function missing.
  init(_ pointer: UnsafePointer<prune_communicator>, seconds: Double) throws(PruneError) {
    // Safe: a table of any version begins with its size and version.
    let byteCount = UnsafeRawPointer(pointer).load(as: UInt32.self)
    let version = UnsafeRawPointer(pointer).load(fromByteOffset: 4, as: UInt32.self)
    guard version == PRUNE_COMMUNICATOR_VERSION else {
      throw PruneError(
        .unsupported, "the communicator is of version \(version), wanted \(PRUNE_COMMUNICATOR_VERSION)",
        at: "communicator", hint: "use the plugin that came with this libprune")
    }
    guard Int(byteCount) >= MemoryLayout<prune_communicator>.size else {
      throw PruneError(
        .invalidArgument,
        "prune_communicator.struct_size is \(byteCount), wanted \(MemoryLayout<prune_communicator>.size)",
        at: "communicator", hint: "set it to sizeof(prune_communicator)")
    }
    guard seconds >= 0, seconds.isFinite else {
      throw PruneError(.invalidArgument, "timeout_seconds is \(seconds), wanted 0 or more", at: "communicator")
    }
    table = pointer.pointee
    self.seconds = seconds
    let functions: [(String, Bool)] = [
      ("rank", table.rank != nil), ("size", table.size != nil), ("all_reduce", table.all_reduce != nil),
      ("broadcast", table.broadcast != nil), ("gather", table.gather != nil), ("barrier", table.barrier != nil),
      ("abort", table.abort != nil), ("message", table.message != nil),
    ]
    let missing = functions.filter { !$0.1 }.map(\.0)
    guard missing.isEmpty, let rank = table.rank, let size = table.size else {
      throw PruneError(
        .invalidArgument, "the communicator has no \(missing.joined(separator: ", "))", at: "communicator",
        hint: "fill in every function")
    }
    (self.rank, self.size) = (Int(rank(table.user)), Int(size(table.user)))
  }

  private func check(_ status: Int32?) throws(PruneError) {
    guard status != 0 else { return }
    let reason = table.message?(table.user).map { String(cString: $0) } ?? ""
    throw PruneError(
      .io, "rank \(rank) of \(size) lost the others: \(reason.isEmpty ? "a collective failed" : reason)",
      hint: "every rank runs the same calls in the same order; a longer timeout allows for slower ones")
  }

  func allReduce(
    _ values: UnsafeMutableRawPointer, count: Int, _ type: ReducedType, _ reduction: Reduction
  ) throws(PruneError) {
    try check(
      table.all_reduce?(
        table.user, values, count, prune_reduce_type(rawValue: numericCast(type.rawValue)),
        prune_reduce_op(rawValue: numericCast(reduction.rawValue)), seconds))
  }

  func broadcast(_ bytes: UnsafeMutableRawPointer, count: Int, from root: Int) throws(PruneError) {
    try check(table.broadcast?(table.user, bytes, count, Int32(root), seconds))
  }

  func gather(
    _ bytes: UnsafeRawPointer, count: Int, into all: UnsafeMutableRawPointer?, at root: Int
  ) throws(PruneError) {
    try check(table.gather?(table.user, bytes, count, all, Int32(root), seconds))
  }

  func barrier() throws(PruneError) { try check(table.barrier?(table.user, seconds)) }

  func abort(_ status: Int32) { table.abort?(table.user, status) }
}

/// Where plugins are: next to the library or the program, in the library folder next to that, or on the loader's path.
private enum Plugin {
  typealias Entry = @convention(c) (UInt32, UnsafeMutablePointer<CChar>?, Int) -> UnsafePointer<prune_communicator>?

  static let name = "libprune_mpi.so"

  /// dladdr's, which the C library declares for GNU programs alone.
  private typealias Lookup = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer) -> Int32

  /// The file that this code is in.
  private static func ownFile() -> String? {
    guard let symbol = dlsym(nil, "dladdr") else { return nil }
    // Safe: dladdr fills in a struct of four pointers, the first of them the file's name.
    let lookup = unsafeBitCast(symbol, to: Lookup.self)
    return withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: 4) { info in
      info.initialize(repeating: nil)
      guard let base = info.baseAddress, lookup(#dsohandle, UnsafeMutableRawPointer(base)) != 0, let file = info[0],
        let real = realpath(file, nil)
      else { return nil }
      defer { free(real) }
      return String(cString: real)
    }
  }

  static func paths() -> [String] {
    guard let path = ownFile() else { return [name] }
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    return ["\(folder)/\(name)", "\(folder)/../lib/\(name)"].filter { access($0, F_OK) == 0 } + [name]
  }

  /// - Throws: `.notFound` for a file that cannot be loaded, `.unsupported` for one that is no plugin.
  static func load(_ file: String?) throws(PruneError) -> Entry {
    var reason = "it is nowhere"
    for path in file.map({ [$0] }) ?? paths() {
      // MPI loads parts of its own, which look for its names among those of the program.
      guard let library = dlopen(path, RTLD_NOW | RTLD_GLOBAL) else {
        reason = dlerror().map { String(cString: $0) } ?? reason
        continue
      }
      guard let symbol = dlsym(library, "prune_mpi_communicator") else {
        throw PruneError(.unsupported, "it is no plugin of libprune: it has no prune_mpi_communicator", at: path)
      }
      // Safe: the name has this type in every version.
      return unsafeBitCast(symbol, to: Entry.self)
    }
    throw PruneError(
      .notFound, "the MPI plugin cannot be loaded: \(reason)", at: file ?? name,
      hint: "it is built where mpicc is installed (Debian: libopenmpi-dev), and needs MPI to run (openmpi-bin)")
  }
}

@_cdecl("prune_context_set_communicator") @implementation
public func prune_context_set_communicator(
  _ context: OpaquePointer!, _ communicator: UnsafePointer<prune_communicator>!, _ timeout_seconds: Double
) -> prune_status {
  call { () throws(PruneError) in
    let box = try Handles.object(context, ContextBox.self)
    guard let communicator else { return box.setCommunicator(nil) }
    box.setCommunicator(try CommunicatorTable(communicator, seconds: timeout_seconds).entry())
  }
}

@_cdecl("prune_context_open_communicator") @implementation
public func prune_context_open_communicator(
  _ context: OpaquePointer!, _ plugin: UnsafePointer<CChar>!, _ timeout_seconds: Double
) -> prune_status {
  call { () throws(PruneError) in
    let box = try Handles.object(context, ContextBox.self)
    let path = try optionalText(plugin, "plugin"), entry = try Plugin.load(path)
    var reason = [CChar](repeating: 0, count: 256)
    let table = reason.withUnsafeMutableBufferPointer {
      entry(UInt32(PRUNE_COMMUNICATOR_VERSION), $0.baseAddress, $0.count)
    }
    guard let table else {
      let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw PruneError(
        .unsupported, "MPI gives no ranks: \(text)", at: path ?? Plugin.name,
        hint: "start it as mpirun -n 4 prune script.lua")
    }
    box.setCommunicator(try CommunicatorTable(table, seconds: timeout_seconds).entry())
  }
}

extension CommunicatorTable {
  fileprivate func entry() throws(PruneError) -> ContextBox.Ranks {
    .init(table: self, communicator: try Communicator(self))
  }
}

@_cdecl("prune_context_rank") @implementation
public func prune_context_rank(_ context: OpaquePointer!) -> Int32 {
  let box: ContextBox? = try? Handles.optional(context)
  return Int32(clamping: box?.ranks?.table.rank ?? 0)
}

@_cdecl("prune_context_size") @implementation
public func prune_context_size(_ context: OpaquePointer!) -> Int32 {
  let box: ContextBox? = try? Handles.optional(context)
  return Int32(clamping: box?.ranks?.table.size ?? 1)
}

@_cdecl("prune_context_abort") @implementation
public func prune_context_abort(_ context: OpaquePointer!, _ status: Int32) {
  let box: ContextBox? = try? Handles.optional(context)
  box?.ranks?.table.abort(status)
}
