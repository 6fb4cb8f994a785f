import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Budgets that what is in scope cannot meet: nothing is spent on them.
@Suite struct UnmetTargetTests {
  private func refusal(_ model: Model, _ change: (inout PruneOptions) -> Void) -> PruneError? {
    var options = PruneOptions()
    change(&options)
    do { _ = try prune(model, options) } catch { return error }
    return nil
  }

  /// Most of the weights are out of scope.
  @Test(arguments: ["params", "macs", "bytes"], ["global", "lamp", "local"])
  func zerosCannotMeetIt(kind: String, allocation: String) throws {
    let model = try Networks.mlp([64, 16]), kind = try #require(CostTarget.Kind(rawValue: kind))
    let error = try #require(
      refusal(model) {
        $0.target = CostTarget(kind, 0.3)
        $0.allocation = allocation
        $0.scope = ["fc3*"]
      })
    #expect(error.status == .invalidArgument)
    #expect(error.message.contains("target \(kind.rawValue) is 0.3"), "\(error)")
    // The floor that it names can be met.
    let words = error.message.split(separator: " ")
    let place = try #require(words.firstIndex(of: "and"))
    let floor = try #require(Double(words[place + 1]))
    #expect(floor > 0.9 && floor < 1)
    #expect(
      refusal(model) {
        $0.target = CostTarget(kind, min(floor + 1e-3, 1))
        $0.allocation = allocation
        $0.scope = ["fc3*"]
      } == nil)
  }

  @Test func aScheduleIsRefusedAtItsFirstStep() throws {
    var steps = 0
    let error = refusal(try Networks.mlp([64, 16])) {
      $0.target = CostTarget(.params, 0.5)
      $0.scope = ["fc3*"]
      ($0.schedule, $0.steps) = ("linear", 8)
      $0.onStep = { _ throws(PruneError) in
        steps += 1
        return false
      }
    }
    #expect(error?.status == .invalidArgument)
    #expect(steps == 0)
  }

  @Test(arguments: ["params", "macs", "bytes"], ["global", "local"])
  func unitsCannotMeetIt(kind: String, strategy: String) throws {
    let kind = try #require(CostTarget.Kind(rawValue: kind)), model = try Networks.mlp([64, 16])
    func error(_ fraction: Double) -> PruneError? {
      refusal(model) {
        $0.granularity = "channel"
        $0.strategy = strategy
        $0.target = CostTarget(kind, fraction)
        $0.ignore = ["fc1*"]
      }
    }
    // The first hidden layer is most of it.
    let found = try #require(error(0.2))
    #expect(found.status == .invalidArgument)
    #expect(found.message.contains("the least that can be left"), "\(found)")
    #expect(error(0.9) == nil)
  }

  @Test func roundingAndBoundsHoldBack() throws {
    let model = try Networks.mlp([64, 48])
    let bounded = refusal(model) {
      ($0.granularity, $0.maxFraction) = ("channel", 0.25)
      $0.target = CostTarget(.macs, 0.1)
    }
    #expect(bounded?.message.contains("max_fraction") == true)
    let rounded = refusal(model) {
      ($0.granularity, $0.roundTo) = ("channel", 32)
      $0.target = CostTarget(.macs, 0.1)
    }
    #expect(rounded?.message.contains("round_to") == true)
  }

  /// Of cuts of rising size the first that is as fast as the fastest.
  @Test func cutsThatSaveNoTimeAreNotMade() {
    #expect(LatencyFloor.choice([1, 0.9, 0.82, 0.81, 0.815, 0.81]) == 2)
    #expect(LatencyFloor.choice([1, 1.02, 0.99, 1.01]) == 0)
    #expect(LatencyFloor.choice([1, 0.8, 0.6, 0.4]) == 3)
    #expect(LatencyFloor.choice([]) == nil)
  }

  /// The smallest network takes its time whatever its widths.
  @Test func aLatencyThatIsNotToBeHadIsNotChased() throws {
    var options = SmallGraph.channels(0)
    (options.amount, options.strategy, options.target) = (nil, nil, CostTarget(.latency, 0.02))
    let report = try prune(try Networks.mlp([24, 16]), options).report
    let note = report["notes"]?.list?.compactMap(\.text).first { $0.contains("latency kept is") }
    #expect(note?.contains("saves no time") == true, "\(report)")
    #expect(note?.contains("the floor is about") == true)
  }
}
