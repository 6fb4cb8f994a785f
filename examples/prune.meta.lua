---@meta prune
-- Made by scripts/lua_docs from docs.lua and docs_model.lua in Sources/CPruneLua/lua.

---@class prune.ValueInfo
---@field name string
---@field dtype string
---@field shape (integer|string)[]

---@class prune.load_options
---@field copy? boolean read the file rather than map it: a mapped file (of 4 MB and more) that someone truncates kills the process (default false)
---@field shapes? table<string, integer|integer[]> writes in extents that the inputs leave open, as Model:fix_shapes does, {height = 640, width = 640}

---@class prune.zoo_options
---@field classes? integer output classes, 10 by default, 1000 for the networks for ImageNet on images from 64x64
---@field input? integer[] sample shape without the batch, such as {1, 28, 28}
---@field hidden? integer[] widths of the hidden layers (mlp, lstm), or of the tokens and the layers between (vit)
---@field activation? "relu"|"leaky_relu"|"tanh"|"sigmoid"|"hard_swish" where the network lets one choose (default "relu")
---@field seed? integer seed of the weights (default 0)
---@field width? number multiplies the channels (mobilenet_v2) (default 1)
---@field stem? "imagenet"|"small" whether the first layers reduce the image; by default they do from 64x64
---@field depth? integer layers (vgg: 16, resnet: 18) or blocks (vit: 12)
---@field patch? integer side of a patch (vit): 16 by default, less on small images
---@field heads? integer attention heads (vit): one for each 64 of the width by default

---@class prune.data_idx_options
---@field images string file of images
---@field labels string file of labels

---@class prune.data_npz_options
---@field x? string|table name of the samples, [N, ...]; for a model of several inputs {input = name} (default "x")
---@field y? string name of the targets; "y" where the file has it, with named inputs none by default

---@class prune.data_csv_options
---@field label? string|integer|table the target's column, by name or by number from 1, or a list of them, which are values; the last one by default

---@class prune.data_images_options
---@field path string a folder of folders, one a class; a folder of images, without labels; or a CSV of file and label
---@field size integer|integer[] height and width, or one number for both, as the model takes them
---@field resize? "shorter"|"stretch"|"pad" shorter: the shorter side to the size, then the middle; stretch: both sides; pad: all of the image in black (default "shorter")
---@field shorter? integer what the shorter side is resized to before the middle is cut out, 256 for a size of 224; the size by default
---@field color? "rgb"|"bgr"|"gray" the channels and their order (default "rgb")
---@field mean? number|number[] subtracted after scale, one for all, or one a channel
---@field std? number|number[] divides after that, one for all, or one a channel
---@field scale? number multiplies the values 0 to 255; 1 leaves them as they are (default 0.00392156862745098)
---@field layout? "nchw"|"nhwc" channels in front, as PyTorch has them, or last, as Keras (default "nchw")
---@field strict? boolean whether a file that cannot be read is an error, rather than replaced by the next of its class and named in broken (default false)
---@field check? boolean decode every file at once, and leave out what cannot be read (default false)

---@class prune.data_wav_options
---@field path string a folder of folders, one a class; a folder of WAV files, without labels; or a CSV of file and label
---@field window integer frames of a sample: what the model takes
---@field rate? integer frames a second that files are resampled to; that of the first file by default, which all must have then
---@field hop? integer frames from one window of a file to the next; the window by default
---@field strict? boolean whether a file that cannot be read is an error, rather than left out and named in broken (default false)

---@class prune.data_npy_options
---@field y? string the file of the targets of one file of samples

---@class prune.tensor_options
---@field dtype? string "float32", "int64", "uint8", ... in place of the guess
---@field shape? integer[] another arrangement of the same elements; without elements, zeros

---@class prune.losses_options
---@field from_logits? boolean predictions are logits rather than probabilities: cross_entropy, bce, kl (default false)
---@field label_smoothing? number cross_entropy: the share of each target that is spread over all classes (default 0)
---@field class_weights? number|number[] cross_entropy: a weight for each class; the mean is weighted as well
---@field delta? number huber: the difference from which on the loss is a straight line (default 1)

---@class prune.compare_options
---@field data? prune.Dataset what they are evaluated on; without it there is no accuracy and no loss

---@class prune.distributed_options
---@field timeout? number seconds that ranks may wait for each other at one point before they end with an error; 0 is no limit (default 600)
---@field plugin? string path of the library that reaches the other ranks; libprune_mpi.so beside libprune by default

---@class prune.search_options
---@field model prune.Model what to prune
---@field data prune.Dataset what the metric is measured on
---@field calibration? prune.Dataset what criteria and reconstruction look at; the first 256 samples of data by default
---@field objective? "macs"|"bytes"|"latency" what is made small: macs or latency, by removing channels, heads or layers; or bytes, by zeros, which packed files do not store (default "macs")
---@field metric? string|function as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a number
---@field lower_is_better? boolean smaller numbers are better, for a metric that is a function (default false)
---@field max_drop? number how much of the metric may be lost (default 0.01)
---@field budget? number minutes after which nothing new is tried (default 10)
---@field seed? integer seed of random choices (default 0)
---@field output? string name of the output that the metric and the gradients are taken of; the first by default
---@field on_step? function called after each candidate; "stop" or true ends the search
---@field verbose? boolean a line a candidate on standard error, terminal or not (default false)
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states

---@class prune.ensemble_options
---@field models prune.Model[] two or more
---@field method? "average"|"vote"|"stack" average: of probabilities; vote: of classes; stack: a linear layer trained on data (default "average")
---@field data? prune.Dataset what stack trains on, and what members and ensemble are measured on
---@field epochs? integer stack: passes over the data (default 5)
---@field seed? integer stack: seed of its training (default 0)

---@class prune.Dataset_split_options
---@field test number fraction of the second part, 0...1
---@field seed? integer seed of the shuffle (default 0)

---@class prune.Dataset_normalize_options
---@field mean number|number[] one for all, or one a channel
---@field std number|number[] one for all, or one a channel

---@class prune.Model_summary_options
---@field width? integer columns; the terminal's by default
---@field color? boolean whether to colour; as the terminal decides by default
---@field file? file* where to write it in place of standard output
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others are open

---@class prune.Model_stats_options
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others are open

---@class prune.Model_load_weights_options
---@field map? table<string, string|false>|function what the model calls the file's tensors: {["module.*"] = "*"}, or a function of a name; false leaves one out
---@field strict? boolean whether a weight that is missing, unexpected or of another shape is an error, and the model stays as it was (default true)

