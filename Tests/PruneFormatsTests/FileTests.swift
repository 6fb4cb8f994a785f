import Foundation
import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct FileTests {
  /// A model of one initializer with `count` floats.
  private func large(_ count: Int) throws -> Model {
    var graph = Graph(name: "large")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.fixed(count)]))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    graph.setInitializer("w", try Tensor((0..<count).map(Float.init)))
    graph.nodes = [Node("Add", name: "add", inputs: ["x", "w"], outputs: ["y"])]
    return Model(graph: graph)
  }

  @Test func largeFilesAreMappedAndMayBeSavedOver() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/large.onnx"
    try ONNX.save(try large(3 << 20), path: path)
    var model = try ONNX.load(path: path)
    #expect(model.graph.initializers[0].tensor.storage.isWritable == false)
    model.docString = "second"
    model.metadata.append(MetadataEntry(key: "k", value: String(repeating: "v", count: 5000)))
    try ONNX.save(model, path: path)
    #expect(folder.names == ["large.onnx"])
    let expected = (0..<3 << 20).map(Float.init)
    #expect(try model.graph.initializer("w")?.array(of: Float.self) == expected)
    let again = try ONNX.load(path: path)
    #expect(again.docString == "second")
    #expect(try again.graph.initializer("w")?.array(of: Float.self) == expected)
    let copied = try ONNX.load(path: path, .init(copy: true))
    #expect(copied.graph.initializers[0].tensor.storage.isWritable)
  }

  @Test func aFailedSaveLeavesWhatWasThere() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.onnx", TinyModel.bytes)
    var model = try ONNX.load(path: path)
    model.graph.nodes.removeFirst()
    #expect(failure { try ONNX.save(model, path: path) }?.status == .invalidModel)
    #expect(try Shared.bytes(path) == TinyModel.bytes)
    #expect(folder.names == ["model.onnx"])
    #expect(failure { try ONNX.save(try large(4), path: folder.path + "/no/such/folder.onnx") }?.status == .io)
  }

  /// Name, first bytes, and what the error has to say.
  static let strangers: [(String, [UInt8], String)] = [
    ("hdf5", [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "HDF5"), ("zip", [0x50, 0x4B, 3, 4, 0, 0], "zip archive"),
    ("gzip", [0x1F, 0x8B, 8, 0], "gzip"), ("pickle", [0x80, 0x02, 0x8A, 0x0A], "pickle"),
    ("safetensors", [0x40, 0, 0, 0, 0, 0, 0, 0] + Array("{\"w\":{}}".utf8), "safetensors"),
    ("lfs", Array("version https://git-lfs.github.com/spec/v1\n".utf8), "LFS"), ("text", Array("hello there\n".utf8), "text"),
    ("html", Array("<!DOCTYPE html><html>".utf8), "web page"), ("json", Array("{\"a\": 1}".utf8), "JSON"),
    ("tflite", [0x1C, 0, 0, 0] + Array("TFL3".utf8), "TensorFlow Lite"), ("empty", [], "empty"),
    ("zeros", [UInt8](repeating: 0, count: 64), "protobuf"), ("half", Array(TinyModel.bytes.prefix(200)), "wants"),
    ("head", Array(TinyModel.bytes.prefix(2)), "no graph"),
  ]

  @Test(arguments: strangers) func filesThatAreNotONNXSaySo(name: String, bytes: [UInt8], word: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(name, bytes)
    let error = try #require(failure { _ = try ONNX.load(path: path) })
    #expect(error.message.contains(word), "\(error)")
    #expect(error.place.hasPrefix(path))
  }

  @Test func missingFilesAndFoldersSaySo() throws {
    let folder = try TemporaryFolder()
    for path in [folder.path, folder.path + "/none.onnx", "", "a\0b"] {
      let error = try #require(failure { _ = try ONNX.load(path: path) })
      #expect(error.status == .io || error.status == .invalidArgument)
    }
    mkfifo(folder.path + "/pipe", 0o600)
    #expect(failure { _ = try ONNX.load(path: folder.path + "/pipe") }?.status == .io)
  }
}
