-- The options of docs.lua and docs_model.lua. Made by scripts/generate from Sources/Options.
return [==[
+ prune.data.images
* path!: string; a folder of folders, one a class; a folder of images, without labels; or a CSV of file and label
* size!: integer|integer[]; height and width, or one number for both, as the model takes them
* resize: "shorter"|"stretch"|"pad" = "shorter"; shorter: the shorter side to the size, then the middle; stretch: both sides; pad: all of the image in black
* shorter: integer; what the shorter side is resized to before the middle is cut out, 256 for a size of 224; the size by default
* color: "rgb"|"bgr"|"gray" = "rgb"; the channels and their order
* mean: number|number[]; subtracted after scale, one for all, or one a channel
* std: number|number[]; divides after that, one for all, or one a channel
* scale: number = 0.00392156862745098; multiplies the values 0 to 255; 1 leaves them as they are
* layout: "nchw"|"nhwc" = "nchw"; channels in front, as PyTorch has them, or last, as Keras
* strict: boolean = false; whether a file that cannot be read is an error, rather than replaced by the next of its class and named in broken
* check: boolean = false; decode every file at once, and leave out what cannot be read

+ prune.data.wav
* path!: string; a folder of folders, one a class; a folder of WAV files, without labels; or a CSV of file and label
* window!: integer; frames of a sample: what the model takes
* rate: integer; frames a second that files are resampled to; that of the first file by default, which all must have then
* hop: integer; frames from one window of a file to the next; the window by default
* strict: boolean = false; whether a file that cannot be read is an error, rather than left out and named in broken

+ prune.load
* copy: boolean = false; read the file rather than map it: a mapped file (of 4 MB and more) that someone truncates kills the process
* shapes: table<string, integer|integer[]>; writes in extents that the inputs leave open, as Model:fix_shapes does, {height = 640, width = 640}

+ Model:load_weights
* map: table<string, string|false>|function; what the model calls the file's tensors: {["module.*"] = "*"}, or a function of a name; false leaves one out
* strict: boolean = true; whether a weight that is missing, unexpected or of another shape is an error, and the model stays as it was

+ Model:stats
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others are open

+ prune.zoo
* classes: integer; output classes, 10 by default, 1000 for the networks for ImageNet on images from 64x64
* input: integer[]; sample shape without the batch, such as {1, 28, 28}
* hidden: integer[]; widths of the hidden layers (mlp, lstm), or of the tokens and the layers between (vit)
* activation: "relu"|"leaky_relu"|"tanh"|"sigmoid"|"hard_swish" = "relu"; where the network lets one choose
* seed: integer = 0; seed of the weights
* width: number = 1; multiplies the channels (mobilenet_v2)
* stem: "imagenet"|"small"; whether the first layers reduce the image; by default they do from 64x64
* depth: integer; layers (vgg: 16, resnet: 18) or blocks (vit: 12)
* patch: integer; side of a patch (vit): 16 by default, less on small images
* heads: integer; attention heads (vit): one for each 64 of the width by default

+ Model:fit groups
* parameters: string|string[]; name patterns (`*`, `?`)
* lr: number; that of the fit by default; the schedule applies to it
* weight_decay: number; that of the fit by default; 0 is none

+ Model:fit augment
* flip: boolean = false; mirrors half of the images left to right
* crop: integer = 0; moves images by up to this many pixels each way; zeros come in at the edge
* cutout: integer = 0; side of a square of zeros, centred anywhere
* mixup: number = 0; images and targets become mixtures of two, by a share from Beta(mixup, mixup)
* cutmix: number = 0; a rectangle of each image comes from another image, and so does that share of its target; the share is from Beta(cutmix, cutmix). Where mixup is given too, a batch gets one of the two

+ Model:fit regularizer
* kind!: "l1"|"l2"|"group_lasso"|"bn_l1"|"growing"|"greg1"|"greg2"|"sign"|"sign_constraint"|"max_norm"|"max_norm_l1"; l1, l2: all weights. group_lasso: output channels. bn_l1: scales of batch normalizations. growing: channels, the smaller the stronger. greg1: what a prune selected, ever stronger. greg2: all weights, ever stronger. sign, sign_constraint: weights that change their sign are pulled, or held at zero. max_norm, max_norm_l1: a bound on the norm (L2, L1) of output channels
* strength: number = 0; how much; the bound of max_norm and max_norm_l1
* growth: number = 0.0001; growing, greg1, greg2: how much the strength rises at a time (growing: that of the smallest channel). In a prune, greg1 and greg2 spread it over the training if it is not given
* limit: number = 1; growing, greg1, greg2: the largest strength
* interval: integer = 10; growing, greg1, greg2: steps between increases
* scope: string|string[]; name patterns of parameters; all weights of two axes and more by default, all scales for bn_l1

+ Model:fit
* data!: Dataset; what to train on
* epochs: integer = 1; passes over the data
* batch_size: integer = 32; samples a step
* shuffle: boolean = true; a new order each epoch
* optimizer: "adam"|"adamw"|"sgd"|"rmsprop" = "adam"; how weights are updated
* lr: number; learning rate; if it is not given, a short range test finds that of a trained network, and the report says which; a new network gets 0.001, with sgd or rmsprop 0.01
* momentum: number = 0; sgd, rmsprop: share of the last step that is added
* nesterov: boolean = false; sgd: looks ahead along the momentum
* beta1: number = 0.9; adam, adamw: how much of the mean gradient stays
* beta2: number = 0.999; adam, adamw: how much of the mean square stays
* epsilon: number = 1e-08; adam, adamw, rmsprop: added to the root of the mean square
* weight_decay: number = 0; pull towards zero
* rho: number = 0.99; rmsprop: how much of the mean square stays
* clip_norm: number = 0; limit on the norm of all gradients together; 0 is none
* clip_value: number = 0; limit on each number of a gradient; 0 is none
* groups: table[]; parameters with a learning rate or decay of their own: see Model:fit groups
* loss: "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"|Model; by the targets by default: cross_entropy for labels (bce where the output is one number a sample, and for targets of 0 and 1 behind a Sigmoid), else mse; a Model of two inputs, prediction and targets, gives its own
* output: string; name of the output that the loss is taken of; the first by default
* label_smoothing: number = 0; cross_entropy: the share of each target that is spread over all classes
* class_weights: number|number[]; cross_entropy: a weight for each class
* delta: number = 1; huber: the difference from which on the loss is a straight line
* from_probabilities: boolean = false; the output is probabilities though no Softmax or Sigmoid ends the model
* schedule: "constant"|"linear"|"cosine"|"step"|"one_cycle"|"reduce_on_plateau" = "constant"; learning rate over time
* warmup: integer = 0; steps over which the rate rises at the start
* step_epochs: integer; step: epochs between reductions; after half and three quarters of the steps by default
* gamma: number = 0.1; step, reduce_on_plateau: what the rate is multiplied by
* patience: integer = 5; reduce_on_plateau: epochs without improvement
* validation: Dataset; evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found
* validation_split: number = 0; in place of validation: the fraction of the data that is held out
* early_stopping: integer = 0; epochs without improvement after which the fit ends; 0 is never
* min_delta: number = 0; what counts as an improvement
* monitor: "loss"|"accuracy"|"validation_loss"|"validation_accuracy"; what must improve; by default the loss, on the validation data where there is any
* restore_best: boolean = false; the model gets the weights of its best epoch
* checkpoint: string; a file that is written, atomically, as the fit goes on
* checkpoint_epochs: integer = 1; epochs between checkpoints
* resume: string|true; a checkpoint to go on from, or true: the optimizer's state of the last fit
* regularizer: table|table[]; a pull on weights, or a bound on them, beside the loss: see Model:fit regularizer
* dropout: number|false; the share that a training step drops, in place of what the graph's Dropout nodes say; false drops nothing
* teacher: Model; a model to learn from beside the targets, or alone where the data has none
* temperature: number = 4; softens the answers of teacher and model
* alpha: number = 0.5; weight of the teacher's part of the loss
* features: string|string[]; inner values that are to be like the teacher's, by name or pattern ("*Relu*"). What blocks end with teaches a pruned network more than answers alone
* teacher_features: string|string[]; the teacher's; the same names by default
* feature_weight: number = 1; weight of their mean squared differences
* checkpointing: boolean = false; computes parts of the forward pass again for the backward pass: less memory, more time
* palettes: boolean = false; for a model with palettes (quantize's scheme "palette"): trains the values that weights share. Which value a weight has stays, and zero stays zero
* keep_zeros: boolean = false; zeros of weights stay zero, whoever made them; those that pruning made always do
* batch_norm: boolean = false; exporters fold batch normalization into the convolution before it: this puts it back while training, and folds it again at the end. Such networks tolerate higher learning rates
* augment: table; random changes of the images that are trained on: see Model:fit augment
* seed: integer = 0; seed of shuffling and splitting
* frozen: string|string[]; name patterns of weights that stay as they are
* on_epoch: function; called with each epoch's event; "stop" or true ends the fit
* on_batch: function; called with each step's event, likewise
* verbose: boolean = false; a line an epoch on standard error, terminal or not
* deterministic: boolean = false; the same bits with any number of threads, on machines of one kind; the fit then works on one thread

+ Model:prune recover
* data: Dataset; that of the call by default

+ Model:prune train
* data: Dataset; that of the call by default

+ Model:evaluate
* metrics: string|string[]; "loss", "accuracy", "error", "top5" (any k), "f1", "precision", "recall", "miou" (means over classes), "auc", "cross_entropy", "perplexity", "mse", "rmse", "mae"; "roc" gives a row a class with points of its curve, "per_class" gives "classes", a row a class, and "confusion" a tensor [class, what the model says] with "confused", the pairs that are mixed up most; the loss by default, and the accuracy where targets are classes
* batch_size: integer = 64; samples a run
* loss: "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"; the model and the targets decide by default
* output: string; name of the output that is compared with the targets; the first by default

+ Model:benchmark
* batch_size: integer = 1; samples a run
* threads: integer; all cores by default
* runs: integer = 50; timed runs
* warmup: integer = 5; untimed runs before them
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default what the model's own metadata says, else an assumption that the report states
* steps: boolean = false; also "steps": what the compiled model does, with the time and share of each, the slowest first, and of layers with weights whether their zeros are left out

+ Model:differences
* samples: integer = 32; samples that both models run on, at most

+ prune.losses
* from_logits: boolean = false; predictions are logits rather than probabilities: cross_entropy, bce, kl
* label_smoothing: number = 0; cross_entropy: the share of each target that is spread over all classes
* class_weights: number|number[]; cross_entropy: a weight for each class; the mean is weighted as well
* delta: number = 1; huber: the difference from which on the loss is a straight line

+ Model:significance
* criterion: "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate"|function|table = "magnitude"; what is measured; or a function of a weight's name and Tensor that returns scores; or {weight = Tensor}
* data: Dataset; needed by criteria that look at data, with labels for gradient, taylor, fisher, hessian, snip, grasp, movement and gate, without for wanda, apoz and mutual
* batch_size: integer = 64; samples a step
* seed: integer = 0; seed of the criteria random, hessian and movement
* output: string; name of the output whose loss gives the gradients; the first by default
* scope: string|string[]; only layers or weights of these name patterns
* ignore: string|string[]; not layers or weights of these name patterns

+ Model:sensitivity
* data: Dataset; what the metric is measured on; needed, unless the metric is a function
* amounts: number|number[]; fractions of a layer; 0.1, 0.3, 0.5, 0.7 and 0.9 by default
* metric: string|function; as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a number
* lower_is_better: boolean = false; smaller numbers are better, for a metric that is a function
* max_drop: number = 0.01; an amount is safe while the metric loses no more than this
* criterion: "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate" = "magnitude"; as in Model:significance
* granularity: string|table = "weight"; "weight", "kernel" or {block = {rows, columns}}
* scope: string|string[]; only layers or weights of these name patterns
* ignore: string|string[]; not layers or weights of these name patterns
* batch_size: integer = 64; samples a run
* seed: integer = 0; seed of the criterion random
* output: string; name of the output that the metric and the gradients are taken of; the first by default
* on_step: function; called after each layer; "stop" or true ends it there
* verbose: boolean = false; a line a layer on standard error, terminal or not
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; those of the data by default, which they must agree with

+ guard
* data: Dataset; what the metric is measured on; needed, unless the metric is a function
* metric: string|function = "accuracy"; a metric of Model:evaluate (the loss where targets are not classes), or a function of a Model that returns a number
* max_drop: number = 0; how much of the metric may be lost
* bound: number; an absolute limit for the metric; without max_drop, only this limit counts
* lower_is_better: boolean = false; smaller numbers are better, for a metric that is a function
* output: string; name of the output that the metric is of; that of the call by default, else the first

+ Model:prune target
* macs: number; of the multiply-accumulate operations
* params: number; of the parameters
* bytes: number; of the stored bytes
* latency: number; of the median time of a run on this machine

+ Model:prune schedule
* kind: "one_shot"|"linear"|"cubic"|"dynamic"; one_shot: all at once; linear: evenly; cubic: fast first; dynamic: with weights that come back. linear where only steps are given
* steps: integer; number of steps

+ Model:prune
* strategy: "global"|"local"|"threshold"|"block"|"cost_aware"|"layerwise"|"shared"|"penalty"|"regularized"; global: one ranking over all layers. local: the same amount in each. threshold: what scores below it. block: blocks of weights. cost_aware: the cuts that lose least for what they save. layerwise: layer after layer, as far as the guard allows. shared: equal weights together. penalty, regularized: after training that holds signs, or that drives weights to zero. None by default: allocation and criterion decide. help "strategy.global" and so on has a page for each
* criterion: "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate"|function|table; what says which weights matter least, as in Model:significance; by default magnitude, for channels and heads gate where data has labels, else l2
* granularity: "weight"|"2:4"|"kernel"|"channel"|"head"|"head_dim"|"layer"|string|table = "weight"; what is removed as one; also any n:m, {block = {rows, columns}} or "block:4x4", and {block = {outputs, inputs, height, width}, stride =} inside kernels, where blocks may overlap. Channels go with all that is coupled to them
* allocation: "global"|"local"|"uniform"|"row"|"lamp"|"erk"|"isomorphic"|"sensitivity"; how the amount is divided over layers; by default as the strategy says, without one by lamp for magnitude and l2, and by row for wanda
* reconstruct: "none"|"obs"|"sparsegpt"|"least_squares"; without training, on data. obs: the weights that stay make up for those that went. sparsegpt: also chooses which go. least_squares: fits the layers behind removed channels or heads, the default there where data is given
* cost: "params"|"macs"|"bytes"|"latency" = "params"; cost_aware: what the cuts are to save; where a target is given, what it names. latency is for channels
* metric: string|function; the metric that cost_aware and the allocation sensitivity protect: one of Model:evaluate, or a function of a Model that returns a number; by default that of the guard, else the loss
* lower_is_better: boolean = false; smaller numbers are better, for a metric that is a function
* shared: "one"|"all" = "one"; local: where several layers use one weight, prune the first use alone (one), or all of them alike (all)
* recipe: string; the text of Report:recipe: its choices and steps are taken again
* rewind: Model; the same network, earlier in its training: after every step the weights that stay go back to what they were there
* amount: number|table; the fraction to remove, 0...1; or one of each layer by name patterns, {conv1 = 0.1, ["layer3.*"] = 0.6}: plain names first, then the longest pattern; other layers stay whole
* threshold: number; in place of an amount: the score below which weights go
* mode: "mask"|"remove"; mask: zeros that stay zero (single weights); remove: a smaller model, certified (channels, heads, layers)
* device: string = "cpu"; where to work
* data: Dataset; for criteria, reconstruction and training that need it
* validate: Dataset|true; metrics before and after, on this or on data
* schedule: "one_shot"|"linear"|"cubic"|"dynamic"|table; how the amount is reached, or {kind =, steps =}; by default one_shot, but linear in 4 steps for channels and heads where data is given, no criterion is named, and there is no guard, recover or train
* recover: table; fine-tuning after each step: the options of Model:fit; its data is that of the call by default
* train: table; penalty, regularized: training before each cut: the options of Model:fit; its data is that of the call by default; 5 epochs if not given
* guard: table; {data =, metric =, max_drop =, bound =}: undoes what costs too much
* scope: string|string[]; only layers or weights of these name patterns
* ignore: string|string[]; not layers or weights of these name patterns
* batch_size: integer = 64; for criteria and metrics
* seed: integer = 0; seed of the criterion random
* output: string; name of the output that gradients, metrics, guard, recover and train use where they name none; the first by default
* target: table; in place of an amount: the share of a cost to keep, {macs = 0.5}. Of several, {params = 0.5, bytes = 0.3}, each is the most that may be left, and the report's "targets" has what is. Where weights only become zero, the cost is counted as if they were gone. A target that cannot be met is an error
* max_fraction: number; the largest share of a group that may go; 0.9 by default, or the amount when that is more
* round_to: integer|"machine"; the units left of a group are a multiple of this; "machine" is the multiple that kernels here like, and the default for channels with a target of latency or a benchmark; else 1
* isomorphic: boolean = false; groups are ranked only among those of the same kind and size
* width: boolean = false; also remove units of a transformer's residual (embedding) width; layer normalizations then take their statistics over what is left
* reduce: "mean"|"sum"|"max"; how the scores of a group's tensors become the score of a unit; mean by default
* normalize: "mean"|"max"|"lamp"|"none"; how the scores of groups are made comparable; mean by default, none after bn_l1
* benchmark: boolean = false; median latency before and after goes into the report
* reestimate: boolean = false; recalibrate batch normalizations: measure their statistics again on the data
* on_step: function; called after each pruning step; "stop" or true ends it
* verbose: boolean = false; a line a step on standard error, terminal or not
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states
* residual: boolean; whether channels of residual streams may go; by default only channels inside blocks go, unless these are not enough or a scope is named

+ Model:factorize
* data: Dataset; what layers read: ranks and factors then go by what the layers compute on it rather than by the weights alone; no labels needed
* energy: number; the share of its energy (sum of squares) that each layer keeps; 0.99 where no rank, target or guard is given
* rank: integer; the rank of every layer, in place of energy
* target: table; in place of energy: the fraction of a cost to keep, {macs = 0.5}, {params = 0.5}, {bytes = 0.5}; of several each is the most that may be left
* form: "channel"|"spatial" = "channel"; what a convolution becomes: one with as many channels as the rank and one of 1x1, or one with a column of the kernel and one with a row
* round_to: integer = 8; ranks are a multiple of this
* guard: table; {data =, metric =, max_drop =, bound =}: ranks are raised until it holds; alone it decides how much is saved
* scope: string|string[]; name patterns of layers or weights: only these
* ignore: string|string[]; and not these
* validate: Dataset; metrics before and after
* batch_size: integer = 64; samples a run
* output: string; name of the output that metrics are of; the first by default
* shapes: table<string, integer|integer[]>; extents that the inputs leave open: {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states

+ prune.ensemble
* models!: Model[]; two or more
* method: "average"|"vote"|"stack" = "average"; average: of probabilities; vote: of classes; stack: a linear layer trained on data
* data: Dataset; what stack trains on, and what members and ensemble are measured on
* epochs: integer = 5; stack: passes over the data
* seed: integer = 0; stack: seed of its training

+ prune.search
* model!: Model; what to prune
* data!: Dataset; what the metric is measured on
* calibration: Dataset; what criteria and reconstruction look at; the first 256 samples of data by default
* objective: "macs"|"bytes"|"latency" = "macs"; what is made small: macs or latency, by removing channels, heads or layers; or bytes, by zeros, which packed files do not store
* metric: string|function; as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a number
* lower_is_better: boolean = false; smaller numbers are better, for a metric that is a function
* max_drop: number = 0.01; how much of the metric may be lost
* budget: number = 10; minutes after which nothing new is tried
* seed: integer = 0; seed of random choices
* output: string; name of the output that the metric and the gradients are taken of; the first by default
* on_step: function; called after each candidate; "stop" or true ends the search
* verbose: boolean = false; a line a candidate on standard error, terminal or not
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states

+ Model:quantize
* scheme: "static"|"dynamic"|"weight_only"|"float32"|"float16"|"bfloat16"|"float8"|"palette"|"joint" = "static"; static: int8, activation scales from calibration data. dynamic: int8, activation scales found while running. weight_only: weights alone. float16, bfloat16: half precision. float8: weights stored as E4M3. float32: back from half or double precision. palette: few different values a weight, for packed files. joint: each weight pruned and palettized, to a budget of bytes
* bits: integer; static, dynamic: 8; weight_only: 8, 6, 5, 4, 3 or 2; palette: 2 to 8, 4 if not given
* per_channel: boolean = true; a scale for each output channel of a weight
* symmetric: boolean = false; int8 activations around zero in place of uint8 with a zero point; with weight_only, weights below 8 bits
* block_size: integer; weight_only, float8: how many weights along the summed axis share a scale; 32 below 8 bits, a whole channel for 8
* percentile: number = 99.99; with calibrator percentile, the share of values that the range covers, in per cent
* group_size: integer; palette: how many output channels share a palette; all of a weight's if not given
* fisher: boolean = false; palette: weights count by the squared gradient of the loss on calibration, which needs labels
* equalize: boolean = false; static: even out the ranges of channels between layers first
* bias_correction: boolean = false; static: take the mean error of rounded weights off the biases
* mixed: boolean = false; static: when the guard does not hold, give layers back to float, the most damaging first, until it does
* qat: boolean = false; static: keep float weights that compute as int8, for Model:fit to adapt; quantizing the result again stores the int8 model
* rounding: "nearest"|"gptq"|"adaround"|"awq"|"hqq" = "nearest"; gptq: each weight makes up for the errors before it; adaround: then up or down until no change helps; both for static and weight_only; awq: finer where activations are large, for weight_only; hqq: zero points of blocks that make errors sparse, without data, for weight_only
* smooth: number = 0; static: how far ranges of channels move from activations into weights first (SmoothQuant's alpha), from 0, not at all, to 1, all the way
* learn_scales: boolean = false; with qat: Model:fit trains the scales too (LSQ)
* keep_faster: boolean = false; static: layers that are slower in int8 than in float on this machine stay float
* bytes: number; joint: the bytes that weights may take in a packed file; up to 1 it is a fraction of what they take now
* calibration: Dataset; a few hundred samples; needed by static
* calibrator: "auto"|"minmax"|"moving_average"|"percentile"|"entropy"|"mse" = "auto"; how ranges are found; auto tries them on samples held back
* format: "qdq"|"qoperator"|"matmul_nbits" = "qdq"; qdq: QuantizeLinear and DequantizeLinear. qoperator: for static, operators on quantized values (QLinearConv, QGemm, ...); for dynamic, LSTM as DynamicQuantizeLSTM. matmul_nbits: for weight_only, ONNX Runtime's fused products
* validate: Dataset; metrics before and after
* guard: table; {data =, metric =, max_drop =}: refuses a model that lost more
* ignore: string|string[]; name patterns of layers that stay float
* batch_size: integer; samples a run; by default 4 for calibration, 1 of images, and 64 for evaluation

+ Model:summary
* width: integer; columns; the terminal's by default
* color: boolean; whether to colour; as the terminal decides by default
* file: file; where to write it in place of standard output
* shapes: table<string, integer|integer[]>; extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others are open

+ Report:to_text
* width: integer; columns; the terminal's by default
* color: boolean; whether to colour; as the terminal decides by default

+ Dataset:split
* test!: number; fraction of the second part, 0...1
* seed: integer = 0; seed of the shuffle

+ prune.distributed
* timeout: number = 600; seconds that ranks may wait for each other at one point before they end with an error; 0 is no limit
* plugin: string; path of the library that reaches the other ranks; libprune_mpi.so beside libprune by default

+ prune.data.idx
* images!: string; file of images
* labels!: string; file of labels

+ prune.data.npz
* x: string|table = "x"; name of the samples, [N, ...]; for a model of several inputs {input = name}
* y: string; name of the targets; "y" where the file has it, with named inputs none by default

+ prune.data.npy
* y: string; the file of the targets of one file of samples

+ prune.data.csv
* label: string|integer|table; the target's column, by name or by number from 1, or a list of them, which are values; the last one by default

+ Dataset:normalize
* mean!: number|number[]; one for all, or one a channel
* std!: number|number[]; one for all, or one a channel
]==]
