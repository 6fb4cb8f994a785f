import PruneGraph
import PruneTensor

/// Adds the steps of an operation, or says false when it cannot do this one: then the next candidate is asked, and last
/// of all its reference kernel runs. All values it touches are static. What a refusal already added is taken back.
typealias FastKernel = @Sendable (_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool

/// Why something is not done by a kernel, in words.
struct Refusal: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// What a family says to an operation before it is asked to run it.
enum KernelVerdict {
  /// It runs the operation, unless it finds out otherwise while doing so.
  case takes
  case refuses(String)
  /// It runs the operation without what follows it, and that is faster than another kernel for all of it.
  case takesBare(String)
}

/// Kernels of one kind, each for an operator. Several families may have one for the same operator; they are asked in the
/// order of `FastKernels.families`, as oneDNN asks its implementations.
protocol KernelFamily: SendableMetatype {
  /// What steps are said to run by.
  static var name: String { get }
  /// Keyed by operator (`Conv`) or, outside the standard domain, `domain.operator`.
  static var kernels: [String: FastKernel] { get }
  /// What the family can do.
  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> KernelVerdict
  /// The time an operation takes, in multiplications, to be compared with that of candidates behind. Nil where nothing
  /// is estimated: what the family takes it does best.
  static func cost(of op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Double?
}

extension KernelFamily {
  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> KernelVerdict { .takes }
  static func cost(of op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Double? { nil }
}

/// A family's kernel for one operator.
struct KernelCandidate: Sendable {
  let family: any KernelFamily.Type
  let kernel: FastKernel
}

/// The kernels that are faster than the reference, by operator.
package enum FastKernels {
  /// In the order in which they are asked.
  static let families: [any KernelFamily.Type] = [
    WinogradKernels.self, PixelKernels.self, ConvolutionKernels.self, SideBySideKernels.self,
    DeconvolutionKernels.self, NarrowProductKernels.self, PackedMatrixKernels.self, MatrixKernels.self,
    PoolingKernels.self, NormalizationKernels.self, ElementwiseKernels.self, BinaryKernels.self, MovementKernels.self,
    ReductionKernels.self, TrainingStepKernels.self, QuantizationKernels.self, IndexKernels.self, ElementKernels.self,
    LayerNormKernels.self, RecurrentKernels.self, AttentionKernels.self, ResizeKernels.self, ProductKernels.self,
    QuantizedLayerKernels.self, CodeKernels.self, CodeProductKernels.self, RegularizationStepKernels.self,
    GradientStepKernels.self,
  ]

  /// The kernels that may run an operation, the one to ask first before others.
  static func candidates(for op: Dataflow.Op) -> [KernelCandidate] { byOperator[op.key] ?? [] }

  /// Every operator that has one, as tables of operators name it.
  package static var names: [String] { byOperator.keys.sorted() }

  /// Names of the families that may run an operator, in the order in which they are asked.
  package static func families(of name: String) -> [String] { (byOperator[name] ?? []).map { $0.family.name } }

  private static let byOperator: [String: [KernelCandidate]] = {
    var candidates: [String: [KernelCandidate]] = [:]
    for family in families {
      for (name, kernel) in family.kernels {
        candidates[name, default: []].append(KernelCandidate(family: family, kernel: kernel))
      }
    }
    return candidates
  }()
}
