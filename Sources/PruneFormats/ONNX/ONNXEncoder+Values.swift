import PruneGraph
import PruneTensor

extension ONNXEncoder {
  // MARK: - Attributes

  mutating func attribute(_ attribute: Attribute) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    if let original = attribute.original, !attribute.isChanged, !movesBytes(attribute.value) {
      message.raw(original)
      return message
    }
    if let original = attribute.original { try message.raw(fieldsOf: original, except: Array(1...23)) }
    message.text(1, attribute.name)
    let type = try encode(attribute.value, into: &message)
    message.optionalText(13, attribute.docString)
    if type != 0 { message.int(20, type) }
    message.optionalText(21, attribute.referenceName)
    return message
  }

  /// Writes a value's field and returns its `AttributeType`.
  private mutating func encode(
    _ value: AttributeValue, into message: inout ProtoWriter
  ) throws(PruneError) -> Int64 {
    switch value {
    case .float(let value):
      message.float(2, value)
      return AttributeKind.float
    case .int(let value):
      message.int(3, value)
      return AttributeKind.int
    case .string(let value):
      message.bytes(4, value)
      return AttributeKind.string
    case .tensor(let value):
      message.message(5, try tensor(value))
      return AttributeKind.tensor
    case .graph(let value):
      message.message(6, try graph(value))
      return AttributeKind.graph
    case .floats(let values):
      message.floats(7, values)
      return AttributeKind.floats
    case .ints(let values):
      message.ints(8, values)
      return AttributeKind.ints
    case .strings(let values):
      for value in values { message.bytes(9, value) }
      return AttributeKind.strings
    case .tensors(let values):
      for value in values { message.message(10, try tensor(value)) }
      return AttributeKind.tensors
    case .graphs(let values):
      for value in values { message.message(11, try graph(value)) }
      return AttributeKind.graphs
    case .encoded(let type, let fields):
      message.raw(fields)
      return type
    }
  }

  /// Whether a value has tensors whose bytes come from, or go to, another file, so that its message cannot be written
  /// as it was.
  private func movesBytes(_ value: AttributeValue) -> Bool {
    value.tensors.contains { $0.externalLocation != nil || isExternal($0) }
      || value.graphs.contains { graph in
        graph.initializers.contains { $0.externalLocation != nil || isExternal($0) }
          || graph.nodes.contains { $0.attributes.contains { movesBytes($0.value) } }
      }
  }

  // MARK: - Values and types

  static func valueInfo(_ value: ValueInfo) throws(PruneError) -> ProtoWriter {
    var message = ProtoWriter()
    guard value.isChanged || value.isTypeChanged || value.original == nil else {
      if let original = value.original { message.raw(original) }
      return message
    }
    if let original = value.original {
      try message.raw(fieldsOf: original, except: value.isTypeChanged ? [1, 2, 3] : [1, 3])
    }
    message.optionalText(1, value.name)
    if value.isTypeChanged || value.original == nil, let type = value.type { message.message(2, self.type(type)) }
    message.optionalText(3, value.docString)
    return message
  }

  private static func type(_ type: TensorType) -> ProtoWriter {
    var tensor = ProtoWriter()
    if let dtype = type.dtype { tensor.int(TypeField.elementType, Int64(dtype.rawValue)) }
    if let dims = type.dims {
      var shape = ProtoWriter()
      for dim in dims {
        var extent = ProtoWriter()
        switch dim {
        case .fixed(let value): extent.int(TypeField.dimValue, Int64(value))
        case .named(let name): extent.text(TypeField.dimName, name)
        case .unknown: break
        }
        shape.message(TypeField.dim, extent)
      }
      tensor.message(TypeField.shape, shape)
    }
    var message = ProtoWriter()
    message.message(TypeField.tensor, tensor)
    return message
  }
}

extension AttributeValue {
  /// The tensors it holds directly.
  var tensors: [TensorValue] {
    switch self {
    case .tensor(let tensor): [tensor]
    case .tensors(let tensors): tensors
    default: []
    }
  }

  /// The graphs it holds directly.
  var graphs: [Graph] {
    switch self {
    case .graph(let graph): [graph]
    case .graphs(let graphs): graphs
    default: []
    }
  }
}

extension Node {
  /// The files that tensors of attributes, subgraphs included, have their bytes in.
  var externalLocations: Set<String> {
    attributes.reduce(into: []) { locations, attribute in
      locations.formUnion(attribute.value.tensors.compactMap(\.externalLocation))
      for graph in attribute.value.graphs { locations.formUnion(graph.externalLocations) }
    }
  }
}

extension Graph {
  /// The files that tensors, subgraphs included, have their bytes in.
  var externalLocations: Set<String> {
    nodes.reduce(into: Set(initializers.compactMap(\.externalLocation))) { $0.formUnion($1.externalLocations) }
  }
}

extension Model {
  /// The files that tensors have their bytes in.
  var externalLocations: Set<String> {
    functions.flatMap(\.nodes).reduce(into: graph.externalLocations) { $0.formUnion($1.externalLocations) }
  }
}
