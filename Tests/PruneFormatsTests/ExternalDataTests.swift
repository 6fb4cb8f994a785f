import Foundation
import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct ExternalDataTests {
  /// A model whose weight `w`, [4], is said to be in another file.
  private func model(_ entries: [(String, String)], dims: [Int64] = [4], inAttribute: Bool = false) -> [UInt8] {
    let external = entries.flatMap { Wire.bytes(13, Wire.text(1, $0.0) + Wire.text(2, $0.1)) } + Wire.int(14, 1)
    let tensor = Proto.tensor("w", dims, data: external + Wire.text(12, "kept"))
    let constant = Wire.bytes(5, Wire.text(1, "value") + Wire.bytes(5, tensor) + Wire.int(20, 4))
    return Proto.model(
      graph: (inAttribute ? Proto.node("Constant", [], ["w"], more: constant) : Wire.bytes(5, tensor))
        + Proto.node("Add", ["x", "w"], ["y"]) + Proto.input("x") + Proto.output("y"))
  }
  private let values: [Float] = [1, 2, 3, 4]
  private var payload: [UInt8] { [9, 9] + values.flatMap(Wire.littleEndian) + [9] }

  @Test(arguments: [false, true]) func itIsReadAndSavedBesideTheModel(inAttribute: Bool) throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("w.bin", payload)
    let path = try folder.write(
      "m.onnx", model([("location", "w.bin"), ("offset", "2"), ("length", "16")], inAttribute: inAttribute))
    let model = try ModelFormats.load(path: path)
    func weight(_ model: Model) -> Tensor? { model.graph.initializer("w") ?? model.graph.nodes[0].tensor("value") }
    #expect(try weight(model)?.array(of: Float.self) == values)
    let copy = folder.path + "/copy.onnx"
    try ONNX.save(model, path: copy)
    #expect(folder.names == ["copy.onnx", "copy.onnx.data", "m.onnx", "w.bin"])
    let again = try ModelFormats.load(path: copy)
    #expect(try weight(again)?.array(of: Float.self) == values)
    #expect(try Shared.bytes(copy + ".data") == values.flatMap(Wire.littleEndian))
    #expect(try Shared.bytes(copy).contains(Array("kept".utf8)))
    // In memory there is no second file, so the bytes move in.
    let inside = try ONNX.decode(try Bytes(try ONNX.encode(again)), folder: nil)
    #expect(try weight(inside)?.array(of: Float.self) == values)
    try ONNX.save(again, path: copy)
    #expect(try weight(try ModelFormats.load(path: copy))?.array(of: Float.self) == values)
  }

  @Test func everySaveGetsANewDataFileAndOnlyItsOwnAreRemoved() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("w.bin", payload)
    let path = try folder.write("m.onnx", model([("location", "w.bin"), ("offset", "2")]))
    // Somebody else's, whatever its name says.
    _ = try folder.write("m.onnx.data", payload)
    var last = ""
    for round in 0..<3 {
      let model = try ModelFormats.load(path: path)
      try ONNX.save(model, path: path)
      let names = folder.names.filter { !["m.onnx", "m.onnx.data", "w.bin"].contains($0) }
      #expect(names.count == 1 && names[0] != last && folder.names.count == 4, "round \(round): \(folder.names)")
      last = names.first ?? ""
      #expect(try ModelFormats.load(path: path).graph.initializer("w")?.array(of: Float.self) == values)
      // The loaded model still reads what it was loaded from.
      #expect(try model.graph.initializer("w")?.array(of: Float.self) == values)
    }
    // With nothing outside, what the last save made goes.
    var inside = try ModelFormats.load(path: path)
    inside.graph.removeInitializers { _ in true }
    inside.graph.setInitializer("w", try Tensor(values))
    try ONNX.save(inside, path: path)
    #expect(folder.names == ["m.onnx", "m.onnx.data", "w.bin"])
  }

  /// A folder "model" beside a folder "blobs".
  private func twoFolders() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["model", "blobs"] {
      try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    return folder
  }

  private func link(_ place: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: target)
  }

  @Test func linksThatLeaveTheFolderAreRefused() throws {
    let folder = try twoFolders()
    let path = try folder.write("model/m.onnx", model([("location", "w.bin"), ("offset", "2")]))
    _ = try folder.write("blobs/w", payload)
    try link(folder.path + "/model/w.bin", to: "../blobs/w")
    let error = try #require(failure { _ = try ModelFormats.load(path: path) })
    #expect(error.status == .refused && error.message.contains("outside") && !error.hint.isEmpty, "\(error)")
    // So are folders that are links, and links of links.
    let deep = try folder.write("model/d.onnx", model([("location", "sub/w"), ("offset", "2")]))
    try link(folder.path + "/model/sub", to: folder.path + "/blobs")
    #expect(failure { _ = try ModelFormats.load(path: deep) }?.status == .refused)
    // Links that stay inside are fine, and so is a folder that is reached through a link.
    let near = try folder.write("model/n.onnx", model([("location", "near.bin"), ("offset", "2")]))
    _ = try folder.write("model/real.bin", payload)
    try link(folder.path + "/model/near.bin", to: "real.bin")
    try link(folder.path + "/alias", to: "model")
    for path in [near, folder.path + "/alias/n.onnx"] {
      #expect(try ModelFormats.load(path: path).graph.initializer("w")?.array(of: Float.self) == values)
    }
  }

  @Test(arguments: ["model", "blobs", "both"]) func modelsThatAreLinksHaveTwoFolders(data: String) throws {
    let folder = try twoFolders()
    _ = try folder.write("blobs/m", model([("location", "w.bin"), ("offset", "2")]))
    try link(folder.path + "/model/m.onnx", to: "../blobs/m")
    if data == "both" {
      // As in the cache of Hugging Face: the model and its data are links into one folder.
      _ = try folder.write("blobs/1234", payload)
      try link(folder.path + "/model/w.bin", to: "../blobs/1234")
    } else {
      _ = try folder.write(data + "/w.bin", payload)
    }
    #expect(
      try ModelFormats.load(path: folder.path + "/model/m.onnx").graph.initializer("w")?.array(of: Float.self) == values
    )
    // Saved over the link: the file behind it is replaced, with its data beside it.
    try ONNX.save(try ModelFormats.load(path: folder.path + "/model/m.onnx"), path: folder.path + "/model/m.onnx")
    #expect(FileReader.exists(folder.path + "/blobs/m.data"))
    #expect(
      try ModelFormats.load(path: folder.path + "/model/m.onnx").graph.initializer("w")?.array(of: Float.self) == values
    )
  }

  @Test func editedAndNewTensorsFollowTheOthers() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("w.bin", payload)
    let path = try folder.write("m.onnx", model([("location", "w.bin"), ("offset", "2")]))
    var model = try ModelFormats.load(path: path)
    model.graph.setInitializer("w", try Tensor([5, 6] as [Float]))
    model.graph.setInitializer("large", try Tensor(zeros: .float32, Shape(known: 1000)))
    model.graph.setInitializer("little", try Tensor([1] as [Float]))
    try ONNX.save(model, path: path)
    let again = try ModelFormats.load(path: path)
    #expect(try again.graph.initializer("w")?.array(of: Float.self) == [5, 6])
    #expect(again.graph.initializers.map { $0.externalLocation ?? "" } == ["m.onnx.data", "m.onnx.data", ""])
  }

  static let refused: [([(String, String)], [Int64], Status)] = [
    ([("location", "../w.bin")], [4], .refused), ([("location", "/etc/passwd")], [4], .refused),
    ([("location", "a/../../w.bin")], [4], .refused), ([("location", "..\\w.bin")], [4], .refused),
    ([("location", "C:\\w.bin")], [4], .refused), ([("location", "w\0.bin")], [4], .refused),
    ([("location", "none.bin")], [4], .io), ([("location", ".")], [4], .refused), ([], [4], .badFormat),
    ([("location", "")], [4], .badFormat), ([("location", "w.bin"), ("offset", "-1")], [4], .badFormat),
    ([("location", "w.bin"), ("offset", "x")], [4], .badFormat),
    ([("location", "w.bin"), ("length", "15")], [4], .mismatch),
    ([("location", "w.bin"), ("offset", "4")], [4], .mismatch), ([("location", "w.bin")], [1 << 40], .mismatch),
    ([("location", "w.bin"), ("offset", "9223372036854775807")], [4], .mismatch),
    ([("location", "w.bin"), ("offset", "99999999999999999999")], [4], .badFormat),
  ]

  @Test(arguments: refused) func whatIsNotRightIsRefused(entries: [(String, String)], dims: [Int64], status: Status)
    throws
  {
    let folder = try TemporaryFolder()
    _ = try folder.write("w.bin", payload)
    let path = try folder.write("m.onnx", model(entries, dims: dims))
    let error = try #require(failure { _ = try ModelFormats.load(path: path) })
    #expect(error.status == status, "\(error)")
    #expect(error.place.contains("initializer 'w'"), "\(error)")
  }

  @Test func bytesWithoutAFolderSayWhatIsMissing() throws {
    let bytes = try Bytes(model([("location", "w.bin")]))
    #expect(failure { _ = try ONNX.decode(bytes, folder: nil) }?.status == .unsupported)
  }
}
