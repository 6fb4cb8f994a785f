import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// RNN, GRU and LSTM with constant weights, packed for as many rows as they will multiply.
enum RecurrentKernels: KernelFamily {
  static let name = "recurrent"
  static let kernels: [String: FastKernel] = ["RNN": recurrent, "GRU": recurrent, "LSTM": recurrent]

  /// Buffers of one direction, as `ps_cell` has them.
  private struct Cell {
    var w, r: Matrix
    var candidate: Matrix?
    var bias, candidateBias, peephole: Int?
    var functions: [Function]
    var buffers: [Int] {
      [w.buffer, r.buffer] + [candidate?.buffer, bias, candidateBias, peephole].compactMap { $0 }
    }
  }

  private enum Matrix {
    case dense(Int)
    case sparse(SparseWeights)
    var buffer: Int {
      switch self {
      case .dense(let buffer): buffer
      case .sparse(let weights): weights.buffer
      }
    }
  }

  private struct Function {
    var kind: ps_unary_kind
    var alpha: Float = 0
    var beta: Float = 0
  }

  private struct Extents {
    var gates, directions, steps, batch, width, hidden: Int
    var isBatchFirst, resetsAfter: Bool
  }

  private static func recurrent(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    try emit(op, emitter, isSparse: false)
  }

  /// The same with matrices without their zeros.
  static func sparse(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    try emit(op, emitter, isSparse: true)
  }

  private static func emit(_ op: Dataflow.Op, _ emitter: any Emitter, isSparse: Bool) throws(PruneError) -> Bool {
    guard let extents = extents(op, emitter) else { return false }
    var cells: [Cell] = []
    for direction in 0..<extents.directions {
      guard let cell = try cell(op, emitter, extents, direction, isSparse: isSparse) else { return false }
      cells.append(cell)
    }
    func plain(_ index: Int) throws(PruneError) -> Int? {
      try op.input(index).map { id throws(PruneError) in try emitter.plain(id) }
    }
    let stateDims =
      extents.isBatchFirst
      ? [extents.batch, extents.directions, extents.hidden] : [extents.directions, extents.batch, extents.hidden]
    for index in [5, 6] where extents.gates == 4 || index == 5 {
      guard let state = op.input(index) else { continue }
      guard emitter.isFloat(state), emitter.dims(state) == stateDims else { return false }
    }
    if let lengths = op.input(4) {
      guard emitter.value(lengths).dtype == .int32, emitter.dims(lengths) == [extents.batch] else { return false }
    }
    guard let x = try plain(0) else { return false }
    let (lengths, h0) = (try plain(4), try plain(5))
    let c0 = extents.gates == 4 ? try plain(6) : nil
    let all = extents.gates * extents.hidden
    let rows = extents.steps * extents.batch
    let sparse = isSparse ? Int(ps_recurrent_sparse(Int64(rows), Int64(extents.width))) : 0
    let scratch = emitter.scratch(4 * (rows * all + extents.batch * (all + 3 * extents.hidden) + sparse))
    func define(_ index: Int) throws(PruneError) -> Int? {
      try op.output(index).map { id throws(PruneError) in try emitter.define(id, layout: nil) }
    }
    let (y, last, lastCell) = (try define(0), try define(1), try define(2))
    let isReverse = op.node.string("direction", default: "forward") == "reverse"
    let couplesForget = op.node.int("input_forget", default: 0) != 0
    let clip = op.node.float("clip", default: 0)
    let final = cells
    emitter.emit(
      op.node.label, reads: [x] + [lengths, h0, c0].compactMap { $0 } + final.flatMap(\.buffers),
      writes: [scratch] + [y, last, lastCell].compactMap { $0 }
    ) { frame in
      var arguments = ps_recurrent_args()
      arguments.x = UnsafePointer(frame.pointer(x))
      arguments.h0 = h0.map { UnsafePointer(frame.pointer($0)) }
      arguments.c0 = c0.map { UnsafePointer(frame.pointer($0)) }
      arguments.lengths = lengths.map { UnsafePointer(frame.pointer($0, as: Int32.self)) }
      arguments.y = y.map { frame.pointer($0) }
      arguments.last = last.map { frame.pointer($0) }
      arguments.last_cell = lastCell.map { frame.pointer($0) }
      arguments.scratch = frame.pointer(scratch)
      arguments.cells.0 = bound(final[0], frame)
      if final.count > 1 { arguments.cells.1 = bound(final[1], frame) }
      let (steps, batch, hidden) = (Int64(extents.steps), Int64(extents.batch), Int64(extents.hidden))
      let directions = Int64(extents.directions)
      (arguments.steps, arguments.batch, arguments.width, arguments.hidden) = (
        steps, batch, Int64(extents.width), hidden
      )
      if extents.isBatchFirst {
        (arguments.y_time, arguments.y_batch, arguments.y_direction) = (
          directions * hidden, steps * directions * hidden, hidden
        )
        (arguments.h_batch, arguments.h_direction) = (directions * hidden, hidden)
      } else {
        (arguments.y_time, arguments.y_batch, arguments.y_direction) = (
          directions * batch * hidden, hidden, batch * hidden
        )
        (arguments.h_batch, arguments.h_direction) = (hidden, batch * hidden)
      }
      (arguments.gates, arguments.directions) = (Int32(extents.gates), Int32(extents.directions))
      arguments.is_reverse = isReverse ? 1 : 0
      arguments.is_batch_first = extents.isBatchFirst ? 1 : 0
      arguments.couples_forget = couplesForget ? 1 : 0
      arguments.resets_after = extents.resetsAfter ? 1 : 0
      arguments.clip = clip
      return frame.step(arguments, ps_recurrent)
    }
    return true
  }

