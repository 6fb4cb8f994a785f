import PruneData
import PruneGraph
import PruneTensor

extension InputBinding {
  /// Samples that are looked at.
  private static let looked = 32

  /// What to say of a classifier that knows no more than chance, where the scale of the samples may be why; nil
  /// otherwise.
  func warning(_ accuracy: Double, classes: Int, _ data: Dataset) throws(PruneError) -> String? {
    // With two classes a guess is right in half of the cases, with unequal classes more often.
    guard classes > 2, accuracy <= 1.6 / Double(classes), data.count >= 10 * classes,
      let (input, column) = bindings.first,
      input.type?.dtype?.isFloatingPoint ?? true, let range = try range(of: data, column)
    else { return nil }
    let chance =
      "accuracy \(formatted(accuracy, digits: 4)) is that of chance. If the model is trained, the samples are not as they were in training: "
    let observation = "input '\(input.name)' gets numbers of \(text(range.low))...\(text(range.high))"
    switch (range.low, range.high) {
    case (0..., 1.5...):
      return chance
        + "\(observation), as pixels have; try data:normalize{mean = 0, std = 255}, and then mean and std of the training"
    case (0..., ...1.5):
      return chance + "\(observation); try data:normalize{mean =, std =} with those of the training, "
        + "such as mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225} of ImageNet"
    default: return chance + "\(observation); look at scale, order of channels and numbering of classes"
    }
  }

  /// What to say of bytes that go as they are into a layer of weights; nil where the model scales them itself, or they
  /// are small.
  func warningOfPixels(_ data: Dataset, _ graph: Graph) throws(PruneError) -> String? {
    for (input, column) in bindings where input.type?.dtype?.isFloatingPoint ?? true {
      guard data.columns.indices.contains(column), data.columns[column].dtype == .uint8,
        Self.meetsWeights(input.name, graph), let range = try range(of: data, column), range.high > 2
      else { continue }
      return
        "input '\(input.name)' is \(input.type?.dtype?.name ?? "float32") and gets bytes of \(text(range.low))...\(text(range.high)) as they are: "
        + "if the model was trained on scaled images, data:normalize{mean = 0, std = 255} makes them 0...1, "
        + "and mean and std of the training come on top"
    }
    return nil
  }

  /// Whether a value reaches weights through nothing but what moves it.
  private static func meetsWeights(_ value: String, _ graph: Graph) -> Bool {
    var value = value
    for _ in 0..<8 {
      let readers = graph.nodes.filter { $0.inputs.contains(value) }
      guard readers.count == 1, let node = readers.first else { return false }
      if ["Conv", "Gemm", "MatMul"].contains(node.operatorName) { return true }
      guard node.operatorName == "Cast" || node.operation?.kind == .reshaping || node.operatorName == "Transpose",
        let output = node.output(0)
      else { return false }
      value = output
    }
    return false
  }

  /// The least and the largest number of some samples.
  private func range(of data: Dataset, _ column: Int) throws(PruneError) -> (low: Double, high: Double)? {
    let some = try data.rows(0, min(Self.looked, data.count))
    guard column < some.columns.count else { return nil }
    return try some.columns[column].tensor.cast(to: .float32).finiteRange().map { (Double($0.low), Double($0.high)) }
  }

  private func text(_ number: Double) -> String { formatted(number, digits: 4, style: "g") }
}
