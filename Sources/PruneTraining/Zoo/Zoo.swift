import PruneGraph
import PruneTensor

/// What `Zoo.make` builds. Fields a network does not use are ignored.
package struct ZooOptions: Sendable {
  /// Extents of one sample, without the batch: [64] or [1,28,28]. Empty: the network's own default.
  package var input: [Int] = []
  /// Width of the logits.
  package var classes = 10
  /// Widths of the hidden layers of "mlp". Empty: one layer of 128.
  package var hidden: [Int] = []
  /// "relu", "leaky_relu", "tanh", "sigmoid" or "hard_swish".
  package var activation = "relu"
  /// Seed of the initial weights.
  package var seed: UInt64 = 0

  package init() {}
}

/// Networks with random initial weights, in ONNX form: input "input", logits output "logits", both with a batch
/// extent named "N"; nodes and weights named as people expect (`conv1`, `conv1.weight`, `fc1.bias`).
///
/// Weights before a rectifier are drawn as He et al. 2015 (normal, variance 2/fan-in), others as Glorot and
/// Bengio 2010 (uniform, variance 2/(fan-in + fan-out)); biases start at zero.
package enum Zoo {
  typealias Recipe = @Sendable (ZooOptions) throws(PruneError) -> Model

  /// Every network by name, in the order they are listed to users.
  static let recipes: [(name: String, make: Recipe)] = [
    ("mlp", multilayerPerceptron),
    ("lenet_300_100", lenet300100),
    ("lenet5", lenet5),
  ]

  /// Names `make` knows.
  package static var names: [String] { recipes.map(\.name) }

  /// Builds the network called `name`.
  /// - Throws: `.notFound` for an unknown name, `.invalidArgument` for sizes no network of that kind can have.
  package static func make(_ name: String, _ options: ZooOptions = ZooOptions()) throws(PruneError) -> Model {
    guard let recipe = recipes.first(where: { $0.name == name }) else {
      throw PruneError(
        .notFound, "the zoo has no network '\(name)'", hint: "it has " + names.joined(separator: ", "))
    }
    guard options.classes > 0, options.classes <= 1 << 24 else {
      throw PruneError(.invalidArgument, "\(name): classes is \(options.classes), wanted 1 or more", at: "zoo")
    }
    guard (options.input + options.hidden).allSatisfy({ $0 > 0 && $0 <= 1 << 24 }) else {
      throw PruneError(
        .invalidArgument, "\(name): input \(options.input) and hidden \(options.hidden) must be positive sizes", at: "zoo")
    }
    do {
      return try recipe.make(options)
    } catch {
      throw error.located(at: "zoo.\(name)")
    }
  }
}
