/// What spaces are made of, and what is left of them when units of leaves go.
extension SpaceForest {
  /// The leaves of every product that spaces are made of.
  func products(in spaces: some Sequence<ID>) -> [Set<ID>] {
    var seen: Set<ID> = []
    var result: [Set<ID>] = []
    var queue = Array(spaces)
    while let next = queue.popLast() {
      let id = root(next)
      guard seen.insert(id).inserted else { continue }
      switch forms[id] {
      case .leaf, .link: break
      case .sum(let parts): queue += parts
      case .product(let parts):
        result.append(Set(leaves(id)))
        queue += parts
      case .pick(let base, _): queue.append(base)
      }
    }
    return result
  }

  /// Spaces that pick their units from others.
  var picks: [ID] { forms.indices.filter { if case .pick = forms[$0] { true } else { false } } }

  /// The units left of a space, from the units left of each leaf; an estimate where it picks some units of a leaf.
  func count(_ id: ID, _ kept: [ID: Int]) -> Int {
    let id = root(id)
    switch form(id) {
    case .leaf, .link: return kept[id] ?? size(id)
    case .sum(let parts): return parts.reduce(0) { $0 + count($1, kept) }
    case .product(let parts): return parts.reduce(1) { $0 * count($1, kept) }
    case .pick(let base, let positions):
      // Which units go is not known here: as many as of all.
      let left = count(base, kept)
      return max(Int((Double(positions.count) * Double(left) / Double(max(size(base), 1))).rounded()), min(left, 1))
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
    case .pick(let base, let positions): return mask(base, kept).map { mask in positions.map { mask[$0] } }
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
    case .pick(let base, let positions):
      let units = coordinates(base, of: leaf)
      return positions.map { units[$0] }
    }
  }
}
