import PruneGraph
import PruneTensor

/// What a reference step computes: a node's outputs from its inputs, nil where absent.
typealias Evaluation = (_ frame: Frame, _ inputs: [Tensor?]) throws(PruneError) -> [Tensor]

/// A step that evaluates a node on tensors over the frame's memory.
private final class ReferenceStep {
  enum Source {
    case absent
    case fixed(Tensor)
    case slot(Int)
  }
  enum Target {
    case ignored
    case place(UnsafeMutableRawPointer, DType, Shape)
    case slot(Int)
  }

  let evaluate: Evaluation
  let sources: [Source]
  let targets: [Target]
  unowned let frame: Frame

  init(_ evaluate: @escaping Evaluation, _ sources: [Source], _ targets: [Target], _ frame: Frame) {
    self.evaluate = evaluate
    self.sources = sources
    self.targets = targets
    self.frame = frame
  }

  private static func missing(_ index: Int) -> PruneError {
    PruneError(.invalidModel, "the operator has no output \(index) in this form")
  }

  func run() throws(PruneError) {
    let inputs: [Tensor?] = sources.map { source in
      switch source {
      case .absent: nil
      case .fixed(let tensor): tensor
      case .slot(let index): frame.slots[index]
      }
    }
    let results = try evaluate(frame, inputs)
    for (index, target) in targets.enumerated() {
      switch target {
      case .ignored: continue
      case .place(let pointer, let dtype, let shape):
        guard index < results.count else { throw Self.missing(index) }
        let result = results[index]
        guard result.dtype == dtype, result.shape == shape else {
          throw PruneError(
            .internal, "output \(index) is \(result.dtype.name) \(result.shape), planned was \(dtype.name) \(shape)")
        }
        // Safe: the plan reserved exactly byteCount bytes there. memmove: a kernel may return its input.
        pointer.copyMemory(from: result.storage.base.advanced(by: result.byteOffset), byteCount: result.byteCount)
      case .slot(let slot):
        guard index < results.count else { throw Self.missing(index) }
        // What is not ours to keep may be a view of the arena, which the next step overwrites.
        frame.slots[slot] = results[index].storage.isWritable ? results[index] : try results[index].copied()
      }
    }
  }
}

extension Lowering {
  /// Runs an operation by its reference kernel.
  /// - Throws: `.unsupported` when there is none.
  func emitReference(_ op: Dataflow.Op) throws(PruneError) {
    guard let kernel = ReferenceKernels.kernel(for: op.node, opset: op.opset) else {
      let origin = op.node.isStandard ? "" : " of domain '\(op.node.domain)'"
      throw PruneError(
        .unsupported, "no kernel runs operator \(op.node.opType)\(origin) (opset \(op.opset))", at: op.node.label,
        hint: "the model can be loaded, edited and saved, but not run")
    }
    let (node, opset) = (op.node, op.opset)
    try emit(op, kernel: Self.reference) { (_, inputs) throws(PruneError) in try kernel(node, inputs, opset) }
  }

  /// Runs If, Loop or Scan.
  func emitControl(_ op: Dataflow.Op, _ control: ControlNode) throws(PruneError) {
    try emit(op, kernel: "graph", runsPrograms: true) { (frame, inputs) throws(PruneError) in
      try control.run(inputs, cancel: frame.cancel)
    }
  }

  /// Passes a value to the observer of the run.
  func emitWatch(_ watched: (name: String, value: Int, isOrdered: Bool), of node: Node) throws(PruneError) {
    let op = Dataflow.Op(node: node, opset: 1, inputs: [watched.value], outputs: [])
    try emit(op, kernel: "watch", isOrdered: watched.isOrdered) { (frame, inputs) throws(PruneError) in
      if let tensor = inputs[0] { try frame.watch?(watched.name, tensor) }
      return []
    }
  }

  /// Adds a step that works on whole tensors.
  private func emit(
    _ op: Dataflow.Op, kernel: String, isOrdered: Bool = true, runsPrograms: Bool = false,
    _ evaluate: @escaping Evaluation
  ) throws(PruneError) {
    enum Place { case absent, constant(Tensor), buffer(Int, DType, Shape), slot(Int) }
    func place(_ id: Int) throws(PruneError) -> Place {
      let value = self.value(id)
      if let constant = value.constant { return .constant(constant) }
      guard let dtype = value.dtype, let shape = value.shape, value.isStatic else { return .slot(slot(id)) }
      return .buffer(isOrdered ? try plain(id) : try unordered(id), dtype, shape)
    }
    var sources: [Place] = []
    for input in op.inputs { sources.append(try input.map { id throws(PruneError) in try place(id) } ?? .absent) }
    var targets: [Place] = []
    if let updated = op.updatedInputs {
      for position in updated {
        guard let id = op.input(position), let dtype = value(id).dtype, let shape = value(id).shape else {
          targets.append(.absent)
          continue
        }
        targets.append(.buffer(try updatedBuffer(id), dtype, shape))
      }
    } else {
      for output in op.outputs {
        guard let output else {
          targets.append(.absent)
          continue
        }
        if let dtype = value(output).dtype, let shape = value(output).shape, value(output).isStatic {
          targets.append(.buffer(try define(output, layout: nil), dtype, shape))
        } else {
          targets.append(.slot(slot(output)))
        }
      }
    }
    func buffers(_ places: [Place]) -> [Int] {
      places.compactMap { if case .buffer(let buffer, _, _) = $0 { buffer } else { nil } }
    }
    let (reads, writes) = (sources, targets)
    emit(
      op.node.label, kernel: kernel, reads: buffers(reads), writes: buffers(writes),
      runsPrograms: runsPrograms
    ) { frame throws(PruneError) in
      var inputs: [ReferenceStep.Source] = []
      for place in reads {
        switch place {
        case .absent: inputs.append(.absent)
        case .constant(let tensor): inputs.append(.fixed(tensor))
        case .slot(let slot): inputs.append(.slot(slot))
        case .buffer(let buffer, let dtype, let shape):
          // Safe: a read-only view of memory that outlives the step; results that keep it are copied.
          let storage = Storage(
            borrowing: frame.pointers[buffer], byteCount: dtype.byteCount(shape.count) ?? 0, isWritable: false
          ) { _ in }
          inputs.append(.fixed(try Tensor(dtype, shape, over: Bytes(storage: storage))))
        }
      }
      let outputs = writes.map { place -> ReferenceStep.Target in
        switch place {
        case .absent, .constant: .ignored
        case .slot(let slot): .slot(slot)
        case .buffer(let buffer, let dtype, let shape): .place(frame.pointers[buffer], dtype, shape)
        }
      }
      let step = Unmanaged.passRetained(ReferenceStep(evaluate, inputs, outputs, frame))
      frame.onRelease { step.release() }
      return BoundStep(
        run: { context in
          guard let context else { return -1 }
          // Safe: the frame holds the step until it is bound anew.
          let step = Unmanaged<ReferenceStep>.fromOpaque(context).takeUnretainedValue()
          do {
            try step.run()
            return 0
          } catch {
            step.frame.failure = (error as? PruneError) ?? PruneError(.internal, "\(error)")
            return -1
          }
        }, context: step.toOpaque())
    }
  }
}
