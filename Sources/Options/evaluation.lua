return {
  {c = "prune_evaluate_options", lua = "Model:evaluate", id = "evaluate", swift = "EvaluateOptions", fields = {
    {"metrics", "texts",
      text = [["loss", "accuracy", "error", "top5" (any k), "f1", "precision", "recall", "miou" (means over classes), "auc",
        "cross_entropy", "perplexity", "mse", "rmse", "mae"; "roc" gives a row a class with points of its curve, "per_class" gives "classes", a row a class, and "confusion" a tensor [class, what the model
        says] with "confused", the pairs that are mixed up most; the loss by default, and the accuracy where targets are classes]]},
    {"batch_size", "count", default = 64, text = "samples a run"},
    {"loss", "choice", {"cross_entropy", "mse", "mae", "huber", "bce", "kl"}, text = "the model and the targets decide by default"},
    {"output", "text", text = "name of the output that is compared with the targets; the first by default"},
  }},
  {c = "prune_benchmark_options", lua = "Model:benchmark", id = "benchmark", swift = "BenchmarkOptions", fields = {
    {"batch_size", "count", default = 1, text = "samples a run"},
    {"threads", "count", text = "all cores by default"},
    {"runs", "count", default = 50, text = "timed runs"},
    {"warmup", "count", default = 5, least = 0,
      text = "untimed runs before them",
      more = "Untimed runs before them."},
    {"shapes", "shapes",
      text = [[extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default what the
        model's own metadata says, else an assumption that the report states]]},
    {"steps", "flag", default = false,
      text = [[also "steps": what the compiled model does, with the time and share of each, the slowest first, and of layers with
        weights whether their zeros are left out]]},
  }},
  {c = "prune_differences_options", lua = "Model:differences", id = "differences", swift = "DifferencesOptions", fields = {
    {"samples", "count", default = 32, text = "samples that both models run on, at most"},
  }},
  {c = "prune_loss_options", lua = "prune.losses", id = "loss", swift = "Losses.Settings", fields = {
    {"from_logits", "flag", default = false,
      text = "predictions are logits rather than probabilities: cross_entropy, bce, kl"},
    {"label_smoothing", "fraction", default = 0,
      text = "cross_entropy: the share of each target that is spread over all classes",
      more = "cross_entropy: the part of each target that is spread over all classes, 0...1."},
    {"class_weights", "numbers",
      text = "cross_entropy: a weight for each class; the mean is weighted as well",
      more = "cross_entropy: a weight for each class; NULL for equal weights. The mean is weighted as well."},
    {"delta", "positive", default = 1, text = "huber: the difference from which on the loss is a straight line"},
  }},
}
