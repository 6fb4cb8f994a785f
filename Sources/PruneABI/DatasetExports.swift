import CPrune
import PruneData
import PruneEvaluation
import PruneFormats
import PruneTensor

/// Behind `prune_dataset`.
final class DatasetBox: Box {
  static let kind = "dataset"
  let dataset: Dataset
  let context: ContextBox?
  private let strings = CStringArena()
  private lazy var cClassNames = dataset.classNames.map(strings.string)
  private lazy var cInfos = dataset.columns.map { column in
    var info = prune_value_info()
    info.struct_size = UInt32(MemoryLayout<prune_value_info>.size)
    info.dtype = column.dtype.rawValue
    info.name = strings.string(column.name)
    info.rank = column.dims.count
    info.shape = strings.array(column.dims.map { Int64($0) })
    return info
  }

  func info(_ index: Int) throws(PruneError) -> prune_value_info {
    guard cInfos.indices.contains(index) else {
      throw PruneError(.notFound, "the data set has \(cInfos.count) inputs, asked for number \(index)")
    }
    return cInfos[index]
  }

  func cClassName(_ index: Int) -> UnsafePointer<CChar>? {
    cClassNames.indices.contains(index) ? cClassNames[index] : nil
  }

  init(_ dataset: Dataset, _ context: ContextBox?) {
    self.dataset = dataset
    self.context = context
  }
}

/// An export that makes a data set: fills `out` from the context and the body.
private func make(
  _ context: OpaquePointer?, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>?,
  _ body: () throws(PruneError) -> Dataset
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_dataset, "out_dataset")
    let box = try ContextBox.enter(context)
    out.pointee = Handles.make(DatasetBox(try body(), box))
  }
}

/// An export that makes one data set of another.
func derive(
  _ dataset: OpaquePointer?, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>?,
  _ body: (Dataset) throws(PruneError) -> Dataset
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_dataset, "out_dataset")
    let box: DatasetBox = try Handles.object(dataset)
    ContextBox.enter(box.context)
    out.pointee = Handles.make(DatasetBox(try body(box.dataset), box.context))
  }
}

@_cdecl("prune_dataset_digits") @implementation
public func prune_dataset_digits(
  _ context: OpaquePointer!, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in try Dataset.digits() }
}

@_cdecl("prune_dataset_idx") @implementation
public func prune_dataset_idx(
  _ context: OpaquePointer!, _ images: UnsafePointer<CChar>!, _ labels: UnsafePointer<CChar>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    try Dataset.idx(images: try text(images, "images"), labels: try text(labels, "labels"))
  }
}

@_cdecl("prune_dataset_cifar10") @implementation
public func prune_dataset_cifar10(
  _ context: OpaquePointer!, _ paths: UnsafePointer<UnsafePointer<CChar>?>!, _ path_count: Int,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    try Dataset.cifar10(paths: try texts(paths, path_count, "paths"))
  }
}

@_cdecl("prune_dataset_npz") @implementation
public func prune_dataset_npz(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ x: UnsafePointer<CChar>!, _ y: UnsafePointer<CChar>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    let file = try text(path, "path")
    let arrays = TensorsBox(try Npz.load(path: file))
    func array(_ name: String) throws(PruneError) -> Tensor {
      guard let array = arrays[name] else {
        throw PruneError(
          .notFound, "no array named '\(name)'", at: file,
          hint: "it has: \(arrays.names.prefix(20).joined(separator: ", "))")
      }
      return array
    }
    let samples = try array(try optionalText(x, "x") ?? "x")
    let targets = try optionalText(y, "y").map { name throws(PruneError) in try array(name) } ?? arrays["y"]
    return try Dataset.tensors(samples, targets)
  }
}

@_cdecl("prune_dataset_csv") @implementation
public func prune_dataset_csv(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ label: UnsafePointer<CChar>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    try Dataset.csv(try text(path, "path"), label: try optionalText(label, "label"))
  }
}

@_cdecl("prune_dataset_from_tensors") @implementation
public func prune_dataset_from_tensors(
  _ context: OpaquePointer!, _ x: OpaquePointer!, _ y: OpaquePointer!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    try Dataset.tensors(
      try Handles.object(x, TensorBox.self).tensor, try Handles.optional(y, TensorBox.self)?.tensor)
  }
}

@_cdecl("prune_dataset_from_inputs") @implementation
public func prune_dataset_from_inputs(
  _ context: OpaquePointer!, _ inputs: OpaquePointer!, _ y: OpaquePointer!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    try Dataset.tensors(
      inputs: try Handles.object(inputs, TensorsBox.self).tensors, try Handles.optional(y, TensorBox.self)?.tensor)
  }
}

@_cdecl("prune_dataset_images") @implementation
public func prune_dataset_images(
  _ context: OpaquePointer!, _ options: UnsafePointer<prune_images_options>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    var request = ImageOptions()
    try request.read(try PruneABI.options(options))
    return try Dataset.images(request)
  }
}

@_cdecl("prune_dataset_wav") @implementation
public func prune_dataset_wav(
  _ context: OpaquePointer!, _ options: UnsafePointer<prune_wav_options>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    var request = WaveOptions()
    try request.read(try PruneABI.options(options))
    return try Dataset.wav(request)
  }
}

