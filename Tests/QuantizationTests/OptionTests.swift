import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

import Quantization

/// No option does nothing without a word.
@Suite struct OptionTests {
  typealias Setting = @Sendable (inout QuantizeOptions) -> Void

  struct Change: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let base: Setting
    let set: Setting

    init(_ name: String, _ base: @escaping Setting = { _ in }, _ set: @escaping Setting) {
      (testDescription, self.base, self.set) = (name, base, set)
    }
  }

  static let blocks: Setting = { ($0.scheme, $0.bits, $0.blockSize) = ("weight_only", 4, 16) }
  static let fused: Setting = {
    ($0.scheme, $0.bits, $0.blockSize, $0.format) = ("weight_only", 4, 16, "matmul_nbits")
  }
  static let bytes: Setting = { ($0.scheme, $0.format) = ("weight_only", "matmul_nbits") }

  static let changes: [Change] = [
    Change("rounding 'gptq'") { $0.rounding = "gptq" },
    Change("rounding 'adaround'") { $0.rounding = "adaround" },
    Change("smooth") { $0.smooth = 0.5 },
    Change("equalize") { $0.equalize = true },
    // "auto" corrects biases by itself where that helps.
    Change("bias_correction", { $0.calibrator = "minmax" }) { $0.biasCorrection = true },
    Change("symmetric") { $0.symmetric = true },
    Change("per_channel") { $0.perChannel = false },
    Change("format") { $0.format = "qoperator" },
    Change("qat") { $0.qat = true },
    Change("calibrator") { $0.calibrator = "mse" },
    Change("rounding 'gptq' of blocks", blocks) { $0.rounding = "gptq" },
    Change("rounding 'adaround' of blocks", blocks) { $0.rounding = "adaround" },
    Change("rounding 'awq' of blocks", blocks) { $0.rounding = "awq" },
    Change("symmetric of blocks", blocks) { $0.symmetric = true },
    Change("block_size", blocks) { $0.blockSize = 8 },
    Change("rounding 'gptq' fused", fused) { $0.rounding = "gptq" },
    Change("rounding 'adaround' fused", fused) { $0.rounding = "adaround" },
    Change("rounding 'awq' fused", fused) { $0.rounding = "awq" },
    Change("rounding 'gptq' of 8 bits fused", bytes) { $0.rounding = "gptq" },
    Change("rounding 'gptq' of 8 bits", { $0.scheme = "weight_only" }) { $0.rounding = "gptq" },
    Change("rounding 'gptq' with one scale", { ($0.scheme, $0.perChannel) = ("weight_only", false) }) {
      $0.rounding = "gptq"
    },
    Change("rounding 'hqq' of blocks", blocks) { $0.rounding = "hqq" },
    Change("rounding 'hqq' fused", fused) { $0.rounding = "hqq" },
    Change("bits", blocks) { $0.bits = 3 },
    Change("bits of channels", { $0.scheme = "weight_only" }) { $0.bits = 6 },
    Change("block_size of float8", { $0.scheme = "float8" }) { $0.blockSize = 8 },
    Change("per_channel of float8", { $0.scheme = "float8" }) { $0.perChannel = false },
    Change("per_channel of dynamic", { $0.scheme = "dynamic" }) { $0.perChannel = false },
    Change("symmetric of dynamic", { $0.scheme = "dynamic" }) { $0.symmetric = true },
    Change("per_channel of float16", { $0.scheme = "float16" }) { $0.perChannel = false },
    Change("group_size", { $0.scheme = "palette" }) { $0.groupSize = 4 },
  ]

  /// Nil for a network that the scheme has nothing for.
  private func bytes(_ form: ExportedForms.Form, _ set: (inout QuantizeOptions) -> Void...) throws -> (
    bytes: [UInt8], report: Report
  ) {
    var options = QuantizeOptions()
    options.calibration = form.data
    for change in set { change(&options) }
    var (model, report) = try quantize(form.model, options)
    // What it says of how it was made differs anyway.
    model.metadata = []
    return (try ONNX.encode(model), report)
  }

  @Test(arguments: ExportedForms.names, changes)
  func everyOptionChangesTheFileOrIsRefused(name: String, change: Change) throws {
    let form = try ExportedForms.named(name)
    let plain: (bytes: [UInt8], report: Report)
    do {
      plain = try bytes(form, change.base)
    } catch let error as PruneError {
      // A network of convolutions has no blocks.
      #expect(name == "signals" && error.status == .invalidArgument && !error.hint.isEmpty, "\(error)")
      return
    }
    do {
      let (changed, report) = try bytes(form, change.base, change.set)
      #expect(changed != plain.bytes, "\(change) does nothing to \(name)")
      let unserved = report["not_served"]?.list?.compactMap(\.report) ?? []
      #expect(unserved.allSatisfy { !($0["reason"]?.text ?? "").isEmpty && !($0["name"]?.text ?? "").isEmpty })
    } catch let error as PruneError {
      let word = try #require(change.testDescription.split(separator: " ").first)
      #expect(error.status == .invalidArgument || error.status == .unsupported)
      #expect("\(error.message) \(error.hint)".contains(word), "\(error)")
    }
  }

  private func error(_ small: Model, _ form: ExportedForms.Form) throws -> Double {
    let wanted = try #require(try Session(form.model).run(["x": form.data.x])["y"]).array(of: Float.self)
    let found = try #require(try Session(small).run(["x": form.data.x])["y"]).array(of: Float.self)
    var sum = 0.0
    for (place, value) in wanted.enumerated() { sum += Double((value - found[place]) * (value - found[place])) }
    return sum
  }

  @Test(
    arguments: ["bert", "llama", "lstm", "cnn"],
    [(false, "gptq"), (false, "adaround"), (true, "gptq"), (true, "adaround")])
  func blocksRoundedWithRegardToTheirInputsAreCloser(name: String, way: (fused: Bool, rounding: String)) throws {
    let form = try ExportedForms.named(name)
    func rounded(_ rounding: String) throws -> Double {
      var options = QuantizeOptions()
      (way.fused ? Self.fused : Self.blocks)(&options)
      (options.calibration, options.rounding) = (form.data, rounding)
      return try error(try quantize(form.model, options).model, form)
    }
    let nearest = try rounded("nearest"), better = try rounded(way.rounding)
    // Of a fused CNN the one matrix is small: that it changes is tested above.
    if !(name == "cnn" && way.fused), name != "lstm" { #expect(better < nearest, "\(nearest) -> \(better)") }
  }

  @Test func productsBehindANormalizationAreSmoothedByAMul() throws {
    let form = try ExportedForms.named("bert")
    var options = QuantizeOptions()
    (options.calibration, options.smooth) = (form.data, 0.5)
    let (small, report) = try quantize(form.model, options)
    #expect((report["smoothed_groups"]?.integer ?? 0) >= 2)
    // The residual sum reads what the product does, without the factors.
    let up = try #require(small.graph.nodes.first { $0.name == "up" }),
      residual = try #require(small.graph.nodes.first { $0.name == "residual" })
    #expect(
      !Set(up.inputs).isDisjoint(with: small.graph.nodes.flatMap { $0.outputs.filter { $0.contains("rescaled") } }))
    #expect(residual.inputs.allSatisfy { !$0.contains("rescaled") })
    options.smooth = 0
    let plain = try error(quantize(form.model, options).model, form), smoothed = try error(small, form)
    #expect(smoothed < 0.9 * plain, "\(plain) -> \(smoothed)")
  }

  @Test func theAddBehindAProductIsItsBias() throws {
    let form = try ExportedForms.named("bert")
    var options = QuantizeOptions()
    (options.calibration, options.biasCorrection, options.perChannel) = (form.data, true, false)
    #expect(try quantize(form.model, options).report["corrected_biases"]?.integer == 3)
    let refused = #expect(throws: PruneError.self) {
      var options = options
      let llama = try ExportedForms.named("llama")
      options.calibration = llama.data
      _ = try quantize(llama.model, options)
    }
    #expect(refused?.message.contains("MatMul 'gate': it has no bias") == true)
  }
}
