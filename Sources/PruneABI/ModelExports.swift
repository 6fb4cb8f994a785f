import CPrune
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning

@_cdecl("prune_model_load") @implementation
public func prune_model_load(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<prune_load_options>!,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ContextBox.enter(context)
    var settings = LoadOptions()
    try settings.read(try PruneABI.options(options))
    let model = try ModelFormats.load(path: try text(path, "path"), settings)
    out.pointee = Handles.make(
      settings.shapes.isEmpty
        ? try ModelBox(read: model, box) : ModelBox(try fixShapes(try model.opened(), settings.shapes), box))
  }
}

@_cdecl("prune_model_load_memory") @implementation
public func prune_model_load_memory(
  _ context: OpaquePointer!, _ data: UnsafeRawPointer!, _ size: Int, _ out_model: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box = try ContextBox.enter(context)
    guard let data, size >= 0 else { throw PruneError(.invalidArgument, "data is NULL") }
    let storage = try Storage(byteCount: size)
    // Safe: the storage has size bytes, and so the caller promises of data.
    storage.base.copyMemory(from: data, byteCount: size)
    out.pointee = Handles.make(try ModelBox(read: try ModelFormats.decode(Bytes(storage: storage)), box))
  }
}

@_cdecl("prune_model_save") @implementation
public func prune_model_save(_ model: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> prune_status {
  call { () throws(PruneError) in
    let box = try ModelBox.enter(model), path = try text(path, "path")
    try save(box.saved, path, box.cancel)
  }
}

/// Saves a model. Layers of Keras compute no shapes: where a graph does, they are folded first, for a batch of any size as
/// for one sample.
private func save(_ model: Model, _ path: String, _ cancel: CancelFlag?) throws(PruneError) {
  do throws(PruneError) { try ModelFormats.save(model, path: path, cancel: cancel) } catch {
    guard error.status == .unsupported, [".h5", ".hdf5", ".keras"].contains(where: path.hasSuffix) else { throw error }
    var folded: [Model] = []
    if let simple = try? simplify(model, cancel: cancel).model { folded.append(simple) }
    if let single = singleSample(model), let simple = try? simplify(single, cancel: cancel).model,
      answersAlike(model, simple)
    {
      folded.append(simple)
    }
    for candidate in folded {
      try cancel?.check()
      do throws(PruneError) { return try ModelFormats.save(candidate, path: path, cancel: cancel) } catch {
        if error.status != .unsupported { throw error }
      }
    }
    throw error
  }
}

/// Whether what Keras would be given of a candidate answers for three samples as the model does: an operator over the batch
/// would be gone from a model for one sample.
private func answersAlike(_ model: Model, _ candidate: Model) -> Bool {
  guard let written = try? KerasWriter.content(of: candidate),
    let reloaded = try? Keras.model(written.file, written.weights),
    reloaded.graph.trueInputs.count == model.graph.trueInputs.count
  else { return false }
  var inputs: [String: Tensor] = [:]
  var others: [String: Tensor] = [:]
  for (input, other) in zip(model.graph.trueInputs, reloaded.graph.trueInputs) {
    guard let dims = input.type?.dims?.dropFirst().map({ $0.value ?? 1 }), let dtype = input.type?.dtype,
      let shape = try? Shape([3] + dims)
    else { return false }
    var values = [Float](repeating: 0, count: shape.count)
    for index in values.indices {
      values[index] = dtype.isFloatingPoint ? Float((index * 7919) % 101) / 50 - 1 : Float(index % 2)
    }
    guard let whole = try? Tensor(values, shape), let tensor = try? whole.cast(to: dtype) else { return false }
    (inputs[input.name], others[other.name]) = (tensor, tensor)
  }
  guard let left = try? Session(model).run(inputs), let right = try? Session(reloaded).run(others) else { return false }
  for (output, other) in zip(model.graph.outputs, reloaded.graph.outputs) {
    guard let a = try? left[output.name]?.cast(to: .float32).array(of: Float.self),
      let b = try? right[other.name]?.cast(to: .float32).array(of: Float.self), a.count == b.count
    else { return false }
    let largest = a.reduce(Float(1e-6)) { max($0, $1.magnitude) }
    guard zip(a, b).allSatisfy({ ($0 - $1).magnitude <= 1e-3 * largest }) else { return false }
  }
  return true
}

/// The model for one sample, where nothing but the batch is open; nil for others. Every layer of Keras computes sample by
/// sample, so that what can be written of it holds for any batch.
private func singleSample(_ model: Model) -> Model? {
  guard !model.graph.trueInputs.isEmpty else { return nil }
  var extents: [(name: String, extents: [Int])] = []
  for input in model.graph.trueInputs {
    guard let dims = input.type?.dims, let batch = dims.first, batch.value == nil,
      dims.dropFirst().allSatisfy({ $0.value != nil })
    else { return nil }
    extents.append((input.name, [1] + dims.dropFirst().compactMap(\.value)))
  }
  return try? fixShapes(model, ShapeBinding(extents))
}

@_cdecl("prune_model_save_memory") @implementation
public func prune_model_save_memory(_ model: OpaquePointer!, _ out_onnx: UnsafeMutablePointer<prune_buffer>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_onnx, "out_onnx")
    try fill(out, with: try ONNX.encode(try ModelBox.enter(model).saved))
  }
}

