import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Operators of `ai.onnx.ml` that scikit-learn's exporter puts around a network.
@Suite struct ClassicTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let node: Node
    let inputs: [Tensor]
    let expected: Tensor
    var testDescription: String { "\(node.opType) \(node.attributes.map(\.name)) \(inputs.map(\.dtype.name))" }

    init(_ op: String, _ inputs: [Tensor], _ attributes: [(String, AttributeValue)] = [], gives expected: Tensor) {
      node = Node(
        op, domain: "ai.onnx.ml", name: "n", inputs: inputs.indices.map { "i\($0)" }, outputs: ["o"],
        attributes: attributes.map { Attribute($0.0, $0.1) })
      (self.inputs, self.expected) = (inputs, expected)
    }
  }

  private static func floats(_ values: [Float], _ dims: Int...) throws -> Tensor { try Tensor(values, Shape(dims)) }
  private static func integers(_ values: [Int64], _ dims: Int...) throws -> Tensor { try Tensor(values, Shape(dims)) }

  private static func makeCases() throws -> [Case] {
    let square = try floats([1, 2, 3, 4], 2, 2)
    let keys = TensorValue(name: "", tensor: try integers([3, 5], 2)),
      values = TensorValue(name: "", tensor: try floats([0.5, 2], 2))
    let other = TensorValue(name: "", tensor: try floats([9], 1))
    return [
      Case(
        "Scaler", [square], [("offset", .floats([1, 0.5])), ("scale", .floats([2, -1]))],
        gives: try floats([0, -1.5, 4, -3.5], 2, 2)),
      Case("Scaler", [square], [("offset", .floats([1]))], gives: try floats([0, 1, 2, 3], 2, 2)),
      Case(
        "Scaler", [try integers([2, 4], 1, 2)], [("offset", .floats([1])), ("scale", .floats([0.5]))],
        gives: try floats([0.5, 1.5], 1, 2)),
      Case(
        "Scaler", [try square.cast(to: .float64)], [("scale", .floats([3]))], gives: try floats([3, 6, 9, 12], 2, 2)),
      Case(
        "Normalizer", [try floats([3, -4, 0, 0], 2, 2)], [("norm", .text("L2"))],
        gives: try floats([0.6, -0.8, 0, 0], 2, 2)),
      Case(
        "Normalizer", [try floats([1, -3], 1, 2)], [("norm", .text("L1"))], gives: try floats([0.25, -0.75], 1, 2)),
      Case("Normalizer", [try integers([2, -4], 1, 2)], [], gives: try floats([1, -2], 1, 2)),
      Case(
        "Binarizer", [try floats([0.5, 1, 1.5], 1, 3)], [("threshold", .float(1))], gives: try floats([0, 0, 1], 1, 3)),
      Case("Binarizer", [try integers([-1, 0, 7], 1, 3)], gives: try integers([0, 0, 1], 1, 3)),
      Case(
        "Imputer", [try floats([.nan, 1, 2, .nan], 2, 2)],
        [("imputed_value_floats", .floats([9, 8])), ("replaced_value_float", .float(.nan))],
        gives: try floats([9, 1, 2, 8], 2, 2)),
      Case(
        "Imputer", [try floats([0, 1], 1, 2)], [("imputed_value_floats", .floats([5]))],
        gives: try floats([5, 1], 1, 2)),
      Case(
        "Imputer", [try integers([0, 3], 1, 2)],
        [("imputed_value_int64s", .ints([7])), ("replaced_value_int64", .int(3))],
        gives: try integers([0, 7], 1, 2)),
      Case(
        "ArrayFeatureExtractor", [square, try integers([1, 0, 1], 1, 3)], gives: try floats([2, 1, 2, 4, 3, 4], 2, 3)),
      Case(
        "ArrayFeatureExtractor", [try integers([10, 20, 30], 3), try integers([2, 0], 2, 1)],
        gives: try integers([30, 10], 1, 2)),
      Case(
        "LabelEncoder", [try integers([2, 1, 9], 3)],
        [("keys_int64s", .ints([1, 2])), ("values_floats", .floats([0.5, 1.5])), ("default_float", .float(-1))],
        gives: try floats([1.5, 0.5, -1], 3)),
      Case(
        "LabelEncoder", [try floats([.nan, 1, 3], 3)],
        [("keys_floats", .floats([.nan, 1])), ("values_int64s", .ints([7, 8]))],
        gives: try integers([7, 8, -1], 3)),
      Case(
        "LabelEncoder", [try integers([5, 4, 3], 3)],
        [("keys_tensor", .tensor(keys)), ("values_tensor", .tensor(values)), ("default_tensor", .tensor(other))],
        gives: try floats([2, 9, 0.5], 3)),
      Case("ZipMap", [square], [("classlabels_int64s", .ints([4, 7]))], gives: square),
    ]
  }

  static let cases: [Case] = (try? makeCases()) ?? []

  @Test func theTableIsWhole() { #expect(Self.cases.count == 18) }

  private func model(_ node: Node, _ inputs: [Tensor]) -> Model {
    let types = inputs.enumerated().map { ("i\($0)", TensorType($1.dtype, $1.shape)) }
    var model = Model(graph: makeGraph([node], inputs: types))
    model.opsets.append(OpsetImport(domain: "ai.onnx.ml", version: 3))
    return model
  }

  @Test(arguments: cases)
  func givesWhatTheStandardSays(example: Case) throws {
    for opset: Int64 in [13, 17, 21] {
      var model = model(example.node, example.inputs)
      model.opsets[0].version = opset
      let inputs = Dictionary(uniqueKeysWithValues: example.inputs.enumerated().map { ("i\($0)", $1) })
      let result = try #require(try runBoth(model, inputs)["o"])
      #expect(result.dtype == example.expected.dtype && result.shape == example.expected.shape)
      #expect(zip(try result.doubles(), try example.expected.doubles()).allSatisfy { abs($0 - $1) < 1e-6 })
      #expect(try ShapeInference.run(model).types["o"] == TensorType(result.dtype, result.shape))
    }
  }

  @Test func whatDoesNotFitSaysWhere() throws {
    func message(_ node: Node, _ inputs: [Tensor]) throws -> String {
      let inputs = Dictionary(uniqueKeysWithValues: inputs.enumerated().map { ("i\($0)", $1) })
      do {
        _ = try Session(model(node, Array(inputs.sorted { $0.key < $1.key }.map(\.value)))).run(inputs)
        return ""
      } catch { return "\(error)" }
    }
    let square = try Tensor([1, 2, 3, 4] as [Float], Shape([2, 2]))
    func node(_ op: String, _ count: Int, _ attributes: [(String, AttributeValue)]) -> Node {
      Case(op, [Tensor](repeating: square, count: count), attributes, gives: square).node
    }
    #expect(
      try message(node("Scaler", 1, [("offset", .floats([1, 2, 3]))]), [square]).contains(
        "'n': shapes [2,2] and [3] do not broadcast"))
    #expect(
      try message(node("ArrayFeatureExtractor", 2, []), [square, try Tensor([2] as [Int64])]).contains(
        "column 2 is outside 0..<2"))
    #expect(
      try message(node("LabelEncoder", 1, [("keys_floats", .floats([1])), ("values_int64s", .ints([]))]), [square])
        .contains("1 keys"))
    let words = [("keys_strings", AttributeValue.strings([[65]])), ("values_int64s", .ints([1]))]
    #expect(try message(node("LabelEncoder", 1, words), [square]).contains("not numbers"))
    // Lists of nothing, and indices that no column has, end no process.
    for op in ["Scaler", "Imputer", "Normalizer", "Binarizer", "LabelEncoder", "ZipMap"] {
      _ = try message(
        node(op, 1, [("imputed_value_floats", .floats([])), ("norm", .text("?"))]),
        [try Tensor(zeros: .float32, Shape([0, 3]))])
    }
    #expect(try message(node("ArrayFeatureExtractor", 2, []), [square, try Tensor([Int64.min])]).contains("outside"))
  }
}
