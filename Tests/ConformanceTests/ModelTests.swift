import Foundation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Whole models: the outputs ONNX Runtime stored, and what they are known to score.
@Suite(.enabled(if: Shared.isPresent, "../shared is not beside this checkout"))
struct ModelTests {
  private static let topologies = [
    "densenet", "encoder_separate_qkv", "gru_bidirectional", "inception_concat_flatten", "lstm", "mobilenet_v2",
    "mobilenet_v3_se", "resnet_basic_bn", "resnet_bottleneck", "resnext_grouped", "shufflenet_v2", "squeezenet_fire",
    "tied_embedding", "two_inputs_two_outputs", "unet_convtranspose", "vit_merged_qkv", "yolo_split_concat_resize",
  ].map { (Shared.folder + "/models/topologies/\($0).onnx", "models/topologies/\($0).npz") }
  private static let trained = [
    ("resnet_cifar/resnet20_cifar10", "resnet20_cifar10"), ("resnet_cifar/resnet56_cifar10", "resnet56_cifar10"),
    ("mobilenet_v2/mobilenet_v2_imagenet", "mobilenet_v2_imagenet"),
    ("tied/siamese_resnet20_tied", "siamese_resnet20_tied"),
  ].map { (Shared.folder + "/models/\($0.0).onnx", "ref/\($0.1).npz") }
  static let stored = topologies + trained + (Shared.hasMiniLM ? [(Shared.minilm, "ref/minilm_l6_v2.npz")] : [])

  @Test(arguments: stored)
  func outputsAreThoseOfONNXRuntime(path: String, arrays: String) throws {
    let model = try ModelFormats.load(path: path)
    let stored = try Shared.arrays(arrays)
    var feeds: [String: Tensor] = [:]
    for (name, tensor) in stored where name.hasPrefix("in_") {
      feeds[name.split(separator: "_", maxSplits: 2).last.map(String.init) ?? ""] = tensor
    }
    let results = try Session(model).run(feeds)
    for (index, output) in model.graph.outputs.enumerated() {
      let (wanted, got) = (try #require(stored["out_\(index)"]), try #require(results[output.name]))
      #expect(got.shape == wanted.shape)
      let distance = try relativeNorm(got, wanted)
      #expect(distance < 1e-4, "\(output.name) is off by \(distance)")
    }
  }

  /// Symbols stay in every shape that inference finds, and are true: with them replaced, it finds what a run gives.
  @Test(arguments: stored)
  func inferenceKeepsSymbols(path: String, arrays: String) throws {
    var model = try ModelFormats.load(path: path)
    let symbols = Set(model.graph.inputs.flatMap { $0.type?.dims ?? [] }.filter { $0.value == nil })
    model.graph.valueInfo = []
    let outputs = model.graph.outputs.map(\.name)
    for index in model.graph.outputs.indices { model.graph.outputs[index].type = nil }
    let open = try ShapeInference.run(model).types
    for output in outputs {
      let type = try #require(open[output], "\(output) has no type")
      let dims = try #require(type.dims, "\(output) is \(type)")
      #expect(dims.allSatisfy { $0.value != nil || symbols.contains($0) || $0 == .unknown }, "\(output) is \(type)")
      #expect(symbols.isEmpty || dims.contains { symbols.contains($0) }, "\(output) is \(type)")
    }
    for node in model.graph.nodes where !node.isStandard || node.opType != "Constant" {
      for output in node.outputs where !output.isEmpty {
        #expect(
          open[output]?.dims != nil && open[output]?.dtype != nil,
          "\(node.label) gives \(open[output]?.description ?? "?")")
      }
    }
    let stored = try Shared.arrays(arrays)
    var fixed: [String: TensorType] = [:]
    for input in model.graph.trueInputs {
      let tensor = try #require(stored.first { $0.key.hasPrefix("in_") && $0.key.hasSuffix("_" + input.name) }?.value)
      fixed[input.name] = TensorType(tensor.dtype, tensor.shape)
    }
    let closed = try ShapeInference.run(model, inputs: fixed)
    for (index, output) in outputs.enumerated() {
      #expect(closed.shape(output) == stored["out_\(index)"]?.shape, "\(output)")
    }
  }

