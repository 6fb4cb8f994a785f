import PruneTensor

/// Why units may not go: the node that needs them all, and what for.
package struct Pin: Sendable, Hashable {
  /// The node's label, or that of a graph input or output.
  package let place: String
  package let reason: String
}

/// What the units of a space are to the network, beyond being channels.
package struct UnitRole: OptionSet, Sendable, Hashable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Attention heads: the batch axis of a product of two activations.
  package static let head = UnitRole(rawValue: 1)
  /// Positions within a head: what such a product sums over, or keeps.
  package static let headDim = UnitRole(rawValue: 2)
  /// Groups of a grouped convolution that hold several channels each.
  package static let group = UnitRole(rawValue: 4)
  /// Copies of units: outputs a channel of a depthwise convolution, repeats of a key head.
  package static let copies = UnitRole(rawValue: 8)
  /// Positions of a convolution's window.
  package static let window = UnitRole(rawValue: 16)
  /// What layer normalizations take statistics over: the width of a transformer.
  package static let width = UnitRole(rawValue: 32)
}

/// The units that axes are made of.
///
/// A space is a leaf with a number of units, the concatenation of spaces (an axis after Concat), their row-major
/// product (an axis after Reshape), or units picked from another space by index (an axis after Gather). Axes whose
/// units go together share spaces: unifying two spaces makes them one, splitting and factoring refine a space wherever
/// it is used. Example: 48 = 4 heads x 12; factoring the 48 outputs of a matrix into [4, 12] makes its columns a product, and
/// unifying the 4 with another matrix's 4 couples their heads.
struct SpaceForest: Sendable {
  typealias ID = Int

  enum Form: Sendable {
    case leaf
    case sum([ID])
    case product([ID])
    /// Units of a space, by position.
    case pick(ID, [Int])
    /// The same space as another.
    case link(ID)
  }

  var forms: [Form] = []
  var sizes: [Int] = []
  var pins: [[Pin]] = []
  var roles: [UnitRole] = []
  /// Whether any space is picked from another, which could then become a part of itself.
  private(set) var hasPicks = false

  /// Reasons kept for a leaf; more tell a reader nothing.
  private static let pinLimit = 4
  /// More copies of one block are not distinguished.
  private static let copyLimit = 64

  // MARK: - Making spaces

  /// A space of its own; a negative size is one that is not known, which nothing can be unified with.
  mutating func leaf(_ size: Int, pins: [Pin] = [], roles: UnitRole = []) -> ID {
    forms.append(.leaf)
    sizes.append(size)
    self.pins.append(pins)
    self.roles.append(roles)
    return forms.count - 1
  }

  private mutating func leaf(_ size: Int, like other: ID) -> ID { leaf(size, pins: pins[other], roles: roles[other]) }

  /// The concatenation of spaces.
  mutating func sum(_ parts: [ID]) -> ID {
    var flat: [ID] = []
    for part in parts.map({ root($0) }) where sizes[part] != 0 {
      if case .sum(let inner) = forms[part] { flat += inner.map { root($0) } } else { flat.append(part) }
    }
    if flat.count == 1 { return flat[0] }
    let id = leaf(flat.reduce(0) { $0 + sizes[$1] })
    if !flat.isEmpty { forms[id] = .sum(flat) }
    return id
  }

  /// The row-major product of spaces; those of one unit vanish.
  mutating func product(_ parts: [ID]) -> ID {
    let flat = factors(parts)
    if flat.count == 1 { return flat[0] }
    if flat.isEmpty { return parts.first.map { root($0) } ?? leaf(1) }
    let id = leaf(flat.reduce(1) { $0 * sizes[$1] })
    forms[id] = .product(flat)
    return id
  }

  /// Units of a space in another order, or some of its units. Positions must be in range.
  mutating func pick(_ base: ID, _ positions: [Int]) -> ID {
    let base = root(base)
    if positions.count == sizes[base], positions == Array(positions.indices) { return base }
    if case .pick(let inner, let places) = forms[base] { return pick(inner, positions.map { places[$0] }) }
    hasPicks = true
    let id = leaf(positions.count)
    forms[id] = .pick(base, positions)
    return id
  }

  func factors(_ parts: [ID]) -> [ID] {
    var flat: [ID] = []
    for part in parts.map({ root($0) }) where sizes[part] != 1 {
      if case .product(let inner) = forms[part] { flat += factors(inner) } else { flat.append(part) }
    }
    return flat
  }

  // MARK: - Looking

  func root(_ id: ID) -> ID {
    var id = id
    while case .link(let next) = forms[id] { id = next }
    return id
  }

  func size(_ id: ID) -> Int { sizes[id] }
  func form(_ id: ID) -> Form { forms[root(id)] }
  /// Of a leaf.
  func pins(_ id: ID) -> [Pin] { pins[root(id)] }
  func roles(_ id: ID) -> UnitRole { roles[root(id)] }

  /// The leaves a space is made of, each once, in order.
  func leaves(_ id: ID) -> [ID] {
    var result: [ID] = []
    collect(id, &result)
    return result
  }

  private func collect(_ id: ID, _ result: inout [ID]) {
    let id = root(id)
    switch forms[id] {
    case .leaf, .link: if !result.contains(id) { result.append(id) }
    case .sum(let parts), .product(let parts): for part in parts { collect(part, &result) }
    case .pick(let base, _): collect(base, &result)
    }
  }

  // MARK: - Marking

  mutating func pin(_ id: ID, _ pin: Pin) {
    for leaf in leaves(id) where pins[leaf].count < Self.pinLimit && !pins[leaf].contains(pin) {
      pins[leaf].append(pin)
    }
  }

