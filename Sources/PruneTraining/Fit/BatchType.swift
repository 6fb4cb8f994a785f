import PruneGraph
import PruneTensor

/// What a program is compiled for: the shapes of a batch's inputs by name, and the type of its targets.
struct BatchType: Hashable {
  let shapes: [String: Shape]
  let targets: TensorType

  init(_ shapes: [String: Shape], _ targets: TensorType) {
    self.shapes = shapes
    self.targets = targets
  }

  init(_ inputs: [String: Tensor], _ targets: Tensor) {
    self.init(inputs.mapValues(\.shape), TensorType(targets.dtype, targets.shape))
  }
}
