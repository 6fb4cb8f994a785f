import PruneTensor

/// RNN over a cell, or over cells one on another.
struct KerasCells: KerasLayerKind {
  let names = ["RNN"]
  func masking(of layer: KerasLayer) -> KerasMasking { .lacks }

  private struct Cell {
    /// The cell as the recurrent layer that it makes.
    var layer: KerasLayer
    /// Where its weights are: `cell/cells/lstm_cell/`.
    let path: String
    /// The place in the configuration's list; nil for the only cell.
    let place: Int?
  }

  private func cells(of layer: KerasLayer) throws(PruneError) -> [Cell] {
    guard let json = layer.config["cell"] else { throw PruneError(.badFormat, "\(layer.label) says no cell") }
    let isStack = json["class_name"]?.string == "StackedRNNCells"
    let list = isStack ? json["config"]?["cells"]?.array ?? [] : json.array ?? [json]
    var used: [String: Int] = [:]
    var result: [Cell] = []
    for (place, json) in list.enumerated() {
      let name = json["class_name"]?.string ?? "null"
      guard ["LSTMCell", "GRUCell", "SimpleRNNCell"].contains(name), var config = json["config"] else {
        throw layer.unsupported(
          "it runs a \(name), which is not read", hint: "LSTMCell, GRUCell and SimpleRNNCell are; or export it to ONNX")
      }
      for key in ["go_backwards", "stateful", "time_major"] { config[key] = layer.config[key] }
      let cellLayer = try KerasLayer(
        .object([
          ("class_name", .string(String(name.dropLast(4)))), ("config", config), ("name", .string(layer.name)),
        ]), scope: layer.scope)
      let group = KerasNetwork.snakeCase(name)
      let count = used[group, default: 0]
      used[group] = count + 1
      let isAlone = !isStack && json.array == nil && list.count == 1
      result.append(
        Cell(
          layer: cellLayer, path: isAlone ? "cell/" : "cell/cells/\(group)\(count == 0 ? "" : "_\(count)")/",
          place: isAlone ? nil : place))
    }
    guard !result.isEmpty else { throw PruneError(.badFormat, "\(layer.label) has no cells") }
    return result
  }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    var result: [KerasWeight] = []
    for cell in try cells(of: layer) {
      for weight in try KerasRecurrent().weights(of: cell.layer) {
        result.append(KerasWeight(path: cell.path, name: weight.name))
      }
    }
    return result
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let cells = try cells(of: layer)
    let isBackward = layer.flag("go_backwards", default: false)
    guard cells.count == 1 || !layer.flag("return_state", default: false) else {
      throw layer.unsupported("return_state of several cells is not read")
    }
    var value = try call.input(of: layer)
    var last: KerasRecurrent.Run?
    for cell in cells {
      let suffix = cell.place.map { "/cell\($0)" } ?? ""
      let run = try KerasRecurrent.run(
        cell.layer, cell: cell.path, suffix: suffix, value, isReverse: isBackward, &builder)
      (value, last) = (run.sequence, run)
    }
    guard let last else { return [] }
    return try KerasRecurrent.results(of: last, layer, isBackward: isBackward, &builder)
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    for cell in (try? cells(of: layer)) ?? [] {
      guard let units = shapes["\(cell.path)recurrent_kernel"]?.dims.first, var json = config["cell"] else { continue }
      if let place = cell.place {
        var list = json["config"]?["cells"]?.array ?? json.array ?? []
        guard list.indices.contains(place) else { continue }
        list[place]["config"]?["units"] = JSON(units)
        list[place]["build_config"] = nil
        if json.array != nil { json = .array(list) } else { json["config"]?["cells"] = .array(list) }
      } else {
        json["config"]?["units"] = JSON(units)
      }
      json["build_config"] = nil
      config["cell"] = json
    }
    return config
  }
}
