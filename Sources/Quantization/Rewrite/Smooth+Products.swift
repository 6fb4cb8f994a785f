import PruneGraph
import PruneTensor

/// Products whose input no layer can scale.
extension Smooth {
  /// The products among `layers`, those that read the same activation together.
  func products(_ layers: [Int]) -> [Group] {
    var groups: [Group] = []
    var places: [String: Int] = [:]
    for layer in layers.sorted() {
      let node = index.graph.nodes[layer]
      guard node.opType != "Conv", let value = node.input(0), let channels = read(by: node, value) else { continue }
      if let place = places[value] {
        if groups[place].channels == channels { groups[place].readers.append(layer) }
        continue
      }
      places[value] = groups.count
      groups.append(Group(readers: [layer], values: [value], isMatrix: true, channels: channels, scaled: value))
    }
    return groups
  }

  /// Why the input of a layer is not scaled.
  func refusal(_ node: Node) -> String {
    guard node.opType == "Conv" else {
      return index.isOwned(node.input(1) ?? "")
        ? "its input has no channels that its weight reads one by one" : "others read its weight as well"
    }
    return "what its input comes from cannot be scaled channel by channel in front of it"
  }
}
