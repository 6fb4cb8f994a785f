import PruneGraph
import PruneTensor

/// Everything a fit needs to go on where it stopped: weights, statistics, the optimizer's state and how far it came.
package struct FitState: Sendable {
  /// Complete epochs.
  package var epoch: Int
  /// Weights and running statistics by name.
  package var parameters: [String: Tensor]
  package var optimizer: OptimizerState
  /// The learning rate that the fit settled on; nil in checkpoints of before it was kept.
  var rate: Double?
  /// What reducing on a plateau made of the learning rate, and what plateaus were measured against.
  var rateFactor = 1.0
  var plateau = Plateau()
  var stopping = Plateau()

  private static let header = "fit"
  private static let weight = "parameter/"
  private static let state = "state/"

  init(
    epoch: Int, parameters: [String: Tensor], optimizer: OptimizerState, rate: Double, rateFactor: Double,
    plateau: Plateau,
    stopping: Plateau
  ) {
    self.epoch = epoch
    self.parameters = parameters
    self.optimizer = optimizer
    self.rate = rate
    self.rateFactor = rateFactor
    self.plateau = plateau
    self.stopping = stopping
  }

  /// The state as named tensors, for a file.
  package func tensors() throws(PruneError) -> [(name: String, tensor: Tensor)] {
    let kind = Optimizer.Kind.allCases.firstIndex { $0.rawValue == optimizer.optimizer } ?? 0
    let numbers: [Double] = [
      1, Double(epoch), Double(kind), Double(optimizer.step), rateFactor, plateau.best ?? .nan,
      Double(plateau.epochsWithout),
      stopping.best ?? .nan, Double(stopping.epochsWithout), rate ?? 0,
    ]
    var result = [(name: Self.header, tensor: try Tensor(numbers))]
    for (name, tensor) in parameters.sorted(by: { $0.key < $1.key }) { result.append((Self.weight + name, tensor)) }
    for (name, entries) in optimizer.tensors.sorted(by: { $0.key < $1.key }) {
      for (entry, tensor) in entries.sorted(by: { $0.key < $1.key }) {
        result.append(("\(Self.state)\(entry)/\(name)", tensor))
      }
    }
    return result
  }

  /// - Throws: `.badFormat` for tensors that no fit wrote.
  package init(tensors: [(name: String, tensor: Tensor)]) throws(PruneError) {
    func wrong(_ message: String) -> PruneError {
      PruneError(.badFormat, message, hint: "a checkpoint that fit wrote is wanted")
    }
    guard let header = tensors.first(where: { $0.name == Self.header })?.tensor, header.dtype == .float64,
      header.count == 9 || header.count == 10
    else {
      throw wrong("it has no entry 'fit'")
    }
    let numbers = try header.array(of: Double.self)
    let kinds = Optimizer.Kind.allCases
    let counts = [1, 2, 3, 6, 8].map { numbers[$0] }
    guard numbers[0] == 1, counts.allSatisfy({ $0 >= 0 && $0 < 1e15 && $0.rounded() == $0 }),
      Int(numbers[2]) < kinds.count,
      numbers[4] >= 0, numbers[4] <= 1
    else { throw wrong("its entry 'fit' is \(numbers)") }
    epoch = Int(numbers[1])
    rateFactor = numbers[4]
    if numbers.count > 9, numbers[9] > 0, numbers[9].isFinite { rate = numbers[9] }
    plateau.restore(best: numbers[5], epochsWithout: Int(numbers[6]))
    stopping.restore(best: numbers[7], epochsWithout: Int(numbers[8]))
    parameters = [:]
    optimizer = OptimizerState(optimizer: kinds[Int(numbers[2])].rawValue, step: Int(numbers[3]), tensors: [:])
    for (name, tensor) in tensors where name != Self.header {
      guard tensor.dtype == .float32 else { throw wrong("its entry '\(name)' is \(tensor.dtype.name)") }
      if name.hasPrefix(Self.weight) {
        parameters[String(name.dropFirst(Self.weight.count))] = tensor
      } else if name.hasPrefix(Self.state), let slash = name.dropFirst(Self.state.count).firstIndex(of: "/") {
        let entry = String(name[name.index(name.startIndex, offsetBy: Self.state.count)..<slash])
        optimizer.tensors[String(name[name.index(after: slash)...]), default: [:]][entry] = tensor
      } else {
        throw wrong("it has an entry '\(name)'")
      }
    }
  }
}
