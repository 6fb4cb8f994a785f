import PruneGraph
import PruneTensor
import Testing

@Suite struct ShapeBindingTests {
  private func model(_ inputs: [(String, [Dim])], metadata: [MetadataEntry] = []) -> Model {
    var graph = Graph(name: "open")
    graph.inputs = inputs.map { ValueInfo(name: $0.0, type: TensorType(.float32, $0.1)) }
    var model = Model(graph: graph)
    model.metadata = metadata
    return model
  }

  private var image: Model {
    model([("x", [.named("N"), .fixed(3), .named("H"), .named("W")]), ("size", [.unknown, .unknown])])
  }

  @Test func theBatchIsWhatAlwaysComesFirst() {
    let open = OpenExtents(image)
    #expect(open.batch == [.named("N"), .axis(input: "size", index: 0)])
    #expect(open.names == ["H", "W", "axis 1 of 'size'"])
    let timeMajor = OpenExtents(model([("x", [.named("T"), .named("batch"), .fixed(5)]), ("len", [.named("batch")])]))
    #expect(timeMajor.batch == [.named("batch")] && timeMajor.names == ["T"])
    let pairs = OpenExtents(model([("x", [.named("N"), .fixed(8)]), ("adj", [.named("N"), .named("N")])]))
    #expect(pairs.batch.isEmpty && pairs.names == ["N"])
  }

  @Test func namesThatAreSumsFollow() throws {
    let cached = model([
      ("ids", [.named("B"), .named("T")]), ("past", [.named("B"), .fixed(2), .named("P"), .fixed(4)]),
      ("mask", [.named("B"), .named("P + T")]),
    ])
    #expect(OpenExtents(cached).names == ["T", "P"])
    let bound = try BoundExtents(cached, shapes: ShapeBinding([("T", [3]), ("P", [5])]), assumes: false)
    #expect(bound.shapes(of: cached)?["mask"]?.dims == [1, 8] && bound.open.isEmpty)
    #expect(ExtentExpression("(a + 7)//8*2")?.value { $0 == "a" ? 9 : nil } == 4)
    for plain in ["height", "7", "a +", "a b", "floor(a)", "(a + 1", "a ++ b"] {
      #expect(ExtentExpression(plain) == nil, "\(plain)")
    }
    #expect(ExtentExpression("a - 9")?.value { _ in 3 } == nil && ExtentExpression("9//a")?.value { _ in 0 } == nil)
  }

  @Test func oneNameIsOneExtentInAnOrderOfSources() throws {
    let model = image
    let given = ShapeBinding([("H", [48])]), samples = ["x": [3, 32, 20]]
    let bound = try BoundExtents(model, shapes: given, samples: samples, assumes: true)
    #expect(bound.extents[.named("H")] == 48 && bound.extents[.named("W")] == 20)
    #expect(bound.assumption == "axis 1 of 'size' = 64")
    #expect(bound.shapes(of: model, batch: 2)?["x"]?.dims == [2, 3, 48, 20])
    let open = try BoundExtents(model, assumes: false)
    #expect(open.open == ["H", "W", "axis 1 of 'size'"] && open.shapes(of: model) == nil)
    let whole = try BoundExtents(
      model, shapes: ShapeBinding([("x", [1, 3, 64, 32]), ("size", [1, 2])]), assumes: false)
    #expect(whole.open.isEmpty && whole.extents[.named("W")] == 32)
  }

  @Test func metadataAndTablesImply() throws {
    let ultralytics = model(
      [("images", [.named("batch"), .fixed(3), .named("height"), .named("width")])],
      metadata: [MetadataEntry(key: "imgsz", value: "[640, 320]")])
    let bound = try BoundExtents(ultralytics, assumes: false)
    #expect(bound.implication == "height = 640, width = 320" && bound.open.isEmpty)
    var tokens = model([("x", [.named("B"), .named("T"), .fixed(4)])])
    tokens.graph.setInitializer("table", try Tensor(zeros: .float32, Shape([1, 12, 4])))
    tokens.graph.nodes = [Node("Add", inputs: ["x", "table"], outputs: ["y"])]
    tokens.graph.outputs = [ValueInfo(name: "y", type: nil)]
    #expect(try BoundExtents(tokens, assumes: false).extents == [.named("T"): 12])
  }

  @Test func othersAreTriedWhereTheAssumedDoNotFit() throws {
    var top = model([("x", [.named("N"), .named("L")])])
    top.graph.setInitializer("k", try Tensor([300] as [Int64]))
    top.graph.nodes = [Node("TopK", inputs: ["x", "k"], outputs: ["v", "i"])]
    top.graph.outputs = [ValueInfo(name: "v", type: nil)]
    #expect(try BoundExtents(top, assumes: true).assumption == "L = 320")
  }

  @Test(
    arguments: [
      ([("height", [48])], "did you mean 'H'"), ([("x", [1, 4, 8, 8])], "declared"), ([("x", [1, 3, 8])], "declared"),
      ([("H", [8]), ("x", [1, 3, 9, 9])], "given as"), ([("H", [8, 8])], "one number"), ([("W", [0])], "1 or more"),
    ] as [([(name: String, extents: [Int])], String)])
  func wrongNamesAndExtentsAreRefused(entries: [(name: String, extents: [Int])], text: String) {
    do {
      _ = try ShapeBinding(entries).extents(of: image)
      Issue.record("accepted \(entries)")
    } catch { #expect("\(error)".contains(text) || text.contains("did you"), "\(error)") }
  }
}
