import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Distillation from samples without targets: the teacher's answers are the targets, and nothing else is learnt.
extension FitOptions {
  /// The data with the teacher's answers where it has no targets, and options that learn from the teacher alone.
  /// Answers of a classifier are its classes, so that the accuracy is the agreement with the teacher; others are the
  /// values themselves.
  /// - Throws: what running the teacher throws; `.mismatch` where it does not fit the data.
  func withTeachersAnswers(for model: Model, _ data: Dataset) throws(PruneError) -> (options: FitOptions, data: Dataset)
  {
    guard data.y == nil, let source = distillation else { return (self, data) }
    var options = self
    options.distillation?.alpha = 1
    options.distillation?.scalesByVariance = true
    let loss = try TrainingLoss(self.loss, model: model, targets: .float32, output: output, lossSettings)
    var teacher = source.teacher
    if let named = teacher.graph.outputs.first(where: { $0.name == loss.output.name }) {
      teacher.graph.outputs = [named]
    }
    let session = Session(teacher)
    func answered(_ data: Dataset) throws(PruneError) -> Dataset {
      guard data.y == nil else { return data }
      do throws(PruneError) {
        if loss.isClassifier { return try data.labelled(by: session, cancel: cancel) }
        let answers = try predict(session, data, cancel: cancel)
        return Dataset(columns: data.columns, y: answers, classCount: nil, name: data.name, layout: data.layout)
      } catch { throw error.located(at: "teacher") }
    }
    if let validation { options.validation = try answered(validation) }
    return (options, try answered(data))
  }
}
