import PruneGraph
import PruneRuntime
import PruneTensor

/// Fits the weights of layers whose inputs lost units to what the layers gave before: ridge regression of the given model's
/// outputs on the shrunk model's inputs, layer by layer, each on what the layers before it now give.
struct ConsumerFit {
  private let dependencies: Dependencies
  private let cut: Cut
  private let batches: [[String: Tensor]]
  private let seed: UInt64
  private let cancel: CancelFlag?

  /// More weights an output than this would take longer than training.
  private static let featureLimit = 2400
  /// How strongly weights are held where they are, in units of the mean squared input.
  private static let ridge = 1e-3

  init(_ dependencies: Dependencies, _ cut: Cut, _ batches: [[String: Tensor]], seed: UInt64, cancel: CancelFlag?) {
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
    /// Positions of each axis of the output that are left.
    let kept: [[Int]?]
    var targets: [Float] = []

    var columns: Int { layer.features + 1 }
  }

  func run(_ model: inout Model) throws(PruneError) -> (layers: Int, skipped: [String]) {
    var (jobs, skipped) = jobs(model)
    guard !jobs.isEmpty else { return (0, skipped) }
    // What the given model gives is asked once, for all layers.
    let before = Session(dependencies.model, outputs: jobs.map(\.output))
    for (number, batch) in batches.enumerated() {
      try cancel?.check()
      let values = try before.run(batch, cancel: cancel)
      for index in jobs.indices {
        guard var y = values[jobs[index].output] else { continue }
        if jobs[index].kept.count == y.shape.rank, jobs[index].kept.contains(where: { $0 != nil }) {
          y = try y.keeping(jobs[index].kept)
        }
        var random = random(index, number)
        try jobs[index].layer.sampleTargets(y, count: rows(jobs[index]), &random, &jobs[index].targets)
      }
    }
    for index in jobs.indices { try fit(jobs[index], index, &model) }
    return (jobs.count, skipped)
  }

  private func jobs(_ model: Model) -> ([Job], [String]) {
    let given = dependencies.model.graph
    let shared = given.consumers
    var jobs: [Job] = []
    var skipped: [String] = []
    for contraction in dependencies.contractions {
      let node = given.nodes[contraction.node]
      guard let weight = node.input(contraction.input), let spaces = dependencies.axes[weight],
        contraction.axis < spaces.count, dependencies.forest.mask(spaces[contraction.axis], cut.kept) != nil,
        let output = node.output(0), let place = model.graph.nodes.firstIndex(where: { $0.outputs.first == output }),
        node.isStandard, ["Conv", "Gemm", "MatMul"].contains(node.opType), model.graph.hasInitializer(weight)
      else { continue }
      guard let layer = FittedLayer(model.graph.nodes[place], model.graph), (shared[weight]?.count ?? 0) == 1,
        layer.features <= Self.featureLimit
      else {
        skipped.append(node.layerName)
        continue
      }
      let masks = (dependencies.axes[output] ?? []).map { dependencies.forest.mask($0, cut.kept) }
      jobs.append(
        Job(layer: layer, output: output, kept: masks.map { mask in mask.map { mask in mask.indices.filter { mask[$0] } } }))
    }
    return (jobs, skipped)
  }

  /// Samples a batch: of one layer, always the same.
  private func random(_ job: Int, _ batch: Int) -> RandomSource {
    RandomSource(seed: seed).fork(UInt64(job) << 20 | UInt64(batch))
  }

  private func rows(_ job: Job) -> Int { max(8 * job.columns, 8192) / batches.count + 1 }

  private func fit(_ job: Job, _ index: Int, _ model: inout Model) throws(PruneError) {
    let layer = job.layer
    guard let input = layer.node.input(0) else { return }
    try cancel?.check()
    let now = Session(model, outputs: [input])
    var inputs: [Float] = []
    inputs.reserveCapacity(rows(job) * batches.count * job.columns)
    for (number, batch) in batches.enumerated() {
      let x: Tensor?
      if let fed = batch[input] { x = fed } else { x = try now.run(batch, cancel: cancel)[input] }
      guard let x else { return }
      var random = random(index, number)
      try layer.sampleInputs(x, count: rows(job), &random, &inputs)
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
    graph.inputs = [ValueInfo(name: "f", type: TensorType(.float32, f)), ValueInfo(name: "t", type: TensorType(.float32, t))]
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

/// Symmetric positive definite systems.
enum Cholesky {
  /// Solves A X = B in place, A [n, n] and B [n, m] row-major. False when A is not positive definite.
  static func solve(_ a: inout [Double], _ n: Int, _ b: inout [Double], _ m: Int) -> Bool {
    for j in 0..<n {
      var pivot = a[j * n + j]
      for k in 0..<j { pivot -= a[j * n + k] * a[j * n + k] }
      guard pivot > 0 else { return false }
      let root = pivot.squareRoot()
      a[j * n + j] = root
      for i in (j + 1)..<max(n, j + 1) {
        var sum = a[i * n + j]
        for k in 0..<j { sum -= a[i * n + k] * a[j * n + k] }
        a[i * n + j] = sum / root
      }
    }
    // L Z = B, then Lᵀ X = Z.
    for i in 0..<n {
      for k in 0..<i {
        let factor = a[i * n + k]
        for c in 0..<m { b[i * m + c] -= factor * b[k * m + c] }
      }
      for c in 0..<m { b[i * m + c] /= a[i * n + i] }
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
      for k in (i + 1)..<max(n, i + 1) {
        let factor = a[k * n + i]
        for c in 0..<m { b[i * m + c] -= factor * b[k * m + c] }
      }
      for c in 0..<m { b[i * m + c] /= a[i * n + i] }
    }
    return true
  }
}