@_cdecl("prune_model_clone") @implementation
public func prune_model_clone(_ model: OpaquePointer!, _ out_model: UnsafeMutablePointer<OpaquePointer?>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_model, "out_model")
    let box: ModelBox = try Handles.object(model)
    out.pointee = Handles.make(ModelBox(copying: box))
  }
}

@_cdecl("prune_model_free") @implementation
public func prune_model_free(_ model: OpaquePointer!) { Handles.free(model, ModelBox.self) }

// MARK: - Looking

private func modelBox(_ handle: OpaquePointer?) -> ModelBox? { try? Handles.object(handle) }

@_cdecl("prune_model_name") @implementation
public func prune_model_name(_ model: OpaquePointer!) -> UnsafePointer<CChar>! { modelBox(model)?.cName }

@_cdecl("prune_model_input_count") @implementation
public func prune_model_input_count(_ model: OpaquePointer!) -> Int {
  modelBox(model)?.values(isInput: true).count ?? 0
}

@_cdecl("prune_model_output_count") @implementation
public func prune_model_output_count(_ model: OpaquePointer!) -> Int {
  modelBox(model)?.values(isInput: false).count ?? 0
}

@_cdecl("prune_model_input") @implementation
public func prune_model_input(
  _ model: OpaquePointer!, _ index: Int, _ out_info: UnsafeMutablePointer<prune_value_info>!
) -> prune_status { describe(model, index, out_info, isInput: true) }

@_cdecl("prune_model_output") @implementation
public func prune_model_output(
  _ model: OpaquePointer!, _ index: Int, _ out_info: UnsafeMutablePointer<prune_value_info>!
) -> prune_status { describe(model, index, out_info, isInput: false) }

private func describe(
  _ model: OpaquePointer?, _ index: Int, _ out_info: UnsafeMutablePointer<prune_value_info>?, isInput: Bool
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_info, "out_info")
    let info = try Handles.object(model, ModelBox.self).info(isInput: isInput, index)
    try write(info, out, size: out.pointee.struct_size, "prune_value_info")
  }
}

@_cdecl("prune_model_parameter_count") @implementation
public func prune_model_parameter_count(_ model: OpaquePointer!) -> Int {
  modelBox(model)?.model.graph.initializers.count ?? 0
}

@_cdecl("prune_model_parameter_name") @implementation
public func prune_model_parameter_name(_ model: OpaquePointer!, _ index: Int) -> UnsafePointer<CChar>! {
  modelBox(model)?.cParameterName(index)
}

private func parameter(_ name: String, of model: Model) throws(PruneError) -> Tensor {
  guard let tensor = model.graph.initializer(name) else {
    throw PruneError(
      .notFound, "the model has no parameter '\(name)'",
      hint: Suggestion.hint(for: name, among: model.graph.initializers.map(\.name)))
  }
  return tensor
}

@_cdecl("prune_model_parameter") @implementation
public func prune_model_parameter(
  _ model: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ out_tensor: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_tensor, "out_tensor")
    let box: ModelBox = try Handles.object(model)
    out.pointee = Handles.make(TensorBox(try parameter(try text(name, "name"), of: box.model)))
  }
}

