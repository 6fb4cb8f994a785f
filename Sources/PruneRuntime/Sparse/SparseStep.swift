import CPruneSupport
import PruneGraph
import PruneTensor

/// The step that multiplies with sparse weights.
enum SparseStep {
  static func emit(
    _ arguments: ps_sparse_args, _ problem: SparseProblem, _ weights: SparseWeights, _ source: Int,
    offsets: [Int32]? = nil,
    _ op: Dataflow.Op, _ emitter: any Emitter, run: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Int32
  ) throws(PruneError) {
    let bias = try problem.tail.bias.map { id throws(PruneError) in try emitter.plain(id) }
    let residual = try problem.tail.residual.map { id throws(PruneError) in try emitter.plain(id) }
    let table = try offsets.map { list throws(PruneError) in
      try emitter.constantBuffer(try Tensor(list, try Shape([list.count])))
    }
    let target: Int
    if let residual, let value = problem.tail.residual, value != problem.x, emitter.canOverwrite(value, in: op) {
      target = emitter.define(problem.y, layout: nil, over: residual)
    } else {
      target = try emitter.define(problem.y, layout: nil)
    }
    var final = arguments
    final.threads = Int64(max(Parallel.threads, 1))
    (final.weights.rows, final.weights.together) = (Int64(weights.source.rows), Int64(weights.together))
    var cuts: Int?
    if weights.form == .sorted || weights.form == .together {
      let block = Int(ps_sparse_block(&final, Int64(weights.source.taps), Int64(weights.count)))
      if block > 0, block < weights.source.taps {
        cuts = try emitter.constantBuffer(try weights.cuts(block: block))
        final.blocks = Int64((weights.source.taps + block - 1) / block)
      }
    }
    let scratch = emitter.scratch(max(4 * Int(ps_sparse_scratch(&final)), 64))
    let (fixed, cutBuffer) = (final, cuts)
    emitter.emit(
      op.node.label, reads: [source, weights.buffer] + [table, bias, residual, cutBuffer].compactMap { $0 },
      writes: [target, scratch]
    ) { frame in
      var bound = fixed
      bound.weights = weights.bound(frame)
      bound.x = UnsafePointer(frame.pointer(source))
      bound.offsets = table.map { UnsafePointer(frame.pointer($0, as: Int32.self)) }
      bound.cuts = cutBuffer.map { UnsafePointer(frame.pointer($0, as: UInt32.self)) }
      bound.bias = bias.map { UnsafePointer(frame.pointer($0)) }
      bound.residual = residual.map { UnsafePointer(frame.pointer($0)) }
      bound.y = frame.pointer(target)
      bound.scratch = frame.pointer(scratch)
      return frame.step(bound, run)
    }
  }
}

extension ps_sparse_args {
  /// - Parameter activation: what is done to the sums last.
  init(_ activation: Activation?) {
    self.init()
    (slope, low, high, function) = (1, -.infinity, .infinity, -1)
    switch activation {
    case nil: break
    case .relu: low = 0
    case .leakyRelu(let alpha): slope = alpha
    case .clip(let least, let most): (low, high) = (least, most)
    case let other?:
      let unary = other.unary
      (function, alpha, beta) = (Int32(unary.kind.rawValue), unary.alpha, unary.beta)
    }
  }
}
