/// A protobuf writer of the tests' own, to build messages that the library would not write.
enum Wire {
  static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }
  static func int(_ number: UInt64, _ value: Int64) -> [UInt8] {
    varint(number << 3) + varint(UInt64(bitPattern: value))
  }
  static func bytes(_ number: UInt64, _ value: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(value.count)) + value
  }
  static func text(_ number: UInt64, _ value: String) -> [UInt8] { bytes(number, Array(value.utf8)) }
  static func float(_ number: UInt64, _ value: Float) -> [UInt8] { varint(number << 3 | 5) + littleEndian(value) }

  static func littleEndian(_ value: Float) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
  }
}

/// Messages of ONNX, as bytes.
enum Proto {
  static func model(graph: [UInt8], opset: [UInt8]? = Wire.int(2, 17), more: [UInt8] = []) -> [UInt8] {
    Wire.int(1, 8) + Wire.bytes(7, graph) + (opset.map { Wire.bytes(8, Wire.text(1, "") + $0) } ?? []) + more
  }
  static func node(
    _ op: String, _ inputs: [String], _ outputs: [String], name: String = "", more: [UInt8] = []
  ) -> [UInt8] {
    let names = inputs.flatMap { Wire.text(1, $0) } + outputs.flatMap { Wire.text(2, $0) }
    return Wire.bytes(1, names + Wire.text(3, name) + Wire.text(4, op) + more)
  }
  static func value(_ field: UInt64, _ name: String, dims: [Int64]? = nil, dtype: Int64 = 1) -> [UInt8] {
    let shape = dims.map { Wire.bytes(2, $0.flatMap { Wire.bytes(1, Wire.int(1, $0)) }) } ?? []
    return Wire.bytes(field, Wire.text(1, name) + Wire.bytes(2, Wire.bytes(1, Wire.int(1, dtype) + shape)))
  }
  static func input(_ name: String, dims: [Int64]? = nil) -> [UInt8] { value(11, name, dims: dims) }
  static func output(_ name: String) -> [UInt8] { value(12, name) }
  /// A `TensorProto` without its field tag.
  static func tensor(_ name: String, _ dims: [Int64], dtype: Int64 = 1, data: [UInt8]) -> [UInt8] {
    dims.flatMap { Wire.int(1, $0) } + Wire.int(2, dtype) + Wire.text(8, name) + data
  }
  static func weight(_ name: String, _ dims: [Int64], _ values: [Float]) -> [UInt8] {
    Wire.bytes(5, tensor(name, dims, data: Wire.bytes(9, values.flatMap(Wire.littleEndian))))
  }
  static func subgraph(_ name: String, _ graph: [UInt8]) -> [UInt8] {
    Wire.bytes(5, Wire.text(1, name) + Wire.bytes(6, graph) + Wire.int(20, 5))
  }
}

/// A small model with a bit of everything: typed and raw tensors, a branch, a function, defaults that are present,
/// fields nobody knows.
enum TinyModel {
  static let bytes: [UInt8] = {
    let half = Proto.node("Mul", ["h", "scale"], ["half"]) + Wire.text(2, "then") + Proto.output("half")
    let same = Proto.node("Identity", ["h"], ["same"]) + Wire.text(2, "else") + Proto.output("same")
    let ints = Wire.varint(5 << 3 | 2) + Wire.varint(4) + [1, 0, 0xFF, 1]
    var graph = Proto.node(
      "Gemm", ["x", "w", "b"], ["h"], name: "fc",
      more: Wire.bytes(5, Wire.text(1, "alpha") + Wire.float(2, 0.5) + Wire.int(20, 1))
        + Wire.bytes(5, Wire.text(1, "transB") + Wire.int(3, 0) + Wire.int(20, 2) + Wire.int(100, 7))
        + Wire.bytes(5, Wire.text(1, "beta") + Wire.int(20, 1)))
    graph += Proto.node(
      "If", ["cond"], ["y0"], name: "choice",
      more: Proto.subgraph("then_branch", half) + Proto.subgraph("else_branch", same))
    graph += Proto.node("Twice", ["y0"], ["y"], more: Wire.text(7, "local") + Wire.text(6, ""))
    graph += Wire.text(2, "tiny")
    graph += Proto.weight("w", [2, 3], [1, 2, 3, 4, 5, 6]) + Proto.weight("b", [3], [0, 1, 0])
    graph += Wire.bytes(5, Proto.tensor("scale", [1], data: Wire.float(4, 0.5)))
    graph += Wire.bytes(5, Proto.tensor("flags", [2], dtype: 9, data: Wire.int(5, 1) + Wire.int(5, 0)))
    graph += Wire.bytes(
      5, Proto.tensor("small", [3], dtype: 3, data: Wire.int(5, -1) + Wire.int(5, 2) + Wire.int(5, -128)))
    graph += Wire.bytes(5, Proto.tensor("packed", [3], dtype: 4, data: ints))
    graph += Wire.bytes(5, Proto.tensor("labels", [2], dtype: 8, data: Wire.text(6, "cat") + Wire.text(6, "dog")))
    graph += Proto.input("x", dims: [1, 2]) + Proto.value(11, "cond", dims: [], dtype: 9) + Proto.output("y")
    graph += Wire.text(99, "unknown")
    let function =
      Wire.text(1, "Twice") + Wire.text(4, "a") + Wire.text(5, "c")
      + Wire.bytes(7, Array(Proto.node("Add", ["a", "a"], ["c"]).dropFirst(2))) + Wire.text(10, "local")
    let more =
      Wire.bytes(8, Wire.text(1, "local") + Wire.int(2, 1)) + Wire.bytes(25, function) + Wire.text(2, "")
      + Wire.int(5, 0) + Wire.bytes(14, Wire.text(1, "key") + Wire.text(2, "value")) + Wire.bytes(6, [0xFF, 0xFE])
      + [0xFB, 0x3F, 0x08, 0x01, 0xFC, 0x3F]  // an unknown group
    return Proto.model(graph: graph, more: more)
  }()
}
