import PruneTensor

/// A named attribute of a node (`AttributeProto`).
package struct Attribute: Sendable {
  package var name: String { didSet { isChanged = true } }
  package var value: AttributeValue { didSet { isChanged = true } }
  package var docString: String { didSet { isChanged = true } }
  /// Inside a function body: the name of the function's attribute this one stands for.
  package var referenceName: String { didSet { isChanged = true } }
  /// The message the file holds; fields that none of the above names are taken from it even after a change.
  package let original: Bytes?
  /// Whether anything was set since the attribute was read.
  package private(set) var isChanged = false

  package init(_ name: String, _ value: AttributeValue) {
    self.init(name: name, value: value)
  }

  package init(
    name: String, value: AttributeValue, docString: String = "", referenceName: String = "", original: Bytes? = nil
  ) {
    self.name = name
    self.value = value
    self.docString = docString
    self.referenceName = referenceName
    self.original = original
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
  /// Sparse tensors, type protos, references to a function's attribute and kinds this build does not know: the encoded
  /// fields, with `AttributeProto.type`.
  case encoded(type: Int64, fields: ExtraFields)

  package static func text(_ string: String) -> AttributeValue { .string(Array(string.utf8)) }
  package static func integers(_ values: [Int]) -> AttributeValue { .ints(values.map(Int64.init)) }

  /// How many numbers or strings a list holds; nil for what is no list of them.
  package var count: Int? {
    switch self {
    case .floats(let values): values.count
    case .ints(let values): values.count
    case .strings(let values): values.count
    default: nil
    }
  }

  /// A list without the elements whose mark is false; anything else as it is.
  package func keeping(_ marks: [Bool]) -> AttributeValue {
    func kept<Element>(_ values: [Element]) -> [Element] { zip(values, marks).filter(\.1).map(\.0) }
    return switch self {
    case .floats(let values): .floats(kept(values))
    case .ints(let values): .ints(kept(values))
    case .strings(let values): .strings(kept(values))
    default: self
    }
  }
}

/// A tensor with a name, as a file holds it (`TensorProto`): an initializer or an attribute's value.
package struct TensorValue: Sendable {
  package var name: String { didSet { isChanged = true } }
  package var tensor: Tensor { didSet { isChanged = true } }
  package var docString: String { didSet { isChanged = true } }
  /// The message the file holds; fields that none of the above names are taken from it even after a change.
  package let original: Bytes?
  /// The file beside the model that the bytes came from (`external_data` location), nil when they are in the model.
  package let externalLocation: String?
  /// Whether anything was set since the tensor was read.
  package private(set) var isChanged = false

  package init(
    name: String, tensor: Tensor, docString: String = "", original: Bytes? = nil, externalLocation: String? = nil
  ) {
    self.name = name
    self.tensor = tensor
    self.docString = docString
    self.original = original
    self.externalLocation = externalLocation
  }
}
