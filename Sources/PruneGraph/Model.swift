import PruneTensor

/// A whole ONNX model (`ModelProto`): a graph and what surrounds it in the file.
///
/// Lossless: what no field here names is kept in `extra` and written back. A value type: copying a model copies no
/// weight, and a transform returns a new model that shares every tensor it did not change.
package struct Model: Sendable {
  package var irVersion: Int64
  package var producerName: String
  package var producerVersion: String
  package var domain: String
  package var modelVersion: Int64
  package var docString: String
  package var graph: Graph
  package var opsets: [OpsetImport]
  package var metadata: [MetadataEntry]
  package var functions: [FunctionDefinition]
  package var extra: ExtraFields
  /// The state that the last fit left for the next one; nil before the first.
  package var optimizerState: OptimizerState?

  package init(graph: Graph, opset: Int64 = Model.defaultOpset) {
    irVersion = 8
    producerName = "libprune"
    producerVersion = ""
    domain = ""
    modelVersion = 0
    docString = ""
    self.graph = graph
    opsets = [OpsetImport(domain: "", version: opset)]
    metadata = []
    functions = []
    extra = []
  }

  /// The opset of models made here; the newest that every runtime of the last years reads.
  package static let defaultOpset: Int64 = 17

  /// The version of a domain's operator set, "" and "ai.onnx" being the same; nil when not imported.
  package func opset(_ domain: String = "") -> Int64? {
    let canonical = domain == "ai.onnx" ? "" : domain
    return opsets.first { ($0.domain == "ai.onnx" ? "" : $0.domain) == canonical }?.version
  }
}

/// Encoded protobuf fields kept as they are: unknown ones, and known ones that were present with their default value.
package typealias ExtraFields = [UInt8]

package struct OpsetImport: Sendable {
  package var domain: String
  package var version: Int64
  package var extra: ExtraFields
  package init(domain: String, version: Int64, extra: ExtraFields = []) {
    self.domain = domain
    self.version = version
    self.extra = extra
  }
}

/// A key and value of `metadata_props`.
package struct MetadataEntry: Sendable {
  package var key: String
  package var value: String
  package var extra: ExtraFields
  package init(key: String, value: String, extra: ExtraFields = []) {
    self.key = key
    self.value = value
    self.extra = extra
  }
}

/// A model-local function (`FunctionProto`).
package struct FunctionDefinition: Sendable {
  package var name: String = ""
  package var domain: String = ""
  package var overload: String = ""
  package var inputs: [String] = []
  package var outputs: [String] = []
  package var attributes: [String] = []
  package var attributeDefaults: [Attribute] = []
  package var nodes: [Node] = []
  package var opsets: [OpsetImport] = []
  package var docString: String = ""
  package var extra: ExtraFields = []
  package init() {}
}
