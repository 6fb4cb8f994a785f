import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// Which classes to keep, and how to prune for them.
package struct KeepClassesOptions {
  /// Class numbers, counted from 0.
  package var classes: [Int] = []
  /// What prunes upstream of the cut head: nil cuts the head alone. All its data are narrowed to the kept classes,
  /// which are numbered anew.
  @Boxed package var prune: PruneOptions? = nil
  /// Accuracy on the kept classes before and after; classes as in the given model.
  package var validate: Dataset?
  package var batchSize = 0
  package var cancel: CancelFlag?

  package init() {}
}

/// Cuts a classifier down to some of its classes: the head first, then units that matter least to what is kept.
///
/// The report has classes, head (the certificate of the cut head), before and after with accuracy on the kept classes,
/// dropped (accuracy that the given model had on the dropped classes), and prune, the report of the second part.
/// - Throws: `.invalidArgument` for classes that are not there, `.unsupported` when the output is not a layer's
///   classes.
package func keepClasses(_ model: Model, _ options: KeepClassesOptions) throws(PruneError) -> (
  model: Model, report: Report
) {
  let kept = options.classes
  let head = try Head(model)
  guard !kept.isEmpty, Set(kept).count == kept.count else {
    throw PruneError(.invalidArgument, "classes is \(kept), wanted one or more different class numbers")
  }
  if let bad = kept.first(where: { $0 < 0 || $0 >= head.classes }) {
    throw PruneError(
      .invalidArgument, "class \(bad) does not exist: the model has \(head.classes)",
      hint: "classes count from 0, as labels do")
  }
  let ordered = kept.sorted()
  let samples = InputBinding.sampleShapes(options.validate ?? options.prune?.data, model)
  let extents = try BoundExtents(model, shapes: options.prune?.shapes ?? .init(), samples: samples, assumes: false)
  var (slim, difference) = try head.cut(to: ordered, samples: samples, options.cancel)
  var report = Report(title: "keep_classes")
  report["classes"] = .list(ordered.map { .integer($0) })
  report["head_certificate"] = .number(difference)
  var before = try modelState(model, "before", at: extents)
  if let data = options.validate {
    let inside = try data.classes(ordered, of: head.classes),
      dropped = (0..<head.classes).filter { !ordered.contains($0) }
    // The given model's choice among the kept classes alone, and among all for the dropped.
    before["kept_accuracy"] = .number(try accuracy(slim, inside, options))
    let outside = try data.classes(dropped, renumber: false, of: head.classes, orNone: true)
    if outside.count > 0 { before["dropped_accuracy"] = .number(try accuracy(model, outside, options)) }
  }
  report["before"] = .report(before)
  if var settings = options.prune {
    settings = try settings.mappingData { data throws(PruneError) in try data.classes(ordered, of: head.classes) }
    settings.cancel = settings.cancel ?? options.cancel
    let (pruned, details) = try prune(slim, settings)
    slim = pruned
    if let certificate = details["certificate"] { report["certificate"] = certificate }
    report["prune"] = .report(details)
  }
  var after = try modelState(slim, "after", at: extents)
  if let data = options.validate {
    after["kept_accuracy"] = .number(try accuracy(slim, try data.classes(ordered, of: head.classes), options))
  }
  report["after"] = .report(after)
  return (slim, report)
}

private func accuracy(_ model: Model, _ data: Dataset, _ options: KeepClassesOptions) throws(PruneError) -> Double {
  var settings = EvaluateOptions()
  settings.metrics = ["accuracy"]
  settings.batchSize = options.batchSize
  settings.cancel = options.cancel
  return try evaluate(model, data, settings).number("accuracy") ?? 0
}

/// The classes at the end of a network: the last axis of its first output, before a softmax.
private struct Head {
  let classes: Int
  /// The model without its last softmax.
  private let model: Model
  private let softmax: Node?
  private let output: String

  init(_ model: Model) throws(PruneError) {
    guard let outputInfo = model.graph.outputs.first else { throw PruneError(.invalidModel, "the model has no output") }
    var bare = model
    var last: Node?
    if let place = bare.graph.nodes.firstIndex(where: { $0.outputs.contains(outputInfo.name) }),
      case let node = bare.graph.nodes[place], node.isStandard, ["Softmax", "LogSoftmax"].contains(node.opType),
      let logits = node.input(0)
    {
      last = node
      bare.graph.nodes.remove(at: place)
      bare.graph.outputs[0] = ValueInfo(name: logits, type: outputInfo.type)
    }
    softmax = last
    output = bare.graph.outputs[0].name
    self.model = bare
    guard let count = try ShapeInference.run(bare).types[output]?.dims?.last?.value, count > 1 else {
      throw PruneError(
        .unsupported, "the number of classes of output '\(outputInfo.name)' is not known",
        at: "output '\(outputInfo.name)'")
    }
    classes = count
  }

  /// - Parameter samples: extents of a sample by input.
  func cut(to kept: [Int], samples: [String: [Int]], _ cancel: CancelFlag?) throws(PruneError) -> (Model, Double) {
    let dependencies = try Dependencies(of: model, opening: output)
    guard let space = dependencies.axes[output]?.last,
      let place = dependencies.groups.firstIndex(where: { $0.space == dependencies.forest.root(space) })
    else {
      throw PruneError(.unsupported, "the classes are not the units of one layer", at: "output '\(output)'")
    }
    let group = dependencies.groups[place]
    if let pin = group.pins.first {
      throw PruneError(.unsupported, "the classes cannot be cut: \(pin.reason)", at: pin.place)
    }
    var removed = [[Int]](repeating: [], count: dependencies.groups.count)
    removed[place] = (0..<group.size).filter { !kept.contains($0) }
    let cut = Cut(dependencies, removed: removed)
    var result = cut.isEmpty ? dependencies.model : try Surgeon.operate(dependencies, cut)
    let certificate = StructuralCertificate(dependencies: dependencies, cut: cut)
    let inputs = try SampleInputs(model, samples: samples, seed: 0)
    let difference = try certificate.compare(result, isShrunk: true, inputs).result?.difference ?? 0
    if let softmax {
      result.graph.nodes.append(softmax)
      let type = result.graph.outputs[0].type
      result.graph.outputs[0] = ValueInfo(name: softmax.outputs[0], type: type)
    }
    return (result, difference)
  }
}
