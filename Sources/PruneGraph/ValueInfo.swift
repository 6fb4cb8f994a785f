import PruneTensor

/// One extent of a value's type.
package enum Dim: Hashable, Sendable, CustomStringConvertible {
  case fixed(Int)
  /// A symbol such as "batch": equal names mean equal extents.
  case named(String)
  case unknown

  package var value: Int? {
    if case .fixed(let value) = self { return value }
    return nil
  }
  package var description: String {
    switch self {
    case .fixed(let value): "\(value)"
    case .named(let name): name
    case .unknown: "?"
    }
  }
}

/// The type of a value: dtype and extents. `dims` is nil when not even the rank is known; `dtype` nil when the file
/// does not say.
package struct TensorType: Hashable, Sendable, CustomStringConvertible {
  package var dtype: DType?
  package var dims: [Dim]?

  package init(_ dtype: DType?, _ dims: [Dim]?) {
    self.dtype = dtype
    self.dims = dims
  }
  package init(_ dtype: DType, _ shape: Shape) {
    self.init(dtype, shape.dims.map(Dim.fixed))
  }

  /// The shape when every extent is known.
  package var shape: Shape? {
    guard let dims else { return nil }
    let values = dims.compactMap(\.value)
    return values.count == dims.count ? try? Shape(values) : nil
  }

  package var description: String {
    "\(dtype?.name ?? "?") " + (dims.map { "[" + $0.map(\.description).joined(separator: ",") + "]" } ?? "[…]")
  }
}

/// A value's name and type (`ValueInfoProto`).
package struct ValueInfo: Sendable {
  package var name: String { didSet { isChanged = true } }
  /// Nil for sequences, maps and optionals, which are kept only in `original`.
  package var type: TensorType? { didSet { if type != oldValue { isTypeChanged = true } } }
  package var docString: String { didSet { isChanged = true } }
  /// The message the file holds; fields that none of the above names are taken from it even after a change.
  package let original: Bytes?
  /// Whether name or text were set since the value was read.
  package private(set) var isChanged = false
  /// Whether the type was set to another one since the value was read.
  package private(set) var isTypeChanged = false

  package init(name: String, type: TensorType?, docString: String = "", original: Bytes? = nil) {
    self.name = name
    self.type = type
    self.docString = docString
    self.original = original
  }
}
