import PruneData
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

  /// The least and the largest number of some samples.
  private func range(of data: Dataset, _ column: Int) throws(PruneError) -> (low: Double, high: Double)? {
    let some = try data.rows(0, min(Self.looked, data.count))
    guard column < some.columns.count else { return nil }
    return try some.columns[column].tensor.cast(to: .float32).finiteRange().map { (Double($0.low), Double($0.high)) }
  }

  private func text(_ number: Double) -> String { formatted(number, digits: 4, style: "g") }
}