  /// Nil when the shapes are not those of a recurrent operator, or something is not float32.
  private static func extents(_ op: Dataflow.Op, _ emitter: any Emitter) -> Extents? {
    guard let x = op.input(0), let w = op.input(1), let r = op.input(2), emitter.isFloat(x), emitter.isFloat(w),
      emitter.isFloat(r), emitter.dims(x).count == 3, emitter.dims(r).count == 3
    else { return nil }
    let (dims, recurrence) = (emitter.dims(x), emitter.dims(r))
    let gates = op.key == "LSTM" ? 4 : op.key == "GRU" ? 3 : 1
    let isBatchFirst = op.node.int("layout", default: 0) == 1
    let extents = Extents(
      gates: gates, directions: recurrence[0], steps: dims[isBatchFirst ? 1 : 0], batch: dims[isBatchFirst ? 0 : 1],
      width: dims[2], hidden: recurrence[2], isBatchFirst: isBatchFirst,
      resetsAfter: op.node.int("linear_before_reset", default: 0) != 0)
    let isBidirectional = op.node.string("direction", default: "forward") == "bidirectional"
    guard extents.directions == (isBidirectional ? 2 : 1), extents.hidden > 0, extents.steps > 0, extents.batch > 0,
      extents.width > 0, recurrence[1] == gates * extents.hidden,
      emitter.dims(w) == [extents.directions, gates * extents.hidden, extents.width]
    else { return nil }
    return extents
  }

  /// A direction's weights as the kernel wants them. Nil when they are not constants of the right shape.
  private static func cell(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ extents: Extents, _ direction: Int, isSparse: Bool
  ) throws(PruneError) -> Cell? {
    let (hidden, rows) = (extents.hidden, extents.gates * extents.hidden)
    func part(_ index: Int, _ count: Int) throws(PruneError) -> [Float]? {
      guard let tensor = emitter.constant(op.input(index)), tensor.dtype == .float32,
        tensor.count == extents.directions * count
      else { return nil }
      return Array(try tensor.array(of: Float.self)[(direction * count)..<((direction + 1) * count)])
    }
    guard let functions = functions(op.node, direction, extents.gates), let w = try part(1, rows * extents.width),
      let r = try part(2, rows * hidden)
    else { return nil }
    let resetsBefore = extents.gates == 3 && !extents.resetsAfter
    let shared = resetsBefore ? 2 * hidden : rows
    func weight(_ values: [Float], rows: Int, columns: Int, uses: Int, isFew: Bool? = nil) throws(PruneError) -> Matrix
    {
      let few = uses <= Int(PS_PANEL_ROWS)
      if isSparse {
        return .sparse(
          try SparseWeights.constant(
            try Tensor(values), rows: rows, columns: columns, isFew: isFew ?? few, emitter))
      }
      return .dense(try emitter.constantBuffer(few ? try panels(values, rows, columns) : try Tensor(values)))
    }
    guard !isSparse || max(extents.width, hidden) <= 1 << 16 else { return nil }
    var cell = Cell(
      w: try weight(w, rows: rows, columns: extents.width, uses: extents.steps * extents.batch),
      r: try weight(Array(r[..<(shared * hidden)]), rows: shared, columns: hidden, uses: extents.batch, isFew: true),
      functions: functions)
    if resetsBefore {
      cell.candidate = try weight(
        Array(r[(shared * hidden)...]), rows: hidden, columns: hidden, uses: 1, isFew: true)
    }
    if op.input(3) != nil {
      guard let both = try part(3, 2 * rows) else { return nil }
      var sum = (0..<rows).map { both[$0] + both[rows + $0] }
      if extents.gates == 3, extents.resetsAfter {
        sum.replaceSubrange((2 * hidden)..., with: both[(2 * hidden)..<rows])
        cell.candidateBias = try emitter.constantBuffer(try Tensor(Array(both[(rows + 2 * hidden)...])))
      }
      cell.bias = try emitter.constantBuffer(try Tensor(sum))
    }
    if extents.gates == 4, op.input(7) != nil {
      guard let peephole = try part(7, 3 * hidden) else { return nil }
      cell.peephole = try emitter.constantBuffer(try Tensor(peephole))
    }
    return cell
  }

