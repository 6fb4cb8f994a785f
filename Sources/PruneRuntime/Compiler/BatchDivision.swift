import PruneGraph
import PruneTensor

/// Whether a batch is better run in parts, one after the other: results that do not fit the caches are written to
/// memory and read again, which for networks of small weights and large images takes longer than to read the weights
/// more often. It takes less memory too.
struct BatchDivision {
  let batch: Int
  /// Samples at a time, a divisor of the batch.
  let part: Int

  /// What an operation may read and write for a thread to find it in its caches, and what it must for a division to
  /// matter.
  private static let bytesPerThread = 4_194_304.0
  private static let leastBytes = 25_165_824.0

  /// Nil where samples depend on each other, as far as can be told, or nothing would be gained.
  init?(_ flow: Dataflow) {
    guard let first = flow.inputs.first, let batch = flow.values[first].shape?.dims.first, batch > 1,
      Self.isIndependent(flow, batch: batch)
    else { return nil }
    // Extents may be such that sums of their sizes are beyond an Int.
    func bytes(_ value: Int) -> Double {
      Double(flow.values[value].shape?.count ?? 0) * Double(flow.values[value].dtype?.bitWidth ?? 8) / 8
    }
    var (most, outputBytes) = (0.0, 0.0), weights: [Int: Double] = [:]
    for op in flow.ops {
      let outputs = op.outputs.compactMap { $0 }, constants = Set(op.reads.filter { flow.values[$0].constant != nil })
      most = max(most, (outputs + op.reads.filter { !constants.contains($0) }).reduce(0.0) { $0 + bytes($1) })
      outputBytes += outputs.reduce(0.0) { $0 + bytes($1) }
      for constant in constants { weights[constant] = bytes(constant) }
    }
    let target = Self.bytesPerThread * Double(max(Parallel.threads, 1)), sample = most / Double(batch)
    guard most > max(Self.leastBytes, 2 * target), outputBytes / Double(batch) > weights.values.reduce(0, +) else {
      return nil
    }
    let part = (1...max(Int(target / sample), 1)).last { batch % $0 == 0 } ?? 1
    self.batch = batch
    self.part = part
  }

  /// The same options for a part of the batch.
  func applied(to options: ProgramOptions) -> ProgramOptions? {
    var result = options
    for (name, shape) in options.inputShapes {
      guard let shape = try? Shape([part] + shape.dims.dropFirst()) else { return nil }
      result.inputShapes[name] = shape
    }
    return result
  }

  /// Whether `flow`, compiled for a part, is what a part of the batch needs: a model may say in constants how large its
  /// batch is.
  func fits(_ flow: Dataflow, outputs: [Shape?]) -> Bool {
    Self.isIndependent(flow, batch: part)
      && flow.outputs.map { flow.values[$0.value].shape?.dims }
        == outputs.map { $0.map { [part] + $0.dims.dropFirst() } }
  }

  // MARK: - Independence

  /// Whether all that is computed has the batch as its first axis, and each sample comes from the same one of what was
  /// read.
  private static func isIndependent(_ flow: Dataflow, batch: Int) -> Bool {
    var isBatched = [Bool](repeating: false, count: flow.values.count)
    func dims(_ value: Int?) -> [Int] { value.flatMap { flow.values[$0].shape?.dims } ?? [] }
    guard flow.watched.isEmpty, !flow.inputs.isEmpty, flow.inputs.allSatisfy({ dims($0).first == batch }) else {
      return false
    }
    for input in flow.inputs { isBatched[input] = true }
    for op in flow.ops {
      guard op.control == nil, op.updatedInputs == nil, op.outputs.compactMap({ $0 }).count == 1, let y = op.output(0),
        flow.values[y].isStatic, op.reads.allSatisfy({ isBatched[$0] || flow.values[$0].constant != nil }),
        let x = op.input(0), isBatched[x] || op.key == "Concat", dims(y).first == batch,
        op.epilogue.allSatisfy({
          if case .add(let other) = $0 { isBatched[other] && dims(other) == dims(y) } else { true }
        }),
        isIndependent(op, flow, x: dims(x), y: dims(y), { isBatched[$0] }, dims)
      else { return false }
      isBatched[y] = true
    }
    return flow.outputs.allSatisfy { isBatched[$0.value] }
  }

  private static func isIndependent(
    _ op: Dataflow.Op, _ flow: Dataflow, x: [Int], y: [Int], _ isBatched: (Int) -> Bool, _ dims: (Int?) -> [Int]
  ) -> Bool {
    let others = op.inputs.dropFirst().compactMap { $0 }
    func isWithin(_ axis: Int64) -> Bool { axis > 0 || axis < 0 && axis + Int64(x.count) > 0 }
    let row = op.node.operation
    if row?.isElementwise ?? false || row?.kind == .storage {
      return op.inputs.compactMap { $0 }.allSatisfy {
        isBatched($0) ? dims($0).count == y.count : dims($0).count < y.count || dims($0).first == 1
      }
    }
    // Operands are images or constants.
    if row?.traits.contains(.keepsSamplesApart) ?? false {
      return x.count > 2 && !others.contains(where: isBatched) && op.node.int("training_mode", default: 0) == 0
    }
    switch op.key {
    case "Concat":
      return isWithin(Int64(op.node.int("axis", default: 0))) && op.inputs.allSatisfy { $0.map(isBatched) ?? false }
    case "Flatten": return op.node.int("axis", default: 1) == 1
    // Elements stay in order, so samples do where the first axis does.
    case _ where row?.kind == .reshaping: return !others.contains(where: isBatched)
    case _ where row?.kind == .softmax: return isWithin(Int64(op.node.int("axis", default: op.opset < 13 ? 1 : -1)))
    case "LayerNormalization":
      return isWithin(Int64(op.node.int("axis", default: -1))) && !others.contains(where: isBatched)
    case _ where row?.kind == .reduction:
      let axes =
        op.node.ints("axes")?.map(Int64.init)
        ?? op.input(1).flatMap { try? flow.values[$0].constant?.array(of: Int64.self) }
      return axes.map { !$0.isEmpty && $0.allSatisfy(isWithin) } ?? false
    case "Gemm":
      return op.node.int("transA", default: 0) == 0 && !others.contains(where: isBatched)
        && (dims(op.input(2)).count < 2 || dims(op.input(2)).first == 1)
    case "MatMul": return x.count > 1 && !others.contains(where: isBatched) && dims(op.input(1)).count == 2
    case "Transpose": return op.node.ints("perm")?.first == 0
    default: return false
    }
  }
}
