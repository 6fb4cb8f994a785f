import COneDNN
import PruneTensor

extension Lowering {
  func emit(
    _ label: String, reads: [Int], writes: [Int], losesNaN: Bool,
    bind: @escaping (Frame) throws(PruneError) -> BoundStep
  ) {
    emit(label, kernel: kernel, reads: reads, writes: writes, losesNaN: losesNaN, bind: bind)
  }

  /// - Parameters:
  ///   - kernel: what the step runs by.
  ///   - runsPrograms: whether it runs the graphs of If, Loop or Scan.
  func emit(
    _ label: String, kernel: String, reads: [Int], writes: [Int], losesNaN: Bool = false, runsPrograms: Bool = false,
    bind: @escaping (Frame) throws(PruneError) -> BoundStep
  ) {
    for buffer in reads + writes {
      let place = root(buffer)
      drafts[place].first = min(drafts[place].first, steps.count)
      drafts[place].last = max(drafts[place].last, steps.count)
    }
    steps.append(
      Plan.Step(
        label: label, kernel: kernel, refusals: kernel == Self.reorder ? [] : refusals,
        isSingleThreaded: isSingleThreaded, losesNaN: losesNaN, runsPrograms: runsPrograms,
        weights: kernel == Self.reorder ? nil : weightUse, bind: bind))
  }

  /// What steps are called that only lay a value out anew.
  static let reorderLabel = "Reorder"
  static let reorder = "reorder"

  func emitReorder(from: Layout, _ source: Int, to: Layout, _ target: Int) throws(PruneError) {
    try singleThreaded(WorkEstimate.isSmall(movedBytes: from.byteCount + to.byteCount)) { () throws(PruneError) in
      guard let primitive = Primitive.reorder(from: from, to: to) else {
        throw PruneError(.unsupported, "oneDNN has no reorder between these layouts")
      }
      let outer = kernel
      kernel = Self.reorder
      defer { kernel = outer }
      emit(
        Self.reorderLabel, primitive,
        [.init(DNNL_ARG_FROM, source, from), .init(DNNL_ARG_TO, target, to, isWritten: true)])
    }
  }
}
