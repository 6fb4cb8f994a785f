import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// RNN, GRU and LSTM in both directions, with initial states and sequence lengths, computed in Double.
enum Recurrent {
  static let table: [String: Kernel] = [
    "RNN": Kernel { (call) throws(PruneError) in try run(call, gates: 1) },
    "GRU": Kernel { (call) throws(PruneError) in try run(call, gates: 3) },
    "LSTM": Kernel { (call) throws(PruneError) in try run(call, gates: 4) },
  ]

  private static func run(_ call: KernelCall, gates: Int) throws(PruneError) -> [Tensor] {
    let input = try call.tensor(0).shape
    let isBatchFirst = call.node.int("layout", default: 0) == 1
    let (steps, batch) = isBatchFirst ? (input[1], input[0]) : (input[0], input[1])
    let width = input[2]
    let hidden = try call.tensor(2).shape[2]
    let directions = try call.tensor(1).shape[0]
    let x = try call.doubles(0)
    let lengths =
      call.optional(4) == nil ? [Int](repeating: steps, count: batch) : try call.integers(4)
    guard lengths.allSatisfy({ $0 >= 0 && $0 <= steps }) else {
      throw call.fail("sequence_lens are \(lengths), wanted 0...\(steps)")
    }
    let cells = try (0..<directions).map { (direction) throws(PruneError) in
      try RecurrentCell(call, direction: direction, gates: gates, width: width, hidden: hidden)
    }
    let (h0, c0) = (
      try call.optional(5).doubles(call), gates == 4 ? try call.optional(6).doubles(call) : nil
    )
    var all = [Double](repeating: 0, count: try checkedCount(call))
    var last = [Double](repeating: 0, count: directions * batch * hidden)
    var lastCell = last
    let direction = call.node.string("direction", default: "forward")
    for (number, cell) in cells.enumerated() {
      let isReverse = direction == "reverse" || number == 1
      for item in 0..<batch {
        let slot =
          isBatchFirst ? (item * directions + number) * hidden : (number * batch + item) * hidden
        var h =
          h0.map { Array($0[slot..<(slot + hidden)]) } ?? [Double](repeating: 0, count: hidden)
        var c =
          c0.map { Array($0[slot..<(slot + hidden)]) } ?? [Double](repeating: 0, count: hidden)
        for position in 0..<lengths[item] {
          let step = isReverse ? lengths[item] - 1 - position : position
          let from = (isBatchFirst ? item * steps + step : step * batch + item) * width
          cell.advance(x, from, &h, &c)
          let to =
            isBatchFirst
            ? ((item * steps + step) * directions + number) * hidden
            : ((step * directions + number) * batch + item) * hidden
          for unit in 0..<hidden { all[to + unit] = h[unit] }
        }
        for unit in 0..<hidden {
          last[slot + unit] = h[unit]
          lastCell[slot + unit] = c[unit]
        }
      }
    }
    var results = [try call.result(all), try call.result(last, 1)]
    if gates == 4 { results.append(try call.result(lastCell, 2)) }
    return results
  }

  private static func checkedCount(_ call: KernelCall) throws(PruneError) -> Int {
    let count = try call.shape().count
    try call.check(count)
    return count
  }
}

/// The weights and activations of one direction.
private struct RecurrentCell {
  private let gates: Int
  private let width: Int
  private let hidden: Int
  /// [gates * hidden, width] and [gates * hidden, hidden].
  private let w: [Double]
  private let r: [Double]
  private let wb: [Double]
  private let rb: [Double]
  /// LSTM: input, output and forget gate.
  private let peephole: [Double]?
  private let activations: [(Double) -> Double]
  private let clip: Double?
  private let couplesForget: Bool
  private let resetsAfter: Bool

  init(_ call: KernelCall, direction: Int, gates: Int, width: Int, hidden: Int) throws(PruneError) {
    self.gates = gates
    self.width = width
    self.hidden = hidden
    let rows = gates * hidden
    w = Array(try call.doubles(1)[(direction * rows * width)..<((direction + 1) * rows * width)])
    r = Array(try call.doubles(2)[(direction * rows * hidden)..<((direction + 1) * rows * hidden)])
    if let bias = try call.optional(3).doubles(call) {
      wb = Array(bias[(direction * 2 * rows)..<((direction * 2 + 1) * rows)])
      rb = Array(bias[((direction * 2 + 1) * rows)..<((direction * 2 + 2) * rows)])
    } else {
      wb = [Double](repeating: 0, count: rows)
      rb = wb
    }
    peephole =
      gates == 4
      ? try call.optional(7).doubles(call).map {
        Array($0[(direction * 3 * hidden)..<((direction + 1) * 3 * hidden)])
      } : nil
    activations = try Self.activations(call, direction, gates)
    if case .float(let bound)? = call.node.attribute("clip") {
      clip = Double(bound)
    } else {
      clip = nil
    }
    couplesForget = call.node.int("input_forget", default: 0) != 0
    resetsAfter = call.node.int("linear_before_reset", default: 0) != 0
  }

