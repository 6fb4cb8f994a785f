import CPrune
import PruneFormats
import PruneTensor

/// Behind `prune_tensors`: tensors by name, in the order they came.
final class TensorsBox: Box {
  static let kind = "tensors"
  private(set) var names: [String] = []
  private(set) var tensors: [String: Tensor] = [:]
  private var strings = CStringArena()
  private var cNames: [UnsafePointer<CChar>]?

  init(_ entries: [(name: String, tensor: Tensor)] = []) {
    for entry in entries { self[entry.name] = entry.tensor }
  }

  subscript(name: String) -> Tensor? {
    get { tensors[name] }
    set {
      if tensors[name] == nil, newValue != nil {
        names.append(name)
        cNames = nil
        strings = CStringArena()
      }
      tensors[name] = newValue
    }
  }

  var entries: [(name: String, tensor: Tensor)] {
    names.compactMap { name in tensors[name].map { (name: name, tensor: $0) } }
  }

  func cName(_ index: Int) -> UnsafePointer<CChar>? {
    guard index >= 0, index < names.count else { return nil }
    let all = cNames ?? names.map(strings.string)
    cNames = all
    return all[index]
  }
}

@_cdecl("prune_tensors_create") @implementation
public func prune_tensors_create(_ out_tensors: UnsafeMutablePointer<OpaquePointer?>!) -> prune_status {
  call { () throws(PruneError) in
    try output(out_tensors, "out_tensors").pointee = Handles.make(TensorsBox())
  }
}

@_cdecl("prune_tensors_free") @implementation
public func prune_tensors_free(_ tensors: OpaquePointer!) { Handles.free(tensors, TensorsBox.self) }

@_cdecl("prune_tensors_count") @implementation
public func prune_tensors_count(_ tensors: OpaquePointer!) -> Int {
  (try? Handles.object(tensors, TensorsBox.self))?.names.count ?? 0
}

@_cdecl("prune_tensors_name") @implementation
public func prune_tensors_name(_ tensors: OpaquePointer!, _ index: Int) -> UnsafePointer<CChar>! {
  (try? Handles.object(tensors, TensorsBox.self))?.cName(index)
}

@_cdecl("prune_tensors_get") @implementation
public func prune_tensors_get(
  _ tensors: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ out_tensor: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensor, "out_tensor")
    let box: TensorsBox = try Handles.object(tensors)
    let tensorName = try text(name, "name")
    guard let tensor = box[tensorName] else {
      throw PruneError(
        .notFound, "no tensor named '\(tensorName)'", hint: "there are: \(box.names.prefix(20).joined(separator: ", "))"
      )
    }
    out.pointee = Handles.make(TensorBox(tensor))
  }
}

@_cdecl("prune_tensors_set") @implementation
public func prune_tensors_set(
  _ tensors: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ tensor: OpaquePointer!
) -> prune_status {
  call { () throws(PruneError) in
    let box: TensorsBox = try Handles.object(tensors)
    box[try text(name, "name")] = try Handles.object(tensor, TensorBox.self).tensor
  }
}

@_cdecl("prune_tensors_load_npz") @implementation
public func prune_tensors_load_npz(
  _ path: UnsafePointer<CChar>!, _ out_tensors: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensors, "out_tensors")
    let file = try text(path, "path")
    let entries =
      file.hasSuffix(".npy")
      ? [(name: "data", tensor: try Npy.decode(try FileReader.bytes(of: file)))] : try Npz.load(path: file)
    out.pointee = Handles.make(TensorsBox(entries))
  }
}

@_cdecl("prune_tensors_save_npz") @implementation
public func prune_tensors_save_npz(_ tensors: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    let box: TensorsBox = try Handles.object(tensors)
    try Npz.save(box.entries, path: try text(path, "path"))
  }
}
