import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Every node test of the standard: shape inference, then compiled and run, by the fast kernels and by the reference.
@Suite struct ConformanceTests {
  @Test(arguments: Suite.names)
  func nodeTest(name: String) throws {
    let problem = try outcome(name)
    if let reason = Suite.known[name] {
      #expect(problem != nil, "\(name) passes now; take it out of known.csv (\(reason))")
    } else {
      #expect(problem == nil, "\(name): \(problem ?? "")")
    }
  }

  @Test(
    .enabled(if: Suite.hasOlder, "../shared/conformance is not beside this checkout: opsets up to 17 are not tested"))
  func theKnownListNamesTests() {
    for name in Suite.known.keys {
      #expect(Suite.names.contains(name), "known.csv lists \(name), which is no test")
    }
    #expect(Suite.names.count > 868)
    #expect(Suite.known.count * 20 <= Suite.names.count, "more than one test in twenty fails")
  }

  /// What is wrong with a case; nil when all is as expected.
  private func outcome(_ name: String) throws -> String? {
    do {
      let model = try ModelFormats.load(path: "\(Suite.folder)/\(name)/model.onnx")
      let inputs = try Suite.tensors(name, "input")
      let expected = try Suite.tensors(name, "output")
      let types = try ShapeInference.run(model)
      var feeds: [String: Tensor] = [:]
      for (info, tensor) in zip(model.graph.inputs, inputs) { feeds[info.name] = tensor }
      for optimizes in [true, false] {
        let options = ProgramOptions(inputShapes: feeds.mapValues(\.shape), optimizes: optimizes)
        let program = try Program(model, options)
        let results = try program.run(feeds)
        let kind = optimizes ? "" : " (by reference kernels)"
        guard expected.count == model.graph.outputs.count else {
          return "\(model.graph.outputs.count) outputs, wanted \(expected.count)"
        }
        for (index, output) in model.graph.outputs.enumerated() {
          guard let result = results[output.name] else { return "no output \(index)\(kind)" }
          if let text = try difference(result, expected[index]) { return "output \(index) \(text)\(kind)" }
          for type in [types.types[output.name], program.outputTypes[output.name]] {
            if let type, let text = contradiction(type, expected[index]) { return "output \(index) \(text)\(kind)" }
          }
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
