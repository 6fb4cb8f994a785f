import PruneTensor

/// A named attribute of a node (`AttributeProto`).
package struct Attribute: Sendable {
  package var name: String
  package var value: AttributeValue
  package var docString: String
  /// Inside a function body: the name of the function's attribute this one stands for.
  package var referenceName: String
  package var extra: ExtraFields

  package init(_ name: String, _ value: AttributeValue) {
    self.name = name
    self.value = value
    docString = ""
    referenceName = ""
    extra = []
  }
}

package enum AttributeValue: Sendable {
  case float(Float)
  case int(Int64)
  case string([UInt8])
  case tensor(TensorValue)
  indirect case graph(Graph)
  case floats([Float])
  case ints([Int64])
  case strings([[UInt8]])
  case tensors([TensorValue])
  case graphs([Graph])
  /// Sparse tensors, type protos and kinds this build does not know: the encoded fields, with `AttributeProto.type`.
  case encoded(type: Int64, fields: ExtraFields)

  package static func text(_ string: String) -> AttributeValue { .string(Array(string.utf8)) }
  package static func integers(_ values: [Int]) -> AttributeValue { .ints(values.map(Int64.init)) }
}

/// A tensor with a name, as a file holds it (`TensorProto`): an initializer or an attribute's value.
package struct TensorValue: Sendable {
  package var name: String { didSet { encoded = nil } }
  package var tensor: Tensor { didSet { encoded = nil } }
  package var docString: String { didSet { encoded = nil } }
  /// The message the file holds, written back verbatim as long as nothing changed. For tensors whose bytes are in
  /// another file it is the message without them.
  package private(set) var encoded: Bytes?
  /// The file beside the model that the bytes came from (`external_data` location), nil when they are in the model.
  package private(set) var externalLocation: String?

  package init(
    name: String, tensor: Tensor, docString: String = "", encoded: Bytes? = nil, externalLocation: String? = nil
  ) {
    self.name = name
    self.tensor = tensor
    self.docString = docString
    self.encoded = encoded
    self.externalLocation = externalLocation
  }
}
