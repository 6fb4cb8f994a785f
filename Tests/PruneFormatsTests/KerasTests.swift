import Foundation
import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct KerasTests {
  private static let files = ["conv.h5", "trainable.h5", "lstm.keras", "attention.keras", "nested.keras"]

  private func bytes(_ name: String) throws -> Bytes { try Bytes(try Shared.bytes(Cases.keras + name)) }

  @Test(arguments: files) func unchangedModelsKeepEveryBitOfTheirWeights(name: String) throws {
    let folder = try TemporaryFolder()
    let model = try ModelFormats.decode(try bytes(name))
    for suffix in [".h5", ".keras", ".onnx"] {
      try ModelFormats.save(model, path: folder.path + "/copy" + suffix)
      let again = try ModelFormats.load(path: folder.path + "/copy" + suffix)
      #expect(again.graph.initializers.map(\.name) == model.graph.initializers.map(\.name))
      for initializer in model.graph.initializers {
        let other = try #require(again.graph.initializer(initializer.name))
        #expect(other.bytes.isEqual(to: initializer.tensor.bytes), "\(initializer.name)")
      }
      #expect(GraphComparison(model.graph, again.graph).difference == nil)
    }
  }

  @Test func theSuffixSaysTheFormat() throws {
    let folder = try TemporaryFolder()
    let model = try ModelFormats.decode(try bytes("conv.h5"))
    let error = failure { try ModelFormats.save(model, path: folder.path + "/model.tflite") }
    #expect(error?.status == .unsupported)
    #expect(error?.hint.contains(".h5") == true && error?.hint.contains(".onnx") == true)
    #expect(folder.names.isEmpty)
    try ModelFormats.save(model, path: folder.path + "/./model")
    #expect(folder.names == ["model"])
  }

  /// What is in a file decides, not its name.
  @Test func contentsDecideWhatIsRead() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.onnx", try Shared.bytes(Cases.keras + "nested.keras"))
    #expect(try ModelFormats.load(path: path).metadata.contains { $0.key == "keras.config" })
  }

  @Test func layersThatAreCodeAreRefusedByName() throws {
    for (layer, part) in [
      (
        #"{"class_name": "Lambda", "config": {"name": "twice", "function": ["4wEAAA==", null, null]}}"#,
        "Lambda 'twice': it is Python code"
      ),
      (#"{"class_name": "my>Swirl", "config": {"name": "s"}}"#, "Swirl 's': layers of this class are not read"),
      (
        #"{"class_name": "Activation", "config": {"name": "a", "activation": "my_function"}}"#,
        "'my_function' is not read"
      ),
    ] {
      let config =
        #"{"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 3]}}, "#
        + layer + "]}}"
      var tree = HDF5Tree()
      tree.set("model_config", .text(config))
      tree.group(["model_weights"]) { _ in }
      let file = try Bytes(try HDF5Writer.encode(tree).flatMap { $0.array })
      let error = failure { _ = try ModelFormats.decode(file) }
      #expect(error?.status == .unsupported)
      #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }
  }

  @Test func weightsThatDoNotFitTheConfigurationAreRefused() throws {
    let model = try ModelFormats.decode(try bytes("conv.h5"))
    var content = try KerasWriter.content(of: model)
    let wrong = content.file.config.text.replacingOccurrences(of: "\"units\": 4", with: "\"units\": 5")
    content.file.config = try JSON(text: Array(wrong.utf8))
    let error = failure { _ = try Keras.model(content.file, content.weights) }
    #expect(error?.status == .mismatch)
    #expect(error?.message.contains("Dense 'dense'") == true)
  }

  @Test(arguments: [
    ("BatchNormalization", "batch_normalization"), ("Conv2DTranspose", "conv2d_transpose"), ("PReLU", "p_re_lu"),
    ("LSTM", "lstm"), ("SimpleRNN", "simple_rnn"),
    ("GlobalAveragePooling1D", "global_average_pooling1d"), ("MultiHeadAttention", "multi_head_attention"),
    ("RMSNormalization", "rms_normalization"),
  ])
  func snakeCase(name: String, wanted: String) { #expect(KerasNetwork.snakeCase(name) == wanted) }

  @Test(arguments: ["conv.h5", "nested.keras"]) func damagedFilesAreErrors(name: String) throws {
    let whole = try Shared.bytes(Cases.keras + name)
    var random = RandomSource(seed: 5)
    for step in 0..<200 {
      let cut = try Bytes(Array(whole.prefix(step * whole.count / 200)))
      #expect(failure { _ = try ModelFormats.decode(cut) } != nil)
    }
    for _ in 0..<1_000 {
      let error = failure { _ = try ModelFormats.decode(try Bytes(HostileTests.mutated(whole, &random))) }
      if let error { #expect(!error.message.isEmpty) }
    }
  }

  /// What a configuration may say is any JSON: every value replaced by every kind of value.
  @Test func configurationsOfAnyKind() throws {
    let model = try ModelFormats.decode(try bytes("lstm.keras"))
    let content = try KerasWriter.content(of: model)
    let kinds: [JSON] = [
      .null, .bool(true), JSON(0), JSON(-1), JSON(Int.max), JSON(1e300), .string(""), .array([]), .array([.null]),
      .object([]),
    ]
    var paths: [[Int]] = []
    func collect(_ json: JSON, _ path: [Int]) {
      paths.append(path)
      for (index, inner) in (json.array ?? json.fields?.map(\.value) ?? []).enumerated() {
        collect(inner, path + [index])
      }
    }
    func replaced(_ json: JSON, _ path: ArraySlice<Int>, _ value: JSON) -> JSON {
      guard let place = path.first else { return value }
      if var values = json.array {
        values[place] = replaced(values[place], path.dropFirst(), value)
        return .array(values)
      }
      guard var fields = json.fields else { return value }
      fields[place].value = replaced(fields[place].value, path.dropFirst(), value)
      return .object(fields)
    }
    collect(content.file.config, [])
    #expect(paths.count > 300)
    for (index, path) in paths.enumerated() {
      for step in 0..<3 {
        var file = content.file
        file.config = replaced(content.file.config, path[...], kinds[(index + step * 3) % kinds.count])
        if let error = failure({ _ = try Keras.model(file, content.weights) }) { #expect(!error.message.isEmpty) }
      }
    }
  }
}
