import PruneTensor

/// Recurrent layers.
package enum RecurrentRules {
  static let table: [String: Rule] = [
    "RNN": Rule { (x) throws(PruneError) in try recurrent(x, gates: 1) },
    "GRU": Rule { (x) throws(PruneError) in try recurrent(x, gates: 3) },
    "LSTM": Rule { (x) throws(PruneError) in try recurrent(x, gates: 4) },
    // Weights of 8 bits, [directions, inputs, gates].
    "com.microsoft.DynamicQuantizeLSTM": Rule { (x) throws(PruneError) in try recurrent(x, gates: 4, isCoded: true) },
  ]

  private static func recurrent(_ x: Operands, gates: Int, isCoded: Bool = false) throws(PruneError) -> [TensorType] {
    let count = gates == 4 ? 3 : 2
    guard let input = try x.dims(0, rank: 3) else {
      return (0..<count).map { _ in TensorType(x.dtype(0), nil) }
    }
    let isBatchFirst = try x.int("layout", default: 0, in: 0...1) == 1
    let direction = x.node.string("direction", default: "forward")
    guard ["forward", "reverse", "bidirectional"].contains(direction) else {
      throw x.fail("direction is '\(direction)', wanted forward, reverse or bidirectional")
    }
    let directions = Dim.fixed(direction == "bidirectional" ? 2 : 1)
    var hidden = x.node.int("hidden_size").map(Dim.fixed) ?? .unknown
    let steps = input[isBatchFirst ? 1 : 0]
    let batch = input[isBatchFirst ? 0 : 1]
    if let recurrence = try x.dims(2, rank: 3) {
      guard let common = Dim.unified(hidden, recurrence[isCoded ? 1 : 2]) else {
        throw x.fail("hidden_size is \(hidden), R is \(Dims.text(recurrence))")
      }
      hidden = common
    }
    guard hidden.value ?? 1 >= 1, hidden.value ?? 1 <= 1 << 30 else {
      throw x.fail("hidden_size is \(hidden)")
    }
    let rows = hidden * .fixed(gates)
    let twice = rows * .fixed(2)
    try check(x, 1, isCoded ? [directions, input[2], rows] : [directions, rows, input[2]])
    try check(x, 2, isCoded ? [directions, hidden, rows] : [directions, rows, hidden])
    try check(x, 3, [directions, twice])
    try check(x, 4, [batch])
    let state = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
    try check(x, 5, state)
    if gates == 4 {
      try check(x, 6, state)
      try check(x, 7, [directions, hidden * .fixed(3)])
    }
    let last = TensorType(x.dtype(0), state)
    let all =
      isBatchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden]
    return [TensorType(x.dtype(0), all)] + [TensorType](repeating: last, count: count - 1)
  }

  private static func check(_ x: Operands, _ index: Int, _ expected: [Dim]) throws(PruneError) {
    guard let dims = x.dims(index) else { return }
    guard dims.count == expected.count, zip(dims, expected).allSatisfy({ Dim.unified($0, $1) != nil })
    else {
      throw x.fail("input \(index) is \(Dims.text(dims)), wanted \(Dims.text(expected))")
    }
  }
}
