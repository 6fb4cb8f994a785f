import PruneGraph
import PruneRuntime
import PruneTensor

/// Ridge regression of what layers of one model put out on what they read in a changed one, layer by layer, each on
/// what the layers before it now give.
struct LayerFit {
  /// The model whose outputs are to be met.
  let original: Model
  let batches: [[String: Tensor]]
  let seed: UInt64
  let cancel: CancelFlag?

  /// How strongly weights are held where they are, in units of the mean squared input.
  private static let ridge = 1e-3
  /// A normalization that scales by less passes nothing on.
  private static let leastScale = 1e-4

  /// A layer to fit, and what it should give where it is looked at.
  struct Job {
    let layer: FittedLayer
    let output: String
    /// Of the layer's node in the shrunk model.
    let position: Int
    /// Positions of each axis of the output that are left.
    let kept: [[Int]?]
    /// What the output is added to.
    var sum: ResidualSum?

    init(layer: FittedLayer, output: String, position: Int, kept: [[Int]?] = [], sum: ResidualSum? = nil) {
      (self.layer, self.output, self.position, self.kept, self.sum) = (layer, output, position, kept, sum)
    }

    fileprivate var targets: [Float] = []
    /// How far what the output is added to is from what it was.
    fileprivate var errors: [Float] = []

    fileprivate var columns: Int { layer.features + 1 }
  }

  /// - Parameter jobs: in the order of the graph.
  func run(_ jobs: [Job], _ model: inout Model) throws(PruneError) {
    var jobs = jobs
    guard !jobs.isEmpty else { return }
    let outputs = Set(jobs.map(\.output) + jobs.compactMap(\.sum?.other))
    let before = Session(original, outputs: outputs.sorted())
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
      var now: [Float] = []
      try sample(job, value, index, number, &now)
      let first = number * rows(job) * layer.outputs
      for place in now.indices where first + place < job.errors.count { job.errors[first + place] -= now[place] }
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
    let f = try Tensor(inputs, try Shape([count, job.columns]))
    let t = try Tensor(job.targets, try Shape([count, layer.outputs]))
    let gram = try SecondOrder.product(f, f, transposesA: true),
      moment = try SecondOrder.product(f, t, transposesA: true)
    try layer.store(try solved(gram.doubles(), moment.doubles(), layer, model.graph), &model)
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