---@class prune.Model_fit_options
---@field data prune.Dataset what to train on
---@field epochs? integer passes over the data (default 1)
---@field batch_size? integer samples a step (default 32)
---@field shuffle? boolean a new order each epoch (default true)
---@field optimizer? "adam"|"adamw"|"sgd"|"rmsprop" how weights are updated (default "adam")
---@field lr? number learning rate; if it is not given, a short range test finds that of a trained network, and the report says which; a new network gets 0.001, with sgd or rmsprop 0.01
---@field momentum? number sgd, rmsprop: share of the last step that is added (default 0)
---@field nesterov? boolean sgd: looks ahead along the momentum (default false)
---@field beta1? number adam, adamw: how much of the mean gradient stays (default 0.9)
---@field beta2? number adam, adamw: how much of the mean square stays (default 0.999)
---@field epsilon? number adam, adamw, rmsprop: added to the root of the mean square (default 1e-08)
---@field weight_decay? number pull towards zero (default 0)
---@field rho? number rmsprop: how much of the mean square stays (default 0.99)
---@field clip_norm? number limit on the norm of all gradients together; 0 is none (default 0)
---@field clip_value? number limit on each number of a gradient; 0 is none (default 0)
---@field groups? prune.Model_fit_groups_options[] parameters with a learning rate or decay of their own: see Model:fit groups
---@field loss? "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"|prune.Model by the targets by default: cross_entropy for labels (bce where the output is one number a sample, and for targets of 0 and 1 behind a Sigmoid), else mse; a Model of two inputs, prediction and targets, gives its own
---@field output? string name of the output that the loss is taken of; the first by default
---@field label_smoothing? number cross_entropy: the share of each target that is spread over all classes (default 0)
---@field class_weights? number|number[] cross_entropy: a weight for each class
---@field delta? number huber: the difference from which on the loss is a straight line (default 1)
---@field from_probabilities? boolean the output is probabilities though no Softmax or Sigmoid ends the model (default false)
---@field schedule? "constant"|"linear"|"cosine"|"step"|"one_cycle"|"reduce_on_plateau" learning rate over time (default "constant")
---@field warmup? integer steps over which the rate rises at the start (default 0)
---@field step_epochs? integer step: epochs between reductions; after half and three quarters of the steps by default
---@field gamma? number step, reduce_on_plateau: what the rate is multiplied by (default 0.1)
---@field patience? integer reduce_on_plateau: epochs without improvement (default 5)
---@field validation? prune.Dataset evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found
---@field validation_split? number in place of validation: the fraction of the data that is held out (default 0)
---@field early_stopping? integer epochs without improvement after which the fit ends; 0 is never (default 0)
---@field min_delta? number what counts as an improvement (default 0)
---@field monitor? "loss"|"accuracy"|"validation_loss"|"validation_accuracy" what must improve; by default the loss, on the validation data where there is any
---@field restore_best? boolean the model gets the weights of its best epoch (default false)
---@field checkpoint? string a file that is written, atomically, as the fit goes on
---@field checkpoint_epochs? integer epochs between checkpoints (default 1)
---@field resume? string|true a checkpoint to go on from, or true: the optimizer's state of the last fit
---@field regularizer? prune.Model_fit_regularizer_options|prune.Model_fit_regularizer_options[] a pull on weights, or a bound on them, beside the loss: see Model:fit regularizer
---@field dropout? number|false the share that a training step drops, in place of what the graph's Dropout nodes say; false drops nothing
---@field teacher? prune.Model a model to learn from beside the targets, or alone where the data has none
---@field temperature? number softens the answers of teacher and model (default 4)
---@field alpha? number weight of the teacher's part of the loss (default 0.5)
---@field features? string|string[] inner values that are to be like the teacher's, by name or pattern ("*Relu*"). What blocks end with teaches a pruned network more than answers alone
---@field teacher_features? string|string[] the teacher's; the same names by default
---@field feature_weight? number weight of their mean squared differences (default 1)
---@field checkpointing? boolean computes parts of the forward pass again for the backward pass: less memory, more time (default false)
---@field palettes? boolean for a model with palettes (quantize's scheme "palette"): trains the values that weights share. Which value a weight has stays, and zero stays zero (default false)
---@field keep_zeros? boolean zeros of weights stay zero, whoever made them; those that pruning made always do (default false)
---@field batch_norm? boolean exporters fold batch normalization into the convolution before it: this puts it back while training, and folds it again at the end. Such networks tolerate higher learning rates (default false)
---@field augment? prune.Model_fit_augment_options random changes of the images that are trained on: see Model:fit augment
---@field seed? integer seed of shuffling and splitting (default 0)
---@field frozen? string|string[] name patterns of weights that stay as they are
---@field on_epoch? function called with each epoch's event; "stop" or true ends the fit
---@field on_batch? function called with each step's event, likewise
---@field verbose? boolean a line an epoch on standard error, terminal or not (default false)
---@field deterministic? boolean the same bits with any number of threads, on machines of one kind; the fit then works on one thread (default false)

---@class prune.Model_fit_augment_options
---@field flip? boolean mirrors half of the images left to right (default false)
---@field crop? integer moves images by up to this many pixels each way; zeros come in at the edge (default 0)
---@field cutout? integer side of a square of zeros, centred anywhere (default 0)
---@field mixup? number images and targets become mixtures of two, by a share from Beta(mixup, mixup) (default 0)
---@field cutmix? number a rectangle of each image comes from another image, and so does that share of its target; the share is from Beta(cutmix, cutmix). Where mixup is given too, a batch gets one of the two (default 0)

---@class prune.Model_fit_regularizer_options
---@field kind "l1"|"l2"|"group_lasso"|"bn_l1"|"growing"|"greg1"|"greg2"|"sign"|"sign_constraint"|"max_norm"|"max_norm_l1" l1, l2: all weights. group_lasso: output channels. bn_l1: scales of batch normalizations. growing: channels, the smaller the stronger. greg1: what a prune selected, ever stronger. greg2: all weights, ever stronger. sign, sign_constraint: weights that change their sign are pulled, or held at zero. max_norm, max_norm_l1: a bound on the norm (L2, L1) of output channels
---@field strength? number how much; the bound of max_norm and max_norm_l1 (default 0)
---@field growth? number growing, greg1, greg2: how much the strength rises at a time (growing: that of the smallest channel). In a prune, greg1 and greg2 spread it over the training if it is not given (default 0.0001)
---@field limit? number growing, greg1, greg2: the largest strength (default 1)
---@field interval? integer growing, greg1, greg2: steps between increases (default 10)
---@field scope? string|string[] name patterns of parameters; all weights of two axes and more by default, all scales for bn_l1

---@class prune.Model_fit_groups_options
---@field parameters? string|string[] name patterns (`*`, `?`)
---@field lr? number that of the fit by default; the schedule applies to it
---@field weight_decay? number that of the fit by default; 0 is none

---@class prune.Model_evaluate_options
---@field metrics? string|string[] "loss", "accuracy", "error", "top5" (any k), "f1", "precision", "recall", "miou" (means over classes), "auc", "cross_entropy", "perplexity", "mse", "rmse", "mae"; "roc" gives a row a class with points of its curve, "per_class" gives "classes", a row a class, and "confusion" a tensor [class, what the model says] with "confused", the pairs that are mixed up most; the loss by default, and the accuracy where targets are classes
---@field batch_size? integer samples a run (default 64)
---@field loss? "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl" the model and the targets decide by default
---@field output? string name of the output that is compared with the targets; the first by default

---@class prune.Model_benchmark_options
---@field batch_size? integer samples a run (default 1)
---@field threads? integer all cores by default
---@field runs? integer timed runs (default 50)
---@field warmup? integer untimed runs before them (default 5)
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default what the model's own metadata says, else an assumption that the report states
---@field steps? boolean also "steps": what the compiled model does, with the time and share of each, the slowest first, and of layers with weights whether their zeros are left out (default false)

---@class prune.Model_differences_options
---@field samples? integer samples that both models run on, at most (default 32)

---@class prune.Model_significance_options
---@field criterion? "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate"|function|table what is measured; or a function of a weight's name and Tensor that returns scores; or {weight = Tensor} (default "magnitude")
---@field data? prune.Dataset needed by criteria that look at data, with labels for gradient, taylor, fisher, hessian, snip, grasp, movement and gate, without for wanda, apoz and mutual
---@field batch_size? integer samples a step (default 64)
---@field seed? integer seed of the criteria random, hessian and movement (default 0)
---@field output? string name of the output whose loss gives the gradients; the first by default
---@field scope? string|string[] only layers or weights of these name patterns
---@field ignore? string|string[] not layers or weights of these name patterns

---@class prune.Model_sensitivity_options
---@field data? prune.Dataset what the metric is measured on; needed, unless the metric is a function
---@field amounts? number|number[] fractions of a layer; 0.1, 0.3, 0.5, 0.7 and 0.9 by default
---@field metric? string|function as in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a number
---@field lower_is_better? boolean smaller numbers are better, for a metric that is a function (default false)
---@field max_drop? number an amount is safe while the metric loses no more than this (default 0.01)
---@field criterion? "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate" as in Model:significance (default "magnitude")
---@field granularity? string|table "weight", "kernel" or {block = {rows, columns}} (default "weight")
---@field scope? string|string[] only layers or weights of these name patterns
---@field ignore? string|string[] not layers or weights of these name patterns
---@field batch_size? integer samples a run (default 64)
---@field seed? integer seed of the criterion random (default 0)
---@field output? string name of the output that the metric and the gradients are taken of; the first by default
---@field on_step? function called after each layer; "stop" or true ends it there
---@field verbose? boolean a line a layer on standard error, terminal or not (default false)
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; those of the data by default, which they must agree with

---@class prune.Model_prune_options
---@field strategy? "global"|"local"|"threshold"|"block"|"cost_aware"|"layerwise"|"shared"|"penalty"|"regularized" global: one ranking over all layers. local: the same amount in each. threshold: what scores below it. block: blocks of weights. cost_aware: the cuts that lose least for what they save. layerwise: layer after layer, as far as the guard allows. shared: equal weights together. penalty, regularized: after training that holds signs, or that drives weights to zero. None by default: allocation and criterion decide. help "strategy.global" and so on has a page for each
---@field criterion? "magnitude"|"l2"|"gradient"|"taylor"|"fisher"|"hessian"|"snip"|"grasp"|"movement"|"wanda"|"apoz"|"bn_scale"|"fpgm"|"cosine"|"mutual"|"lamp"|"random"|"gate"|function|table what says which weights matter least, as in Model:significance; by default magnitude, for channels and heads gate where data has labels, else l2
---@field granularity? "weight"|"2:4"|"kernel"|"channel"|"head"|"head_dim"|"layer"|string|table what is removed as one; also any n:m, {block = {rows, columns}} or "block:4x4", and {block = {outputs, inputs, height, width}, stride =} inside kernels, where blocks may overlap. Channels go with all that is coupled to them (default "weight")
---@field allocation? "global"|"local"|"uniform"|"row"|"lamp"|"erk"|"isomorphic"|"sensitivity" how the amount is divided over layers; by default as the strategy says, without one by lamp for magnitude and l2, and by row for wanda
---@field reconstruct? "none"|"obs"|"sparsegpt"|"least_squares" without training, on data. obs: the weights that stay make up for those that went. sparsegpt: also chooses which go. least_squares: fits the layers behind removed channels or heads, the default there where data is given
---@field cost? "params"|"macs"|"bytes"|"latency" cost_aware: what the cuts are to save; where a target is given, what it names. latency is for channels (default "params")
---@field metric? string|function the metric that cost_aware and the allocation sensitivity protect: one of Model:evaluate, or a function of a Model that returns a number; by default that of the guard, else the loss
---@field lower_is_better? boolean smaller numbers are better, for a metric that is a function (default false)
---@field shared? "one"|"all" local: where several layers use one weight, prune the first use alone (one), or all of them alike (all) (default "one")
---@field recipe? string the text of Report:recipe: its choices and steps are taken again
---@field rewind? prune.Model the same network, earlier in its training: after every step the weights that stay go back to what they were there
---@field amount? number|table the fraction to remove, 0...1; or one of each layer by name patterns, {conv1 = 0.1, ["layer3.*"] = 0.6}: plain names first, then the longest pattern; other layers stay whole
---@field threshold? number in place of an amount: the score below which weights go
---@field mode? "mask"|"remove" mask: zeros that stay zero (single weights); remove: a smaller model, certified (channels, heads, layers)
---@field device? string where to work (default "cpu")
---@field data? prune.Dataset for criteria, reconstruction and training that need it
---@field validate? prune.Dataset|true metrics before and after, on this or on data
---@field schedule? "one_shot"|"linear"|"cubic"|"dynamic"|prune.Model_prune_schedule_options how the amount is reached, or {kind =, steps =}; by default one_shot, but linear in 4 steps for channels and heads where data is given, no criterion is named, and there is no guard, recover or train
---@field recover? prune.Model_prune_recover_options fine-tuning after each step: the options of Model:fit; its data is that of the call by default
---@field train? prune.Model_prune_train_options penalty, regularized: training before each cut: the options of Model:fit; its data is that of the call by default; 5 epochs if not given
---@field guard? prune.guard_options {data =, metric =, max_drop =, bound =}: undoes what costs too much
---@field scope? string|string[] only layers or weights of these name patterns
---@field ignore? string|string[] not layers or weights of these name patterns
---@field batch_size? integer for criteria and metrics (default 64)
---@field seed? integer seed of the criterion random (default 0)
---@field output? string name of the output that gradients, metrics, guard, recover and train use where they name none; the first by default
---@field target? prune.Model_prune_target_options in place of an amount: the share of a cost to keep, {macs = 0.5}. Of several, {params = 0.5, bytes = 0.3}, each is the most that may be left, and the report's "targets" has what is. Where weights only become zero, the cost is counted as if they were gone. A target that cannot be met is an error
---@field max_fraction? number the largest share of a group that may go; 0.9 by default, or the amount when that is more
---@field round_to? integer|"machine" the units left of a group are a multiple of this; "machine" is the multiple that kernels here like, and the default for channels with a target of latency or a benchmark; else 1
---@field isomorphic? boolean groups are ranked only among those of the same kind and size (default false)
---@field width? boolean also remove units of a transformer's residual (embedding) width; layer normalizations then take their statistics over what is left (default false)
---@field reduce? "mean"|"sum"|"max" how the scores of a group's tensors become the score of a unit; mean by default
---@field normalize? "mean"|"max"|"lamp"|"none" how the scores of groups are made comparable; mean by default, none after bn_l1
---@field benchmark? boolean median latency before and after goes into the report (default false)
---@field reestimate? boolean recalibrate batch normalizations: measure their statistics again on the data (default false)
---@field on_step? function called after each pruning step; "stop" or true ends it
---@field verbose? boolean a line a step on standard error, terminal or not (default false)
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states
---@field residual? boolean whether channels of residual streams may go; by default only channels inside blocks go, unless these are not enough or a scope is named

---@class prune.Model_prune_target_options
---@field macs? number of the multiply-accumulate operations
---@field params? number of the parameters
---@field bytes? number of the stored bytes
---@field latency? number of the median time of a run on this machine

---@class prune.Model_prune_recover_options
---@field epochs? integer passes over the data (default 1)
---@field batch_size? integer samples a step (default 32)
---@field shuffle? boolean a new order each epoch (default true)
---@field optimizer? "adam"|"adamw"|"sgd"|"rmsprop" how weights are updated (default "adam")
---@field lr? number learning rate; if it is not given, a short range test finds that of a trained network, and the report says which; a new network gets 0.001, with sgd or rmsprop 0.01
---@field momentum? number sgd, rmsprop: share of the last step that is added (default 0)
---@field nesterov? boolean sgd: looks ahead along the momentum (default false)
---@field beta1? number adam, adamw: how much of the mean gradient stays (default 0.9)
---@field beta2? number adam, adamw: how much of the mean square stays (default 0.999)
---@field epsilon? number adam, adamw, rmsprop: added to the root of the mean square (default 1e-08)
---@field weight_decay? number pull towards zero (default 0)
---@field rho? number rmsprop: how much of the mean square stays (default 0.99)
---@field clip_norm? number limit on the norm of all gradients together; 0 is none (default 0)
---@field clip_value? number limit on each number of a gradient; 0 is none (default 0)
---@field groups? table[] parameters with a learning rate or decay of their own: see Model:fit groups
---@field loss? "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"|prune.Model by the targets by default: cross_entropy for labels (bce where the output is one number a sample, and for targets of 0 and 1 behind a Sigmoid), else mse; a Model of two inputs, prediction and targets, gives its own
---@field output? string name of the output that the loss is taken of; the first by default
---@field label_smoothing? number cross_entropy: the share of each target that is spread over all classes (default 0)
---@field class_weights? number|number[] cross_entropy: a weight for each class
---@field delta? number huber: the difference from which on the loss is a straight line (default 1)
---@field from_probabilities? boolean the output is probabilities though no Softmax or Sigmoid ends the model (default false)
---@field schedule? "constant"|"linear"|"cosine"|"step"|"one_cycle"|"reduce_on_plateau" learning rate over time (default "constant")
---@field warmup? integer steps over which the rate rises at the start (default 0)
---@field step_epochs? integer step: epochs between reductions; after half and three quarters of the steps by default
---@field gamma? number step, reduce_on_plateau: what the rate is multiplied by (default 0.1)
---@field patience? integer reduce_on_plateau: epochs without improvement (default 5)
---@field validation? prune.Dataset evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found
---@field validation_split? number in place of validation: the fraction of the data that is held out (default 0)
---@field early_stopping? integer epochs without improvement after which the fit ends; 0 is never (default 0)
---@field min_delta? number what counts as an improvement (default 0)
---@field monitor? "loss"|"accuracy"|"validation_loss"|"validation_accuracy" what must improve; by default the loss, on the validation data where there is any
---@field restore_best? boolean the model gets the weights of its best epoch (default false)
---@field checkpoint? string a file that is written, atomically, as the fit goes on
---@field checkpoint_epochs? integer epochs between checkpoints (default 1)
---@field resume? string|true a checkpoint to go on from, or true: the optimizer's state of the last fit
---@field regularizer? table|table[] a pull on weights, or a bound on them, beside the loss: see Model:fit regularizer
---@field dropout? number|false the share that a training step drops, in place of what the graph's Dropout nodes say; false drops nothing
---@field teacher? prune.Model a model to learn from beside the targets, or alone where the data has none
---@field temperature? number softens the answers of teacher and model (default 4)
---@field alpha? number weight of the teacher's part of the loss (default 0.5)
---@field features? string|string[] inner values that are to be like the teacher's, by name or pattern ("*Relu*"). What blocks end with teaches a pruned network more than answers alone
---@field teacher_features? string|string[] the teacher's; the same names by default
---@field feature_weight? number weight of their mean squared differences (default 1)
---@field checkpointing? boolean computes parts of the forward pass again for the backward pass: less memory, more time (default false)
---@field palettes? boolean for a model with palettes (quantize's scheme "palette"): trains the values that weights share. Which value a weight has stays, and zero stays zero (default false)
---@field keep_zeros? boolean zeros of weights stay zero, whoever made them; those that pruning made always do (default false)
---@field batch_norm? boolean exporters fold batch normalization into the convolution before it: this puts it back while training, and folds it again at the end. Such networks tolerate higher learning rates (default false)
---@field augment? table random changes of the images that are trained on: see Model:fit augment
---@field seed? integer seed of shuffling and splitting (default 0)
---@field frozen? string|string[] name patterns of weights that stay as they are
---@field on_epoch? function called with each epoch's event; "stop" or true ends the fit
---@field on_batch? function called with each step's event, likewise
---@field verbose? boolean a line an epoch on standard error, terminal or not (default false)
---@field deterministic? boolean the same bits with any number of threads, on machines of one kind; the fit then works on one thread (default false)
---@field data? prune.Dataset that of the call by default

---@class prune.Model_prune_train_options
---@field epochs? integer passes over the data (default 1)
---@field batch_size? integer samples a step (default 32)
---@field shuffle? boolean a new order each epoch (default true)
---@field optimizer? "adam"|"adamw"|"sgd"|"rmsprop" how weights are updated (default "adam")
---@field lr? number learning rate; if it is not given, a short range test finds that of a trained network, and the report says which; a new network gets 0.001, with sgd or rmsprop 0.01
---@field momentum? number sgd, rmsprop: share of the last step that is added (default 0)
---@field nesterov? boolean sgd: looks ahead along the momentum (default false)
---@field beta1? number adam, adamw: how much of the mean gradient stays (default 0.9)
---@field beta2? number adam, adamw: how much of the mean square stays (default 0.999)
---@field epsilon? number adam, adamw, rmsprop: added to the root of the mean square (default 1e-08)
---@field weight_decay? number pull towards zero (default 0)
---@field rho? number rmsprop: how much of the mean square stays (default 0.99)
---@field clip_norm? number limit on the norm of all gradients together; 0 is none (default 0)
---@field clip_value? number limit on each number of a gradient; 0 is none (default 0)
---@field groups? table[] parameters with a learning rate or decay of their own: see Model:fit groups
---@field loss? "cross_entropy"|"mse"|"mae"|"huber"|"bce"|"kl"|prune.Model by the targets by default: cross_entropy for labels (bce where the output is one number a sample, and for targets of 0 and 1 behind a Sigmoid), else mse; a Model of two inputs, prediction and targets, gives its own
---@field output? string name of the output that the loss is taken of; the first by default
---@field label_smoothing? number cross_entropy: the share of each target that is spread over all classes (default 0)
---@field class_weights? number|number[] cross_entropy: a weight for each class
---@field delta? number huber: the difference from which on the loss is a straight line (default 1)
---@field from_probabilities? boolean the output is probabilities though no Softmax or Sigmoid ends the model (default false)
---@field schedule? "constant"|"linear"|"cosine"|"step"|"one_cycle"|"reduce_on_plateau" learning rate over time (default "constant")
---@field warmup? integer steps over which the rate rises at the start (default 0)
---@field step_epochs? integer step: epochs between reductions; after half and three quarters of the steps by default
---@field gamma? number step, reduce_on_plateau: what the rate is multiplied by (default 0.1)
---@field patience? integer reduce_on_plateau: epochs without improvement (default 5)
---@field validation? prune.Dataset evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found
---@field validation_split? number in place of validation: the fraction of the data that is held out (default 0)
---@field early_stopping? integer epochs without improvement after which the fit ends; 0 is never (default 0)
---@field min_delta? number what counts as an improvement (default 0)
---@field monitor? "loss"|"accuracy"|"validation_loss"|"validation_accuracy" what must improve; by default the loss, on the validation data where there is any
---@field restore_best? boolean the model gets the weights of its best epoch (default false)
---@field checkpoint? string a file that is written, atomically, as the fit goes on
---@field checkpoint_epochs? integer epochs between checkpoints (default 1)
---@field resume? string|true a checkpoint to go on from, or true: the optimizer's state of the last fit
---@field regularizer? table|table[] a pull on weights, or a bound on them, beside the loss: see Model:fit regularizer
---@field dropout? number|false the share that a training step drops, in place of what the graph's Dropout nodes say; false drops nothing
---@field teacher? prune.Model a model to learn from beside the targets, or alone where the data has none
---@field temperature? number softens the answers of teacher and model (default 4)
---@field alpha? number weight of the teacher's part of the loss (default 0.5)
---@field features? string|string[] inner values that are to be like the teacher's, by name or pattern ("*Relu*"). What blocks end with teaches a pruned network more than answers alone
---@field teacher_features? string|string[] the teacher's; the same names by default
---@field feature_weight? number weight of their mean squared differences (default 1)
---@field checkpointing? boolean computes parts of the forward pass again for the backward pass: less memory, more time (default false)
---@field palettes? boolean for a model with palettes (quantize's scheme "palette"): trains the values that weights share. Which value a weight has stays, and zero stays zero (default false)
---@field keep_zeros? boolean zeros of weights stay zero, whoever made them; those that pruning made always do (default false)
---@field batch_norm? boolean exporters fold batch normalization into the convolution before it: this puts it back while training, and folds it again at the end. Such networks tolerate higher learning rates (default false)
---@field augment? table random changes of the images that are trained on: see Model:fit augment
---@field seed? integer seed of shuffling and splitting (default 0)
---@field frozen? string|string[] name patterns of weights that stay as they are
---@field on_epoch? function called with each epoch's event; "stop" or true ends the fit
---@field on_batch? function called with each step's event, likewise
---@field verbose? boolean a line an epoch on standard error, terminal or not (default false)
---@field deterministic? boolean the same bits with any number of threads, on machines of one kind; the fit then works on one thread (default false)
---@field data? prune.Dataset that of the call by default

---@class prune.Model_prune_schedule_options
---@field kind? "one_shot"|"linear"|"cubic"|"dynamic" one_shot: all at once; linear: evenly; cubic: fast first; dynamic: with weights that come back. linear where only steps are given
---@field steps? integer number of steps

---@class prune.guard_options
---@field data? prune.Dataset what the metric is measured on; needed, unless the metric is a function
---@field metric? string|function a metric of Model:evaluate (the loss where targets are not classes), or a function of a Model that returns a number (default "accuracy")
---@field max_drop? number how much of the metric may be lost (default 0)
---@field bound? number an absolute limit for the metric; without max_drop, only this limit counts
---@field lower_is_better? boolean smaller numbers are better, for a metric that is a function (default false)
---@field output? string name of the output that the metric is of; that of the call by default, else the first

---@class prune.Model_quantize_options
---@field scheme? "static"|"dynamic"|"weight_only"|"float32"|"float16"|"bfloat16"|"float8"|"palette"|"joint" static: int8, activation scales from calibration data. dynamic: int8, activation scales found while running. weight_only: weights alone. float16, bfloat16: half precision. float8: weights stored as E4M3. float32: back from half or double precision. palette: few different values a weight, for packed files. joint: each weight pruned and palettized, to a budget of bytes (default "static")
---@field bits? integer static, dynamic: 8; weight_only: 8, 6, 5, 4, 3 or 2; palette: 2 to 8, 4 if not given
---@field per_channel? boolean a scale for each output channel of a weight (default true)
---@field symmetric? boolean int8 activations around zero in place of uint8 with a zero point; with weight_only, weights below 8 bits (default false)
---@field block_size? integer weight_only, float8: how many weights along the summed axis share a scale; 32 below 8 bits, a whole channel for 8
---@field percentile? number with calibrator percentile, the share of values that the range covers, in per cent (default 99.99)
---@field group_size? integer palette: how many output channels share a palette; all of a weight's if not given
---@field fisher? boolean palette: weights count by the squared gradient of the loss on calibration, which needs labels (default false)
---@field equalize? boolean static: even out the ranges of channels between layers first (default false)
---@field bias_correction? boolean static: take the mean error of rounded weights off the biases (default false)
---@field mixed? boolean static: when the guard does not hold, give layers back to float, the most damaging first, until it does (default false)
---@field qat? boolean static: keep float weights that compute as int8, for Model:fit to adapt; quantizing the result again stores the int8 model (default false)
---@field rounding? "nearest"|"gptq"|"adaround"|"awq"|"hqq" gptq: each weight makes up for the errors before it; adaround: then up or down until no change helps; both for static and weight_only; awq: finer where activations are large, for weight_only; hqq: zero points of blocks that make errors sparse, without data, for weight_only (default "nearest")
---@field smooth? number static: how far ranges of channels move from activations into weights first (SmoothQuant's alpha), from 0, not at all, to 1, all the way (default 0)
---@field learn_scales? boolean with qat: Model:fit trains the scales too (LSQ) (default false)
---@field keep_faster? boolean static: layers that are slower in int8 than in float on this machine stay float (default false)
---@field bytes? number joint: the bytes that weights may take in a packed file; up to 1 it is a fraction of what they take now
---@field calibration? prune.Dataset a few hundred samples; needed by static
---@field calibrator? "auto"|"minmax"|"moving_average"|"percentile"|"entropy"|"mse" how ranges are found; auto tries them on samples held back (default "auto")
---@field format? "qdq"|"qoperator"|"matmul_nbits" qdq: QuantizeLinear and DequantizeLinear. qoperator: for static, operators on quantized values (QLinearConv, QGemm, ...); for dynamic, LSTM as DynamicQuantizeLSTM. matmul_nbits: for weight_only, ONNX Runtime's fused products (default "qdq")
---@field validate? prune.Dataset metrics before and after
---@field guard? prune.guard_options {data =, metric =, max_drop =}: refuses a model that lost more
---@field ignore? string|string[] name patterns of layers that stay float
---@field batch_size? integer samples a run; by default 4 for calibration, 1 of images, and 64 for evaluation

---@class prune.Model_factorize_options
---@field data? prune.Dataset what layers read: ranks and factors then go by what the layers compute on it rather than by the weights alone; no labels needed
---@field energy? number the share of its energy (sum of squares) that each layer keeps; 0.99 where no rank, target or guard is given
---@field rank? integer the rank of every layer, in place of energy
---@field target? table in place of energy: the fraction of a cost to keep, {macs = 0.5}, {params = 0.5}, {bytes = 0.5}; of several each is the most that may be left
---@field form? "channel"|"spatial" what a convolution becomes: one with as many channels as the rank and one of 1x1, or one with a column of the kernel and one with a row (default "channel")
---@field round_to? integer ranks are a multiple of this (default 8)
---@field guard? prune.guard_options {data =, metric =, max_drop =, bound =}: ranks are raised until it holds; alone it decides how much is saved
---@field scope? string|string[] name patterns of layers or weights: only these
---@field ignore? string|string[] and not these
---@field validate? prune.Dataset metrics before and after
---@field batch_size? integer samples a run (default 64)
---@field output? string name of the output that metrics are of; the first by default
---@field shapes? table<string, integer|integer[]> extents that the inputs leave open: {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what the model's own metadata says, else an assumption that the report states

---@class prune.Report_to_text_options
---@field width? integer columns; the terminal's by default
---@field color? boolean whether to colour; as the terminal decides by default

---Samples x with targets y. It never changes; every function makes a new one. #data is the number of samples.
---@class prune.Dataset
---@field x prune.Tensor|table The samples, [N, ...]; {input = samples} where inputs have names.
---@field y prune.Tensor The targets, nil when there are none.
---@field class_count integer Number of classes, 0 when the targets are values. #data is the number of samples.
---@field class_names string[] What the classes are called, class 0 first; {} where files do not say.
---@field broken prune.Report Files that could not be read so far: count, and files, a list of file and reason.
---@field layout string Where the channels of images are: "nchw" or "nhwc". Few channels behind large extents are "nhwc" unless set_layout says otherwise.
local Dataset = {}

---A network. prune and quantize make a new one; only fit and parameter change it. #m is the number of layers.
---@class prune.Model
---@field name string The graph's name.
---@field inputs prune.ValueInfo[] What it takes: a list of {name =, dtype =, shape =}; symbolic extents are strings. #m is the number of layers.
---@field outputs prune.ValueInfo[] What it gives: a list of {name =, dtype =, shape =}.
local Model = {}

---A dense array; t[i][j] or t:at(i, j) reads an element. It cannot be written to.
---@class prune.Tensor
---@field shape integer[] Its extents; {} for a scalar. #t is the first.
---@field dtype string "float32", "int64", "uint8", ...
---@field rank integer The number of extents.
---@field count integer The number of elements.
---@field [integer] any
local Tensor = {}

---What a call measured or did: a plain table that prints as text; report["a.b"] reaches into it.
---@class prune.Report
---@field [string] any
---@field [integer] any
local Report = {}

---@class prune
---@field version string Version of the library, as "major.minor.patch".
---@field rank integer The number of this process among those that prune.distributed found, from 0; 0 before.
---@field size integer How many processes prune.distributed found; 1 before.
local prune = { zoo = {}, data = {}, npz = {}, weights = {}, losses = {} }

---Limits the memory that data sets and models, and the work on them, may take at once. What needs more is refused before it begins, as out_of_memory.
---@param bytes number 0 for no limit, as it is at first
function prune.memory_limit(bytes) end

---How many bytes data sets and models take now, and the most that they and the work on them ever took.
---@return integer
---@return integer
function prune.memory() end

---Loads an ONNX file with its external data, a packed one (.prunez), or a Keras model (.h5 of Keras 1 to 3, .keras). The content says what it is, not the name. What is not changed is saved as it was read. Lambda, custom and unknown Keras layers are refused by name.
---@param path string the file
---@param options? prune.load_options
---@return prune.Model
function prune.load(path, options) end

---A multilayer perceptron with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.mlp(options) end

---LeNet-300-100 with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.lenet_300_100(options) end

---LeNet-5 (20-50-500, as pruned in the literature) with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.lenet5(options) end

---VGG with batch normalization, 11, 13, 16 or 19 layers deep, with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.vgg(options) end

---ResNet for ImageNet (18, 34, 50, 101, 152 layers) or for CIFAR (20, 32, 44, 56, 110), with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.resnet(options) end

---MobileNetV2 with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.mobilenet_v2(options) end

---DenseNet-121 with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.densenet121(options) end

---A vision transformer, of DeiT-Tiny's size unless told otherwise, with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.vit(options) end

---An LSTM classifier of sequences {steps, features}, or of images row by row, with random weights; outputs logits.
---@param options? prune.zoo_options
---@return prune.Model
function prune.zoo.lstm(options) end

---The embedded UCI digits: 1,797 images 1x8x8, float32 in 0...1, ten classes.
---@return prune.Dataset
function prune.data.digits() end

---IDX files (MNIST), gzip'ed or not; images become float32 [N,1,H,W] in 0...1.
---@param options prune.data_idx_options
---@return prune.Dataset
function prune.data.idx(options) end

---Arrays of a NumPy .npz file: samples and targets.
---@param path string the file
---@param options? prune.data_npz_options
---@return prune.Dataset
function prune.data.npz(path, options) end

---Numbers separated by commas, gzip'ed or not, with or without a header line.
---@param path string the file
---@param options? prune.data_csv_options
---@return prune.Dataset
function prune.data.csv(path, options) end

---CIFAR-10 binary batches, gzip'ed or not, one after the other; float32 [N,3,32,32] in 0...1.
---@param paths string|string[] one file or several
---@return prune.Dataset
function prune.data.cifar10(paths) end

---JPEG and PNG files, decoded as batches are asked for: memory holds a batch, however many files there are. Images are turned upright as EXIF says and resized as Pillow does it. Classes are numbered in the order of their names.
---@param options prune.data_images_options
---@return prune.Dataset
function prune.data.images(options) end

---WAV files, cut into windows that are read as batches are asked for: float32 [N, 1, window] in -1...1, all channels mixed into one, resampled where rate says so. Classes are numbered in the order of their names. What does not fill a window at the end of a file is left out; a file shorter than a window is followed by silence. Divide files, not windows, into training and test.
---@param options prune.data_wav_options
---@return prune.Dataset
function prune.data.wav(options) end

---NumPy arrays: a folder of .npy files, each a sample that is read as batches are asked for, by class folders or flat; a CSV of file and label; or one .npy file of samples [N, ...], which is mapped rather than read.
---@param path string the folder, table or file
---@param options? prune.data_npy_options
---@return prune.Dataset
function prune.data.npy(path, options) end

---A data set of tensors, or of nested tables of numbers. Everything that takes data feeds each named tensor to the input of that name.
---@param x prune.Tensor|table samples, [N, ...]; for a model of several inputs {input = samples}, integers and booleans as int64
---@param y? prune.Tensor|table targets: integers [N] are classes, integers [N, ...] a class for each pixel or token, floats [N, ...] values or labels of 0 and 1
---@return prune.Dataset
function prune.data.tensors(x, y) end

---A tensor of nested tables, or of one number. Integers make int64, floats float32, booleans bool.
---@param options prune.tensor_options|table|number|boolean
---@return prune.Tensor
function prune.tensor(options) end

---Reads a NumPy .npz file, or a .npy file as one entry "data".
---@param path string the file
---@return table<string, prune.Tensor>
function prune.npz.load(path) end

---Writes a NumPy .npz file, atomically.
---@param path string the file
---@param tensors table<string, prune.Tensor|table> by name
function prune.npz.save(path, tensors) end

---Reads the tensors of a file of weights, whatever its name: safetensors, an index of shards (.index.json), .npz, a PyTorch state dict (.pt, .pth; nothing in it is executed), GGUF (quantized ones decoded to float32), or a model.
---@param path string the file
---@return table<string, prune.Tensor>
function prune.weights.load(path) end

---Writes tensors, atomically: .safetensors or .npz, as the name ends.
---@param path string the file
---@param tensors table<string, prune.Tensor|table> by name
function prune.weights.save(path, tensors) end

---Mean over the rows of -sum(y_true * log(y_pred)); predictions are clipped at 1e-15.
---@param y_true prune.Tensor|table [C] or [N, C], or an int64 tensor of class numbers
---@param y_pred prune.Tensor|table [C] or [N, C]
---@param options? prune.losses_options
---@return number
function prune.losses.cross_entropy(y_true, y_pred, options) end

---Mean squared difference.
---@param y_true prune.Tensor|table of any shape
---@param y_pred prune.Tensor|table of the same shape
---@return number
function prune.losses.mse(y_true, y_pred) end

---Mean absolute difference.
---@param y_true prune.Tensor|table of any shape
---@param y_pred prune.Tensor|table of the same shape
---@return number
function prune.losses.mae(y_true, y_pred) end

---Mean of half the squared difference up to delta, and a straight line beyond it.
---@param y_true prune.Tensor|table of any shape
---@param y_pred prune.Tensor|table of the same shape
---@param options? prune.losses_options
---@return number
function prune.losses.huber(y_true, y_pred, options) end

---Mean binary cross-entropy; probabilities are clipped at 1e-15.
---@param y_true prune.Tensor|table of any shape, in 0...1
---@param y_pred prune.Tensor|table of the same shape
---@param options? prune.losses_options
---@return number
function prune.losses.bce(y_true, y_pred, options) end

---Mean over the rows of sum(y_true * log(y_true / y_pred)).
---@param y_true prune.Tensor|table [C] or [N, C]
---@param y_pred prune.Tensor|table of the same shape
---@param options? prune.losses_options
---@return number
function prune.losses.kl(y_true, y_pred, options) end

---Several models side by side: accuracy and loss on data, parameters, sparsity, MACs, bytes in memory, as ONNX file and packed, and the time of a run: the models take turns, and the report says on how many threads, and when the machine was busy.
---@param options? prune.compare_options|table
---@return prune.Report
function prune.compare(options) end

---Where a second model differs from a first: totals, layers that are gone, new or changed, and weights of other numbers or extents.
---@param first prune.Model the one before
---@param second prune.Model the one after
---@return prune.Report
function prune.diff(first, second) end

---Makes this process one of several that were started together and share the work: `mpirun -n 4 prune train.lua`. Every rank runs the same script; fit, evaluate, the scores of criteria that look at data, the metrics and training of prune, and the layers of sensitivity are shared out, and all ranks get the same result. Only rank 0 prints (`print` is silent elsewhere, `io.write` is not), shows progress and writes checkpoints. Put what else must happen once under `if prune.rank == 0`, except shared calls, which every rank makes. Returns the rank, from 0, and how many there are. `prune --mpi script.lua` does it before the script.
---@param options? prune.distributed_options
---@return integer
---@return integer
function prune.distributed(options) end

---How many threads calls use, from the next on. Without an argument it only says so.
---@param n? integer 0 is one a core
---@return integer
function prune.threads(n) end

---What results depend on beside the model and the data: version, processor, instruction_sets, threads, oneDNN, and int8_products, whether this processor multiplies bytes into 32-bit sums.
---@return prune.Report
function prune.info() end

---Prints a heat map of a tensor: rows are its first axis, columns all others, bright where numbers are large, so that a mask or a layer's scores can be seen. With a path it is written to a file (.svg) instead.
---@param tensor prune.Tensor such as m:parameter "conv1.weight", or a score of m:significance{}
---@param path? string the file
function prune.plot(tensor, path) end

---Looks for the smallest model that keeps a metric, without training; "front" has the points that no other beats in both, with the recipe of each.
---@param options prune.search_options
---@return prune.Model
---@return prune.Report
function prune.search(options) end

---Several classifiers of one input as one model, which can be saved, pruned and quantized like any other.
---@param options prune.ensemble_options
---@return prune.Model
---@return prune.Report
function prune.ensemble(options) end

---Calls f; what libprune refuses comes back as nil, message, code. prune.safe.load, prune.safe.Model.prune, ... do the same under every function's own name.
---@class prune.safe
---@field [string] any
---@overload fun(f: function, ...: any): any, string?, string?
prune.safe = {}

---Prints what there is, or all about one thing.
---@param topic? any a name such as "Model:fit", a function, or an object
function prune.help(topic) end

---Images with their channels moved in front or last.
---@param layout string "nchw" or "nhwc"
---@return prune.Dataset
function Dataset:to_layout(layout) end

---The same samples, said to be in a layout; nothing is moved.
---@param layout string "nchw" or "nhwc"
---@return prune.Dataset
function Dataset:set_layout(layout) end

---Splits in two, each class by the same fraction; the same seed splits the same way.
---@param options prune.Dataset_split_options
---@return prune.Dataset
---@return prune.Dataset
function Dataset:split(options) end

---The first n samples, all when there are fewer.
---@param n integer 1 or more
---@return prune.Dataset
function Dataset:take(n) end

---The samples at these positions, in that order.
---@param positions integer[] from 1
---@return prune.Dataset
function Dataset:subset(positions) end

---(x - mean) / std of each channel, or of all alike.
---@param options prune.Dataset_normalize_options
---@return prune.Dataset
function Dataset:normalize(options) end

---Images resized, bilinear.
---@param size integer[] {height, width}
---@return prune.Dataset
function Dataset:resize(size) end

---Only the samples of these classes, renumbered 0, 1, ... in the order given.
---@param classes integer[] class numbers as they are in y
---@return prune.Dataset
function Dataset:classes(classes) end

---The same where positions of a class count nowhere: the border of objects in a mask, padding. For targets that are classes of positions, integers [N, ...]; negative ones never count.
---@param label integer the class number that is none
---@return prune.Dataset
function Dataset:ignore(label) end

---The samples with what a model answers as their targets: the accuracy of another model on them is its agreement with that one. A guard on them bounds how often a quantized or pruned model differs, without labels.
---@param m prune.Model a classifier
---@return prune.Dataset
function Dataset:labelled(m) end

---Prints the table of layers: output shape, parameters, MACs, sparsity, totals.
---@param options? prune.Model_summary_options
function Model:summary(options) end

---The list of layers of Model:stats.
---@return prune.Report
function Model:layers() end

---Totals and the same by layer: params, nonzero, sparsity, macs, effective_macs, bytes. MACs that depend on an open extent are left out, and open lists what they depend on: give shapes, or write the extents in with Model:fix_shapes.
---@param options? prune.Model_stats_options
---@return prune.Report
function Model:stats(options) end

---Bytes in memory, as ONNX and packed, in all and by tensor. The model is packed to find out.
---@return prune.Report
function Model:sizes() end

---Runs the model on named inputs, any batch size.
---@param inputs table<string, prune.Tensor|table> by name
---@return table<string, prune.Tensor>
function Model:run(inputs) end

---Runs a model; its first output. A data set is run in batches, a Tensor at once.
---@param x prune.Tensor|prune.Dataset|table samples; {input = samples} for a model of several inputs
---@param batch_size? integer of a data set
---@return prune.Tensor
function Model:predict(x, batch_size) end

---Names of the weights and constants.
---@return string[]
function Model:parameters() end

---A weight by name; with a value, replaces it.
---@param name string one of m:parameters()
---@param value? prune.Tensor|table of the same dtype and shape
---@return prune.Tensor
function Model:parameter(name, value) end

---A model of its own; weights are shared until either changes.
---@return prune.Model
function Model:clone() end

---Writes the model, atomically: the file is the old one or the new one, never a part. The suffix says the format: .onnx, .prunez (packed), .h5 or .keras (Keras; what Keras has no layer for is named). A name without a suffix is ONNX, any other an error.
---@param path string the file
function Model:save(path) end

---Puts the tensors of a file of weights (see prune.weights.load), or of a table, into the model's weights of the same names. The report has matched, a count, and the names missing, unexpected and ignored; differing lists other shapes with the order of axes (from 0) that would fit. Matrices that PyTorch's exporter left without a name are found by their layer, and transposed. It stores equal weights once, such as statistics of a network that was never trained: each layer gets a tensor of its own again, and separated names them.
---@param source string|table<string, prune.Tensor> the file, or tensors by name
---@param options? prune.Model_load_weights_options
---@return prune.Report
function Model:load_weights(source, options) end

---Writes what the model has learned: .safetensors or .npz, as the name ends.
---@param path string the file
function Model:save_weights(path) end

---Trains the model in place. Weights that pruning removed stay zero. The report's "epochs" lists loss, accuracy, validation_loss, validation_accuracy and seconds of each.
---@param options prune.Model_fit_options
---@return prune.Report
function Model:fit(options) end

---Loss, accuracy and other metrics.
---@param data prune.Dataset what to evaluate on
---@param options? prune.Model_evaluate_options
---@return prune.Report
function Model:evaluate(data, options) end

---Latency on random inputs: median_ms, min_ms, p90_ms, mean_ms, samples_per_second. With steps = true, its steps say which family of kernels they run by: kernel "onednn", "winograd", "sparse", "reference" and others; those with constant weights say whether zeros are left out: weights "sparse" or "dense", zeros, and dense_ms and sparse_ms where both were measured.
---@param options? prune.Model_benchmark_options
---@return prune.Report
function Model:benchmark(options) end

---What another model, such as a quantized one, computes differently on the same samples, value by value: "values" with name, layer, op, sqnr_db, cosine, largest, distance and a bar, the worst first, and "outputs" with the same.
---@param other prune.Model one that was made from this one, so that values have the same names
---@param data prune.Dataset samples to run both on
---@param options? prune.Model_differences_options
---@return prune.Report
function Model:differences(other, data, options) end

---How much each weight matters: "layers" with mean, sum, min, max and share, "bottom" and "top" outputs of layers, "units", the mean of each output, and "scores", a tensor for each weight. Printing draws a bar a layer and the spread of its scores.
---@param options? prune.Model_significance_options
---@return prune.Report
function Model:significance(options) end

---The metric against the amount, each layer pruned by itself: "layers" with the curve, the values and the largest safe amount.
---@param options? prune.Model_sensitivity_options
---@return prune.Report
function Model:sensitivity(options) end

---Prunes into a new model. The report says what went, where, and what it cost.
---@param options? prune.Model_prune_options
---@return prune.Model
---@return prune.Report
function Model:prune(options) end

---Which units go together: groups, what a unit of each costs, and which groups are pinned, by whom and why.
---@return prune.Report
function Model:groups() end

---Draws the network to a file, .svg or .dot (for Graphviz). What loses its units together has one colour; what must stay is grey and dashed, and says why where one points at it.
---@param path string the file
function Model:graph(path) end

---Takes out units that single-weight pruning left dead: those that nothing reads, and constant ones, which go into the next bias.
---@return prune.Model
---@return prune.Report
function Model:compact() end

---Writes extents in that the inputs leave open, and makes what is computed from them constant; what is not named stays open.
---@param shapes table extents by their names, whole shapes by those of inputs
---@return prune.Model
function Model:fix_shapes(shapes) end

---The same outputs in fewer nodes: folds constants, removes what changes nothing and what nobody reads. Weights stay as they are.
---@return prune.Model
---@return prune.Report
function Model:simplify() end

---Cuts a classifier down to some classes, counted from 0 as labels are; then, with an amount or a target, prunes for them.
---@param classes integer[] the classes to keep, numbered anew in rising order
---@param options? prune.Model_prune_options
---@return prune.Model
---@return prune.Report
function Model:keep_classes(classes, options) end

---Quantizes into a new model that every ONNX runtime can run.
---@param options? prune.Model_quantize_options
---@return prune.Model
---@return prune.Report
function Model:quantize(options) end

---Low rank: matrix products and convolutions become two smaller ones each where that saves something; by the weights, or with data by what layers compute.
---@param options? prune.Model_factorize_options
---@return prune.Model
---@return prune.Report
function Model:factorize(options) end

---One element, by as many positions as there are extents; t[i][j] is the same.
---@param ... integer from 1
---@return number|boolean
function Tensor:at(...) end

---Nested tables, or the number of a scalar.
---@return table
function Tensor:totable() end

---The same elements in another arrangement.
---@param shape integer[] one extent may be -1: whatever is left
---@return prune.Tensor
function Tensor:reshape(shape) end

---The model after a step that was kept: entry i of the journal of a report of Model:prune.
---@param i integer from 1
---@return prune.Model
function Report:restore(i) end

---The steps of a prune that were kept, as text for Model:prune{recipe = ...}. A teacher, and whatever else is a model or data, is given again.
---@return string
function Report:recipe() end

---What printing a report shows.
---@param options? prune.Report_to_text_options
---@return string
function Report:to_text(options) end

---Writes the report, atomically, as the end of the name says: .html (one page with charts), .svg (its first chart), .md, .csv, .json or .txt; .tfevents is for TensorBoard. A list in it can be saved by itself: report.layers:save "layers.csv".
---@param path string the file
function Report:save(path) end

---What Report:save writes, as a text.
---@param format string "html", "svg", "md", "csv", "json", "txt" or "tfevents"
---@return string
function Report:to_text_as(format) end

---JSON; NaN and infinities are null, tensors are {dtype, shape}, drawings are left out.
---@return string
function Report:to_json() end

return prune
