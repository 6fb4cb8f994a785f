import Foundation
import PruneGraph
import PruneTensor
import Testing

import PruneFormats

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
    var model = try ModelFormats.load(path: path)
    #expect(model.graph.initializers[0].tensor.storage.isWritable == false)
    model.docString = "second"
    model.metadata.append(MetadataEntry(key: "k", value: String(repeating: "v", count: 5000)))
    try ONNX.save(model, path: path)
    #expect(folder.names == ["large.onnx"])
    let expected = (0..<3 << 20).map(Float.init)
    #expect(try model.graph.initializer("w")?.array(of: Float.self) == expected)
    let again = try ModelFormats.load(path: path)
    #expect(again.docString == "second")
    #expect(try again.graph.initializer("w")?.array(of: Float.self) == expected)
    let copied = try ModelFormats.load(path: path, .init(copy: true))
    #expect(copied.graph.initializers[0].tensor.storage.isWritable)
  }

  @Test func weightsThatDoNotFitOneMessageGoToASecondFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/over.onnx"
    var model = try large(2000)
    model.graph.setInitializer("again", try #require(model.graph.initializer("w")))
    try ONNXWriter.save(model, path: path, limit: 4000)
    #expect(folder.names == ["over.onnx", "over.onnx.data"])
    // Two tensors of the same bytes are stored once.
    #expect(try Shared.bytes(path + ".data").count == 8000)
    let again = try ModelFormats.load(path: path)
    #expect(try again.graph.initializer("again")?.array(of: Float.self) == (0..<2000).map(Float.init))
    #expect(failure { try ONNXWriter.save(model, path: path, limit: 40) }?.status == .unsupported)
  }

  @Test func largeConstantsInBranchesGoThereToo() throws {
    let values = (0..<2000).map(Float.init)
    let tensor = Proto.tensor("", [2000], data: Wire.bytes(9, values.flatMap(Wire.littleEndian)))
    let constant = Proto.node(
      "Constant", [], ["t"], more: Wire.bytes(5, Wire.text(1, "value") + Wire.bytes(5, tensor) + Wire.int(20, 4)))
    let branches =
      Proto.subgraph("then_branch", constant + Proto.output("t"))
      + Proto.subgraph("else_branch", constant + Proto.output("t"))
    let graph = Proto.node("If", ["x"], ["y"], more: branches) + Proto.input("x") + Proto.output("y")
    let folder = try TemporaryFolder()
    let path = folder.path + "/branches.onnx"
    try ONNXWriter.save(try ONNX.decode(try Bytes(Proto.model(graph: graph)), folder: nil), path: path, limit: 4000)
    let again = try ModelFormats.load(path: path)
    #expect(again.graph.nodes[0].subgraphs.count == 2)
    for branch in again.graph.nodes[0].subgraphs {
      #expect(try branch.nodes[0].tensor("value")?.array(of: Float.self) == values)
    }
  }

  @Test func aFailedSaveLeavesWhatWasThere() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.onnx", TinyModel.bytes)
    var model = try ModelFormats.load(path: path)
    model.graph.nodes.removeFirst()
    #expect(failure { try ONNX.save(model, path: path) }?.status == .invalidModel)
    #expect(try Shared.bytes(path) == TinyModel.bytes)
    #expect(folder.names == ["model.onnx"])
    #expect(failure { try ONNX.save(try large(4), path: folder.path + "/no/such/folder.onnx") }?.status == .io)
  }

  /// Name, first bytes, and what the error has to say.
  static let strangers: [(String, [UInt8], String)] = [
    ("hdf5", [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "HDF5"),
    ("zip", [0x50, 0x4B, 3, 4, 0, 0], "zip archive"),
    ("gzip", [0x1F, 0x8B, 8, 0], "gzip"), ("pickle", [0x80, 0x02, 0x8A, 0x0A], "pickle"),
    ("safetensors", [0x40, 0, 0, 0, 0, 0, 0, 0] + Array("{\"w\":{}}".utf8), "safetensors"),
    ("lfs", Array("version https://git-lfs.github.com/spec/v1\n".utf8), "LFS"),
    ("text", Array("hello there\n".utf8), "text"),
    ("html", Array("<!DOCTYPE html><html>".utf8), "web page"), ("json", Array("{\"a\": 1}".utf8), "JSON"),
    ("tflite", [0x1C, 0, 0, 0] + Array("TFL3".utf8), "TensorFlow Lite"), ("empty", [], "empty"),
    ("zeros", [UInt8](repeating: 0, count: 64), "protobuf"), ("half", Array(TinyModel.bytes.prefix(200)), "wants"),
    ("head", Array(TinyModel.bytes.prefix(2)), "no graph"),
  ]

  @Test(arguments: strangers) func filesThatAreNotONNXSaySo(name: String, bytes: [UInt8], word: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(name, bytes)
    let error = try #require(failure { _ = try ModelFormats.load(path: path) })
    #expect(error.message.contains(word), "\(error)")
    #expect(error.place.hasPrefix(path))
  }

  @Test func missingFilesAndFoldersSaySo() throws {
    let folder = try TemporaryFolder()
    for path in [folder.path, folder.path + "/none.onnx", "", "a\0b"] {
      let error = try #require(failure { _ = try ModelFormats.load(path: path) })
      #expect(error.status == .io || error.status == .invalidArgument)
    }
    mkfifo(folder.path + "/pipe", 0o600)
    #expect(failure { _ = try ModelFormats.load(path: folder.path + "/pipe") }?.status == .io)
  }
}