@_cdecl("prune_dataset_npy") @implementation
public func prune_dataset_npy(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ y: UnsafePointer<CChar>!,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  make(context, out_dataset) { () throws(PruneError) in
    func array(_ file: String) throws(PruneError) -> Tensor {
      do throws(PruneError) { return try Npy.decode(try FileReader.bytes(of: file)) } catch {
        throw error.located(at: file)
      }
    }
    let place = try text(path, "path"), targets = try optionalText(y, "y")
    if let targets, Dataset.isFolder(place) {
      throw PruneError(
        .invalidArgument, "y is '\(targets)', and '\(place)' is a folder, whose folders are the classes",
        hint: "a CSV of file and label names other targets")
    }
    guard place.lowercased().hasSuffix(".npy") else {
      return try Dataset.arrays(place) { bytes throws(PruneError) in try Npy.decode(bytes) }
    }
    return try Dataset.tensors(
      try array(place), try targets.map { file throws(PruneError) in try array(file) },
      name: place.split(separator: "/").last.map(String.init) ?? place)
  }
}

@_cdecl("prune_dataset_free") @implementation
public func prune_dataset_free(_ dataset: OpaquePointer!) { Handles.free(dataset, DatasetBox.self) }

@_cdecl("prune_dataset_count") @implementation
public func prune_dataset_count(_ dataset: OpaquePointer!) -> Int {
  (try? Handles.object(dataset, DatasetBox.self))?.dataset.count ?? 0
}

@_cdecl("prune_dataset_class_count") @implementation
public func prune_dataset_class_count(_ dataset: OpaquePointer!) -> Int {
  (try? Handles.object(dataset, DatasetBox.self))?.dataset.classCount ?? 0
}

@_cdecl("prune_dataset_x") @implementation
public func prune_dataset_x(
  _ dataset: OpaquePointer!, _ out_x: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_x, "out_x")
    let samples = try Handles.object(dataset, DatasetBox.self).dataset
    try samples.wantOneColumn("prune_dataset_x")
    out.pointee = Handles.make(TensorBox(try samples.columns[0].samples()))
  }
}

@_cdecl("prune_dataset_inputs") @implementation
public func prune_dataset_inputs(
  _ dataset: OpaquePointer!, _ out_inputs: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_inputs, "out_inputs")
    let columns = try Handles.object(dataset, DatasetBox.self).dataset.columns
    out.pointee = Handles.make(
      TensorsBox(try columns.mapThrowing { column throws(PruneError) in (column.name, try column.samples()) }))
  }
}

@_cdecl("prune_dataset_y") @implementation
public func prune_dataset_y(
  _ dataset: OpaquePointer!, _ out_y: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_y, "out_y")
    guard let targets = try Handles.object(dataset, DatasetBox.self).dataset.y else {
      throw PruneError(.notFound, "the data set has no targets")
    }
    out.pointee = Handles.make(TensorBox(targets))
  }
}

@_cdecl("prune_dataset_split") @implementation
public func prune_dataset_split(
  _ dataset: OpaquePointer!, _ test: Double, _ seed: UInt64, _ out_train: UnsafeMutablePointer<OpaquePointer?>!,
  _ out_test: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  call { () throws(PruneError) in
    let outTrain = try output(out_train, "out_train")
    let outTest = try output(out_test, "out_test")
    let box: DatasetBox = try Handles.object(dataset)
    let parts = try box.dataset.split(test: test, seed: seed)
    outTrain.pointee = Handles.make(DatasetBox(parts.train, box.context))
    outTest.pointee = Handles.make(DatasetBox(parts.test, box.context))
  }
}

@_cdecl("prune_dataset_take") @implementation
public func prune_dataset_take(
  _ dataset: OpaquePointer!, _ count: Int, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in try data.take(count) }
}

@_cdecl("prune_dataset_subset") @implementation
public func prune_dataset_subset(
  _ dataset: OpaquePointer!, _ indices: UnsafePointer<Int64>!, _ count: Int,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    try data.subset(try elements(indices, count, "indices").map(Int.init))
  }
}

@_cdecl("prune_dataset_normalize") @implementation
public func prune_dataset_normalize(
  _ dataset: OpaquePointer!, _ mean: UnsafePointer<Float>!, _ std: UnsafePointer<Float>!, _ channels: Int,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    try data.normalize(mean: try elements(mean, channels, "mean"), std: try elements(std, channels, "std"))
  }
}

@_cdecl("prune_dataset_resize") @implementation
public func prune_dataset_resize(
  _ dataset: OpaquePointer!, _ height: Int32, _ width: Int32, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in try data.resize(Int(height), Int(width)) }
}

@_cdecl("prune_dataset_labelled") @implementation
public func prune_dataset_labelled(
  _ dataset: OpaquePointer!, _ model: OpaquePointer!, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    let box = try ModelBox.enter(model)
    return try data.labelled(by: box.compiled(), cancel: box.cancel)
  }
}

@_cdecl("prune_dataset_ignore") @implementation
public func prune_dataset_ignore(
  _ dataset: OpaquePointer!, _ label: Int64, _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in try data.ignoring(label) }
}

@_cdecl("prune_dataset_classes") @implementation
public func prune_dataset_classes(
  _ dataset: OpaquePointer!, _ classes: UnsafePointer<Int64>!, _ count: Int,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>!
) -> prune_status {
  derive(dataset, out_dataset) { data throws(PruneError) in
    try data.classes(try elements(classes, count, "classes").map(Int.init))
  }
}
