import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// What a recipe says of the training between cuts.
@Suite struct RecipeTests {
  private static let weights = ["fc1.weight", "fc2.weight", "fc3.weight"]

  private func data() throws -> Dataset { try Dataset.digits().take(200) }

  private func options(_ recover: FitOptions? = nil, _ change: (inout PruneOptions) -> Void = { _ in }) throws
    -> PruneOptions
  {
    var options = PruneOptions()
    options.data = try data()
    options.recover = recover
    change(&options)
    return options
  }

  private func training(_ change: (inout FitOptions) -> Void) -> FitOptions {
    var training = FitOptions()
    training.epochs = 2
    training.seed = 6
    training.lr = 2e-3
    change(&training)
    return training
  }

  /// The weights of a prune with this training, and of its recipe taken again.
  private func both(
    _ training: FitOptions, again: FitOptions? = nil
  ) throws -> (first: [[Float]], again: [[Float]], text: String) {
    let model = try Networks.mlp()
    let outcome = try pruned(
      model,
      options(training) {
        $0.amount = 0.6; $0.schedule = "linear"; $0.steps = 2
      })
    let text = try #require(outcome.recipe)
    let replayed = try pruned(model, options(again) { $0.recipe = text }).model
    func values(_ model: Model) throws -> [[Float]] { try Self.weights.map { try Networks.values(model, $0) } }
    return (try values(outcome.model), try values(replayed), text)
  }

  private func augmented(_ options: inout FitOptions) {
    var changes = Augmentation()
    (changes.flip, changes.crop, changes.cutout, changes.mixup, changes.cutmix) = (true, 1, 2, 0.4, 0.5)
    options.augmentation = changes
  }

  @Test func augmentationReplaysBitForBit() throws {
    let (first, again, text) = try both(training(augmented))
    let isSame = first == again, isOther = try both(training { _ in }).first != first
    #expect(isSame && isOther)
    #expect(text.contains("\nrecover.augment true 1 2 0.4 0.5\n"))
  }

  @Test func everyOptionOfTheTrainingReplays() throws {
    let changes: [(inout FitOptions) -> Void] = [
      {
        $0.groups = [ParameterGroup(["fc1.*", "fc2.weight"], lr: 1e-4), ParameterGroup(["fc3.*"], weightDecay: 0)];
        $0.weightDecay = 0.1
      },
      {
        $0.lossSettings.labelSmoothing = 0.2; $0.lossSettings.classWeights = [3, 1, 1, 1, 1, 1, 1, 1, 1, 0.5];
        $0.loss = "cross_entropy"
      },
      {
        $0.validationSplit = 0.3; $0.stopping.restoresBest = true; $0.stopping.monitor = "validation_accuracy"
      },
      {
        $0.stopping.patience = 2; $0.stopping.minDelta = 10; $0.epochs = 4
      },
    ]
    let plain = try both(training { _ in }).first
    for (index, change) in changes.enumerated() {
      let (first, again, _) = try both(training(change))
      // Not the lists themselves, which a failure would print.
      let (isSame, isOther) = (first == again, first != plain)
      #expect(isSame && isOther, "case \(index)")
    }
  }

  /// What a text cannot hold is given again, or missed.
  @Test func modelsAreGivenAgain() throws {
    let big = try Networks.mlp([48, 24], seed: 9)
    let taught = training {
      var distillation = Distillation(teacher: big)
      (distillation.temperature, distillation.alpha) = (2, 0.9)
      $0.distillation = distillation
    }
    let teacherAlone = training { $0.distillation = Distillation(teacher: big) }
    let (first, again, text) = try both(taught, again: teacherAlone)
    let isSame = first == again
    #expect(isSame)
    let error = #expect(throws: PruneError.self) { try pruned(Networks.mlp(), options(nil) { $0.recipe = text }) }
    #expect(error?.status == .invalidArgument && error?.message.contains("teacher") == true)
    let validated = try data()
    for missing in ["recover.loss_graph given", "recover.validation given", "rewind given"] {
      let text = "libprune recipe 1\n\(missing)\nstep 0.5\n"
      let error = #expect(throws: PruneError.self) { try pruned(Networks.mlp(), options(nil) { $0.recipe = text }) }
      #expect(error?.status == .invalidArgument && error?.hint.contains("=") == true, "\(missing)")
    }
    _ = try both(training { $0.validation = validated }, again: training { $0.validation = validated })
  }

  @Test func aTicketsRecipeWantsTheEarlierWeights() throws {
    let model = try Networks.mlp(), start = try Networks.mlp(seed: 3)
    let outcome = try pruned(
      model,
      options(nil) {
        $0.amount = 0.5; $0.rewind = start
      })
    let text = try #require(outcome.recipe)
    #expect(throws: PruneError.self) { try pruned(model, options(nil) { $0.recipe = text }) }
    let again = try pruned(
      model,
      options(nil) {
        $0.recipe = text; $0.rewind = start
      }
    ).model
    #expect(try Networks.values(again, "fc1.weight") == Networks.values(outcome.model, "fc1.weight"))
  }

  @Test(arguments: [
    "augment true 1", "augment true 1 1 x", "group 1", "group_parameters fc1", "regularizer l1",
    "regularizer_scope fc1",
    "teacher 1 2", "class_weight much",
  ])
  func whatIsNotUnderstoodIsNamed(line: String) throws {
    let text = "libprune recipe 1\nrecover.\(line)\nstep 0.5\n"
    let error = #expect(throws: PruneError.self) { try pruned(Networks.mlp(), options(nil) { $0.recipe = text }) }
    #expect(error?.status == .badFormat)
  }
}