  /// Takes one step on the input at `from` of `x`.
  func advance(_ x: [Double], _ from: Int, _ h: inout [Double], _ c: inout [Double]) {
    let inputGates = product(w, x, from, width, wb)
    let recurrentGates = product(r, h, 0, hidden, rb)
    switch gates {
    case 1:
      for unit in 0..<hidden { h[unit] = activations[0](clipped(inputGates[unit] + recurrentGates[unit])) }
    case 3: gru(inputGates, recurrentGates, &h)
    default: lstm(inputGates, recurrentGates, &h, &c)
    }
  }

  private func gru(_ inputGates: [Double], _ recurrentGates: [Double], _ h: inout [Double]) {
    let n = hidden
    var update = [Double](repeating: 0, count: n)
    var reset = update
    for unit in 0..<n {
      update[unit] = activations[0](clipped(inputGates[unit] + recurrentGates[unit]))
      reset[unit] = activations[0](clipped(inputGates[n + unit] + recurrentGates[n + unit]))
    }
    var candidate = update
    if resetsAfter {
      for unit in 0..<n { candidate[unit] = inputGates[2 * n + unit] + reset[unit] * recurrentGates[2 * n + unit] }
    } else {
      let gated = zip(reset, h).map { $0 * $1 }
      for unit in 0..<n {
        var sum = inputGates[2 * n + unit] + rb[2 * n + unit]
        for k in 0..<n { sum += r[(2 * n + unit) * n + k] * gated[k] }
        candidate[unit] = sum
      }
    }
    for unit in 0..<n {
      h[unit] =
        (1 - update[unit]) * activations[1](clipped(candidate[unit])) + update[unit] * h[unit]
    }
  }

  private func lstm(_ inputGates: [Double], _ recurrentGates: [Double], _ h: inout [Double], _ c: inout [Double]) {
    let n = hidden
    func sum(_ gate: Int, _ unit: Int) -> Double { inputGates[gate * n + unit] + recurrentGates[gate * n + unit] }
    for unit in 0..<n {
      let (pi, po, pf) = (
        peephole?[unit] ?? 0, peephole?[n + unit] ?? 0, peephole?[2 * n + unit] ?? 0
      )
      let input = activations[0](clipped(sum(0, unit) + pi * c[unit]))
      let forget = couplesForget ? 1 - input : activations[0](clipped(sum(2, unit) + pf * c[unit]))
      c[unit] = forget * c[unit] + input * activations[1](clipped(sum(3, unit)))
      let output = activations[0](clipped(sum(1, unit) + po * c[unit]))
      h[unit] = output * activations[2](c[unit])
    }
  }

  private func clipped(_ value: Double) -> Double { clip.map { min(max(value, -$0), $0) } ?? value }

  /// matrix * vector + bias.
  private func product(
    _ matrix: [Double], _ vector: [Double], _ from: Int, _ count: Int, _ bias: [Double]
  ) -> [Double] {
    var result = bias
    for row in result.indices {
      var sum = 0.0
      for column in 0..<count { sum += matrix[row * count + column] * vector[from + column] }
      result[row] += sum
    }
    return result
  }

  private static func activations(
    _ call: KernelCall, _ direction: Int, _ gates: Int
  ) throws(PruneError) -> [(Double) -> Double] {
    let defaults =
      gates == 4 ? ["Sigmoid", "Tanh", "Tanh"] : gates == 3 ? ["Sigmoid", "Tanh"] : ["Tanh"]
    var names = defaults + defaults
    if case .strings(let strings)? = call.node.attribute("activations"), !strings.isEmpty {
      names = strings.map { String(decoding: $0, as: UTF8.self) }
      if names.count == defaults.count { names += names }
    }
    guard names.count >= (direction + 1) * defaults.count else {
      throw call.fail("\(names.count) activations, wanted \(defaults.count) a direction")
    }
    // Parameters are listed in the order of the functions that take them.
    var alphas = (call.node.floats("activation_alpha") ?? [])[...]
    var betas = (call.node.floats("activation_beta") ?? [])[...]
    var result: [(Double) -> Double] = []
    for (index, name) in names.enumerated() {
      func alpha(_ value: Float) -> Double { Double(alphas.popFirst() ?? value) }
      func beta(_ value: Float) -> Double { Double(betas.popFirst() ?? value) }
      let function: (Double) -> Double
      switch name.lowercased() {
      case "relu": function = { max($0, 0) }
      case "tanh": function = { tanh($0) }
      case "sigmoid": function = { Activations.sigmoid($0) }
      case "softsign": function = { $0 / (1 + abs($0)) }
      case "softplus": function = { $0 > 30 ? $0 : log1p(exp($0)) }
      case "affine":
        let (a, b) = (alpha(1), beta(0))
        function = { a * $0 + b }
      case "leakyrelu":
        let a = alpha(0.01)
        function = { $0 < 0 ? a * $0 : $0 }
      case "thresholdedrelu":
        let a = alpha(1)
        function = { $0 > a ? $0 : 0 }
      case "scaledtanh":
        let (a, b) = (alpha(1), beta(1))
        function = { a * tanh(b * $0) }
      case "hardsigmoid":
        let (a, b) = (alpha(0.2), beta(0.5))
        function = { min(max(a * $0 + b, 0), 1) }
      case "elu":
        let a = alpha(1)
        function = { $0 < 0 ? a * expm1($0) : $0 }
      default: throw call.unsupported("the activation '\(name)'")
      }
      if index / defaults.count == direction { result.append(function) }
    }
    return result
  }
}