@_cdecl("prune_model_set_parameter") @implementation
public func prune_model_set_parameter(
  _ model: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ tensor: OpaquePointer!
) -> prune_status {
  call { () throws(PruneError) in
    let box: ModelBox = try Handles.object(model)
    let parameterName = try text(name, "name")
    let new = try Handles.object(tensor, TensorBox.self).tensor
    let old = try parameter(parameterName, of: box.model)
    guard old.dtype == new.dtype, old.shape == new.shape else {
      throw PruneError(
        .mismatch, "parameter '\(parameterName)' is \(old.dtype.name) \(old.shape), got \(new.dtype.name) \(new.shape)")
    }
    var changed = box.model
    changed.graph.setInitializer(parameterName, new)
    box.replace(changed)
  }
}

@_cdecl("prune_model_stats") @implementation
public func prune_model_stats(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_stats_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    var settings = StatsOptions()
    try settings.read(try PruneABI.options(options))
    give(try ModelStats.of(box.model, shapes: settings.shapes).report, out)
  }
}

@_cdecl("prune_model_sizes") @implementation
public func prune_model_sizes(_ model: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!)
  -> prune_status
{
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    let tensors = box.model.graph.initializers, packed = try Prunez.sizes(box.model, cancel: box.cancel)
    let memory = tensors.reduce(0) { $0 + $1.tensor.byteCount }
    var report = Report(title: "sizes")
    report["memory"] = .integer(memory)
    report["onnx"] = .integer(packed.onnx)
    report["packed"] = .integer(packed.file)
    report["ratio"] = .number(Double(memory) / Double(packed.file))
    report["tensors"] = .list(
      tensors.compactMap { entry in
        packed.tensors[entry.name].map {
          .report(
            Report(
              title: "",
              entries: [
                ("name", .text(entry.name)), ("bytes", .integer(entry.tensor.byteCount)), ("packed", .integer($0)),
              ]))
        }
      })
    give(report, out)
  }
}

@_cdecl("prune_model_summary") @implementation
public func prune_model_summary(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_stats_options>!, _ width: Int32, _ color: Int32,
  _ out_text: UnsafeMutablePointer<prune_buffer>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_text, "out_text")
    let box = try ModelBox.enter(model)
    var settings = StatsOptions()
    try settings.read(try PruneABI.options(options))
    let text = try summary(box.model, shapes: settings.shapes, color: color != 0, width: try columns(width))
    try fill(out, with: Array(text.utf8))
  }
}

// MARK: - Running

@_cdecl("prune_model_run") @implementation
public func prune_model_run(
  _ model: OpaquePointer!, _ inputs: OpaquePointer!, _ out_outputs: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_outputs, "out_outputs")
    let box = try ModelBox.enter(model)
    let outputs = try box.compiled().run(
      try Handles.object(inputs, TensorsBox.self).tensors, cancel: box.cancel)
    out.pointee = Handles.make(
      TensorsBox(
        box.values(isInput: false).compactMap { value in outputs[value.name].map { (name: value.name, tensor: $0) } }))
  }
}

@_cdecl("prune_model_predict") @implementation
public func prune_model_predict(
  _ model: OpaquePointer!, _ x: OpaquePointer!, _ out_y: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_y, "out_y")
    let box = try ModelBox.enter(model)
    let inputs = box.values(isInput: true)
    guard inputs.count == 1, let first = box.values(isInput: false).first else {
      throw PruneError(
        .mismatch,
        "predict wants a model of one input, this has \(inputs.count): \(inputs.map(\.name).joined(separator: ", "))",
        hint: "run takes inputs by name")
    }
    guard
      let y = try box.compiled().run(
        [inputs[0].name: try Handles.object(x, TensorBox.self).tensor], cancel: box.cancel)[first.name]
    else {
      throw PruneError(.internal, "the run gave no '\(first.name)'")
    }
    out.pointee = Handles.make(TensorBox(y))
  }
}

@_cdecl("prune_model_predict_dataset") @implementation
public func prune_model_predict_dataset(
  _ model: OpaquePointer!, _ data: OpaquePointer!, _ batch_size: UInt32, _ out_y: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_y, "out_y")
    let box = try ModelBox.enter(model)
    let data = try Handles.object(data, DatasetBox.self).dataset
    out.pointee = Handles.make(
      TensorBox(try predict(box.compiled(), data, batchSize: Int(batch_size), cancel: box.cancel)))
  }
}
