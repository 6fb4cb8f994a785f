/// Spaces that are the same become one.
extension SpaceForest {
  /// Makes two spaces one. False when their structures do not go together; the caller then pins both.
  mutating func unify(_ first: ID, _ second: ID) -> Bool {
    let a = root(first), b = root(second)
    if a == b { return true }
    guard sizes[a] == sizes[b], sizes[a] >= 0 else { return false }
    switch (forms[a], forms[b]) {
    case (.leaf, _): return absorb(a, into: b)
    case (_, .leaf): return absorb(b, into: a)
    case (.sum(let x), .sum(let y)):
      guard align(x, y) else { return false }
    case (.product(let x), .product(let y)):
      guard match(x, y) else { return false }
    case (.sum, .product(let y)): guard unify(sum: a, factors: y) else { return false }
    case (.product(let x), .sum): guard unify(sum: b, factors: x) else { return false }
    case (.pick, _): return unify(pick: a, b)
    case (_, .pick): return unify(pick: b, a)
    default: return false
    }
    return link(a, b)
  }

  private mutating func link(_ a: ID, _ b: ID) -> Bool {
    let (target, source) = (root(a), root(b))
    guard target != source else { return true }
    guard !hasPicks || !contains(target, source) && !contains(source, target) else { return false }
    forms[source] = .link(target)
    return true
  }

  /// A space that picks, and one that is no leaf.
  private mutating func unify(pick: ID, _ other: ID) -> Bool {
    guard case .pick(let base, let positions) = forms[pick] else { return false }
    switch forms[other] {
    case .pick(let second, let same) where positions == same:
      guard unify(base, second) else { return false }
    case .sum(let parts):
      guard align([pick], parts) else { return false }
    default:
      // A leaf in another order is the other space in the order from which that one comes.
      guard case .leaf = forms[root(base)], let inverse = Self.inverse(positions, of: sizes[base]) else { return false }
      guard absorb(root(base), into: self.pick(other, inverse)) else { return false }
    }
    return link(other, pick)
  }

  /// Where each position of a space is in an order of all of them; nil when some are missing.
  private static func inverse(_ positions: [Int], of size: Int) -> [Int]? {
    guard positions.count == size else { return nil }
    var result = [Int](repeating: -1, count: size)
    for (place, position) in positions.enumerated() where result.indices.contains(position) { result[position] = place }
    return result.contains(-1) ? nil : result
  }

  /// Whether a space is made of another.
  private func contains(_ whole: ID, _ part: ID) -> Bool {
    let whole = root(whole)
    if whole == part { return true }
    return switch forms[whole] {
    case .leaf, .link: false
    case .sum(let parts), .product(let parts): parts.contains { contains($0, part) }
    case .pick(let base, _): contains(base, part)
    }
  }

  private mutating func absorb(_ leaf: ID, into other: ID) -> Bool {
    guard !hasPicks || !contains(other, leaf) else { return false }
    for pin in pins[leaf] { self.pin(other, pin) }
    if roles[leaf] != [] { mark(other, roles[leaf]) }
    forms[leaf] = .link(other)
    return true
  }

  private mutating func align(_ x: [ID], _ y: [ID]) -> Bool {
    var left = x, right = y
    var i = 0, j = 0
    while i < left.count, j < right.count {
      let p = sizes[left[i]], q = sizes[right[j]]
      if p == q {
        guard unify(left[i], right[j]) else { return false }
        i += 1
        j += 1
      } else if p < q {
        guard let (head, tail) = split(right[j], at: p), unify(left[i], head) else { return false }
        right[j] = tail
        i += 1
      } else {
        guard let (head, tail) = split(left[i], at: q), unify(head, right[j]) else { return false }
        left[i] = tail
        j += 1
      }
    }
    return i == left.count && j == right.count
  }

  private mutating func match(_ x: [ID], _ y: [ID]) -> Bool {
    var left = factors(x), right = factors(y)
    var i = 0, j = 0
    while i < left.count, j < right.count {
      let p = sizes[left[i]], q = sizes[right[j]]
      if p == q {
        guard unify(left[i], right[j]) else { return false }
        i += 1
        j += 1
      } else if p < q {
        guard q % p == 0, let parts = factor(right[j], into: [p, q / p]), unify(left[i], parts[0]) else { return false }
        right[j] = parts[1]
        i += 1
      } else {
        guard p % q == 0, let parts = factor(left[i], into: [q, p / q]), unify(parts[0], right[j]) else { return false }
        left[i] = parts[1]
        j += 1
      }
    }
    return i == left.count && j == right.count
  }

  private mutating func unify(sum: ID, factors: [ID]) -> Bool {
    guard let parts = factor(sum, into: factors.map { sizes[$0] }) else { return false }
    for (part, factor) in zip(parts, factors) {
      guard unify(part, factor) else { return false }
    }
    return true
  }
}
