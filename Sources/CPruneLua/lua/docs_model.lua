-- The entries of Model, Tensor and Report; behind those of docs.lua, which says how they are written.
return [==[
Model.name: string
The graph's name.
> print(m.name)

Model.inputs: ValueInfo[]
What it takes: a list of {name =, dtype =, shape =}; symbolic extents are strings. #m is the number of layers.
> print(m.inputs[1].name)

Model.outputs: ValueInfo[]
What it gives: a list of {name =, dtype =, shape =}.
> print(m.outputs[1].shape[2])

Model:summary{...}
Prints the table of layers: output shape, parameters, MACs, sparsity, totals.
* width: integer; columns; the terminal's by default
* color: boolean; whether to colour; as the terminal decides by default
* file: file; where to write it in place of standard output
> m:summary()

Model:layers() -> Report
The list of layers of Model:stats.
> for _, layer in ipairs(m:layers()) do print(layer.name, layer.params) end

Model:stats() -> Report
Totals and the same by layer: params, nonzero, sparsity, macs, effective_macs, bytes. MACs that depend on an open extent are left
out, and open lists what they depend on: write the extents in with Model:fix_shapes first.
> print(m:stats().sparsity)

Model:sizes() -> Report
Bytes in memory, as ONNX and packed, in all and by tensor. The model is packed to find out.
> print(slim:sizes().packed, slim:sizes().ratio)

Model:run(inputs) -> table<string, Tensor>
Runs the model on named inputs, any batch size.
- inputs: table<string, Tensor|table>; by name
> local y = m:run{x = test.x}

Model:predict(x, batch_size) -> Tensor
Runs a model; its first output. A data set is run in batches, a Tensor at once.
- x: Tensor|Dataset|table; samples; {input = samples} for a model of several inputs
- batch_size?: integer = 64; of a data set
> print(m:predict(test:take(3)))

Model:parameters() -> string[]
Names of the weights and constants.
> print(table.concat(m:parameters(), " "))

Model:parameter(name, value) -> Tensor
A weight by name; with a value, replaces it.
- name: string; one of m:parameters()
- value?: Tensor|table; of the same dtype and shape
> local w = m:parameter "conv1.weight"

Model:clone() -> Model
A model of its own; weights are shared until either changes.
> local before = m:clone()

Model:save(path)
Writes ONNX, atomically: the file is the old one or the new one, never a part. A name that ends in .prunez gets a packed file.
- path: string; the file
> m:save "slim.onnx"

Model:fit{...} -> Report
Trains the model in place. Weights that pruning removed stay zero. The report's "epochs" lists loss, accuracy,
validation_loss, validation_accuracy and seconds of each.
* data!: Dataset; what to train on
* epochs: integer = 1; passes over the data
* batch_size: integer = 32; samples a step
* optimizer: "adam"|"adamw"|"sgd"|"rmsprop" = "adam"; how weights move
* lr: number; learning rate: 0.001, sgd and rmsprop 0.01 by default
* momentum: number = 0; sgd, rmsprop
* nesterov: boolean = false; sgd
* beta1: number = 0.9; adam, adamw
* beta2: number = 0.999; adam, adamw
* rho: number = 0.99; rmsprop
* epsilon: number = 1e-8; adam, adamw, rmsprop
* weight_decay: number = 0; pull towards zero
* clip_norm: number; limit on the norm of all gradients together
* clip_value: number; limit on each number of a gradient
* groups: table[]; parameters trained in a way of their own: see Model:fit groups
* loss: "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"|Model; by the targets by default; a Model of two inputs, prediction and targets, gives its own
* output: string; name of the output that the loss is taken of; the first by default
* label_smoothing: number = 0; cross_entropy: what is spread over all classes
* class_weights: number[]; cross_entropy: one a class
* delta: number = 1; huber: where the square ends
* from_probabilities: boolean = false; the output is probabilities though no Softmax or Sigmoid ends the model
* schedule: "constant"|"linear"|"cosine"|"step"|"one_cycle"|"reduce_on_plateau" = "constant"; learning rate over time
* warmup: integer = 0; steps over which the rate rises at the start
* step_epochs: integer; step: epochs between reductions; after half and three quarters of the steps by default
* gamma: number = 0.1; step, reduce_on_plateau: what the rate is multiplied by
* patience: integer = 5; reduce_on_plateau: epochs without improvement
* validation: Dataset; evaluated after each epoch
* validation_split: number; in its place, the fraction of the data held out
* early_stopping: integer; epochs without improvement after which the fit ends
* min_delta: number = 0; what counts as an improvement
* monitor: "loss"|"accuracy"|"validation_loss"|"validation_accuracy"; what improvement is judged by; the loss by default, of the validation data where there are any
* restore_best: boolean = false; the model gets the weights of its best epoch
* checkpoint: string; a file that is written, atomically, as the fit goes on
* checkpoint_epochs: integer = 1; every so many epochs
* resume: string|true; a checkpoint to go on from, or true: the optimizer's state of the last fit
* regularizer: table|table[]; what pulls on weights beside the loss: see Model:fit regularizer
* dropout: number|false; what a step drops, in place of what the graph's Dropout nodes say; false drops nothing
* teacher: Model; a model to learn from beside the targets
* temperature: number = 4; softens what teacher and model say
* alpha: number = 0.5; weight of the teacher's part of the loss
* features: string|string[]; values that are to be like values of the teacher, by name or pattern: {"*Relu*"} are all of such names; what blocks end with teaches a pruned network more than answers alone
* teacher_features: string|string[]; the teacher's; the same names by default
* feature_weight: number = 1; weight of their mean squared differences
* checkpointing: boolean = false; computes parts of the forward pass again for the backward pass rather than keeping them
* palettes: boolean = false; of a model of palettes (quantize's scheme "palette") the values that weights share are trained: which of them a weight has stays, and zero stays zero
* batch_norm: boolean = false; convolutions whose batch normalization an exporter folded have one while they are trained, and it is folded again: they bear higher rates
* augment: table; random changes of the images that are trained on: see Model:fit augment
* shuffle: boolean = true; a new order each epoch
* seed: integer = 0; of shuffling and splitting
* frozen: string|string[]; name patterns of weights that stay as they are
* on_epoch: function; called with each epoch's event; "stop" or true ends the fit
* on_batch: function; called with each step's event, likewise
* verbose: boolean = false; a line an epoch on standard error, terminal or not
> m:fit{data = train, epochs = 10, batch_size = 64, lr = 1e-3, validation_split = 0.2}

Model:fit augment
Random changes of images as they are fed to training, decided by the fit's seed and the step.
* flip: boolean = false; mirrors half of the images left to right
* crop: integer = 0; moves images by up to so many pixels each way; what comes in is zeros
* cutout: integer = 0; side of a square of zeros, centred anywhere
* mixup: number = 0; images and targets become mixtures of two, by a share from Beta(mixup, mixup)
* cutmix: number = 0; a rectangle of each image becomes that of another, and as much of its target: a share from Beta(cutmix, cutmix); where mixup is given too a batch gets one of the two

Model:fit regularizer
A pull on weights beside the loss, or a bound on them.
* kind!: "l1"|"l2"|"group_lasso"|"bn_l1"|"growing"|"greg1"|"greg2"|"sign"|"sign_constraint"|"max_norm"; on numbers, output channels, scales of batch normalizations, small channels ever more, what a prune selected ever more, all weights ever more, weights that change their sign (pulled, or held at zero), or a bound on the norm of output channels
* strength: number; how much; the bound of max_norm
* growth: number = 1e-4; growing, greg1, greg2: what the (smallest channel's) strength rises by; in prune that of greg1 and greg2 is spread over the training if not given
* limit: number = 1; growing: up to where
* interval: integer = 10; growing: every so many steps
* scope: string|string[]; name patterns of parameters; all weights of two axes and more by default, all scales for bn_l1

Model:fit groups
Parameters trained in a way of their own.
* parameters: string|string[]; name patterns
* lr: number; that of the fit by default; the schedule applies to it
* weight_decay: number; that of the fit by default
* no_decay: boolean = false; no weight decay

Model:evaluate(data, options) -> Report
Loss, accuracy and other metrics.
- data: Dataset; what to evaluate on
* metrics: string|string[]; "loss", "accuracy", "top5", "f1", "auc", "mse", "mae"; those that suit the targets by default
* batch_size: integer = 64; samples a run
* loss: "cross_entropy"|"mse"; by the model and the targets by default
* output: string; name of the output that is compared with the targets; the first by default
> print(m:evaluate(test).accuracy)

Model:benchmark{...} -> Report
Latency on random inputs: median_ms, min_ms, p90_ms, mean_ms, samples_per_second.
* batch_size: integer = 1; samples a run
* threads: integer; all cores by default
* runs: integer = 50; timed runs
* warmup: integer = 5; runs before them
* steps: boolean = false; also "steps": what the compiled model does, with the time and share of each, the slowest first
> print(m:benchmark{batch_size = 1, threads = 1}.median_ms)

Model:significance{...} -> Report
How much each weight matters: "layers" with mean, sum, min, max and share, "bottom" and "top" outputs of layers, "units", the
mean of each output, and "scores", a tensor for each weight. Printing draws a bar a layer and the spread of its scores.
* criterion: "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|function|table = "magnitude"; what is measured; or a function of a weight's name and Tensor that returns scores; or {weight = Tensor}
* data: Dataset; with labels for gradient, taylor, fisher, hessian, snip, grasp and movement; without for wanda and apoz
* batch_size: integer = 64; samples a step
* seed: integer = 0; of random, hessian and movement
* output: string; name of the output that gradients are of the loss of; the first by default
* scope: string|string[]; name patterns of layers or weights: only these
* ignore: string|string[]; and not these
> print(m:significance{data = train, criterion = "taylor"})

Model:sensitivity{...} -> Report
The metric against the amount, each layer pruned by itself: "layers" with the curve, the values and the largest safe amount.
* data: Dataset; what the metric is measured on; needed but with a function
* amounts: number[]; fractions of a layer; 0.1, 0.3, 0.5, 0.7 and 0.9 by default
* metric: string|function; as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a number
* lower_is_better: boolean = false; of a metric that is a function: a smaller number is better
* max_drop: number = 0.01; the loss of the metric up to which an amount is safe
* criterion: string = "magnitude"; as in Model:significance
* granularity: string|table = "weight"; as in Model:prune, n:m excepted
* scope: string|string[]; name patterns of layers or weights: only these
* ignore: string|string[]; and not these
* batch_size: integer = 64; samples a run
* seed: integer = 0; of random
* output: string; name of the output that the metric is of, and gradients; the first by default
* on_step: function; called after each layer; "stop" or true ends it there
* verbose: boolean = false; a line a layer on standard error, terminal or not
> print(m:sensitivity{data = test, amounts = {0.3, 0.6, 0.9}})

Model:prune{...} -> Model, Report
Prunes into a new model. The report says what went, where, and what it cost.
* strategy: "global"|"local"|"threshold"|"block"|"cost_aware"|"shared"|"penalty"|"regularized" = "global"; one ranking over all layers, the same amount in each, by score, blocks, least loss for what is saved, equal weights together, or after training that holds signs or drives weights to zero: help "strategy.global" and so on has a page for each
* criterion: "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|function|table = "magnitude"; which weights matter least; as in Model:significance
* granularity: "weight"|"2:4"|"kernel"|"channel"|"head"|"head_dim"|"layer"|string|table = "weight"; what is removed as one: any n:m, {block = {rows, columns}} or "block:4x4"; channels go with all that is coupled to them
* allocation: "global"|"local"|"uniform"|"row"|"lamp"|"erk"|"isomorphic"|"sensitivity"; how the amount is divided over layers; by the strategy, row for wanda
* cost: "params"|"macs"|"bytes"|"latency" = "params"; what strategy cost_aware saves; what target names if given; latency of channels
* metric: string|function; what cost_aware and allocation sensitivity may not lose: as in Model:evaluate, or a function of a Model that returns a number; the guard's, else the loss
* lower_is_better: boolean = false; of a metric that is a function: a smaller number is better
* shared: "one"|"all" = "one"; local: of a weight that several layers use the first use is pruned, or all of them alike
* reconstruct: "obs"|"sparsegpt"|"least_squares"; without training, on data: what stays makes up for what went, or also chooses it; least_squares for channels
* amount: number; the fraction to remove, 0...1
* threshold: number; or the score below which weights go
* mode: "mask"|"remove"; zeros that stay zero (of weights), or a smaller model, certified (of channels and heads)
* target: table; in place of an amount: the fraction of a cost to keep; of weights that become zero what is left without them
* max_fraction: number = 0.9; the largest share of a group that may go
* round_to: integer = 1; units left of a group are a multiple of this
* isomorphic: boolean = false; groups are ranked only among those of the same kind and size
* width: boolean = false; units that layer normalizations look at, a transformer's width, may go as well; statistics are then those of what is left
* reduce: "mean"|"sum"|"max"; mean by default; how the scores of a group's tensors become a unit's
* normalize: "mean"|"max"|"lamp"|"none"; mean by default, none after bn_l1; how groups are made comparable
* benchmark: boolean = false; median latency before and after goes into the report
* reestimate: boolean = false; batch normalizations measure their statistics anew on the data
* device: "cpu" = "cpu"; where to work
* data: Dataset; for criteria that need it
* validate: Dataset|true; metrics before and after, on this or on data
* schedule: "one_shot"|"linear"|"cubic"|"dynamic"|table = "one_shot"; or {kind =, steps =}
* rewind: Model; the network earlier in its training: what stays goes back to its weights after every step
* recipe: string; of Report:recipe: its choices and steps, taken again
* recover: table; fine-tuning after each step: the options of Model:fit, data being data by default
* train: table; penalty, regularized: training before each cut: the options of Model:fit, data being data by default; 5 epochs if not given
* guard: table; {data =, metric =, max_drop =, bound =}: gives back what hurts
* scope: string|string[]; name patterns of layers or weights: only these
* ignore: string|string[]; and not these
* batch_size: integer = 64; for criteria and metrics
* seed: integer = 0; of random
* output: string; name of the output that the targets are of: for gradients, metrics, guard, recover and train where they name none; the first by default
* on_step: function; called after each pruning step; "stop" or true ends it
* verbose: boolean = false; a line a step on standard error, terminal or not
> local slim, report = m:prune{strategy = "global", threshold = 0.01, device = "cpu", validate = test}

Model:groups() -> Report
Which units go together: groups, what a unit of each costs, and which groups are pinned, by whom and why.
> print(m:groups())

Model:compact() -> Model, Report
Takes out what unstructured pruning left dead: units nobody reads, and constant ones, which go into the next bias.
> local small, report = slim:compact()

Model:fix_shapes(shapes) -> Model
Writes extents in that the inputs leave open, and makes what is computed from them constant; what is not named stays open.
- shapes: table; extents by their names, whole shapes by those of inputs
> local fixed = m:fix_shapes{height = 640, width = 640}

Model:simplify() -> Model, Report
The same outputs in fewer nodes: folds constants, removes what changes nothing and what nobody reads. Weights stay as they are.
> local small, report = m:simplify()

Model:keep_classes(classes, options) -> Model, Report
Cuts a classifier down to some classes, counted from 0 as labels are; then, with an amount or a target, prunes for them.
- classes: integer[]; the classes to keep, numbered anew in rising order
- options?: table; those of Model:prune, their data narrowed to the kept classes; validate gives accuracy on these
& Model:prune
> local m3 = m:keep_classes({0, 3, 5}, {granularity = "channel", target = {macs = 0.5}, data = train, validate = test})

Model:prune target
One cost, and the fraction of it to keep.
* macs: number; of the multiply-accumulate operations
* params: number; of the parameters
* bytes: number; of the stored bytes
* latency: number; of the median time of a run on this machine
> local slim = m:prune{granularity = "channel", target = {macs = 0.5}}

Model:prune recover
Fine-tuning after each pruning step.
& Model:fit
* data: Dataset; that of the call by default

Model:prune train
Training before each cut, of the strategies penalty and regularized; its regularizer says how.
& Model:fit
* data: Dataset; that of the call by default

Model:prune schedule
How the amount is reached.
* kind: "one_shot"|"linear"|"cubic"|"dynamic" = "one_shot"; at once, evenly, fast first, or with weights that come back
* steps: integer; number of steps

guard
Gives back what hurts: a step that loses more is undone.
* data: Dataset; what the metric is measured on; needed but with a function
* metric: string|function = "accuracy"; as in Model:evaluate, loss where targets are no classes; or a function of a Model that returns a number
* max_drop: number = 0; the loss of the metric that is tolerated
* bound: number; what the metric may not be worse than, whatever it was; alone it decides
* lower_is_better: boolean = false; of a metric that is a function: a smaller number is better
* output: string; name of the output that the metric is of; that of the call by default, else the first

Model:quantize{...} -> Model, Report
Quantizes into a new model that every ONNX runtime can run.
* scheme: "static"|"dynamic"|"weight_only"|"float16"|"bfloat16"|"palette"|"joint" = "static"; int8 with scales from calibration data, int8 with scales found while running, weights alone, half precision, weights stored as bfloat16, weights of few values for packed files, each weight pruned and of few values as far as a budget of bytes asks for
* bytes: number; joint: what the weights may take in a packed file, up to 1 as a fraction of what they take now
* bits: integer = 8; of weights and activations; weight_only has 8 and 4, palette 2 to 8 (4 if not given)
* per_channel: boolean = true; a scale for each output channel of a weight
* symmetric: boolean = false; int8 activations around zero in place of uint8 with a zero point; with weight_only, 4-bit weights
* block_size: integer; weight_only: weights along the summed axis that share a scale; 32 for 4 bits, for 8 a scale a channel
* group_size: integer; palette: output channels that share one; all of a weight's if not given
* fisher: boolean = false; palette: values count by the squared gradient of the loss on calibration, which needs labels
* equalize: boolean = false; static: even out the ranges of channels between layers first
* smooth: number; static: move ranges of channels from activations into weights first, SmoothQuant's alpha, up to 1 for all the way
* bias_correction: boolean = false; static: take the mean error of rounded weights off the biases
* mixed: boolean = false; static: when the guard does not hold, give layers back to float, the most damaging first, until it does
* keep_faster: boolean = false; static: layers that are slower in int8 than in float on this machine stay float
* qat: boolean = false; static: keep float weights that compute as int8 for Model:fit to adapt; quantizing again stores the int8 model
* learn_scales: boolean = false; with qat: Model:fit trains the scales too (LSQ)
* rounding: "nearest"|"gptq"|"adaround"|"awq" = "nearest"; gptq: each weight makes up for the errors before it; adaround: then up or down until no change helps; both for static, and weight_only with a scale a channel; awq: finer where activations are large, for weight_only
* calibration: Dataset; a few hundred samples; needed by static
* calibrator: "minmax"|"moving_average"|"percentile"|"entropy"|"mse" = "minmax"; how ranges are found
* percentile: number = 99.99; what the calibrator percentile covers
* format: "qdq"|"qoperator"|"matmul_nbits" = "qdq"; QuantizeLinear and DequantizeLinear; static: operators on codes (QLinearConv, QGemm, ...); weight_only: ONNX Runtime's fused products
* validate: Dataset; metrics before and after
* guard: table; {data =, metric =, max_drop =}: refuses a model that lost more
* ignore: string|string[]; name patterns of layers that stay float
* batch_size: integer; samples a run; 4 to calibrate on, of images 1, and 64 to evaluate on
> local int8 = slim:quantize{scheme = "static", calibration = train:take(200), calibrator = "entropy"}
> local few = slim:quantize{scheme = "palette", bits = 2}; few:fit{data = train, palettes = true}; few:save "few.prunez"
> local int4, report = slim:quantize{scheme = "weight_only", bits = 4}

Tensor.shape: integer[]
Its extents; {} for a scalar. #t is the first.
> print(t.shape[1], #t)

Tensor.dtype: string
"float32", "int64", "uint8", ...
> print(t.dtype)

Tensor.rank: integer
The number of extents.
> print(t.rank)

Tensor.count: integer
The number of elements.
> print(t.count)

Tensor:at(...) -> number|boolean
One element, by as many positions as there are extents; t[i][j] is the same.
- ...: integer; from 1
> print(t:at(1, 2))

Tensor:totable() -> table
Nested tables, or the number of a scalar.
> local rows = t:totable()

Tensor:reshape(shape) -> Tensor
The same elements in another arrangement.
- shape: integer[]; one extent may be -1: whatever is left
> local row = t:reshape{1, -1}

Report:restore(i) -> Model
The model after a step that was kept: entry i of the journal of a report of Model:prune.
- i: integer; from 1
> local earlier = report:restore(2)

Report:recipe() -> string
The steps of a prune that were kept, as text for Model:prune{recipe = ...}. A teacher, and whatever else is a model or data, is given again.
> local again = other:prune{recipe = report:recipe(), data = train}

Report:to_text{...} -> string
What printing a report shows.
* width: integer; columns; the terminal's by default
* color: boolean; whether to colour; as the terminal decides by default
> io.stderr:write(report:to_text{color = false})

Report:to_json() -> string
JSON; NaN and infinities are null, tensors are {dtype, shape}.
> io.open("report.json", "w"):write(report:to_json())
]==]
