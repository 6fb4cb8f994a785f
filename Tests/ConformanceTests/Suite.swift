import Foundation
import PruneFormats
import PruneTensor

/// The ONNX project's node tests: a folder a case, with model.onnx and test_data_set_0/{input,output}_k.pb.
///
/// Those of opsets up to 17 lie beside the checkout; those that came later, with Tests/Data.
enum Suite {
  private static let archives = [
    "../../../../shared/conformance/onnx-node-tests-1.12-opset1-17.tar.zst", "../../Data/onnx-node-tests-newer.tar.zst",
  ].map { URL(fileURLWithPath: #filePath).appendingPathComponent($0).standardized.path }
  static let hasOlder = FileManager.default.fileExists(atPath: archives[0])

  /// Where the archives were unpacked for this run.
  static let folder: String = {
    let folder =
      NSTemporaryDirectory() + "/prune-conformance-\(ProcessInfo.processInfo.processIdentifier)"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for archive in archives where FileManager.default.fileExists(atPath: archive) {
      let tar = Process()
      tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      tar.arguments = ["tar", "--zstd", "-xf", archive, "-C", folder]
      try? tar.run()
      tar.waitUntilExit()
    }
    atexit { try? FileManager.default.removeItem(atPath: Suite.folder) }
    return folder
  }()

  /// All cases, sorted.
  static let names: [String] = {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
      $0.hasPrefix("test_")
    }.sorted()
  }()

  /// Cases that are known to fail, each with its reason: `name,reason` a line.
  static let known: [String: String] = {
    let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../known.csv").standardized
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    var known: [String: String] = [:]
    for line in text.split(separator: "\n").dropFirst() {
      let parts = line.split(separator: ",", maxSplits: 1)
      if parts.count == 2 { known[String(parts[0])] = String(parts[1]) }
    }
    return known
  }()

  /// The tensors `input_0.pb`, `input_1.pb`, … (or `output`) of a case; nil where an optional input is absent.
  static func tensors(_ name: String, _ kind: String) throws -> [Tensor] {
    var result: [Tensor] = []
    while true {
      let path = "\(folder)/\(name)/test_data_set_0/\(kind)_\(result.count).pb"
      guard let data = FileManager.default.contents(atPath: path) else { return result }
      result.append(try tensor([UInt8](data)))
    }
  }

  /// A tensor from an encoded `TensorProto`, read as the initializer of a model made around it.
  private static func tensor(_ message: [UInt8]) throws -> Tensor {
    func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
      var length = bytes.count
      var prefix: [UInt8] = []
      repeat {
        prefix.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
        length >>= 7
      } while length > 0
      return [number << 3 | 2] + prefix + bytes
    }
    let named = message + field(8, Array("t".utf8))
    let graph = field(2, Array("g".utf8)) + field(5, named) + field(12, field(1, Array("t".utf8)))
    let model = try ONNX.decode(
      Bytes([0x08, 8] + field(7, graph) + field(8, [0x10, 17])), folder: nil)
    return model.graph.initializers[0].tensor
  }
}

/// How an actual tensor differs from the expected one; nil when it does not.
func difference(_ actual: Tensor, _ expected: Tensor) throws -> String? {
  guard actual.dtype == expected.dtype, actual.shape == expected.shape else {
    return
      "is \(actual.dtype.name) \(actual.shape), wanted \(expected.dtype.name) \(expected.shape)"
  }
  guard expected.dtype.isFloatingPoint else {
    let (a, b) = (try actual.integers(), try expected.integers())
    guard let index = a.indices.first(where: { a[$0] != b[$0] }) else { return nil }
    return "element \(index) is \(a[index]), wanted \(b[index])"
  }
  let (a, b) = (try actual.doubles(), try expected.doubles())
  // Half-precision results are rounded more than once: two units in the last place.
  let relative = expected.dtype == .bfloat16 ? 0x1p-6 : expected.dtype == .float16 ? 0x1p-9 : 1e-3
  let index = a.indices.first { index in
    if a[index].isNaN || b[index].isNaN { return a[index].isNaN != b[index].isNaN }
    return a[index] != b[index] && !(abs(a[index] - b[index]) <= 1e-5 + relative * abs(b[index]))
  }
  guard let index else { return nil }
  return "element \(index) is \(a[index]), wanted \(b[index])"
}
