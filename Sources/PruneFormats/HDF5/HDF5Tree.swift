import PruneTensor

/// Groups, attributes and data sets to be written as an HDF5 file.
package struct HDF5Tree: Sendable {
  package enum Attribute: Sendable {
    case text(String)
    /// Texts of one size, as NumPy's arrays of bytes are.
    case texts([String])
  }
  package private(set) var attributes: [(name: String, value: Attribute)] = []
  package private(set) var groups: [(name: String, tree: HDF5Tree)] = []
  package private(set) var datasets: [(name: String, tensor: Tensor)] = []

  package init() {}

  package mutating func set(_ name: String, _ value: Attribute) { attributes.append((name, value)) }

  /// The group at a path, made where it is missing, and changed by `body`.
  package mutating func group(_ path: some Collection<Substring>, _ body: (inout HDF5Tree) -> Void) {
    guard let name = path.first else { return body(&self) }
    let index = groups.firstIndex { $0.name == name } ?? groups.count
    if index == groups.count { groups.append((String(name), HDF5Tree())) }
    groups[index].tree.group(path.dropFirst(), body)
  }

  /// Adds a data set at a path, its groups with it.
  /// - Throws: `.invalidArgument` when something of that path is there.
  package mutating func set(_ path: String, _ tensor: Tensor) throws(PruneError) {
    let parts = path.split(separator: "/")
    guard let name = parts.last else { return }
    var isTaken = false
    group(parts.dropLast()) { tree in
      isTaken = tree.datasets.contains { $0.name == name } || tree.groups.contains { $0.name == name }
      if !isTaken { tree.datasets.append((String(name), tensor)) }
    }
    guard !isTaken else { throw PruneError(.invalidArgument, "two weights would be written as '\(path)'") }
  }
}
