import PruneGraph
import PruneTensor

/// If, Loop and Scan. The caller runs their graphs.
enum ControlFlow {
  /// Runs the graph that an attribute holds on its inputs and returns its outputs.
  typealias Runner = (_ attribute: String, _ inputs: [Tensor]) throws(PruneError) -> [Tensor]

  /// All outputs of an If, Loop or Scan node.
  static func evaluate(
    _ node: Node, _ inputs: [Tensor?], opset: Int64, _ run: Runner
  ) throws(PruneError) -> [Tensor] {
    switch node.opType {
    case "If": return try branch(node, inputs, run)
    case "Loop": return try loop(node, inputs, run)
    case "Scan": return try scan(node, inputs, opset, run)
    default: throw PruneError(.unsupported, "no kernel runs this operator with subgraphs")
    }
  }

  private static func branch(_ node: Node, _ inputs: [Tensor?], _ run: Runner) throws(PruneError)
    -> [Tensor]
  {
    guard let condition = inputs.first ?? nil else {
      throw PruneError(.invalidModel, "the condition is absent")
    }
    return try run(try branchName(condition, node), [])
  }

  /// The attribute with the branch that a condition takes.
  static func branchName(_ condition: Tensor, _ node: Node) throws(PruneError) -> String {
    do { return try flag(condition) == true ? "then_branch" : "else_branch" } catch {
      throw error.located(at: node.label)
    }
  }

  private static func flag(_ tensor: Tensor?) throws(PruneError) -> Bool? {
    guard let tensor else { return nil }
    guard tensor.count == 1 else {
      throw PruneError(.mismatch, "the condition is \(tensor.shape), wanted one bool")
    }
    return try tensor.cast(to: .bool).array(of: UInt8.self)[0] != 0
  }

  /// Values of more iterations than this are not kept.
  private static let scanLimit = 1 << 24

  private static func loop(_ node: Node, _ inputs: [Tensor?], _ run: Runner) throws(PruneError)
    -> [Tensor]
  {
    guard let body = node.graph("body"), body.inputs.count >= 2,
      body.outputs.count + 1 >= body.inputs.count,
      inputs.count >= body.inputs.count || body.inputs.count == 2
    else { throw PruneError(.invalidModel, "the body does not fit the loop") }
    let count = body.inputs.count - 2
    let limit = inputs.isEmpty ? nil : try inputs[0]?.integers().first
    var goes = try flag(inputs.count > 1 ? inputs[1] : nil) ?? true
    var carried: [Tensor] = []
    for index in 0..<count {
      guard let start = inputs[index + 2] else {
        throw PruneError(.invalidModel, "carried value \(index) is absent")
      }
      carried.append(start)
    }
    var scanned = [[Tensor]](repeating: [], count: body.outputs.count - 1 - count)
    var iteration = 0
    while goes, iteration < limit ?? .max {
      let counters = [try Tensor(scalar: Int64(iteration)), try Tensor(scalar: UInt8(1)).cast(to: .bool)]
      let results = try run("body", counters + carried)
      goes = try flag(results[0]) ?? true
      carried = Array(results[1..<(1 + count)])
      for (index, tensor) in results.dropFirst(1 + count).enumerated() {
        scanned[index].append(tensor)
      }
      guard scanned.isEmpty || iteration < scanLimit else {
        throw PruneError(.outOfMemory, "more than \(scanLimit) iterations whose values are kept")
      }
      iteration += 1
    }
    for (index, parts) in scanned.enumerated() {
      carried.append(
        try stacked(parts, axis: 0, isReversed: false, like: body.outputs[1 + count + index].type))
    }
    return carried
  }

  /// Tensors of one shape joined along a new axis.
  private static func stacked(
    _ parts: [Tensor], axis: Int, isReversed: Bool, like type: TensorType?
  ) throws(PruneError) -> Tensor {
    guard let first = parts.first else {
      let dims = type?.dims?.map { $0.value ?? 0 } ?? []
      return try Tensor(zeros: type?.dtype ?? .float32, Shape([0] + dims))
    }
    let rank = first.shape.rank
    guard axis >= -rank - 1, axis <= rank else {
      throw PruneError(.mismatch, "scan axis \(axis) is outside \(first.shape)")
    }
    let at = axis < 0 ? axis + rank + 1 : axis
    var dims = first.shape.dims
    dims.insert(parts.count, at: at)
    let shape = try Shape(dims)
    var strides = shape.strides
    let step = strides.remove(at: at)
    var result = try Tensor(zeros: first.dtype, shape)
    for (index, part) in (isReversed ? parts.reversed() : parts).enumerated() {
      guard part.shape == first.shape, part.dtype == first.dtype else {
        throw PruneError(
          .mismatch,
          "an iteration gave \(part.dtype.name) \(part.shape), the first \(first.dtype.name) \(first.shape)"
        )
      }
      try Moves.copy(
        part, Moves.Walk(base: 0, strides: part.shape.strides), into: &result,
        Moves.Walk(base: index * step, strides: strides), dims: part.shape.dims)
    }
    return result
  }

