import PruneGraph
import PruneTensor

/// Field numbers of `TypeProto` and what is in it.
enum TypeField {
  static let tensor = 1, elementType = 1, shape = 2, dim = 1, dimValue = 1, dimName = 2
}

extension ONNXDecoder {
  /// The most axes a tensor may have, NumPy's own limit.
  static var rankLimit: Int { 64 }

  func valueInfo(_ bytes: Bytes) throws(PruneError) -> ValueInfo {
    var name = ""
    var docString = ""
    var type: TensorType?
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let value)): name = try Self.name(value)
      case (2, .bytes(let value)):
        do throws(PruneError) { type = try Self.type(value) } catch { throw error.located(at: "value '\(name)'") }
      case (3, .bytes(let value)): docString = String(validating: value.array, as: UTF8.self) ?? ""
      default: break
      }
    }
    return ValueInfo(name: name, type: type, docString: docString, original: bytes)
  }

  /// The type of a `TypeProto`, nil when it is a sequence, a map or another that is no tensor.
  static func type(_ bytes: Bytes) throws(PruneError) -> TensorType? {
    var reader = ProtoReader(bytes)
    var type: TensorType?
    while let field = try reader.next() {
      guard case (TypeField.tensor, .bytes(let value)) = (field.number, field.value) else { continue }
      type = try tensorType(value)
    }
    return type
  }

  private static func tensorType(_ bytes: Bytes) throws(PruneError) -> TensorType {
    var type = TensorType(nil, nil)
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (TypeField.elementType, .varint(let value)):
        type.dtype = Int32(exactly: value).flatMap(DType.init(rawValue:))
      case (TypeField.shape, .bytes(let value)): type.dims = try dims(value)
      default: break
      }
    }
    return type
  }

  private static func dims(_ bytes: Bytes) throws(PruneError) -> [Dim] {
    var dims: [Dim] = []
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      guard case (TypeField.dim, .bytes(let value)) = (field.number, field.value) else { continue }
      guard dims.count < rankLimit else {
        throw PruneError(.invalidModel, "the shape has more than \(rankLimit) axes")
      }
      dims.append(try dim(value))
    }
    return dims
  }

  /// One extent. -1 is what some exporters write for "unknown".
  private static func dim(_ bytes: Bytes) throws(PruneError) -> Dim {
    var dim = Dim.unknown
    var reader = ProtoReader(bytes)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (TypeField.dimValue, .varint(let raw)):
        let value = Int64(bitPattern: raw)
        guard value >= -1, value < 1 << 48 else {
          throw PruneError(.invalidModel, "the shape has an extent of \(value); it must be 0 or more, and below 2^48")
        }
        dim = value == -1 ? .unknown : .fixed(Int(value))
      case (TypeField.dimName, .bytes(let value)):
        let name = try name(value)
        dim = name.isEmpty ? .unknown : .named(name)
      default: break
      }
    }
    return dim
  }
}
