import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Random inputs that a certificate compares two networks on. Where extents are assumed and the network does not run
/// with them, others are tried.
struct SampleInputs {
  private let bindings: [BoundExtents]
  private let seed: UInt64

  /// A model that is fixed to larger inputs is not run for a comparison.
  private static let mostElements = 1 << 28

  /// Samples a run, and what is tried where a network is made for one.
  private static let batches = [2, 1]

  /// - Parameter samples: extents of a sample by input.
  init(_ model: Model, shapes: ShapeBinding = .init(), samples: [String: [Int]] = [:], seed: UInt64) throws(PruneError)
  {
    bindings = try BoundExtents.attempts(model, shapes: shapes, samples: samples)
    self.seed = seed
  }

  enum Outcome {
    case ran(inputs: [String: Tensor], outputs: [String: Tensor])
    /// Why there is nothing to compare.
    case missing(String)
  }

  /// What `run` gives on the first inputs that it runs with.
  func first(_ model: Model, _ run: ([String: Tensor]) throws(PruneError) -> [String: Tensor]) throws(PruneError)
    -> Outcome
  {
    var reason: String?
    for batch in Self.batches {
      for binding in bindings {
        guard let shapes = binding.shapes(of: model, batch: batch) else {
          reason = reason ?? "the shapes of the model's inputs are open, and there is no data to take them from"
          continue
        }
        do {
          guard let inputs = try Self.tensors(of: model, shapes, seed: seed) else { continue }
          return .ran(inputs: inputs, outputs: try run(inputs))
        } catch let error where error.status != .cancelled {
          reason = reason ?? "the model does not run here: \(error)"
        }
      }
    }
    return .missing(reason ?? "the model's inputs are no numbers")
  }

  /// Standard normal floats; integers of 0 and 1, which are tokens anywhere, and flags, both of them where there is
  /// room. Nil for what is no number.
  static func tensors(of model: Model, _ shapes: [String: Shape], seed: UInt64) throws(PruneError) -> [String: Tensor]?
  {
    var random = RandomSource(seed: seed)
    var result: [String: Tensor] = [:]
    for input in model.graph.trueInputs {
      guard let shape = shapes[input.name] else { return nil }
      let dtype = input.type?.dtype ?? .float32
      guard dtype.isFloatingPoint || dtype.isInteger || dtype == .bool else { return nil }
      guard shape.count <= mostElements else {
        throw PruneError(.outOfMemory, "input '\(input.name)' \(shape) is too large to compare outputs on")
      }
      var values = (0..<shape.count).map { _ in
        dtype.isFloatingPoint ? Float(random.normal()) : Float(random.next() & 1)
      }
      // A mask of one value alone hides what it does.
      if !dtype.isFloatingPoint, values.count > 1, let first = values.first, values.allSatisfy({ $0 == first }) {
        values[0] = 1 - first
      }
      result[input.name] = try Tensor(values, shape).cast(to: dtype)
    }
    return result
  }
}