  /// Element `index` along an axis, without that axis.
  private static func element(_ tensor: Tensor, _ index: Int, axis: Int) throws(PruneError)
    -> Tensor
  {
    var dims = tensor.shape.dims
    var strides = tensor.shape.strides
    let step = strides.remove(at: axis)
    dims.remove(at: axis)
    return try Moves.read(
      tensor, Moves.Walk(base: index * step, strides: strides), shape: Shape(dims))
  }

  private static func scan(
    _ node: Node, _ inputs: [Tensor?], _ opset: Int64, _ run: Runner
  ) throws(PruneError) -> [Tensor] {
    guard opset < 9 else { return try scanOnce(node, inputs, run) }
    // Opset 8: sequence lengths first, and a batch axis in front of everything.
    guard inputs.count > 1, let batch = inputs[1]?.shape.dims.first, batch > 0 else {
      throw PruneError(.invalidModel, "there is no batch to scan")
    }
    if inputs[0] != nil { throw PruneError(.unsupported, "sequence_lens of Scan is not supported") }
    var columns: [[Tensor]] = []
    for item in 0..<batch {
      var arguments: [Tensor?] = []
      for input in inputs.dropFirst() {
        guard let input, input.shape.rank > 0, input.shape[0] == batch else {
          throw PruneError(.mismatch, "inputs have different batch sizes")
        }
        arguments.append(try element(input, item, axis: 0))
      }
      for (index, tensor) in try scanOnce(node, arguments, run).enumerated() {
        if index == columns.count { columns.append([]) }
        columns[index].append(tensor)
      }
    }
    var results: [Tensor] = []
    for column in columns {
      results.append(try stacked(column, axis: 0, isReversed: false, like: nil))
    }
    return results
  }

  private static func scanOnce(_ node: Node, _ inputs: [Tensor?], _ run: Runner) throws(PruneError)
    -> [Tensor]
  {
    guard let body = node.graph("body"), let count = node.int("num_scan_inputs"), count >= 1,
      count <= body.inputs.count,
      inputs.count == body.inputs.count, body.outputs.count >= body.inputs.count - count
    else { throw PruneError(.invalidModel, "the body and num_scan_inputs do not fit the node") }
    let states = body.inputs.count - count
    func setting(_ name: String, _ index: Int) -> Int {
      let values = node.ints(name) ?? []
      return index < values.count ? values[index] : 0
    }
    var tensors: [Tensor] = []
    for input in inputs {
      guard let input else { throw PruneError(.invalidModel, "an input is absent") }
      tensors.append(input)
    }
    var axes: [Int] = []
    var length: Int?
    for index in 0..<count {
      let tensor = tensors[states + index]
      guard let axis = tensor.shape.axis(setting("scan_input_axes", index)) else {
        throw PruneError(.mismatch, "scan_input_axes does not fit \(tensor.shape)")
      }
      guard length ?? tensor.shape[axis] == tensor.shape[axis] else {
        throw PruneError(.mismatch, "scanned inputs have different lengths")
      }
      length = tensor.shape[axis]
      axes.append(axis)
    }
    let reversedInputs = node.ints("scan_input_directions") ?? node.ints("directions") ?? []
    let reversedOutputs = node.ints("scan_output_directions") ?? []
    var state = Array(tensors[..<states])
    var scanned = [[Tensor]](repeating: [], count: body.outputs.count - states)
    let steps = length ?? 0
    for step in 0..<steps {
      var feeds = state
      for index in 0..<count {
        let isReversed = index < reversedInputs.count && reversedInputs[index] != 0
        feeds.append(
          try element(tensors[states + index], isReversed ? steps - 1 - step : step, axis: axes[index]))
      }
      let results = try run("body", feeds)
      state = Array(results[..<states])
      for (index, tensor) in results.dropFirst(states).enumerated() {
        scanned[index].append(tensor)
      }
    }
    for (index, parts) in scanned.enumerated() {
      let isReversed = index < reversedOutputs.count && reversedOutputs[index] != 0
      state.append(
        try stacked(
          parts, axis: setting("scan_output_axes", index), isReversed: isReversed,
          like: body.outputs[states + index].type))
    }
    return state
  }
}