  /// A matrix of rows x columns, transposed, in the panels of `ps_pack_panels`.
  private static func panels(_ values: [Float], _ rows: Int, _ columns: Int) throws(PruneError) -> Tensor {
    let count = Int(ps_panel_count(Int64(rows), Int64(columns)))
    var packed = [Float](repeating: 0, count: count)
    // Safe: both arrays have as many elements as the extents say.
    ps_pack_panels(values, Int64(rows), Int64(columns), &packed)
    return try Tensor(packed)
  }

  private static func bound(_ cell: Cell, _ frame: Frame) -> ps_cell {
    func pointer(_ buffer: Int?) -> UnsafePointer<Float>? { buffer.map { UnsafePointer(frame.pointer($0)) } }
    func function(_ index: Int) -> Function { cell.functions[min(index, cell.functions.count - 1)] }
    var bound = ps_cell()
    func dense(_ matrix: Matrix?) -> UnsafePointer<Float>? {
      if case .dense(let buffer)? = matrix { pointer(buffer) } else { nil }
    }
    func sparse(_ matrix: Matrix?) -> ps_sparse_weights {
      if case .sparse(let weights)? = matrix { weights.bound(frame) } else { ps_sparse_weights() }
    }
    (bound.w, bound.r, bound.candidate) = (dense(cell.w), dense(cell.r), dense(cell.candidate))
    (bound.sparse_w, bound.sparse_r, bound.sparse_candidate) = (sparse(cell.w), sparse(cell.r), sparse(cell.candidate))
    (bound.bias, bound.candidate_bias, bound.peephole) = (
      pointer(cell.bias), pointer(cell.candidateBias), pointer(cell.peephole)
    )
    bound.activations = (
      Int32(function(0).kind.rawValue), Int32(function(1).kind.rawValue), Int32(function(2).kind.rawValue)
    )
    bound.alphas = (function(0).alpha, function(1).alpha, function(2).alpha)
    bound.betas = (function(0).beta, function(1).beta, function(2).beta)
    return bound
  }

  /// The activations of a direction; nil when one is not among the kernel's.
  private static func functions(_ node: Node, _ direction: Int, _ gates: Int) -> [Function]? {
    let usual = gates == 4 ? ["sigmoid", "tanh", "tanh"] : gates == 3 ? ["sigmoid", "tanh"] : ["tanh"]
    var names = usual + usual
    if case .strings(let list)? = node.attribute("activations"), !list.isEmpty {
      names = list.map { String(decoding: $0, as: UTF8.self).lowercased() }
      if names.count == usual.count { names += names }
    }
    guard names.count >= (direction + 1) * usual.count else { return nil }
    // Parameters are listed in the order of the functions that take them.
    var alphas = (node.floats("activation_alpha") ?? [])[...]
    var betas = (node.floats("activation_beta") ?? [])[...]
    var result: [Function] = []
    for (index, name) in names.enumerated() {
      let function: Function
      switch name {
      case "relu": function = Function(kind: PS_UNARY_CLIP, alpha: 0, beta: .infinity)
      case "tanh": function = Function(kind: PS_UNARY_TANH)
      case "sigmoid": function = Function(kind: PS_UNARY_SIGMOID)
      case "softsign": function = Function(kind: PS_UNARY_SOFTSIGN)
      case "softplus": function = Function(kind: PS_UNARY_SOFTPLUS)
      case "affine":
        function = Function(kind: PS_UNARY_AFFINE, alpha: alphas.popFirst() ?? 1, beta: betas.popFirst() ?? 0)
      case "leakyrelu": function = Function(kind: PS_UNARY_LEAKY_RELU, alpha: alphas.popFirst() ?? 0.01)
      case "thresholdedrelu": function = Function(kind: PS_UNARY_THRESHOLD, alpha: alphas.popFirst() ?? 1)
      case "hardsigmoid":
        function = Function(kind: PS_UNARY_HARD_SIGMOID, alpha: alphas.popFirst() ?? 0.2, beta: betas.popFirst() ?? 0.5)
      case "elu": function = Function(kind: PS_UNARY_ELU, alpha: alphas.popFirst() ?? 1)
      default: return nil
      }
      if index / usual.count == direction { result.append(function) }
    }
    return result
  }
}
