local criteria = {
  "magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "bn_scale", "fpgm",
  "cosine", "mutual", "lamp", "random", "gate",
}

return {
  {c = "prune_significance_options", lua = "Model:significance", id = "significance", struct = "significance_call_options", swift = "SignificanceOptions", fields = {
    {"criterion", "value", criteria, also = "function|table", default = "magnitude", ckind = "text", own = "criterion",
      text = [[what is measured; or a function of a weight's name and Tensor that returns scores; or {weight = Tensor}]],
      more = [[What is measured of each weight w, with gradients g of the mean loss of a batch, averaged over batches: -
        "magnitude": |w|; "l2": w^2; "lamp": w^2 over the squares of the layer that are not smaller; "random"; -
        "gradient": E|g|; "taylor": root of E[(g w)^2]; "fisher": w^2 E[g^2] / 2; "snip": |E[g] w| over its sum;
        they need `data` with targets for `output`; weights that its loss does not depend on have no score, stay as
        they are, and are named in the report's "notes", as for the next two; - "hessian": w^2 |h| / 2, h the
        Hessian's diagonal by Hutchinson's method; "grasp": w (H g), both by differences of gradients, 4 x 2 and 3
        passes over `data`; - "movement": half of how much w^2 grows over one epoch of gradient descent on `data`; -
        "wanda": |w| times the norm of the input it multiplies, over `data`, no targets needed; and, the same for
        all weights of an output, layers without what is measured coming last: - "apoz": how often the output is
        above 0 behind its Relu, over `data`; "bn_scale": |gamma| of the BatchNormalization behind it; "fpgm": the
        sum of distances to the layer's other filters; "cosine": 1 - |cosine| with the most alike filter before it;
        "mutual": 1 - the largest squared correlation, over `data`, with an output before it, which is exp(-2 I) of
        their mutual information I in nats; layers of more than 8,192 outputs come last; "gate": half the mean, over
        samples, of the squared sum of activation times gradient over an output's positions: what the loss loses with
        the output. Of channels and heads it is taken where layers read them; it needs targets.]]},
    {"data", "dataset",
      text = [[needed by criteria that look at data, with labels for gradient, taylor, fisher, hessian, snip, grasp,
        movement and gate, without for wanda, apoz and mutual]]},
    {"batch_size", "count", default = 64, text = "samples a step"},
    {"seed", "seed", default = 0, text = "seed of the criteria random, hessian and movement"},
    {"output", "text", text = "name of the output whose loss gives the gradients; the first by default"},
    {"scope", "texts",
      text = "only layers or weights of these name patterns",
      more = "Only layers or weights of these name patterns (`*`, `?`)."},
    {"ignore", "texts", text = "not layers or weights of these name patterns"},
    {"scores", "scores", lua = false, swift = false,
      text = [[In place of a criterion: a score tensor for each weight by its name, or a callback, which is given `user`.]]},
    {"on_score", "callback", ctype = "prune_score_callback", lua = false, swift = false},
    {"user", "user", lua = false, swift = false},
  }},
  {c = "prune_sensitivity_options", lua = "Model:sensitivity", id = "sensitivity", struct = "sensitivity_call_options", swift = "SensitivityOptions", fields = {
    {"data", "dataset",
      text = "what the metric is measured on; needed, unless the metric is a function",
      more = [[What the metric is measured on; criteria that look at data use it too. Needed, unless `on_metric` is given.]]},
    {"amounts", "numbers", text = "fractions of a layer; 0.1, 0.3, 0.5, 0.7 and 0.9 by default"},
    {"metric", "value", type = "string|function", ckind = "text", own = "metric",
      text = [[as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a
        number]]},
    {"lower_is_better", "flag", default = false, swift = false,
      text = "smaller numbers are better, for a metric that is a function"},
    {"max_drop", "nonnegative", default = 0.01, swift = "maxDrop",
      text = "an amount is safe while the metric loses no more than this"},
    {"criterion", "choice", criteria, default = "magnitude",
      text = "as in Model:significance",
      more = "As in prune_prune_options."},
    {"granularity", "value", type = "string|table", default = "weight", ckind = "text", own = "granularity",
      more = [["weight", "kernel" or "block:RxC".]],
      text = [["weight", "kernel" or {block = {rows, columns}}]]},
    {"scope", "texts", text = "only layers or weights of these name patterns"},
    {"ignore", "texts", text = "not layers or weights of these name patterns"},
    {"batch_size", "count", default = 64, text = "samples a run"},
    {"seed", "seed", default = 0, text = "seed of the criterion random"},
    {"output", "text", text = "name of the output that the metric and the gradients are taken of; the first by default"},
    {"on_step", "function", own = "on_step", text = "called after each layer; \"stop\" or true ends it there"},
    {"verbose", "flag", default = false, own = "verbose", text = "a line a layer on standard error, terminal or not"},
    {"on_event", "callback", ctype = "prune_event_callback", lua = false, swift = false,
      text = "Progress: PRUNE_EVENT_PRUNE after each layer, `step` of `steps`. Non-zero ends it there."},
    {"user", "user", lua = false, swift = false},
    {"on_metric", "callback", ctype = "prune_metric_callback", lua = false, swift = false,
      text = "In place of a metric by name, given `user`; the whole model runs for every value then."},
    {"shapes", "shapes",
      text = [[extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; those of the data by default,
        which they must agree with]]},
  }},
  {c = "prune_guard", lua = "guard", id = "guard", struct = "guard_options", fields = {
    {"data", "dataset", swift = false, text = "what the metric is measured on; needed, unless the metric is a function"},
    {"metric", "value", type = "string|function", default = "accuracy", ckind = "text", own = "metric", swift = false,
      text = [[a metric of Model:evaluate (the loss where targets are not classes), or a function of a Model that returns a
        number]]},
    {"max_drop", "nonnegative", default = 0, optional = true, swift = false,
      text = "how much of the metric may be lost"},
    {"bound", "number", swift = false,
      text = "an absolute limit for the metric; without max_drop, only this limit counts",
      more = [[An absolute limit for the metric, whatever it was before. Without `max_drop`, only this limit counts. A given
        model that is beyond it is an error, before any work.]]},
    {"lower_is_better", "flag", default = false, swift = false,
      text = "smaller numbers are better, for a metric that is a function"},
    {"output", "text", swift = false,
      text = "name of the output that the metric is of; that of the call by default, else the first",
      more = [[What the metric is of: the name of an output; NULL is the first, or what the pruning that it guards names.]]},
    {"on_metric", "callback", ctype = "prune_metric_callback", lua = false, swift = false,
      text = [[In place of a metric of the library, which `metric` then only names; no `data` needed. Given `user`.]]},
    {"user", "user", lua = false, swift = false},
  }},
  {c = false, lua = "Model:prune target", id = "target", struct = "target_options", fields = {
    {"macs", "fraction", own = "macs", text = "of the multiply-accumulate operations"},
    {"params", "fraction", own = "params", text = "of the parameters"},
    {"bytes", "fraction", own = "bytes", text = "of the stored bytes"},
    {"latency", "fraction", own = "latency", text = "of the median time of a run on this machine"},
  }},
  {c = false, lua = "Model:prune schedule", id = "schedule", struct = "schedule_options", fields = {
    {"kind", "choice", {"one_shot", "linear", "cubic", "dynamic"}, own = "kind",
      text = [[one_shot: all at once; linear: evenly; cubic: fast first; dynamic: with weights that come back. linear where
        only steps are given]]},
    {"steps", "count", own = "steps", text = "number of steps"},
  }},
  {c = "prune_prune_options", lua = "Model:prune", id = "prune", struct = "prune_call_options", swift = "PruneOptions", fields = {
    {"strategy", "choice", {"global", "local", "threshold", "block", "cost_aware", "layerwise", "shared", "penalty", "regularized"},
      text = [[global: one ranking over all layers. local: the same amount in each. threshold: what scores below it. block:
        blocks of weights. cost_aware: the cuts that lose least for what they save. layerwise: layer after layer, as far as
        the guard allows. shared: equal weights together. penalty, regularized: after training that holds signs, or that
        drives weights to zero. None by default: allocation and criterion decide. help "strategy.global" and so on has a
        page for each]],
      more = [[None by default: what `allocation` and the criterion say. "global": one ranking over all layers; "local": the same amount in each layer; "threshold": what scores
        below `threshold` goes; "block": blocks, of 4 x 4 unless `granularity` says otherwise; "cost_aware": the
        cuts that cost least loss on `data` for what they save (`cost`) first; "layerwise": how
        much the loss rises with each layer is measured first, then layer after layer goes in that order, each as far as
        `guard` allows, up to `amount` (0.9 of it by default), the report's "layer_importance" listing both; "shared": weights that are equal lose
        the same elements, and the report's "shared" lists tied weights, equal ones and layers with parallel
        filters; "regularized": training that drives weights to zero, then the cut; "penalty": training in which
        shared weights keep their signs, those that would change it staying at zero, then the cut (both: `train`).]]},
    {"criterion", "value", criteria, also = "function|table", ckind = "text", own = "criterion",
      text = [[what says which weights matter least, as in Model:significance; by default magnitude, for channels and heads
        gate where data has labels, else l2]],
      more = [[What says which weights matter least: a criterion of prune_significance_options. NULL is "magnitude"; for
        channels and heads "gate" where `data` has labels, else "l2".]]},
    {"granularity", "value", type = "\"weight\"|\"2:4\"|\"kernel\"|\"channel\"|\"head\"|\"head_dim\"|\"layer\"|string|table", default = "weight", ckind = "text", own = "granularity",
      text = [[what is removed as one; also any n:m, {block = {rows, columns}} or "block:4x4", and {block = {outputs,
        inputs, height, width}, stride =} inside kernels, where blocks may overlap. Channels go with all that is coupled to
        them]],
      more = [[What is removed as one: "weight"; "n:m", as "2:4": all but the best n of every m neighbouring inputs of an
        output (at each tap of a kernel; a last group of fewer keeps the same share, rounded up), no `amount`
        needed; "block:RxC", as "block:4x4": R outputs by C inputs at each tap, smaller at the edges; "block:OxIxHxW",
        as "block:1x1x4x4": such blocks inside kernels, each one tap from the next, so that they overlap, or as far as
        "block:1x1x4x4/1x1x2x2" says behind the slash, where a weight goes with the first of its blocks that goes; "kernel": all
        taps between an output and an input; "channel" (with all that is coupled to it), "head", "head_dim", or
        "layer" (a branch that is added to what it is computed from). `amount` is a fraction of these units.]]},
    {"allocation", "choice", {"global", "local", "uniform", "row", "lamp", "erk", "isomorphic", "sensitivity"},
      text = [[how the amount is divided over layers; by default as the strategy says, without one by lamp for magnitude and
        l2, and by row for wanda]],
      more = [[How `amount` is divided over layers, in place of what the strategy says: "global"; "local" (or "uniform");
        "row": the same in each output (default for wanda); "lamp": one ranking of each score over the sum of its layer's
        scores that are not smaller (default of single weights for magnitude and l2, without a strategy); "erk": density in proportion to the sum of a
        layer's extents over their product; "isomorphic": one ranking in each class of layers of the same operator
        and kernel; "sensitivity": of each layer as much as costs the same loss, by curves measured on `data`.]]},
    {"reconstruct", "choice", {"none", "obs", "sparsegpt", "least_squares"},
      text = [[without training, on data. obs: the weights that stay make up for those that went. sparsegpt: also chooses
        which go. least_squares: fits the layers behind removed channels or heads, the default there where data is given]],
      more = [[Without training, layer by layer on `data` (no targets needed): "obs" lets the weights that stay make up for
        those that went, by second moments of the layer's inputs; "sparsegpt" also chooses which go on the way. Of
        channels and heads that are removed: "least_squares" fits layers that read what changed to what they gave
        before, the layers that end residual blocks to what the sum was; the default where `data` is given; "none"
        leaves them as they are.]]},
    {"cost", "choice", {"params", "macs", "bytes", "latency"}, default = "params",
      text = [[cost_aware: what the cuts are to save; where a target is given, what it names. latency is for channels]],
      more = [[What "cost_aware" saves: "params", "macs", "bytes", or for channels "latency". Where a target is given, what
        it names.]]},
    {"metric", "value", type = "string|function", ckind = "text", own = "metric",
      text = [[the metric that cost_aware and the allocation sensitivity protect: one of Model:evaluate, or a function of a
        Model that returns a number; by default that of the guard, else the loss]],
      more = [[The metric that "cost_aware" and the allocation "sensitivity" protect: one of prune_model_evaluate, or one of
        the caller's own, given `user`. NULL is that of the guard, without one the loss.]]},
    {"lower_is_better", "flag", default = false, swift = false,
      text = "smaller numbers are better, for a metric that is a function"},
    {"shared", "choice", {"one", "all"}, default = "one",
      text = [[local: where several layers use one weight, prune the first use alone (one), or all of them alike (all)]],
      more = [[For "local", of a weight that several layers use: "one": the first layer's use is pruned, and the others
        keep a whole copy; "all": it is pruned for all of them. Other strategies always do the latter.]]},
    {"recipe", "text",
      text = "the text of Report:recipe: its choices and steps are taken again",
      more = [[What prune_report_recipe gave: its choices and steps are taken in place of those here; data, guard,
        callbacks and models (a teacher, `rewind`) are not in it. With the same data the result is bit for bit the
        same.]]},
    {"rewind", "model",
      text = [[the same network, earlier in its training: after every step the weights that stay go back to what they were
        there]],
      more = [[The same network, earlier in its training: after every step, before `recover`, the weights that stay go back
        to what they were there (lottery tickets).]]},
    {"amount", "value", type = "number|table", ckind = "number", own = "amount",
      text = [[the fraction to remove, 0...1; or one of each layer by name patterns, {conv1 = 0.1, ["layer3.*"] = 0.6}: plain names
        first, then the longest pattern; other layers stay whole]],
      more = "The fraction of all units to remove, 0...1. Give this, `threshold` or a target."},
    {"threshold", "number",
      text = "in place of an amount: the score below which weights go",
      more = "In place of `amount`: the score below which units go."},
    {"mode", "choice", {"mask", "remove"},
      text = [[mask: zeros that stay zero (single weights); remove: a smaller model, certified (channels, heads, layers)]],
      more = [["mask" for weights: zeros are stored and stay zero through training. "remove" (default for channels and
        heads): the model shrinks, and the report carries the certificate: the largest difference of any output
        between the shrunk model and the masked one, relative to the largest value. Above 1e-4, and above what rounding
        alone makes of the masked one ("certificate_rounding", measured then), the call fails.]]},
    {"device", "text", default = "cpu", text = "where to work"},
    {"data", "dataset",
      text = "for criteria, reconstruction and training that need it",
      more = "What criteria, reconstruction and training look at."},
    {"validate", "value", type = "Dataset|true", ckind = "dataset", own = "validate",
      text = "metrics before and after, on this or on data"},
    {"schedule", "value", {"one_shot", "linear", "cubic", "dynamic"}, also = "table", ckind = "text", own = "schedule",
      text = [[how the amount is reached, or {kind =, steps =}; by default one_shot, but linear in 4 steps for channels and
        heads where data is given, no criterion is named, and there is no guard, recover or train]],
      more = [["one_shot", "linear" or "cubic" over `schedule_steps`. Not given: "linear" where `schedule_steps` are given;
        "linear" in 4 steps, each scored anew, for channels and heads that are removed and that nobody named a criterion
        for, where `data` fits them by least squares and no guard, `recover` or `train` is given; else "one_shot". "dynamic": at once to the amount, then in each step
        some of what was pruned comes back where the gradient pulls most, trains with `recover`, and as much goes
        again.]]},
    {"recover", "table", type = "table", ckind = "table", ctype = "prune_fit_options", own = "recover", of = "pl_recover_set", swift = false,
      text = "fine-tuning after each step: the options of Model:fit; its data is that of the call by default",
      more = "Fine-tuning after each step on `recover_data`; NULL for none."},
    {"train", "table", type = "table", ckind = "table", ctype = "prune_fit_options", own = "train", of = "pl_train_set", swift = false,
      text = [[penalty, regularized: training before each cut: the options of Model:fit; its data is that of the call by
        default; 5 epochs if not given]],
      more = [[Training before each cut, for the strategies "penalty" and "regularized", with the regularizers that it
        names: "sign" or "sign_constraint" for the first; "l1", "l2", "group_lasso", "bn_l1", "growing", "greg1" or
        "greg2" for the second. NULL is 5 epochs with the strategy's own. Not given, the growth of greg1 and greg2
        is spread over the training.]]},
    {"guard", "table", type = "table", ckind = "table", ctype = "prune_guard", own = "guard", of = "pl_guard_set", swift = false,
      text = "{data =, metric =, max_drop =, bound =}: undoes what costs too much",
      more = "Undoes what costs too much; NULL for none."},
    {"scope", "texts",
      text = "only layers or weights of these name patterns",
      more = "Only layers or weights of these name patterns (`*`, `?`)."},
    {"ignore", "texts", text = "not layers or weights of these name patterns"},
    {"batch_size", "count", default = 64, text = "for criteria and metrics"},
    {"seed", "seed", default = 0, text = "seed of the criterion random"},
    {"output", "text",
      text = [[name of the output that gradients, metrics, guard, recover and train use where they name none; the first by
        default]]},
    {"target", "table", type = "table", c = false, own = "target", of = "pl_target_set",
      text = [[in place of an amount: the share of a cost to keep, {macs = 0.5}. Of several, {params = 0.5, bytes = 0.3},
        each is the most that may be left, and the report's "targets" has what is. Where weights only become zero, the cost
        is counted as if they were gone. A target that cannot be met is an error]]},
    {"max_fraction", "fraction",
      text = "the largest share of a group that may go; 0.9 by default, or the amount when that is more",
      more = [[For channels and heads: the largest share of a group that may go; 0.9, or the amount when that is more.]]},
    {"round_to", "value", type = "integer|\"machine\"", ckind = "count", own = "round_to",
      text = [[the units left of a group are a multiple of this; "machine" is the multiple that kernels here like, and the
        default for channels with a target of latency or a benchmark; else 1]],
      more = [[Units left of a group are a multiple of this; PRUNE_ROUND_TO_MACHINE is what this machine's kernels like, and the
        default for channels with a target of latency or a benchmark: then the report also says what 1 would have given.
        1 else.]]},
    {"isomorphic", "flag", default = false, swift = "isIsomorphic",
      text = "groups are ranked only among those of the same kind and size"},
    {"width", "flag", default = false, swift = "followsWidth",
      text = [[also remove units of a transformer's residual (embedding) width; layer normalizations then take their
        statistics over what is left]],
      more = [[For channels that are removed: units that layer normalizations take means and variances over, the width of a
        transformer, may go as well. The statistics are then those of what is left, and so are those of the masked
        network that the certificate compares with.]]},
    {"reduce", "choice", {"mean", "sum", "max"}, swift = "reduction",
      text = "how the scores of a group's tensors become the score of a unit; mean by default"},
    {"normalize", "choice", {"mean", "max", "lamp", "none"}, swift = "normalization",
      text = "how the scores of groups are made comparable; mean by default, none after bn_l1",
      more = [[How groups are made comparable in one ranking: "mean", "max", "lamp" or "none".]]},
    {"benchmark", "flag", default = false, swift = "benchmarks",
      text = "median latency before and after goes into the report"},
    {"reestimate", "flag", default = false, swift = "reestimates",
      text = "recalibrate batch normalizations: measure their statistics again on the data",
      more = [[For channels and heads: recalibrate batch normalizations, that is measure their statistics again on the data.]]},
    {"on_step", "function", own = "on_step", text = "called after each pruning step; \"stop\" or true ends it"},
    {"verbose", "flag", default = false, own = "verbose", text = "a line a step on standard error, terminal or not"},
    {"schedule_steps", "count", lua = false, swift = "steps", text = "Steps of the schedule: 1 for one_shot, 5 for the others by default."},
    {"recover_data", "dataset", lua = false, text = "What `recover` trains on; NULL: `data`."},
    {"on_event", "callback", ctype = "prune_event_callback", lua = false, swift = false,
      text = "Progress: PRUNE_EVENT_PRUNE after each step."},
    {"user", "user", lua = false, swift = false},
    {"target_macs", "fraction", lua = false, swift = false,
      text = [[In place of an amount: the share of the MACs to keep. Where weights only become zero, the cost is counted as
        if they were gone. One target alone is met within 2 %, of several each is the most that may be left, or the report's
        notes say why not. What all units in scope together could not save is refused.]]},
    {"target_params", "fraction", lua = false, swift = false, text = "Parameters, likewise."},
    {"target_bytes", "fraction", lua = false, swift = false, text = "Stored bytes, likewise."},
    {"target_latency", "fraction", lua = false, swift = false, text = "Median time of a run on this machine, likewise."},
    {"scores", "scores", lua = false, swift = false,
      text = "In place of a criterion, as in prune_significance_options; the callback is given `user`."},
    {"on_score", "callback", ctype = "prune_score_callback", lua = false, swift = false},
    {"on_metric", "callback", ctype = "prune_metric_callback", lua = false, swift = false},
    {"train_data", "dataset", lua = false, text = "What `train` trains on; NULL: `data`."},
    {"shapes", "shapes",
      text = [[extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what
        the model's own metadata says, else an assumption that the report states]]},
    {"amount_layers", "texts", lua = false, swift = false,
      text = [[In place of `amount`: name patterns of layers or weights, and as many fractions in `amount_values`, one of each. Plain
        names come first, then the longest pattern; layers that none matches stay whole.]]},
    {"amount_values", "numbers", lua = false, swift = false},
    {"residual", "flag", optional = true, swift = "prunesStreams",
      text = [[whether channels of residual streams may go; by default only channels inside blocks go, unless these are not
        enough or a scope is named]],
      more = [[Whether channels of residual streams, which run through sums and which all blocks behind them read, may go. Not
        given, they stay: only channels inside blocks go, unless `scope` is named, there are no others, or those inside
        blocks cannot meet the target.]]},
  }},
  {c = "prune_factorize_options", lua = "Model:factorize", id = "factorize", struct = "factorize_call_options", swift = "FactorizeOptions", fields = {
    {"data", "dataset",
      text = [[what layers read: ranks and factors then go by what the layers compute on it rather than by the weights alone; no labels needed]]},
    {"energy", "fraction",
      text = [[the share of its energy (sum of squares) that each layer keeps; 0.99 where no rank, target or guard is given]]},
    {"rank", "count", text = "the rank of every layer, in place of energy"},
    {"target", "table", type = "table", c = false, own = "target", of = "pl_target_set",
      text = [[in place of energy: the fraction of a cost to keep, {macs = 0.5}, {params = 0.5}, {bytes = 0.5}; of several each is the
        most that may be left]]},
    {"form", "choice", {"channel", "spatial"}, default = "channel",
      text = [[what a convolution becomes: one with as many channels as the rank and one of 1x1, or one with a column of the kernel
        and one with a row]]},
    {"round_to", "count", default = 8, text = "ranks are a multiple of this"},
    {"guard", "table", type = "table", ckind = "table", ctype = "prune_guard", own = "guard", of = "pl_guard_set", swift = false,
      text = [[{data =, metric =, max_drop =, bound =}: ranks are raised until it holds; alone it decides how much is saved]],
      more = [[Ranks are raised until it holds; where nothing else is given, as much is saved as it allows. NULL for none.]]},
    {"scope", "texts",
      text = "name patterns of layers or weights: only these",
      more = "Name patterns (`*`, `?`) of layers or weights: only these, and not these."},
    {"ignore", "texts", text = "and not these"},
    {"validate", "dataset", text = "metrics before and after", more = "Metrics before and after go into the report."},
    {"batch_size", "count", default = 64, text = "samples a run"},
    {"output", "text", text = "name of the output that metrics are of; the first by default"},
    {"shapes", "shapes",
      text = [[extents that the inputs leave open: {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what
        the model's own metadata says, else an assumption that the report states]]},
    {"target_macs", "fraction", lua = false, swift = false, text = "In place of energy: the fraction of the MACs that is kept."},
    {"target_params", "fraction", lua = false, swift = false, text = "Parameters, likewise."},
    {"target_bytes", "fraction", lua = false, swift = false, text = "Stored bytes, likewise."},
  }},
  {c = "prune_ensemble_options", lua = "prune.ensemble", id = "ensemble", struct = "ensemble_call_options", swift = "EnsembleOptions", fields = {
    {"models", "value", type = "Model[]", required = true, c = false, own = "models", text = "two or more"},
    {"method", "choice", {"average", "vote", "stack"}, default = "average",
      text = "average: of probabilities; vote: of classes; stack: a linear layer trained on data",
      more = [["average" of probabilities; "vote" of classes, ties going to the mean probability; "stack": a linear layer
        over all log-probabilities, trained on `data` while the members stay as they are.]]},
    {"data", "dataset", text = "what stack trains on, and what members and ensemble are measured on"},
    {"epochs", "count", default = 5, text = "stack: passes over the data"},
    {"seed", "seed", default = 0, text = "stack: seed of its training"},
  }},
  {c = "prune_search_options", lua = "prune.search", id = "search", struct = "search_call_options", swift = "SearchOptions", fields = {
    {"model", "value", type = "Model", required = true, c = false, own = "model", text = "what to prune"},
    {"data", "dataset", required = true,
      text = "what the metric is measured on",
      more = "What the metric is measured on. Needed."},
    {"calibration", "dataset",
      text = "what criteria and reconstruction look at; the first 256 samples of data by default"},
    {"objective", "choice", {"macs", "bytes", "latency"}, default = "macs",
      text = [[what is made small: macs or latency, by removing channels, heads or layers; or bytes, by zeros, which packed
        files do not store]],
      more = [["macs" or "latency", which removing channels, heads or layers saves; "bytes", zeros left out.]]},
    {"metric", "value", type = "string|function", ckind = "text", own = "metric",
      text = [[as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a
        number]]},
    {"lower_is_better", "flag", default = false, swift = false,
      text = "smaller numbers are better, for a metric that is a function"},
    {"max_drop", "nonnegative", default = 0.01, text = "how much of the metric may be lost"},
    {"budget", "positive", default = 10, text = "minutes after which nothing new is tried"},
    {"seed", "seed", default = 0, text = "seed of random choices"},
    {"output", "text", text = "name of the output that the metric and the gradients are taken of; the first by default"},
    {"on_step", "function", own = "on_step", text = "called after each candidate; \"stop\" or true ends the search"},
    {"verbose", "flag", default = false, own = "verbose",
      text = "a line a candidate on standard error, terminal or not"},
    {"on_event", "callback", ctype = "prune_event_callback", lua = false, swift = false,
      text = [[Progress: PRUNE_EVENT_PRUNE after each candidate, `step` counting them. Non-zero ends the search.]]},
    {"user", "user", lua = false, swift = false},
    {"on_metric", "callback", ctype = "prune_metric_callback", lua = false, swift = false,
      text = "In place of a metric by name, given `user`."},
    {"shapes", "shapes",
      text = [[extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what
        the model's own metadata says, else an assumption that the report states]]},
  }},
}
