import PruneTensor

/// Arithmetic on extents. What cannot be said is `.unknown`; what overflows is `.unknown` too and fails later, where
/// the shape is made.
extension Dim {
  package static func + (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): combine(x.addingReportingOverflow(y))
    case (_, .fixed(0)): a
    case (.fixed(0), _): b
    default: .unknown
    }
  }

  package static func - (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): combine(x.subtractingReportingOverflow(y))
    case (_, .fixed(0)): a
    case (.named(let x), .named(let y)) where x == y: .fixed(0)
    default: .unknown
    }
  }

  package static func * (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): combine(x.multipliedReportingOverflow(by: y))
    case (_, .fixed(1)): a
    case (.fixed(1), _): b
    case (_, .fixed(0)), (.fixed(0), _): .fixed(0)
    default: .unknown
    }
  }

  /// Truncating division; unknown by zero.
  package static func / (a: Dim, b: Dim) -> Dim {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)):
      y == 0 ? .unknown : combine(x.dividedReportingOverflow(by: y))
    case (_, .fixed(1)): a
    case (.named(let x), .named(let y)) where x == y: .fixed(1)
    default: .unknown
    }
  }

  private static func combine(_ result: (partialValue: Int, overflow: Bool)) -> Dim {
    result.overflow ? .unknown : .fixed(result.partialValue)
  }

  /// The product of extents.
  package static func product(_ dims: some Sequence<Dim>) -> Dim { dims.reduce(.fixed(1), *) }

  /// What two extents that must be equal are; nil when they cannot be.
  package static func unified(_ a: Dim, _ b: Dim) -> Dim? {
    switch (a, b) {
    case (.fixed(let x), .fixed(let y)): x == y ? a : nil
    case (.fixed, _): a
    case (_, .fixed): b
    case (.named, _): a
    default: b
    }
  }

  /// What two extents become by broadcasting (numpy's rule); nil when they do not go together.
  package static func broadcast(_ a: Dim, _ b: Dim) -> Dim? {
    switch (a, b) {
    case (.fixed(1), _): b
    case (_, .fixed(1)): a
    case (.fixed(let x), .fixed(let y)): x == y ? a : nil
    case (.fixed, _): a
    case (_, .fixed): b
    case (.named(let x), .named(let y)) where x == y: a
    default: .unknown
    }
  }
}

/// Lists of extents.
package enum Dims {
  /// The shape that shapes broadcast to, nil when they do not go together.
  package static func broadcast(_ a: [Dim], _ b: [Dim]) -> [Dim]? {
    let rank = max(a.count, b.count)
    var result: [Dim] = []
    for axis in 0..<rank {
      let left = axis < rank - a.count ? Dim.fixed(1) : a[axis - (rank - a.count)]
      let right = axis < rank - b.count ? Dim.fixed(1) : b[axis - (rank - b.count)]
      guard let dim = Dim.broadcast(left, right) else { return nil }
      result.append(dim)
    }
    return result
  }

  /// `whole` divided by `part`, symbols in both cancelled; nil when it cannot be told.
  package static func quotient(of whole: [Dim], by part: [Dim]) -> Dim? {
    var divisors: [Dim] = []
    var rest = whole
    for dim in part {
      if case .named = dim, let index = rest.firstIndex(of: dim) {
        rest.remove(at: index)
      } else {
        divisors.append(dim)
      }
    }
    guard let divisor = Dim.product(divisors).value, divisor > 0 else { return nil }
    // Symbols that are left can only stay when the numbers around them cancel.
    let numbers = Dim.product(rest.filter { $0.value != nil })
    let others = rest.filter { $0.value == nil }
    guard let number = numbers.value, number % divisor == 0 else {
      return others.isEmpty ? nil : .unknown
    }
    return Dim.product([.fixed(number / divisor)] + others)
  }

  package static func text(_ dims: [Dim]) -> String {
    "[" + dims.map(\.description).joined(separator: ",") + "]"
  }
}
