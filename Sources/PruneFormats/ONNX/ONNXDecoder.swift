import PruneGraph
import PruneTensor

/// Decodes `ModelProto` and what is in it into the graph types.
///
/// Fields that no property names, and properties that are present with their default value, go to `extra` as they are.
struct ONNXDecoder {
  var external: ExternalFiles
  /// Graphs open around the one being read.
  private var depth = 0
  /// Each graph inside another is three messages deeper, and protobuf itself stops at 100.
  private static let depthLimit = 32

  init(external: ExternalFiles) { self.external = external }

  // MARK: - Model

  mutating func model(_ bytes: Bytes) throws(PruneError) -> Model {
    var model = Model(graph: Graph())
    model.irVersion = 0
    model.producerName = ""
    model.opsets = []
    var hasGraph = false
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .varint(let value)): keep(value, in: &model.irVersion, &model.extra, reader, field)
      case (2, .bytes(let value)): keep(value, in: &model.producerName, &model.extra, reader, field)
      case (3, .bytes(let value)): keep(value, in: &model.producerVersion, &model.extra, reader, field)
      case (4, .bytes(let value)): keep(value, in: &model.domain, &model.extra, reader, field)
      case (5, .varint(let value)): keep(value, in: &model.modelVersion, &model.extra, reader, field)
      case (6, .bytes(let value)): keep(value, in: &model.docString, &model.extra, reader, field)
      case (7, .bytes(let value)):
        hasGraph = true
        try graph(value, into: &model.graph)
      case (8, .bytes(let value)): model.opsets.append(try opset(value))
      case (14, .bytes(let value)): model.metadata.append(try metadataEntry(value))
      case (25, .bytes(let value)): model.functions.append(try function(value))
      default: model.extra.append(contentsOf: reader.encoded(field).array)
      }
    }
    guard hasGraph else {
      throw PruneError(.invalidModel, "the file holds no graph", hint: "it is not ONNX, or it was cut short")
    }
    return model
  }

  private func opset(_ bytes: Bytes) throws(PruneError) -> OpsetImport {
    var opset = OpsetImport(domain: "", version: 0)
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): try keepName(value, in: &opset.domain, &opset.extra, reader, field)
      case (2, .varint(let value)): keep(value, in: &opset.version, &opset.extra, reader, field)
      default: opset.extra.append(contentsOf: reader.encoded(field).array)
      }
    }
    return opset
  }

  private func metadataEntry(_ bytes: Bytes) throws(PruneError) -> MetadataEntry {
    var entry = MetadataEntry(key: "", value: "")
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): keep(value, in: &entry.key, &entry.extra, reader, field)
      case (2, .bytes(let value)): keep(value, in: &entry.value, &entry.extra, reader, field)
      default: entry.extra.append(contentsOf: reader.encoded(field).array)
      }
    }
    return entry
  }

  private mutating func function(_ bytes: Bytes) throws(PruneError) -> FunctionDefinition {
    var function = FunctionDefinition()
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): try keepName(value, in: &function.name, &function.extra, reader, field)
      case (4, .bytes(let value)): function.inputs.append(try Self.name(value))
      case (5, .bytes(let value)): function.outputs.append(try Self.name(value))
      case (6, .bytes(let value)): function.attributes.append(try Self.name(value))
      case (7, .bytes(let value)): function.nodes.append(try node(value))
      case (8, .bytes(let value)): keep(value, in: &function.docString, &function.extra, reader, field)
      case (9, .bytes(let value)): function.opsets.append(try opset(value))
      case (10, .bytes(let value)): try keepName(value, in: &function.domain, &function.extra, reader, field)
      case (11, .bytes(let value)): function.attributeDefaults.append(try attribute(value))
      case (13, .bytes(let value)): try keepName(value, in: &function.overload, &function.extra, reader, field)
      default: function.extra.append(contentsOf: reader.encoded(field).array)
      }
    }
    return function
  }

  // MARK: - Graph

  /// Reads a `GraphProto`; one that comes in two parts is merged, as protobuf says.
  mutating func graph(_ bytes: Bytes, into graph: inout Graph) throws(PruneError) {
    guard depth < Self.depthLimit else {
      throw PruneError(.badFormat, "graphs are nested more than \(Self.depthLimit) deep")
    }
    depth += 1
    defer { depth -= 1 }
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): graph.nodes.append(try node(value))
      case (2, .bytes(let value)): keep(value, in: &graph.name, &graph.extra, reader, field)
      case (5, .bytes(let value)), (15, .bytes(let value)):
        let initializer =
          field.number == 5
          ? try tensor(value, kind: "initializer") : try sparseTensor(value, kind: "sparse initializer")
        guard !graph.hasInitializer(initializer.name) else {
          throw PruneError(
            .invalidModel, "two initializers are named '\(initializer.name)'; each name may be given once",
            at: "graph '\(graph.name)'")
        }
        graph.append(initializer: initializer)
      case (10, .bytes(let value)): keep(value, in: &graph.docString, &graph.extra, reader, field)
      case (11, .bytes(let value)): graph.inputs.append(try valueInfo(value))
      case (12, .bytes(let value)): graph.outputs.append(try valueInfo(value))
      case (13, .bytes(let value)): graph.valueInfo.append(try valueInfo(value))
      default: graph.extra.append(contentsOf: reader.encoded(field).array)
      }
    }
  }

  private mutating func node(_ bytes: Bytes) throws(PruneError) -> Node {
    var node = Node("", inputs: [], outputs: [])
    do throws(PruneError) {
      var reader = ProtoReader(bytes)
      while let field = try reader.next() {
        switch (field.number, field.value) {
        case (1, .bytes(let value)): node.inputs.append(try Self.name(value))
        case (2, .bytes(let value)): node.outputs.append(try Self.name(value))
        case (3, .bytes(let value)): try keepName(value, in: &node.name, &node.extra, reader, field)
        case (4, .bytes(let value)): try keepName(value, in: &node.opType, &node.extra, reader, field)
        case (5, .bytes(let value)): node.attributes.append(try attribute(value))
        case (6, .bytes(let value)): keep(value, in: &node.docString, &node.extra, reader, field)
        case (7, .bytes(let value)): try keepName(value, in: &node.domain, &node.extra, reader, field)
        case (8, .bytes(let value)): try keepName(value, in: &node.overload, &node.extra, reader, field)
        case (9, .bytes(let value)): node.metadata.append(try metadataEntry(value))
        default: node.extra.append(contentsOf: reader.encoded(field).array)
        }
      }
    } catch {
      throw node.opType.isEmpty && node.outputs.isEmpty ? error : error.located(at: node.label)
    }
    return node
  }

  // MARK: - Fields

  /// A name, which has to be valid UTF-8: two names that differ must not become equal.
  static func name(_ bytes: Bytes) throws(PruneError) -> String {
    guard let text = String(validating: bytes.array, as: UTF8.self) else {
      throw PruneError(.badFormat, "a name is not valid UTF-8 (byte \(bytes.offset)): '\(bytes.text.prefix(40))'")
    }
    return text
  }

  private func keepName(
    _ value: Bytes, in target: inout String, _ extra: inout ExtraFields, _ reader: ProtoReader, _ field: ProtoField
  ) throws(PruneError) {
    target = try Self.name(value)
    if target.isEmpty { extra.append(contentsOf: reader.encoded(field).array) }
  }

  /// Sets free text. What is empty, or not valid UTF-8, is kept as it is in `extra`.
  private func keep(
    _ value: Bytes, in target: inout String, _ extra: inout ExtraFields, _ reader: ProtoReader, _ field: ProtoField
  ) {
    target = String(validating: value.array, as: UTF8.self) ?? ""
    if target.isEmpty { extra.append(contentsOf: reader.encoded(field).array) }
  }

  private func keep(
    _ value: UInt64, in target: inout Int64, _ extra: inout ExtraFields, _ reader: ProtoReader, _ field: ProtoField
  ) {
    target = Int64(bitPattern: value)
    if value == 0 { extra.append(contentsOf: reader.encoded(field).array) }
  }
}
