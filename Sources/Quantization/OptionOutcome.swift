import PruneGraph
import PruneTensor

/// Why something is not done to a layer.
struct Reason: Error {
  let text: String
  /// What to do about it; empty where nothing can be.
  let advice: String

  init(_ text: String, advice: String = "") { (self.text, self.advice) = (text, advice) }

  static let storeInstead = "scheme = \"dynamic\" or \"weight_only\" stores its weight in 8 bits"
  /// Of a layer whose weight is not an initializer.
  static func computed(_ operation: String) -> Reason {
    Reason(
      "its weight is not a constant",
      advice: Operator[name: operation]?.traits.contains(.matrixProduct) ?? false
        ? "a product of two activations has no weight to store" : "store the weight as an initializer before quantizing"
    )
  }
  static let notFinite = Reason("its weight holds NaN or infinity", advice: "load or train the weight again")
}

/// What an option did to the layers that it is for: none is passed over without a word.
struct OptionOutcome {
  /// As the call names it.
  let option: String
  /// What the report calls the number of layers, or groups of them, that it changed.
  let step: String
  private(set) var served = 0
  private(set) var unserved: [QuantizationPlan.Kept] = []

  init(_ option: String, step: String) { (self.option, self.step) = (option, step) }

  mutating func serve(_ count: Int = 1) { served += count }

  mutating func leave(_ node: Node, _ reason: String) {
    unserved.append(QuantizationPlan.Kept(name: node.layerName, operation: node.opType, reason: reason))
  }

  /// - Throws: `.invalidArgument` with the reasons when no layer was served.
  func checked() throws(PruneError) -> OptionOutcome {
    guard served == 0 else { return self }
    let reasons = unserved.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }
    let more = unserved.count > 3 ? "; and \(unserved.count - 3) more" : ""
    throw PruneError(
      .invalidArgument,
      "\(option) changes nothing in this model: "
        + (reasons.isEmpty ? "it has no layer for it" : reasons.joined(separator: "; ")) + more,
      hint: "leave \(option.prefix { $0 != " " }) out")
  }
}