  mutating func mark(_ id: ID, _ role: UnitRole) {
    for leaf in leaves(id) { roles[leaf].insert(role) }
  }

  // MARK: - Splitting

  /// The space cut in two at a position, everywhere it is used. Nil when it cannot be.
  mutating func split(_ id: ID, at point: Int) -> (ID, ID)? {
    let id = root(id), size = sizes[id]
    guard point > 0, point < size else { return nil }
    switch forms[id] {
    case .link: return nil
    case .leaf:
      let first = leaf(point, like: id), second = leaf(size - point, like: id)
      forms[id] = .sum([first, second])
      return (first, second)
    case .sum(let parts):
      var offset = 0
      for (index, part) in parts.enumerated() {
        let end = offset + sizes[part]
        if point == end { return (sum(Array(parts[...index])), sum(Array(parts[(index + 1)...]))) }
        if point < end {
          guard let (left, right) = split(part, at: point - offset) else { return nil }
          return (sum(parts[..<index] + [left]), sum([right] + parts[(index + 1)...]))
        }
        offset = end
      }
      return nil
    case .product(let parts):
      let outer = sizes[parts[0]], inner = size / outer, rest = Array(parts.dropFirst())
      if point % inner == 0 {
        guard let (a, b) = split(parts[0], at: point / inner) else { return nil }
        let left = product([a] + rest), right = product([b] + rest)
        forms[id] = .sum([left, right])
        return (left, right)
      }
      // Within a block: from here on the blocks are told apart by position, so all of them stay.
      guard outer <= Self.copyLimit else { return nil }
      pin(parts[0], Pin(place: "", reason: "its blocks are cut at different places"))
      let block = product(rest)
      forms[id] = .sum([ID](repeating: block, count: outer))
      return split(id, at: point)
    case .pick(let base, let positions):
      let first = pick(base, Array(positions[..<point])), second = pick(base, Array(positions[point...]))
      forms[id] = .sum([first, second])
      return (first, second)
    }
  }

  // MARK: - Factoring

  /// The space as a product of spaces of given sizes, everywhere it is used. Nil when it cannot be.
  mutating func factor(_ id: ID, into dims: [Int]) -> [ID]? {
    let id = root(id)
    guard !dims.contains(where: { $0 < 1 }) else { return nil }
    let extents = dims.filter { $0 != 1 }
    let parts: [ID]
    if extents.count <= 1 {
      guard (extents.first ?? 1) == sizes[id] else { return nil }
      parts = extents.isEmpty ? [] : [id]
    } else {
      guard let factors = factorParts(id, extents) else { return nil }
      parts = factors
    }
    var next = parts.makeIterator()
    var result: [ID] = []
    for dim in dims { result.append(dim == 1 ? leaf(1) : next.next() ?? leaf(dim)) }
    return result
  }

  private mutating func factorParts(_ id: ID, _ dims: [Int]) -> [ID]? {
    guard dims.reduce(1, *) == sizes[id] else { return nil }
    switch forms[id] {
    case .link, .pick: return nil
    case .leaf:
      let parts = dims.map { leaf($0, like: id) }
      forms[id] = .product(parts)
      return parts
    case .product(let factors): return regroup(factors, dims)
    case .sum(let parts):
      let inner = sizes[id] / dims[0]
      guard parts.allSatisfy({ sizes[$0] % inner == 0 }) else { return factorChunks(id, dims, inner) }
      var outers: [ID] = []
      var shared: ID?
      for part in parts {
        guard let pair = factor(part, into: [sizes[part] / inner, inner]) else { return nil }
        outers.append(pair[0])
        if let shared { guard unify(shared, pair[1]) else { return nil } }
        shared = shared ?? pair[1]
      }
      guard let shared else { return nil }
      let outer = sum(outers)
      forms[id] = .product([outer, shared])
      guard let rest = factor(shared, into: Array(dims.dropFirst())) else { return nil }
      return [outer] + rest
    }
  }

  /// A concatenation whose parts do not line up with the blocks: the blocks become one space, and all of them stay.
  private mutating func factorChunks(_ id: ID, _ dims: [Int], _ inner: Int) -> [ID]? {
    guard dims[0] <= Self.copyLimit else { return nil }
    var chunks: [ID] = []
    var rest = id
    for _ in 1..<dims[0] {
      guard let (head, tail) = split(rest, at: inner) else { return nil }
      chunks.append(head)
      rest = tail
    }
    for chunk in chunks + [rest] where root(chunk) != root(chunks[0]) {
      guard unify(chunks[0], chunk) else { return nil }
    }
    let outer = leaf(dims[0], pins: [Pin(place: "", reason: "its blocks are joined from different layers")])
    let target = root(id), block = root(chunks[0])
    guard target != block else { return nil }
    forms[target] = .product([outer, block])
    guard let inside = factor(block, into: Array(dims.dropFirst())) else { return nil }
    return [outer] + inside
  }

  /// Factors taken together, or apart, so that they have the given sizes.
  private mutating func regroup(_ factors: [ID], _ dims: [Int]) -> [ID]? {
    var queue = factors.map { root($0) }
    var index = 0
    var result: [ID] = []
    for dim in dims {
      var need = dim
      var ids: [ID] = []
      while need > 1 {
        guard index < queue.count else { return nil }
        let factor = root(queue[index]), size = sizes[factor]
        if size <= need {
          guard size > 0, need % size == 0 else { return nil }
          ids.append(factor)
          need /= size
          index += 1
        } else {
          guard size % need == 0, let parts = self.factor(factor, into: [need, size / need]) else { return nil }
          ids.append(parts[0])
          queue[index] = parts[1]
          need = 1
        }
      }
      result.append(product(ids))
    }
    return result
  }
}
