import PruneTensor

/// Parameters that are trained in a way of their own.
package struct ParameterGroup: Sendable {
  /// Name patterns.
  package var parameters: [String]
  /// 0 is the fit's. The fit's schedule applies to it.
  package var lr: Double
  /// nil is the fit's.
  package var weightDecay: Double?

  package init(_ parameters: [String], lr: Double = 0, weightDecay: Double? = nil) {
    self.parameters = parameters
    self.lr = lr
    self.weightDecay = weightDecay
  }
}

/// The groups of a fit, matched with its parameters.
struct ParameterGroups: Sendable {
  /// What each group's learning rate is before the schedule; the first is the fit's own.
  private(set) var rates: [Double]
  private var decays: [Double]
  private var groupOf: [String: Int] = [:]
  /// Positions of the groups without a rate of their own.
  private var followers: [Int] = [0]

  /// - Throws: `.notFound` for a pattern that matches no parameter, `.invalidArgument` for numbers out of range or a
  ///   parameter of two groups.
  init(_ groups: [ParameterGroup], parameters: [String], rate: Double, decay: Double) throws(PruneError) {
    rates = [rate]
    decays = [decay]
    for (index, group) in groups.enumerated() {
      let place = "parameter group \(index + 1)"
      guard group.lr >= 0, group.lr.isFinite else {
        throw PruneError(.invalidArgument, "lr is \(group.lr), wanted a number above 0", at: place)
      }
      guard group.weightDecay.map({ $0 >= 0 && $0.isFinite }) ?? true else {
        throw PruneError(.invalidArgument, "weight_decay is \(group.weightDecay ?? 0), wanted 0 or more", at: place)
      }
      guard !group.parameters.isEmpty else { throw PruneError(.invalidArgument, "it names no parameters", at: place) }
      for text in group.parameters {
        let names = parameters.filter(NamePattern(text).matches)
        guard !names.isEmpty else {
          throw PruneError(
            .notFound, "no trained parameter matches '\(text)'", at: place,
            hint: Suggestion.hint(for: text, among: parameters))
        }
        for name in names {
          guard groupOf[name] ?? (index + 1) == index + 1 else {
            throw PruneError(.invalidArgument, "'\(name)' is in group \(groupOf[name] ?? 0) already", at: place)
          }
          groupOf[name] = index + 1
        }
      }
      if group.lr == 0 { followers.append(rates.count) }
      rates.append(group.lr == 0 ? rate : group.lr)
      decays.append(group.weightDecay ?? decay)
    }
  }

  /// Another rate of the fit: groups with one of their own keep it.
  mutating func setRate(_ rate: Double) {
    for index in followers { rates[index] = rate }
  }

  func index(of parameter: String) -> Int { groupOf[parameter] ?? 0 }
  func decay(of parameter: String) -> Double { decays[index(of: parameter)] }
}
