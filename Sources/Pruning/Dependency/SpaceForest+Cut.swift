/// What is left of spaces when units of leaves go.
extension SpaceForest {
  /// Units left of a space when so many of each leaf are.
  func count(_ id: ID, _ kept: [ID: Int]) -> Int {
    let id = root(id)
    switch form(id) {
    case .leaf, .link: return kept[id] ?? size(id)
    case .sum(let parts): return parts.reduce(0) { $0 + count($1, kept) }
    case .product(let parts): return parts.reduce(1) { $0 * count($1, kept) }
    }
  }

  /// Which units of a space stay; nil when all do.
  func mask(_ id: ID, _ kept: [ID: [Bool]]) -> [Bool]? {
    let id = root(id)
    switch form(id) {
    case .leaf, .link: return kept[id]
    case .sum(let parts):
      let masks = parts.map { mask($0, kept) }
      guard masks.contains(where: { $0 != nil }) else { return nil }
      return zip(parts, masks).flatMap { part, mask in mask ?? [Bool](repeating: true, count: size(part)) }
    case .product(let parts):
      let masks = parts.map { mask($0, kept) }
      guard masks.contains(where: { $0 != nil }) else { return nil }
      var result = [true]
      for (part, mask) in zip(parts, masks) {
        let inner = mask ?? [Bool](repeating: true, count: size(part))
        result = result.flatMap { outer in inner.map { outer && $0 } }
      }
      return result
    }
  }

  /// For every unit of a space, which unit of `leaf` it goes with; -1 for none.
  func coordinates(_ id: ID, of leaf: ID) -> [Int] {
    let id = root(id)
    switch form(id) {
    case .leaf, .link: return id == leaf ? Array(0..<size(id)) : [Int](repeating: -1, count: max(size(id), 0))
    case .sum(let parts): return parts.flatMap { coordinates($0, of: leaf) }
    case .product(let parts):
      var result = [-1]
      for part in parts {
        let inner = coordinates(part, of: leaf)
        result = result.flatMap { outer in inner.map { outer >= 0 ? outer : $0 } }
      }
      return result
    }
  }
}
