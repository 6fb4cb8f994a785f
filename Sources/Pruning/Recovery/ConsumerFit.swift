import PruneGraph
import PruneRuntime
import PruneTensor

/// Fits the weights of layers whose inputs lost units to what the layers gave before: ridge regression of the given
/// model's outputs on the shrunk model's inputs, layer by layer, each on what the layers before it now give.
///
/// A layer that ends a residual block is fitted to what the sum should be, less what the other operand now is: so each
/// block takes back the errors of those before it, as far as its inputs tell of them. Convolutions behind it that lost
/// nothing read what others changed, and are fitted as well.
struct ConsumerFit {
  private let dependencies: Dependencies
  private let cut: Cut
  private let batches: [[String: Tensor]]
  private let seed: UInt64
  private let cancel: CancelFlag?
  /// What layers are fitted to where steps went before: the network that they began with.
  private let origin: FitOrigin?

  /// More weights an output than this would take longer than training.
  private static let featureLimit = 2400
  /// How strongly weights are held where they are, in units of the mean squared input.
  private static let ridge = 1e-3
  /// A normalization that scales by less passes nothing on.
  private static let leastScale = 1e-4

  init(
    _ dependencies: Dependencies, _ cut: Cut, _ batches: [[String: Tensor]], origin: FitOrigin? = nil, seed: UInt64,
    cancel: CancelFlag?
  ) {
    self.origin = origin
    self.dependencies = dependencies
    self.cut = cut
    self.batches = batches
    self.seed = seed
    self.cancel = cancel
  }

  /// A layer to fit, and what it should give where it is looked at.
  private struct Job {
    let layer: FittedLayer
    let output: String
    /// Of the layer's node in the shrunk model.
    let position: Int
    /// Positions of each axis of the output that are left.
    let kept: [[Int]?]
    /// What the output is added to.
    var sum: ResidualSum?
    var targets: [Float] = []
    /// How far what the output is added to is from what it was.
    var errors: [Float] = []

    var columns: Int { layer.features + 1 }
  }

  func run(_ model: inout Model) throws(PruneError) -> (layers: Int, skipped: [String]) {
    var (jobs, skipped) = jobs(model)
    guard !jobs.isEmpty else { return (0, skipped) }
    // What the first model gives is asked once, for all layers.
    let wanted = Set(jobs.map(\.output) + jobs.compactMap(\.sum?.other))
    let before = Session(origin?.model ?? dependencies.model, outputs: wanted.sorted())
    for (number, batch) in batches.enumerated() {
      try cancel?.check()
      let values = try before.run(batch, cancel: cancel)
      for index in jobs.indices {
        guard let y = values[jobs[index].output] else { continue }
        if y.dtype == .float32, y.count > 0, try y.finiteRange() == nil {
          throw PruneError(
            .numeric, "activation '\(jobs[index].output)' is NaN or infinite on the data that layers are fitted with",
            hint: "look for NaN in the data, or reconstruct = \"none\"")
        }
        let job = jobs[index]
        try sample(job, kept(y, job), index, number, &jobs[index].targets)
        guard let sum = job.sum else { continue }
        if let other = values[sum.other], other.shape == y.shape {
          try sample(job, kept(other, job), index, number, &jobs[index].errors)
        } else {
          jobs[index].sum = nil
        }
      }
    }
    var walk = PrefixWalk(model, batches)
    for index in jobs.indices { try fit(jobs[index], index, &walk, &model) }
    return (jobs.count, skipped)
  }

  private func kept(_ value: Tensor, _ job: Job) throws(PruneError) -> Tensor {
    job.kept.count == value.shape.rank && job.kept.contains { $0 != nil } ? try value.keeping(job.kept) : value
  }

  private func sample(
    _ job: Job, _ value: Tensor, _ index: Int, _ number: Int, _ targets: inout [Float]
  ) throws(PruneError) {
    var random = random(index, number)
    try job.layer.sampleTargets(value, count: rows(job), &random, &targets)
  }

  /// In the order of the graph: layers that lost inputs, and layers that read what those change.
  private func jobs(_ model: Model) -> ([Job], [String]) {
    let given = dependencies.model.graph, shared = given.consumers
    let consumers = model.graph.consumers, producers = model.graph.producers
    var lost: [Int: String] = [:]
    for contraction in dependencies.contractions {
      let node = given.nodes[contraction.node]
      guard let weight = node.input(contraction.input), let spaces = dependencies.axes[weight],
        contraction.axis < spaces.count, dependencies.forest.mask(spaces[contraction.axis], cut.kept) != nil
      else { continue }
      lost[contraction.node] = weight
    }
    // Surgery of earlier steps may have brought in values that the first model does not have.
    let first = origin.map { origin in origin.model.graph.producers }
    func isKnown(_ value: String) -> Bool { first.map { $0[value] != nil } ?? true }
    var jobs: [Job] = [], skipped: [String] = [], changed: Set<String> = []
    for (place, node) in given.nodes.enumerated() {
      let isReached = node.inputs.contains(where: changed.contains)
      if isReached { changed.formUnion(node.outputs) }
      // Every layer costs a run of those before it: matrices, of which transformers have hundreds, are left as they
      // are.
      guard lost[place] != nil || isReached && node.opType == "Conv", node.isStandard,
        node.has(.hasIntegerForm),
        let weight = lost[place] ?? node.input(1), let output = node.output(0), model.graph.hasInitializer(weight),
        let now = model.graph.nodes.firstIndex(where: { $0.outputs.first == output })
      else { continue }
      changed.formUnion(node.outputs)
      guard let layer = FittedLayer(model.graph.nodes[now], model.graph), (shared[weight]?.count ?? 0) == 1,
        layer.features <= Self.featureLimit, isKnown(output)
      else {
        if lost[place] != nil { skipped.append(node.layerName) }
        continue
      }
      jobs.append(
        Job(
          layer: layer, output: output, position: now,
          kept: FitOrigin.kept(output, dependencies, cut, of: origin),
          sum: ResidualSum(behind: output, model.graph, consumers, producers).flatMap { isKnown($0.other) ? $0 : nil }))
    }
    return (jobs, skipped)
  }

