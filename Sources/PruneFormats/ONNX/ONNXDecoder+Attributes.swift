import PruneGraph
import PruneTensor

/// `AttributeProto.AttributeType`, where the numbers matter here.
enum AttributeKind {
  static let float: Int64 = 1, int: Int64 = 2, string: Int64 = 3, tensor: Int64 = 4, graph: Int64 = 5
  static let floats: Int64 = 6, ints: Int64 = 7, strings: Int64 = 8, tensors: Int64 = 9, graphs: Int64 = 10
  static let sparseTensor: Int64 = 11, sparseTensors: Int64 = 12, typeProto: Int64 = 13, typeProtos: Int64 = 14
}

extension ONNXDecoder {
  mutating func attribute(_ bytes: Bytes) throws(PruneError) -> Attribute {
    var parts = AttributeParts()
    var isSparse = false
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): parts.name = try Self.name(value)
      case (2, .fixed32(let value)): parts.float = Float(bitPattern: value)
      case (3, .varint(let value)): parts.int = Int64(bitPattern: value)
      case (4, .bytes(let value)): parts.string = value.array
      case (5, .bytes(let value)):
        guard parts.tensor == nil else { throw Self.repeated("a tensor", in: parts.name) }
        parts.tensor = try tensor(value, kind: "attribute '\(parts.name)'")
      case (6, .bytes(let value)):
        var subgraph = parts.graph ?? Graph()
        try graph(value, into: &subgraph)
        parts.graph = subgraph
      case (7, .fixed32(let value)): parts.floats.append(Float(bitPattern: value))
      case (7, .bytes(let value)): parts.floats.append(contentsOf: try Self.packedFloats(value))
      case (8, .varint(let value)): parts.ints.append(Int64(bitPattern: value))
      case (8, .bytes(let value)):
        parts.ints.append(contentsOf: try ProtoReader.packedVarints(value).map { Int64(bitPattern: $0) })
      case (9, .bytes(let value)): parts.strings.append(value.array)
      case (10, .bytes(let value)): parts.tensors.append(try tensor(value, kind: "attribute '\(parts.name)'"))
      case (11, .bytes(let value)):
        var subgraph = Graph()
        try graph(value, into: &subgraph)
        parts.graphs.append(subgraph)
      case (13, .bytes(let value)): parts.docString = String(validating: value.array, as: UTF8.self) ?? ""
      case (20, .varint(let value)): parts.type = Int64(bitPattern: value)
      case (21, .bytes(let value)): parts.referenceName = try Self.name(value)
      case (22, .bytes(let value)) where parts.name == "sparse_value":
        guard parts.tensor == nil else { throw Self.repeated("a tensor", in: parts.name) }
        // A Constant of the same elements.
        parts.tensor = try sparseTensor(value, kind: "attribute 'sparse_value'")
        (parts.name, isSparse) = ("value", true)
      case (14, .bytes), (15, .bytes), (22, .bytes), (23, .bytes):
        parts.opaque.append(contentsOf: reader.encoded(field).array)
      default: break
      }
    }
    if isSparse { parts.type = AttributeKind.tensor }
    return Attribute(
      name: parts.name, value: parts.value, docString: parts.docString, referenceName: parts.referenceName,
      original: isSparse ? nil : bytes)
  }

  private static func packedFloats(_ bytes: Bytes) throws(PruneError) -> [Float] {
    guard bytes.count % 4 == 0 else {
      throw PruneError(.badFormat, "a list of floats takes \(bytes.count) bytes, which is no multiple of 4")
    }
    return try Tensor(.float32, try Shape([bytes.count / 4]), over: bytes).array(of: Float.self)
  }

  private static func repeated(_ what: String, in name: String) -> PruneError {
    PruneError(.badFormat, "attribute '\(name)' holds \(what) twice")
  }
}

/// The fields of an attribute, before its type says which of them is the value.
private struct AttributeParts {
  var name = ""
  var docString = ""
  var referenceName = ""
  /// 0 in files of the first IR versions: then whichever value is there.
  var type: Int64 = 0
  var float: Float?
  var int: Int64?
  var string: [UInt8]?
  var tensor: TensorValue?
  var graph: Graph?
  var floats: [Float] = []
  var ints: [Int64] = []
  var strings: [[UInt8]] = []
  var tensors: [TensorValue] = []
  var graphs: [Graph] = []
  var opaque: ExtraFields = []

  var value: AttributeValue {
    guard referenceName.isEmpty else { return .encoded(type: type, fields: []) }
    switch type == 0 ? inferredType : type {
    case AttributeKind.float: return .float(float ?? 0)
    case AttributeKind.int: return .int(int ?? 0)
    case AttributeKind.string: return .string(string ?? [])
    case AttributeKind.tensor: return tensor.map(AttributeValue.tensor) ?? .encoded(type: type, fields: [])
    case AttributeKind.graph: return graph.map(AttributeValue.graph) ?? .encoded(type: type, fields: [])
    case AttributeKind.floats: return .floats(floats)
    case AttributeKind.ints: return .ints(ints)
    case AttributeKind.strings: return .strings(strings)
    case AttributeKind.tensors: return .tensors(tensors)
    case AttributeKind.graphs: return .graphs(graphs)
    default: return .encoded(type: type, fields: opaque)
    }
  }

  private var inferredType: Int64 {
    if float != nil { return AttributeKind.float }
    if int != nil { return AttributeKind.int }
    if string != nil { return AttributeKind.string }
    if tensor != nil { return AttributeKind.tensor }
    if graph != nil { return AttributeKind.graph }
    if !floats.isEmpty { return AttributeKind.floats }
    if !ints.isEmpty { return AttributeKind.ints }
    if !strings.isEmpty { return AttributeKind.strings }
    if !tensors.isEmpty { return AttributeKind.tensors }
    if !graphs.isEmpty { return AttributeKind.graphs }
    return 0
  }
}
