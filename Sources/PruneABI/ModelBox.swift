import CPrune
import PruneGraph
import PruneRuntime
import PruneTensor
import Synchronization

/// Behind `prune_model`: a model, and the programs compiled from it until it changes.
final class ModelBox: Box {
  static let kind = "model"
  private(set) var model: Model
  /// As it was read, where that is not the form that transforms work on; nil once the model has changed.
  private let source: Model?
  private var isChanged = false
  let context: ContextBox?
  private let session = Mutex<Session?>(nil)
  private var strings = CStringArena()
  private var cInfos: [Bool: [prune_value_info]] = [:]
  private var cNames: [UnsafePointer<CChar>]?
  private(set) lazy var cName: UnsafePointer<CChar> = strings.string(model.graph.name)

  init(_ model: Model, _ context: ContextBox?) {
    self.model = model
    self.context = context
    source = nil
  }

  /// A model as a file holds it: its weights are put in the open.
  init(read model: Model, _ context: ContextBox?) throws(PruneError) {
    self.model = try model.opened()
    self.context = context
    let isOpen = model.functions.isEmpty && self.model.graph.nodes.count == model.graph.nodes.count
    source = isOpen ? nil : model
  }

  /// Another handle on the same.
  init(copying other: ModelBox) {
    (model, context, source, isChanged) = (other.model, other.context, other.source, other.isChanged)
  }

  /// What a save writes: a model that was not changed is written as it was read.
  var saved: Model { isChanged ? model : source ?? model }

  /// The model of a call, its context entered.
  static func enter(_ handle: OpaquePointer?) throws(PruneError) -> ModelBox {
    let box: ModelBox = try Handles.object(handle)
    ContextBox.enter(box.context)
    return box
  }

  var cancel: CancelFlag? { context?.cancel }
  var communicator: Communicator? { context?.communicator }

  /// Replaces the model: compiled programs and C strings of the old one are dropped.
  func replace(_ model: Model) {
    self.model = model
    isChanged = true
    session.withLock { $0 = nil }
    strings = CStringArena()
    cInfos = [:]
    cNames = nil
    cName = strings.string(model.graph.name)
  }

  /// The programs of the model as it is now. Several threads may ask at once.
  func compiled() -> Session {
    let model = model
    return session.withLock { current in
      let session = current ?? Session(model)
      current = session
      return session
    }
  }

  /// Inputs that a caller feeds, or outputs.
  func values(isInput: Bool) -> [ValueInfo] { isInput ? model.graph.trueInputs : model.graph.outputs }

  func info(isInput: Bool, _ index: Int) throws(PruneError) -> prune_value_info {
    let all = cInfos[isInput] ?? values(isInput: isInput).map(describe)
    cInfos[isInput] = all
    guard index >= 0, index < all.count else {
      throw PruneError(
        .notFound, "the model has \(all.count) \(isInput ? "inputs" : "outputs"), asked for number \(index)")
    }
    return all[index]
  }

  private func describe(_ value: ValueInfo) -> prune_value_info {
    var info = prune_value_info()
    let dims = value.type?.dims ?? []
    info.struct_size = UInt32(MemoryLayout<prune_value_info>.size)
    info.dtype = value.type?.dtype?.rawValue ?? 0
    info.name = strings.string(value.name)
    info.rank = dims.count
    info.shape = strings.array(dims.map { Int64($0.value ?? -1) })
    info.symbols = strings.array(
      dims.map { dim in
        if case .named(let name) = dim { Optional(strings.string(name)) } else { nil }
      })
    return info
  }

  func cParameterName(_ index: Int) -> UnsafePointer<CChar>? {
    guard index >= 0, index < model.graph.initializers.count else { return nil }
    let names = cNames ?? model.graph.initializers.map { strings.string($0.name) }
    cNames = names
    return names[index]
  }
}
