import CPrune
import PruneEvaluation
import PruneFormats
import PruneTensor

@_cdecl("prune_model_evaluate") @implementation
public func prune_model_evaluate(
  _ model: OpaquePointer!, _ data: OpaquePointer!, _ options: UnsafePointer<prune_evaluate_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    var settings = EvaluateOptions()
    try settings.read(try PruneABI.options(options))
    (settings.cancel, settings.communicator) = (box.cancel, box.communicator)
    give(try evaluate(session: box.compiled(), try Handles.object(data, DatasetBox.self).dataset, settings), out)
  }
}

@_cdecl("prune_model_benchmark") @implementation
public func prune_model_benchmark(
  _ model: OpaquePointer!, _ options: UnsafePointer<prune_benchmark_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    var settings = BenchmarkOptions()
    try settings.read(try PruneABI.options(options))
    settings.cancel = box.cancel
    give(try benchmark(box.model, settings), out)
  }
}

@_cdecl("prune_model_compare") @implementation
public func prune_model_compare(
  _ models: UnsafePointer<OpaquePointer?>!, _ labels: UnsafePointer<UnsafePointer<CChar>?>!, _ count: Int,
  _ data: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let boxes = try elements(models, count, "models").mapThrowing { handle throws(PruneError) in
      try ModelBox.enter(handle)
    }
    let names = labels == nil ? boxes.indices.map { "model \($0 + 1)" } : try texts(labels, count, "labels")
    let dataset = try Handles.optional(data, DatasetBox.self)?.dataset
    let cancel = boxes.first?.cancel
    let report = try compare(zip(names, boxes).map { (label: $0, model: $1.model) }, data: dataset, cancel: cancel) {
      model throws(PruneError) in
      do throws(PruneError) {
        let sizes = try Prunez.sizes(model, cancel: cancel)
        return (sizes.onnx, sizes.file)
      } catch let error where error.status == .unsupported {
        return nil
      }
    }
    give(report, out)
  }
}

@_cdecl("prune_model_diff") @implementation
public func prune_model_diff(
  _ first: OpaquePointer!, _ second: OpaquePointer!, _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let one = try ModelBox.enter(first), other = try ModelBox.enter(second)
    give(try diff(one.model, other.model), out)
  }
}

@_cdecl("prune_model_differences") @implementation
public func prune_model_differences(
  _ model: OpaquePointer!, _ other: OpaquePointer!, _ data: OpaquePointer!,
  _ options: UnsafePointer<prune_differences_options>!,
  _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_report, "out_report")
    let box = try ModelBox.enter(model)
    var settings = DifferencesOptions()
    try settings.read(try PruneABI.options(options))
    settings.cancel = box.cancel
    let dataset = try Handles.object(data, DatasetBox.self).dataset
    give(try differences(box.model, try ModelBox.enter(other).model, dataset, settings), out)
  }
}

@_cdecl("prune_loss_cross_entropy") @implementation
public func prune_loss_cross_entropy(
  _ y_true: OpaquePointer!, _ y_pred: OpaquePointer!, _ out_loss: UnsafeMutablePointer<Double>!
) -> prune_status {
  loss(y_true, y_pred, out_loss) { truth, predicted throws(PruneError) in
    try Losses.crossEntropy(true: truth, predicted: predicted)
  }
}

@_cdecl("prune_loss_mse") @implementation
public func prune_loss_mse(
  _ y_true: OpaquePointer!, _ y_pred: OpaquePointer!, _ out_loss: UnsafeMutablePointer<Double>!
) -> prune_status {
  loss(y_true, y_pred, out_loss) { truth, predicted throws(PruneError) in
    try Losses.mse(true: truth, predicted: predicted)
  }
}

@_cdecl("prune_loss_compute") @implementation
public func prune_loss_compute(
  _ name: UnsafePointer<CChar>!, _ y_true: OpaquePointer!, _ y_pred: OpaquePointer!,
  _ options: UnsafePointer<prune_loss_options>!, _ out_loss: UnsafeMutablePointer<Double>!
) -> prune_status {
  loss(y_true, y_pred, out_loss) { truth, predicted throws(PruneError) in
    var settings = Losses.Settings()
    try settings.read(try PruneABI.options(options))
    return try Losses.compute(try text(name, "name"), true: truth, predicted: predicted, settings)
  }
}

private func loss(
  _ y_true: OpaquePointer?, _ y_pred: OpaquePointer?, _ out_loss: UnsafeMutablePointer<Double>?,
  _ compute: (Tensor, Tensor) throws(PruneError) -> Double
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_loss, "out_loss")
    out.pointee = try compute(
      try Handles.object(y_true, TensorBox.self).tensor, try Handles.object(y_pred, TensorBox.self).tensor)
  }
}