  @Test func resNetsScoreOnCIFAR() throws {
    // The first thousand test records: a label, then red, green and blue planes.
    let file = try FileReader.bytes(of: "\(Shared.folder)/data/cifar10/test_first1000.bin.gz")
    let records = try gunzip(file, limit: 1 << 24).array
    let (mean, deviation): ([Float], [Float]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    var pixels: [Float] = []
    for image in 0..<1000 {
      for place in 0..<3072 {
        let value = Float(records[image * 3073 + 1 + place]) / 255
        pixels.append((value - mean[place / 1024]) / deviation[place / 1024])
      }
    }
    let images = try Tensor(pixels, Shape([1000, 3, 32, 32]))
    // On all 10 000: 81.03 % and 86.81 %.
    for (name, accuracy) in [("resnet20_cifar10", 0.8103), ("resnet20_cifar10_jpegft", 0.8681)] {
      let session = Session(try Shared.model("resnet_cifar/\(name)"))
      var hits = 0
      for first in stride(from: 0, to: 1000, by: 250) {
        let batch = try images.rows(first, first + 250)
        let logits: [Float] = try #require(try session.run(["input": batch]).values.first).array()
        for image in 0..<250 {
          let row = logits[(image * 10)..<(image * 10 + 10)]
          let label = Int(records[(first + image) * 3073])
          if row.firstIndex(of: row.max() ?? 0) == image * 10 + label { hits += 1 }
        }
      }
      #expect(abs(Double(hits) / 1000 - accuracy) < 0.03, "\(name): \(hits) of 1000")
    }
  }

  @Test(
    .enabled(
      if: Shared.hasMiniLM, "MiniLM is not built: models/minilm_l6_v2/get FOLDER, PRUNE_MINILM=FOLDER/minilm_l6_v2.onnx"
    ))
  func miniLMRanksSentencePairs() throws {
    // Every seventh pair of the STS-B test set; all of it gives a Spearman correlation of 0.8203.
    let data = try Shared.arrays("data/stsb/stsb_test_tokens.npz")
    let session = Session(try ModelFormats.load(path: Shared.minilm), outputs: ["sentence_embedding"])
    let scores = try #require(data["score"]).array(of: Float.self)
    let chosen = Array(stride(from: 0, to: scores.count, by: 7))
    func embeddings(_ side: String) throws -> [[Float]] {
      let ids = try #require(data["ids_\(side)"]).integers()
      let mask = try #require(data["mask_\(side)"]).integers()
      return try chosen.map { row in
        let length = max(mask[(row * 64)..<(row * 64 + 64)].reduce(0, +), 1)
        let range = (row * 64)..<(row * 64 + length)
        let shape = try Shape([1, length])
        let results = try session.run([
          "input_ids": Tensor(ids[range].map(Int64.init), shape),
          "attention_mask": Tensor(mask[range].map(Int64.init), shape),
          "token_type_ids": Tensor(zeros: .int64, shape),
        ])
        return try #require(results["sentence_embedding"]).array(of: Float.self)
      }
    }
    let cosines = zip(try embeddings("a"), try embeddings("b")).map {
      zip($0, $1).reduce(0) { $0 + Double($1.0 * $1.1) }
    }
    let correlation = spearman(cosines, chosen.map { Double(scores[$0]) })
    #expect(abs(correlation - 0.8203) < 0.04, "Spearman \(correlation)")
  }

  private func spearman(_ a: [Double], _ b: [Double]) -> Double {
    func ranks(_ x: [Double]) -> [Double] {
      let order = x.indices.sorted { x[$0] < x[$1] }
      var result = [Double](repeating: 0, count: x.count)
      var first = 0
      while first < order.count {
        var last = first
        while last + 1 < order.count, x[order[last + 1]] == x[order[first]] { last += 1 }
        for position in first...last { result[order[position]] = Double(first + last) / 2 }
        first = last + 1
      }
      return result
    }
    let (x, y) = (ranks(a), ranks(b))
    let mean = Double(x.count - 1) / 2
    let (products, squares, others) = zip(x, y).reduce((0.0, 0.0, 0.0)) { sums, pair in
      let (u, v) = (pair.0 - mean, pair.1 - mean)
      return (sums.0 + u * v, sums.1 + u * u, sums.2 + v * v)
    }
    return products / (squares * others).squareRoot()
  }

  /// A GRU encoder, and a Loop that speaks phonemes until it says the end.
  @Test func graphemesBecomePhonemes() throws {
    let weights = try Shared.arrays("models/g2p/g2p_en_gru_checkpoint20.npz")
    let words = try String(contentsOfFile: "\(Shared.folder)/ref/g2p_pairs.tsv", encoding: .utf8).split(separator: "\n")
    let symbols = try String(contentsOfFile: "\(Shared.folder)/models/g2p/symbols.txt", encoding: .utf8).split(
      separator: "\n")
    let letters = symbols[0].split { $0 == "\t" || $0 == " " }.dropFirst().map(String.init)
    let phonemes = symbols[1].split { $0 == "\t" || $0 == " " }.dropFirst().map(String.init)
    let session = Session(Model(graph: try Self.speaker(weights)))
    var correct = 0
    for line in words {
      let parts = line.split(separator: "\t").map(String.init)
      let ids = parts[0].map { Int64(letters.firstIndex(of: String($0)) ?? 1) } + [2]
      let results = try session.run(["letters": Tensor(ids, Shape([ids.count, 1]))])
      let spoken = try #require(results["spoken"]).integers().prefix { $0 != 3 }.map { phonemes[$0] }
      if spoken.joined(separator: " ") == parts[1] { correct += 1 }
    }
    #expect(words.count == 500)
    #expect(correct == 500, "\(correct) of 500 words")
  }

  private static func speaker(_ weights: [String: Tensor]) throws -> Graph {
    /// ONNX has the gates in order z, r, n; the checkpoint r, z, n.
    func gates(_ name: String) throws -> Tensor {
      let tensor = try #require(weights[name])
      let (values, third) = (try tensor.array(of: Float.self), tensor.count / 3)
      let moved = values[third..<(2 * third)] + values[..<third] + values[(2 * third)...]
      return try Tensor(Array(moved), Shape([1] + tensor.shape.dims))
    }
    func cell(_ part: String) throws -> [(String, Tensor)] {
      let (a, b) = (try gates("\(part)_b_ih"), try gates("\(part)_b_hh"))
      let both = try a.array(of: Float.self) + b.array(of: Float.self)
      return [
        ("\(part)_w", try gates("\(part)_w_ih")), ("\(part)_r", try gates("\(part)_w_hh")),
        ("\(part)_b", try Tensor(both, Shape([1, both.count]))), ("\(part)_emb", try #require(weights["\(part)_emb"])),
      ]
    }
    func gru(_ part: String, _ x: String, _ start: String, _ state: String) -> Node {
      Node(
        "GRU", inputs: [x, "\(part)_w", "\(part)_r", "\(part)_b", "", start], outputs: ["", state],
        attributes: [Attribute("hidden_size", .int(256)), Attribute("linear_before_reset", .int(1))])
    }
    let body = makeGraph(
      [
        node("Gather", ["dec_emb", "last"], "x"), gru("dec", "x", "state", "next"),
        node("MatMul", ["next", "fc_w"], "products"), node("Add", ["products", "fc_b"], "logits"),
        node("ArgMax", ["logits"], "best", [("axis", .int(2)), ("keepdims", .int(0))]),
        node("Squeeze", ["best"], "said"), node("Equal", ["said", "end"], "ends"), node("Not", ["ends"], "more"),
      ],
      inputs: [
        ("i", type(.int64)), ("go", type(.bool)), ("last", type(.int64, 1, 1)), ("state", type(.float32, 1, 1, 256)),
      ],
      constants: [("end", try Tensor(scalar: Int64(3)))], outputs: ["more", "best", "next", "said"])
    let loop = Node(
      "Loop", name: "speak", inputs: ["limit", "", "first", "thought"], outputs: ["", "", "spoken"],
      attributes: [Attribute("body", .graph(body))])
    let fc = try #require(weights["fc_w"])
    let columns = try fc.array(of: Float.self)
    let transposed = (0..<256).flatMap { column in (0..<74).map { columns[$0 * 256 + column] } }
    return makeGraph(
      [node("Gather", ["enc_emb", "letters"], "embedded"), gru("enc", "embedded", "", "thought"), loop],
      inputs: [("letters", TensorType(.int64, [.named("length"), .fixed(1)]))],
      constants: try cell("enc") + cell("dec") + [
        ("fc_w", try Tensor(transposed, Shape([256, 74]))), ("fc_b", try #require(weights["fc_b"])),
        ("limit", try Tensor(scalar: Int64(20))), ("first", try Tensor([Int64(2)], Shape([1, 1]))),
      ], outputs: ["spoken"])
  }
}
