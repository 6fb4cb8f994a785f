import PruneGraph
import PruneTensor

/// Encodes the graph types as `ModelProto` and what is in it; the inverse of `ONNXDecoder`.
///
/// In every message `extra` comes first: of a field that is there twice the last counts, so later edits win.
struct ONNXEncoder {
  /// Where tensors' bytes go.
  enum Placement {
    /// All into the model.
    case inside
    /// Tensors from a data file, and large new tensors, go to a data file.
    case asLoaded(dataFile: String)
    /// All that are not small into a data file.
    case beside(dataFile: String)
  }

  let placement: Placement
  /// What the data file has to hold.
  private(set) var external = ExternalLayout()

  init(placement: Placement) { self.placement = placement }

  // MARK: - Model

  mutating func model(_ model: Model) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(model.extra)
    if model.irVersion != 0 { message.int(1, model.irVersion) }
    message.optionalText(2, model.producerName)
    message.optionalText(3, model.producerVersion)
    message.optionalText(4, model.domain)
    if model.modelVersion != 0 { message.int(5, model.modelVersion) }
    message.optionalText(6, model.docString)
    message.message(7, try graph(model.graph))
    for opset in model.opsets { message.message(8, Self.opset(opset)) }
    for entry in model.metadata { message.message(14, Self.entry(entry)) }
    for definition in model.functions { message.message(25, try function(definition)) }
    return message
  }

  private static func opset(_ opset: OpsetImport) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(opset.extra)
    message.optionalText(1, opset.domain)
    if opset.version != 0 { message.int(2, opset.version) }
    return message
  }

  private static func entry(_ entry: MetadataEntry) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(entry.extra)
    message.optionalText(1, entry.key)
    message.optionalText(2, entry.value)
    return message
  }

  private mutating func function(_ function: FunctionDefinition) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(function.extra)
    message.optionalText(1, function.name)
    for name in function.inputs { message.text(4, name) }
    for name in function.outputs { message.text(5, name) }
    for name in function.attributes { message.text(6, name) }
    for item in function.nodes { message.message(7, try node(item)) }
    message.optionalText(8, function.docString)
    for opset in function.opsets { message.message(9, Self.opset(opset)) }
    message.optionalText(10, function.domain)
    for item in function.attributeDefaults { message.message(11, try attribute(item)) }
    message.optionalText(13, function.overload)
    return message
  }

  // MARK: - Graph

  mutating func graph(_ graph: Graph) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(graph.extra)
    for item in graph.nodes { message.message(1, try node(item)) }
    message.optionalText(2, graph.name)
    for value in graph.initializers { message.message(5, try tensor(value)) }
    message.optionalText(10, graph.docString)
    for value in graph.inputs { message.message(11, try Self.valueInfo(value)) }
    for value in graph.outputs { message.message(12, try Self.valueInfo(value)) }
    for value in graph.valueInfo { message.message(13, try Self.valueInfo(value)) }
    return message
  }

  private mutating func node(_ node: Node) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    message.raw(node.extra)
    for name in node.inputs { message.text(1, name) }
    for name in node.outputs { message.text(2, name) }
    message.optionalText(3, node.name)
    message.optionalText(4, node.opType)
    do throws(PruneError) {
      for item in node.attributes { message.message(5, try attribute(item)) }
    } catch { throw error.located(at: node.label) }
    message.optionalText(6, node.docString)
    message.optionalText(7, node.domain)
    message.optionalText(8, node.overload)
    for entry in node.metadata { message.message(9, Self.entry(entry)) }
    return message
  }

  // MARK: - Tensors

  mutating func tensor(_ value: TensorValue) throws(PruneError) -> ProtoWriter {
    let goesOutside = isExternal(value)
    var message = ProtoWriter()
    if let original = value.original, !value.isChanged {
      if !goesOutside && value.externalLocation == nil {
        message.raw(original)
        return message
      }
      // The same message, but for where its bytes are.
      let data = TensorField.typedData + [TensorField.rawData, TensorField.externalData, TensorField.dataLocation]
      try message.raw(fieldsOf: original, except: data)
    } else {
      try encodeChanged(value, into: &message)
    }
    if value.tensor.dtype == .string { return message }
    if goesOutside, case .asLoaded(let file) = placement {
      appendExternal(value.tensor, file, to: &message)
    } else if goesOutside, case .beside(let file) = placement {
      appendExternal(value.tensor, file, to: &message)
    } else {
      message.bytes(TensorField.rawData, value.tensor.bytes)
    }
    return message
  }

  /// All fields of a tensor but its bytes; those nothing here names come from the message it was read from.
  private func encodeChanged(_ value: TensorValue, into message: inout ProtoWriter) throws(PruneError) {
    let isString = value.tensor.dtype == .string
    if let original = value.original {
      let strings = isString ? [TensorField.stringData] : []
      try message.raw(fieldsOf: original, except: Array(1...14).filter { !strings.contains($0) })
    } else if isString, value.tensor.count > 0 {
      throw PruneError(.unsupported, "tensor '\(value.name)' is of strings, which cannot be made here, only kept")
    }
    for dim in value.tensor.shape.dims { message.int(TensorField.dims, Int64(dim)) }
    message.int(TensorField.dataType, Int64(value.tensor.dtype.rawValue))
    message.optionalText(TensorField.name, value.name)
    message.optionalText(TensorField.docString, value.docString)
  }

  /// Whether a tensor's bytes go to the data file.
  func isExternal(_ value: TensorValue) -> Bool {
    guard value.tensor.dtype != .string else { return false }
    switch placement {
    case .inside: return false
    case .beside: return value.tensor.byteCount >= ExternalLayout.smallest
    case .asLoaded:
      if value.externalLocation != nil { return true }
      return (value.isChanged || value.original == nil) && value.tensor.byteCount >= ExternalLayout.smallest
    }
  }

  private mutating func appendExternal(_ tensor: Tensor, _ file: String, to message: inout ProtoWriter) {
    let offset = external.add(tensor)
    for (key, text) in [("location", file), ("offset", "\(offset)"), ("length", "\(tensor.byteCount)")] {
      message.message(TensorField.externalData, Self.entry(MetadataEntry(key: key, value: text)))
    }
    message.int(TensorField.dataLocation, 1)
  }
}

extension ProtoWriter {
  /// The fields of an encoded message, without those of some numbers.
  mutating func raw(fieldsOf message: Bytes, except numbers: [Int]) throws(PruneError) {
    var reader = ProtoReader(message)
    while let field = try reader.next() {
      if !numbers.contains(field.number) { raw(reader.encoded(field)) }
    }
  }
}

/// Which bytes go where in a data file; bytes that several tensors share are stored once.
struct ExternalLayout {
  /// Tensors below this many bytes stay in the model.
  static let smallest = 1024
  private static let alignment = 64

  private(set) var pieces: [(offset: Int, bytes: Bytes)] = []
  private var end = 0
  private var offsets: [Key: Int] = [:]

  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let offset: Int
    let count: Int
  }

  /// The offset of a tensor's bytes in the file.
  mutating func add(_ tensor: Tensor) -> Int {
    let bytes = tensor.bytes
    let key = Key(storage: ObjectIdentifier(bytes.storage), offset: bytes.offset, count: bytes.count)
    if let offset = offsets[key] { return offset }
    let offset = (end + Self.alignment - 1) / Self.alignment * Self.alignment
    pieces.append((offset, bytes))
    end = offset + bytes.count
    offsets[key] = offset
    return offset
  }
}
