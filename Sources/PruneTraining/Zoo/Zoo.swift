import PruneGraph
import PruneTensor

/// What `Zoo.make` builds. Fields a network does not use are ignored.
package struct ZooOptions: Sendable {
  /// Extents of one sample, without the batch: [64] or [1,28,28]. Empty: the network's own default.
  package var input: [Int] = []
  /// Width of the logits. 0: 1000 for networks that are built for large images, else 10.
  package var classes = 0
  /// Widths of the hidden layers: of "mlp" (empty: 128), of "lstm" (128), of the tokens and the layers between of "vit"
  /// (192, four times as many).
  package var hidden: [Int] = []
  /// "relu", "leaky_relu", "tanh", "sigmoid" or "hard_swish", for all but "mobilenet_v2", "vit" and "lstm".
  package var activation = "relu"
  /// Seed of the initial weights.
  package var seed: UInt64 = 0
  /// Layers: "vgg" 11, 13, 16 (default) or 19; "resnet" 18 (default), 34, 50, 101 or 152, or the networks for CIFAR,
  /// 20, 32, 44, 56 or 110; "vit" any number of blocks (12).
  package var depth = 0
  /// Multiplies the channels of "mobilenet_v2"; 0 is 1.
  package var width = 0.0
  /// How a convolutional network begins: "imagenet" reduces the image by its first layers, "small" keeps its extents.
  /// Empty: by the image, "imagenet" from 64 pixels a side.
  package var stem = ""
  /// Side of the square patches of "vit". 0: 16 from 64 pixels a side, 4 from 16, else 2.
  package var patch = 0
  /// Attention heads of "vit". 0: one for each 64 of its width.
  package var heads = 0

  package init() {}
}

/// Networks with random initial weights, in ONNX form: input "input", logits output "logits", both with a batch
/// extent named "N"; nodes and weights named as people expect (`conv1`, `conv1.weight`, `fc1.bias`).
///
/// Weights before a rectifier are drawn as He et al. 2015 (normal, variance 2/fan-in), others as Glorot and
/// Bengio 2010 (uniform, variance 2/(fan-in + fan-out)); biases start at zero, normalizations as the identity.
package enum Zoo {
  typealias Recipe = @Sendable (ZooOptions) throws(PruneError) -> Model

  /// Every network by name, in the order they are listed to users.
  static let recipes: [(name: String, make: Recipe)] = [
    ("mlp", multilayerPerceptron),
    ("lenet_300_100", lenet300100),
    ("lenet5", lenet5),
    ("vgg", vgg),
    ("resnet", resnet),
    ("mobilenet_v2", mobileNetV2),
    ("densenet121", denseNet121),
    ("vit", visionTransformer),
    ("lstm", lstmClassifier),
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
    guard options.classes >= 0, options.classes <= 1 << 24 else {
      throw PruneError(.invalidArgument, "\(name): classes is \(options.classes), wanted 1 or more", at: "zoo")
    }
    guard (options.input + options.hidden).allSatisfy({ $0 > 0 && $0 <= 1 << 24 }) else {
      throw PruneError(
        .invalidArgument, "\(name): input \(options.input) and hidden \(options.hidden) must be positive sizes",
        at: "zoo")
    }
    do {
      return try recipe.make(options)
    } catch {
      throw error.located(at: "zoo.\(name)")
    }
  }
}

/// What the networks for images have in common.
struct ImageOptions {
  /// Channels, height, width.
  let input: [Int]
  /// Whether the first layers reduce the image, as on ImageNet.
  let reduces: Bool
  /// The number of classes: the option, or 1000 for large images and 10 for small ones.
  let classes: Int

  /// - Throws: `.invalidArgument` when the input is no image or the stem is none.
  init(_ options: ZooOptions, input standard: [Int] = [3, 224, 224]) throws(PruneError) {
    input = options.input.isEmpty ? standard : options.input
    guard input.count == 3 else {
      throw PruneError(.invalidArgument, "input is \(input), wanted [channels, height, width]")
    }
    switch options.stem {
    case "imagenet": reduces = true
    case "small": reduces = false
    case "": reduces = min(input[1], input[2]) >= 64
    default:
      throw PruneError(.invalidArgument, "there is no stem '\(options.stem)'", hint: "use one of imagenet, small")
    }
    classes = options.classes > 0 ? options.classes : min(input[1], input[2]) >= 64 ? 1000 : 10
  }
}
