import PruneGraph
import PruneTensor

/// Puts an encoded model into files.
package enum ONNXWriter {
  /// Writes the model, and a data file beside it when it has external data or would be over `limit` bytes.
  package static func save(_ model: Model, path: String, limit: Int = ONNX.messageLimit) throws(PruneError) {
    let dataPath = path + ".data"
    let dataFile = fileName(of: dataPath)
    var encoder = ONNXEncoder(placement: model.holdsExternal ? .asLoaded(dataFile: dataFile) : .inside)
    var message = try encoder.model(model)
    if message.count > limit {
      encoder = ONNXEncoder(placement: .beside(dataFile: dataFile))
      message = try encoder.model(model)
    }
    guard message.count <= limit else {
      throw PruneError(
        .unsupported, "the model takes \(message.count) bytes without its weights, a protobuf message holds at most \(limit)")
    }
    let file = try AtomicFile(path: path)
    for segment in message.segments {
      switch segment {
      case .owned(let bytes): try file.write(bytes)
      case .view(let bytes): try file.write(bytes)
      }
    }
    // Both are complete on disk before either gets its name, the data first: the model is never without it.
    try file.sync()
    if !encoder.external.pieces.isEmpty { try writeData(encoder.external, path: dataPath) }
    try file.commit()
  }

  private static func fileName(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }

  private static func writeData(_ layout: ExternalLayout, path: String) throws(PruneError) {
    let file = try AtomicFile(path: path)
    for piece in layout.pieces {
      try file.write([UInt8](repeating: 0, count: max(piece.offset - file.offset, 0)))
      try file.write(piece.bytes)
    }
    try file.commit()
  }
}

extension Model {
  /// Whether any tensor has its bytes in another file.
  var holdsExternal: Bool {
    graph.holdsExternal || functions.contains { $0.nodes.contains(where: \.holdsExternal) }
  }
}
