local losses = {"cross_entropy", "mse", "mae", "huber", "bce", "kl"}

return {
  {c = "prune_parameter_group", lua = "Model:fit groups", id = "group", fields = {
    {"parameters", "texts", swift = false, text = "name patterns (`*`, `?`)"},
    {"lr", "positive", swift = false, text = "that of the fit by default; the schedule applies to it"},
    {"weight_decay", "nonnegative", swift = false, text = "that of the fit by default; 0 is none"},
  }},
  {c = "prune_augmentation", lua = "Model:fit augment", id = "augment", swift = "Augmentation", fields = {
    {"flip", "flag", default = false, text = "mirrors half of the images left to right"},
    {"crop", "count", default = 0, text = "moves images by up to this many pixels each way; zeros come in at the edge"},
    {"cutout", "count", default = 0, text = "side of a square of zeros, centred anywhere"},
    {"mixup", "nonnegative", default = 0,
      text = "images and targets become mixtures of two, by a share from Beta(mixup, mixup)",
      more = [[Above 0: images and targets become mixtures of two, by a share from Beta(mixup, mixup) (Zhang et al. 2018).]]},
    {"cutmix", "nonnegative", default = 0,
      text = [[a rectangle of each image comes from another image, and so does that share of its target; the share is from
        Beta(cutmix, cutmix). Where mixup is given too, a batch gets one of the two]],
      more = [[Above 0: a rectangle of each image comes from another image, and so does that share of its target; the share
        is from Beta(cutmix, cutmix) (Yun et al. 2019). Where mixup is given too, a batch gets one of the two.]]},
  }},
  {c = "prune_regularizer", lua = "Model:fit regularizer", id = "regularizer", swift = "Regularizer", fields = {
    {"kind", "choice", {"l1", "l2", "group_lasso", "bn_l1", "growing", "greg1", "greg2", "sign", "sign_constraint", "max_norm", "max_norm_l1"}, required = true, swift = false,
      text = [[l1, l2: all weights. group_lasso: output channels. bn_l1: scales of batch normalizations. growing: channels,
        the smaller the stronger. greg1: what a prune selected, ever stronger. greg2: all weights, ever stronger. sign,
        sign_constraint: weights that change their sign are pulled, or held at zero. max_norm, max_norm_l1: a bound on the
        norm (L2, L1) of output channels]],
      more = [["l1": strength Σ|w|. "l2": strength/2 Σw². "group_lasso": strength √size Σ‖w_c‖ over output channels.
        "bn_l1": "l1" of the scales of batch normalizations. "growing": "l2" with a strength of each output channel
        that grows, faster where the channel is small. "sign": strength Σ|w| over weights of another sign than
        before the fit. "sign_constraint": such weights are zero. "greg2": "l2" with one strength that grows.
        "greg1": the same for what a prune selected to go, with the strategy "regularized" alone. "max_norm": the
        norm of each output channel stays at most `strength`. "max_norm_l1": the sum of the sizes of its weights does;
        the smallest become zero.]]},
    {"strength", "nonnegative", default = 0, text = "how much; the bound of max_norm and max_norm_l1"},
    {"growth", "nonnegative", default = 1e-4, optional = true, swift = false,
      text = [[growing, greg1, greg2: how much the strength rises at a time (growing: that of the smallest channel). In a
        prune, greg1 and greg2 spread it over the training if it is not given]]},
    {"limit", "positive", default = 1,
      text = "growing, greg1, greg2: the largest strength",
      more = "growing, greg1, greg2: the largest strength."},
    {"interval", "count", default = 10,
      text = "growing, greg1, greg2: steps between increases",
      more = "growing, greg1, greg2: steps between increases."},
    {"scope", "texts",
      text = "name patterns of parameters; all weights of two axes and more by default, all scales for bn_l1"},
  }},
  {c = "prune_fit_options", lua = "Model:fit", id = "fit", struct = "fit_options", swift = "FitOptions", fields = {
    {"data", "dataset", required = true, own = "data", inherited = false, text = "what to train on"},
    {"on_event", "callback", ctype = "prune_event_callback", lua = false, swift = false, text = "Progress: after each step and epoch."},
    {"user", "user", lua = false, swift = false},
    {"epochs", "count", default = 1, text = "passes over the data"},
    {"batch_size", "count", default = 32, text = "samples a step"},
    {"shuffle", "flag", default = true, text = "a new order each epoch"},
    {"optimizer", "choice", {"adam", "adamw", "sgd", "rmsprop"}, default = "adam",
      text = "how weights are updated"},
    {"lr", "positive",
      text = [[learning rate; if it is not given, a short range test finds that of a trained network, and the report says
        which; a new network gets 0.001, with sgd or rmsprop 0.01]]},
    {"momentum", "fraction", default = 0,
      text = "sgd, rmsprop: share of the last step that is added"},
    {"nesterov", "flag", default = false, text = "sgd: looks ahead along the momentum"},
    {"beta1", "fraction", default = 0.9,
      text = "adam, adamw: how much of the mean gradient stays"},
    {"beta2", "fraction", default = 0.999,
      text = "adam, adamw: how much of the mean square stays"},
    {"epsilon", "positive", default = 1e-8,
      text = "adam, adamw, rmsprop: added to the root of the mean square"},
    {"weight_decay", "nonnegative", default = 0, swift = "weightDecay", text = "pull towards zero"},
    {"rho", "fraction", default = 0.99,
      text = "rmsprop: how much of the mean square stays"},
    {"clip_norm", "nonnegative", default = 0,
      text = "limit on the norm of all gradients together; 0 is none"},
    {"clip_value", "nonnegative", default = 0,
      text = "limit on each number of a gradient; 0 is none"},
    {"groups", "tables", type = "table[]", of = "pl_group_set", swift = false,
      text = "parameters with a learning rate or decay of their own: see Model:fit groups",
      more = "Parameters with a learning rate or decay of their own."},
    {"loss", "value", losses, also = "Model", ckind = "text", own = "loss",
      text = [[by the targets by default: cross_entropy for labels (bce where the output is one number a sample, and for targets of 0
        and 1 behind a Sigmoid), else mse; a Model of two inputs, prediction and targets, gives its own]],
      more = [["cross_entropy", "mse", "mae", "huber", "bce" or "kl"; NULL chooses by the targets: cross_entropy for
        labels (bce where the output is one number a sample), else mse. Classifiers give logits, or end in Softmax or
        Sigmoid, which the loss looks through.]]},
    {"output", "text", text = "name of the output that the loss is taken of; the first by default"},
    {"label_smoothing", "fraction", default = 0, swift = "lossSettings.labelSmoothing",
      text = "cross_entropy: the share of each target that is spread over all classes"},
    {"class_weights", "numbers", swift = "lossSettings.classWeights", text = "cross_entropy: a weight for each class"},
    {"delta", "positive", default = 1, swift = "lossSettings.delta", text = "huber: the difference from which on the loss is a straight line"},
    {"from_probabilities", "flag", default = false, swift = "lossSettings.fromProbabilities",
      text = "the output is probabilities though no Softmax or Sigmoid ends the model"},
    {"schedule", "choice", {"constant", "linear", "cosine", "step", "one_cycle", "reduce_on_plateau"}, default = "constant",
      text = "learning rate over time"},
    {"warmup", "count", default = 0,
      text = "steps over which the rate rises at the start",
      more = "Steps over which the learning rate rises at the start."},
    {"step_epochs", "count",
      text = "step: epochs between reductions; after half and three quarters of the steps by default"},
    {"gamma", "fraction", default = 0.1, text = "step, reduce_on_plateau: what the rate is multiplied by"},
    {"patience", "count", default = 5,
      text = "reduce_on_plateau: epochs without improvement"},
    {"validation", "dataset",
      text = "evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found"},
    {"validation_split", "fraction", default = 0,
      text = "in place of validation: the fraction of the data that is held out",
      more = "In place of `validation`: the fraction held out of the data, 0...1."},
    {"early_stopping", "count", default = 0, swift = "stopping.patience",
      text = "epochs without improvement after which the fit ends; 0 is never",
      more = "Ends the fit after this many epochs without an improvement of more than `min_delta`; 0 is never."},
    {"min_delta", "nonnegative", default = 0, swift = "stopping.minDelta", text = "what counts as an improvement"},
    {"monitor", "choice", {"loss", "accuracy", "validation_loss", "validation_accuracy"}, swift = "stopping.monitor",
      text = "what must improve; by default the loss, on the validation data where there is any",
      more = [[What must improve: "loss", "accuracy", "validation_loss" or "validation_accuracy"; NULL is the loss, on the
        validation data where there is any.]]},
    {"restore_best", "flag", default = false, swift = "stopping.restoresBest",
      text = "the model gets the weights of its best epoch"},
    {"checkpoint", "text", swift = false,
      text = "a file that is written, atomically, as the fit goes on",
      more = [[A file (.npz) that is written atomically every `checkpoint_epochs` epochs and after the last.]]},
    {"checkpoint_epochs", "count", default = 1, text = "epochs between checkpoints"},
    {"resume", "value", type = "string|true", ckind = "text", own = "resume", swift = false,
      text = "a checkpoint to go on from, or true: the optimizer's state of the last fit",
      more = "A checkpoint to go on from: weights, optimizer and count of epochs; NULL for none."},
    {"regularizer", "tables", type = "table|table[]", c = "regularizers", of = "pl_regularizer_set", swift = false,
      text = "a pull on weights, or a bound on them, beside the loss: see Model:fit regularizer",
      more = "A pull on weights, or a bound on them, beside the loss."},
    {"dropout", "value", type = "number|false", ckind = "fraction", own = "dropout",
      text = [[the share that a training step drops, in place of what the graph's Dropout nodes say; false drops nothing]],
      more = [[The share that a training step drops, 0...1, in place of what the graph's Dropout nodes say. A graph without
        them drops before its fully connected layers. 0 drops nothing; not given leaves it to the graph.]]},
    {"teacher", "model", swift = false,
      text = "a model to learn from beside the targets, or alone where the data has none",
      more = [[A model to learn from beside the targets. The loss is (1 - alpha) of its own and alpha of temperature^2
        KL(teacher, student) of the softened outputs, or of the squared difference where there are no classes. Data without
        targets is learnt from the teacher alone: alpha is 1 then, accuracy is the agreement with it, and values that are
        not classes count by their own variance.]]},
    {"temperature", "positive", default = 4, optional = true, swift = false,
      text = "softens the answers of teacher and model"},
    {"alpha", "fraction", default = 0.5, optional = true, swift = false,
      text = "weight of the teacher's part of the loss"},
    {"features", "texts", swift = false,
      text = [[inner values that are to be like the teacher's, by name or pattern ("*Relu*"). What blocks end with teaches a
        pruned network more than answers alone]],
      more = [[Values of the model that are to be like values of the teacher, by name; where channels differ, a 1x1
        convolution is trained in between. NULL teacher_features: the same names; then a pattern ("*Relu*") stands
        for all values of such names. What the blocks of a network end with teaches its pruned copy more than the
        teacher's answers alone.]]},
    {"teacher_features", "texts", swift = false, text = "the teacher's; the same names by default"},
    {"feature_weight", "positive", default = 1, optional = true, swift = false,
      text = "weight of their mean squared differences"},
    {"checkpointing", "flag", default = false, swift = "recomputes",
      text = "computes parts of the forward pass again for the backward pass: less memory, more time",
      more = [[Computes parts of the forward pass again for the backward pass, which takes less memory and more time.]]},
    {"palettes", "flag", default = false,
      text = [[for a model with palettes (quantize's scheme "palette"): trains the values that weights share. Which value a
        weight has stays, and zero stays zero]],
      more = [[For a model that scheme "palette" made: each weight keeps its place in its palette, and the values of the
        palettes are trained, by the sum of the gradients of the weights that share them. Zero stays zero.]]},
    {"keep_zeros", "flag", default = false, swift = "keepsZeros",
      text = "zeros of weights stay zero, whoever made them; those that pruning made always do"},
    {"batch_norm", "flag", default = false, swift = "restoresNormalization",
      text = [[exporters fold batch normalization into the convolution before it: this puts it back while training, and
        folds it again at the end. Such networks tolerate higher learning rates]],
      more = [[Exporters fold batch normalization into the convolution before it. This puts it back while training, and
        folds it again at the end: the graph stays as it was. It begins as nothing at all (its statistics are measured on
        the first batches of the data, and scale and shift undo them), and works by the statistics of each batch, as in any
        training. Such networks tolerate higher learning rates. Skipped are convolutions that already have a normalization, give
        a model output, have 1x1 outputs, or have frozen or shared weights. The optimizer's state is not kept.]]},
    {"augment", "table", type = "table", of = "pl_augment_set", swift = false,
      text = "random changes of the images that are trained on: see Model:fit augment",
      more = "Random changes of the images that are trained on; NULL for none."},
    {"seed", "seed", default = 0,
      text = "seed of shuffling and splitting",
      more = "Seed of shuffling and splitting."},
    {"frozen", "texts",
      text = "name patterns of weights that stay as they are",
      more = "Name patterns (`*`, `?`) of parameters that stay as they are."},
    {"on_epoch", "function", own = "on_epoch", text = "called with each epoch's event; \"stop\" or true ends the fit"},
    {"on_batch", "function", own = "on_batch", text = "called with each step's event, likewise"},
    {"verbose", "flag", default = false, own = "verbose", text = "a line an epoch on standard error, terminal or not"},
    {"loss_graph", "model", lua = false, swift = "lossSettings.graph",
      text = "In place of `loss`: a model of two inputs, prediction and targets, and one output, the loss."},
    {"resume_optimizer", "flag", lua = false, swift = false,
      text = "The optimizer goes on with the state that the model has from its last fit."},
    {"deterministic", "flag", default = false, swift = "isDeterministic",
      text = "the same bits with any number of threads, on machines of one kind; the fit then works on one thread",
      more = [[The same seed gives the same bits with any number of threads, on machines of one kind. The fit then works on
        one thread. Without it, the bits are the same for one number of threads: sums over a batch are made in as many parts
        as there are threads.]]},
  }},
  {c = "prune_fit_options", lua = "Model:prune recover", id = "recover", struct = "fit_options", base = "fit", fields = {
    {"data", "dataset", own = "data", text = "that of the call by default"},
  }},
  {c = "prune_fit_options", lua = "Model:prune train", id = "train", struct = "fit_options", base = "fit", fields = {
    {"data", "dataset", own = "data", text = "that of the call by default"},
  }},
}
