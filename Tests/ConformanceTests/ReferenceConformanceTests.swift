import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Every node test of the standard, through shape inference and the reference kernels.
@Suite(.enabled(if: Suite.isPresent, "../shared/conformance is not beside this checkout"))
struct ReferenceConformanceTests {
  @Test(arguments: Suite.names)
  func nodeTest(name: String) throws {
    let problem = try outcome(name)
    if let reason = Suite.known[name] {
      #expect(problem != nil, "\(name) passes now; take it out of known.csv (\(reason))")
    } else {
      #expect(problem == nil, "\(name): \(problem ?? "")")
    }
  }

  @Test func theKnownListNamesTests() {
    for name in Suite.known.keys {
      #expect(Suite.names.contains(name), "known.csv lists \(name), which is no test")
    }
  }

  /// What is wrong with a case; nil when all is as expected.
  private func outcome(_ name: String) throws -> String? {
    do {
      let model = try ONNX.load(path: "\(Suite.folder)/\(name)/model.onnx")
      let inputs = try Suite.tensors(name, "input")
      let expected = try Suite.tensors(name, "output")
      let types = try ShapeInference.run(model)
      var feeds: [String: Tensor] = [:]
      for (info, tensor) in zip(model.graph.inputs, inputs) { feeds[info.name] = tensor }
      let results = try ReferenceInterpreter(model).run(model.graph, feeds)
      guard results.count == expected.count else {
        return "\(results.count) outputs, wanted \(expected.count)"
      }
      for (index, output) in model.graph.outputs.enumerated() {
        if let text = try difference(results[index], expected[index]) {
          return "output \(index) \(text)"
        }
        if let type = types.types[output.name], let text = contradiction(type, expected[index]) {
          return "output \(index) \(text)"
        }
      }
      return nil
    } catch let error as PruneError { return error.description }
  }

  private func contradiction(_ type: TensorType, _ tensor: Tensor) -> String? {
    let fits =
      (type.dtype ?? tensor.dtype) == tensor.dtype
      && (type.dims.map { dims in
        dims.count == tensor.shape.rank
          && zip(dims, tensor.shape.dims).allSatisfy { ($0.value ?? $1) == $1 }
      } ?? true)
    return fits ? nil : "is inferred as \(type), but is \(tensor.dtype.name) \(tensor.shape)"
  }
}
