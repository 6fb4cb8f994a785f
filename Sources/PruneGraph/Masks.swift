/// Which parameters were pruned, kept in the model's metadata so that it survives saving, loading and copying.
///
/// A listed parameter's mask is its non-zero pattern: exact zeros stay zero through training.
extension Model {
  /// The metadata key: initializer names, one a line.
  package static let maskedKey = "libprune.masked"

  /// Names of the initializers whose zeros are pruned weights, in the order they were listed.
  package var maskedParameters: [String] {
    get {
      metadata.first { $0.key == Self.maskedKey }?.value.split(separator: "\n").map(String.init) ?? []
    }
    set {
      metadata.removeAll { $0.key == Self.maskedKey }
      if !newValue.isEmpty {
        metadata.append(MetadataEntry(key: Self.maskedKey, value: newValue.joined(separator: "\n")))
      }
    }
  }

  /// Lists those of the initializers that hold a zero.
  package mutating func maskZeros(of names: [String]) {
    var masked = maskedParameters
    var present = Set(masked)
    for name in names where !present.contains(name) {
      guard let tensor = graph.initializer(name), tensor.nonzeroCount < tensor.count else { continue }
      present.insert(name)
      masked.append(name)
    }
    if masked.count != maskedParameters.count { maskedParameters = masked }
  }
}
