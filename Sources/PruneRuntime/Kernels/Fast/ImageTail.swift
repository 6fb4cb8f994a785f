/// What follows a convolution in kernels of our own: another image is added, then comes a leaky rectifier between two
/// limits.
struct ImageTail {
  private(set) var residual: Int?
  private(set) var limits: (slope: Float, low: Float, high: Float) = (1, -.infinity, .infinity)
  /// Whether that is all of the epilogue.
  private(set) var isWhole = true

  /// - Parameters:
  ///   - adds: whether a value can be added.
  ///   - applies: whether a leaky rectifier can be applied.
  init(_ epilogue: [Dataflow.Epilogue], adds: (Int) -> Bool, applies: (Activation) -> Bool) {
    for (index, item) in epilogue.enumerated() {
      switch item {
      case .add(let other) where index == 0 && adds(other): residual = other
      case .activation(let activation) where index == epilogue.count - 1 && applies(activation):
        if let leaky = activation.leakyLimits { limits = leaky } else { isWhole = false }
      default: isWhole = false
      }
    }
  }

  /// A function in a step of its own costs less than is gained.
  func verdict(on op: Dataflow.Op) -> KernelVerdict {
    if isWhole { return .takes }
    if op.epilogue.count == 1, case .activation = op.epilogue[0] {
      return .takesBare("the function behind takes a step of its own")
    }
    return .refuses("what follows cannot be done with the convolution")
  }
}
