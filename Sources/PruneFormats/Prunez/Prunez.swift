import PruneGraph
import PruneTensor

/// Packed models: an ONNX file whose weights are stored by what they hold, without loss. include/prunez.h states the
/// format and decodes it.
package enum Prunez {
  /// Shorter tensors stay in the file around them.
  private static let least = 32

  /// The packed bytes of a model.
  /// - Throws: `.unsupported` above 2 GB, or what `ONNX.validate` throws.
  package static func pack(_ model: Model, cancel: CancelFlag? = nil) throws(PruneError) -> [UInt8] {
    try parts(model, cancel: cancel).file
  }

  /// Bytes that each tensor takes in a packed file, by name, those of the file, and those of the ONNX file in it.
  package static func sizes(
    _ model: Model, cancel: CancelFlag? = nil
  ) throws(PruneError) -> (tensors: [String: Int], file: Int, onnx: Int) {
    let parts = try parts(model, cancel: cancel)
    return (parts.sizes, parts.file.count, parts.onnx)
  }

  package static func save(_ model: Model, path: String, cancel: CancelFlag? = nil) throws(PruneError) {
    do throws(PruneError) {
      let file = try AtomicFile(path: path)
      try file.write(try Bytes(try pack(model, cancel: cancel)))
      try file.commit()
    } catch { throw error.located(at: path) }
  }

  private static func parts(
    _ model: Model, cancel: CancelFlag?
  ) throws(PruneError) -> (file: [UInt8], sizes: [String: Int], onnx: Int) {
    let onnx = try Bytes(try ONNX.encode(model))
    var directory: [UInt8] = [], rest: [UInt8] = [], payloads: [UInt8] = []
    var sizes: [String: Int] = [:]
    var end = 0
    let tensors = try stored(in: onnx)
    directory.appendVarint(tensors.count)
    for (name, tensor) in tensors {
      try cancel?.check()
      let packed = TensorPacker.pack(tensor)
      let text = Array(name.utf8)
      directory.appendVarint(tensor.byteOffset - end)
      directory.appendVarint(text.count)
      directory += text
      directory.appendVarint(Int(tensor.dtype.rawValue))
      directory.appendVarint(tensor.shape.rank)
      for extent in tensor.shape.dims { directory.appendVarint(extent) }
      for number in [packed.codec, packed.width, packed.palette, tensor.byteCount, packed.payload.count] {
        directory.appendVarint(number)
      }
      rest += onnx.slice(end, tensor.byteOffset)?.array ?? []
      end = tensor.byteOffset + tensor.byteCount
      payloads += packed.payload
      sizes[name] = packed.payload.count
    }
    rest += onnx.slice(end, onnx.count)?.array ?? []
    let head = directory + rest, bits = HeadPacker.tableBits(head.count, payloads: payloads.count)
    let packedHead = HeadPacker.pack(head, tableBits: bits)
    var file = Array("PRNZ".utf8) + [1, UInt8(bits)]
    file.appendVarint(head.count)
    file.appendVarint(packedHead.count)
    return (file + packedHead + payloads, sizes, onnx.count)
  }

  /// The tensors whose elements lie in the file as one run of bytes, in the order of the file.
  private static func stored(in onnx: Bytes) throws(PruneError) -> [(name: String, tensor: Tensor)] {
    let graph = try ONNX.decode(onnx, folder: nil).graph
    var tensors: [(name: String, tensor: Tensor)] = graph.initializers.map { ($0.name, $0.tensor) }
    for node in graph.nodes {
      for attribute in node.attributes {
        if case .tensor(let value) = attribute.value { tensors.append((node.outputs.first ?? node.name, value.tensor)) }
      }
    }
    return
      tensors.filter { _, tensor in
        tensor.storage === onnx.storage && tensor.byteCount >= least && tensor.shape.rank <= 8
      }.sorted { $0.tensor.byteOffset < $1.tensor.byteOffset }
  }
}