  /// Samples a batch: of one layer, always the same.
  private func random(_ job: Int, _ batch: Int) -> RandomSource {
    RandomSource(seed: seed).fork(UInt64(job) << 20 | UInt64(batch))
  }

  private func rows(_ job: Job) -> Int { max(8 * job.columns, 8192) / batches.count + 1 }

  private func fit(_ job: Job, _ index: Int, _ walk: inout PrefixWalk, _ model: inout Model) throws(PruneError) {
    let layer = job.layer
    guard let input = layer.node.input(0) else { return }
    try cancel?.check()
    let other = job.sum?.other
    var job = job
    var inputs: [Float] = []
    inputs.reserveCapacity(rows(job) * batches.count * job.columns)
    let read = Set([input] + (other.map { [$0] } ?? []))
    try walk.visit(read, before: job.position, of: model, cancel) { number, values throws(PruneError) in
      guard let x = values[input] else { return }
      var random = random(index, number)
      try layer.sampleInputs(x, count: rows(job), &random, &inputs)
      guard let other, let value = values[other] else { return }
      var found: [Float] = []
      try sample(job, value, index, number, &found)
      let first = number * rows(job) * layer.outputs
      for place in found.indices where first + place < job.errors.count { job.errors[first + place] -= found[place] }
    }
    if let sum = job.sum, job.errors.count == job.targets.count {
      let scales = try sum.scales(model.graph)
      for place in job.targets.indices {
        let scale = scales.map { $0.count == layer.outputs ? $0[place % layer.outputs] : 0 } ?? 1
        if abs(scale) > Self.leastScale { job.targets[place] += job.errors[place] / Float(scale) }
      }
    }
    let count = inputs.count / job.columns
    guard count > 0, inputs.count == count * job.columns, job.targets.count == count * layer.outputs else { return }
    let (gram, moment) = try Self.products(inputs, job.targets, count, job.columns, layer.outputs)
    try layer.store(try solved(gram, moment, layer, model.graph), &model)
  }

  /// FᵀF and FᵀT by the runtime's own matrix kernels.
  private static func products(
    _ inputs: [Float], _ targets: [Float], _ count: Int, _ columns: Int, _ outputs: Int
  ) throws(PruneError) -> (gram: [Double], moment: [Double]) {
    var graph = Graph(name: "products")
    let (f, t) = (try Shape([count, columns]), try Shape([count, outputs]))
    graph.inputs = [
      ValueInfo(name: "f", type: TensorType(.float32, f)), ValueInfo(name: "t", type: TensorType(.float32, t)),
    ]
    graph.outputs = ["gram", "moment"].map { ValueInfo(name: $0, type: nil) }
    graph.nodes = [
      Node("Transpose", name: "ft", inputs: ["f"], outputs: ["ft"]),
      Node("MatMul", name: "gram", inputs: ["ft", "f"], outputs: ["gram"]),
      Node("MatMul", name: "moment", inputs: ["ft", "t"], outputs: ["moment"]),
    ]
    let results = try Program(Model(graph: graph)).run(["f": try Tensor(inputs, f), "t": try Tensor(targets, t)])
    guard let gram = try results["gram"]?.doubles(), let moment = try results["moment"]?.doubles() else {
      throw PruneError(.internal, "the products were not computed")
    }
    return (gram, moment)
  }

  /// Weights [features + 1, outputs] with (FᵀF + λD) W = FᵀT + λD W₀.
  private func solved(
    _ gram: [Double], _ moment: [Double], _ layer: FittedLayer, _ graph: Graph
  ) throws(PruneError) -> [Double] {
    let columns = layer.features + 1, outputs = layer.outputs
    var a = gram, b = moment
    let old = try layer.weights(graph)
    let mean = (0..<columns).reduce(0) { $0 + gram[$1 * columns + $1] } / Double(columns)
    let hold = Self.ridge * max(mean, 1e-12)
    for row in 0..<columns {
      a[row * columns + row] += hold
      for column in 0..<outputs { b[row * outputs + column] += hold * old[row * outputs + column] }
    }
    guard Cholesky.solve(&a, columns, &b, outputs) else { return old }
    return b.allSatisfy(\.isFinite) ? b : old
  }
}
