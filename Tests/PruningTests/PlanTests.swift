import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct PruneScheduleTests {
  @Test func linearGoesTheSameShareEveryStep() throws {
    let schedule = try PruneSchedule(kind: "linear", steps: 4)
    #expect((1...4).map { schedule.progress($0) } == [0.25, 0.5, 0.75, 1])
  }

  @Test func cubicIsThePublishedFormula() throws {
    let schedule = try PruneSchedule(kind: "cubic", steps: 5)
    for step in 1...5 {
      let left = 1 - Double(step) / 5
      #expect(abs(schedule.progress(step) - (1 - left * left * left)) < 1e-15)
    }
    // From s_i = 0.2 to s_f = 0.9: s_f + (s_i - s_f)(1 - t/n)^3.
    guard case .amount(let amount, _) = Allocation.amount(0.9, .global).partial(schedule.progress(2), from: 0.2) else {
      Issue.record("the kind of allocation changed")
      return
    }
    #expect(abs(amount - (0.9 + (0.2 - 0.9) * 0.6 * 0.6 * 0.6)) < 1e-15)
  }

  @Test(arguments: PruneSchedule.Kind.allCases)
  func everyScheduleEndsAtTheTargetItself(kind: PruneSchedule.Kind) throws {
    let schedule = try PruneSchedule(kind: kind.rawValue, steps: 0)
    #expect(schedule.progress(schedule.steps) == 1)
    #expect(Allocation.amount(0.7, .global).partial(1, from: 0.3) == .amount(0.7, .global))
  }

  @Test(arguments: [("quadratic", 3), ("one_shot", 2), ("linear", -1), ("linear", 1 << 40)])
  func impossibleSchedulesAreRefused(kind: String, steps: Int) {
    #expect(throws: PruneError.self) { try PruneSchedule(kind: kind, steps: steps) }
  }
}

@Suite struct PrunePlanTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let status: Status
    let message: String
    let change: @Sendable (inout PruneOptions) -> Void

    init(
      _ name: String, _ status: Status, _ message: String, _ change: @escaping @Sendable (inout PruneOptions) -> Void
    ) {
      testDescription = name
      self.status = status
      self.message = message
      self.change = change
    }
  }

  static let cases: [Case] = [
    Case("no target", .invalidArgument, "neither amount nor threshold") { $0.amount = nil },
    Case("two targets", .invalidArgument, "both amount and threshold") { $0.threshold = 0.1 },
    Case("negative amount", .invalidArgument, "amount is -0.1") { $0.amount = -0.1 },
    Case("percent", .invalidArgument, "amount is 50") { $0.amount = 50 },
    Case("NaN amount", .invalidArgument, "amount is nan") { $0.amount = .nan },
    Case("NaN threshold", .invalidArgument, "threshold is nan") {
      $0.amount = nil
      $0.threshold = .nan
    },
    Case("negative threshold", .invalidArgument, "threshold is -1") {
      $0.amount = nil
      $0.threshold = -1
    },
    Case("threshold strategy with an amount", .invalidArgument, "takes a threshold") { $0.strategy = "threshold" },
    Case("strategy", .invalidArgument, "strategy is 'globl'") { $0.strategy = "globl" },
    Case("criterion", .invalidArgument, "criterion is 'magnitud'") { $0.criterion = "magnitud" },
    Case("schedule", .invalidArgument, "schedule is 'gradual'") { $0.schedule = "gradual" },
    Case("granularity", .unsupported, "granularity 'pixel'") { $0.granularity = "pixel" },
    Case("target of masked channels", .unsupported, "needs units that are removed") {
      $0.amount = nil
      $0.granularity = "channel"
      $0.mode = "mask"
      $0.target = CostTarget(.macs, 0.5)
    },
    Case("round_to of weights", .invalidArgument, "round_to is for channels") { $0.roundTo = 8 },
    Case("cost of global", .invalidArgument, "cost is what strategy 'cost_aware' saves") { $0.cost = "macs" },
    Case("training of global", .invalidArgument, "train is the training of") { $0.train = FitOptions() },
    Case("regularized without data", .invalidArgument, "trains on data with targets") { $0.strategy = "regularized" },
    Case("target and amount", .invalidArgument, "both a target") {
      $0.granularity = "channel"
      $0.target = CostTarget(.macs, 0.5)
    },
    Case("target of nothing", .invalidArgument, "fraction to keep") {
      $0.granularity = "channel"
      $0.amount = nil
      $0.target = CostTarget(.macs, 0)
    },
    Case("max_fraction", .invalidArgument, "max_fraction is 2") { $0.maxFraction = 2 },
    Case("reduce", .invalidArgument, "reduce is 'median'") { $0.reduction = "median" },
    Case("mode", .unsupported, "mode 'remove'") { $0.mode = "remove" },
    Case("device", .invalidArgument, "device is 'cuda'") { $0.device = "cuda" },
    Case("data", .invalidArgument, "there is none") { $0.criterion = "taylor" },
    Case("batch size", .invalidArgument, "batch_size is -3") { $0.batchSize = -3 },
  ]

  @Test(arguments: cases)
  func whatIsWrongIsSaidBeforeAnyWork(test: Case) {
    var options = PruneOptions()
    options.amount = 0.5
    test.change(&options)
    let error = #expect(throws: PruneError.self) { try PrunePlan(options) }
    #expect(error?.status == test.status)
    #expect(error?.message.contains(test.message) == true, "\(error?.description ?? "")")
    #expect(error?.description.isEmpty == false)
  }

  @Test func nearMissesAreSuggested() {
    var options = PruneOptions()
    options.amount = 0.5
    options.criterion = "magnitud"
    let error = #expect(throws: PruneError.self) { try PrunePlan(options) }
    #expect(error?.hint.contains("'magnitude'") == true)
  }

  @Test func strategiesArePresets() throws {
    var options = PruneOptions()
    options.threshold = 0.01
    #expect(try PrunePlan(options).strategy == .threshold)
    options.strategy = "global"
    #expect(try PrunePlan(options).allocation == .threshold(0.01))
    options.threshold = nil
    options.amount = 0.5
    #expect(try PrunePlan(options).allocation == .amount(0.5, .global))
    options.strategy = nil
    #expect(try PrunePlan(options).allocation == .amount(0.5, .lamp))
    options.strategy = "local"
    #expect(try PrunePlan(options).allocation == .amount(0.5, .local))
    #expect(try PrunePlan(options).importance.name == "magnitude")
  }
}
