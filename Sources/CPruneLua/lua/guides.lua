-- Pages for people who know what they want and not yet what it is called: choosing, criteria, data, reports, mending. They follow the pages of
-- topics.lua; indented lines stay as they are, paragraphs are wrapped. Every example runs after the preamble there.
local _, internals = ...
local topics = internals.topics

local guides = {
  {
    name = "choosing",
    title = "I have … and want …: which call",
    text = [[
    a model and no data, and want
      to see what it costs          m:summary(), m:benchmark{}
      a smaller file, same speed    m:quantize{scheme = "weight_only"}, m:save "m.prunez"
      fewer channels                m:prune{granularity = "channel", target = {macs = 0.7}}
    a few hundred samples without labels, and want
      int8                          m:quantize{calibration = data}
      half of the weights zero      m:prune{amount = 0.5, reconstruct = "sparsegpt", data = data}
      fewer channels, mended        m:prune{granularity = "channel", reconstruct = "least_squares", …}
      to learn from the original    recover = {teacher = m, epochs = 2}
    data with labels, and want
      to know what matters          m:significance{criterion = "taylor", data = data}
      to know what can be pruned    m:sensitivity{data = data}
      faster, as accurate           m:prune{granularity = "channel", target = {latency = 0.6}, recover = …, guard = …}
      the best that there is        prune.search{model = m, data = test, max_drop = 0.01}

Zeros make a packed file small, and a run faster only where something skips zeros. Channels, heads and layers that are removed make
everything smaller and faster, everywhere. int8 makes files four times smaller, and runs faster on processors that multiply bytes
(prune.info() says whether this one does).

Start gently, measure, then go further: `validate = test` puts the metrics before and after into the report, `guard` takes back what costs too much.]],
    example = [[
local slim, report = m:prune{granularity = "channel", target = {macs = 0.7}, data = train, recover = {epochs = 1},
                             guard = {data = test, max_drop = 0.02}}
print(report.headline or "all of it", report.after)]],
  },
  {
    name = "criteria",
    title = "what each criterion measures, what it costs, when to take it",
    text = [[
w is a weight, g the gradient of the loss, x an input of the layer. A criterion scores every weight; a channel has the mean over its weights.

    name        score                          needs             when
    magnitude   |w|                            nothing           the first to try; also called l1
    l2          w²                             nothing           the same order of weights, another of channels
    lamp        w² / Σ of the layer's ≥ w²     nothing           to compare layers; with much sparsity
    bn_scale    |γ| behind the layer           nothing           channels, after training with bn_l1
    fpgm        distance to the other filters  nothing           channels that say the same
    cosine      1 - |cos| with one before      nothing           channels that say the same
    random                                     nothing           to know what any criterion is worth
    wanda       |w| · ‖x‖                      data              transformers, one-shot, no labels
    apoz        share of outputs above 0       data              channels before a Relu
    mutual      1 - correlation with another   data              channels that say the same, whatever their weights
    taylor      √E[(g·w)²]                     data with labels  the best of the cheap: one pass forward and back
    gradient    E|g|                           data with labels
    fisher      w²·E[g²]/2                     data with labels  as taylor, smoother
    snip        |E[g]·w|                       data with labels  before training
    hessian     w²·|h|/2                       data with labels  closer to the loss, several passes
    grasp       w·(H·g)                        data with labels  before training; 3 to 8 passes
    movement    what training makes grow       data with labels  while fine-tuning; one epoch
    gate        what the loss loses without it data with labels  channels and heads; their default where data has labels

Or a function of a weight's name and tensor that gives a tensor of scores, or {name = tensor}.
Measure before you choose: run the same prune with two criteria and compare what `validate` says.]],
    example = [[
for _, criterion in ipairs{"magnitude", "taylor"} do
  local slim = m:prune{amount = 0.8, criterion = criterion, data = train}
  print(criterion, slim:evaluate(test).accuracy)
end]],
  },
  {
    name = "granularity",
    title = "what is removed as one",
    text = [[
    "weight"        single weights become zero: the most zeros for the least loss; the shapes stay
    "2:4" (n:m)     of every 4 neighbours 2 stay: what sparse tensor cores run
    "kernel", {block = {4, 4}}   blocks become zero: for kernels that skip blocks
    {block = {1, 1, 4, 4}}       blocks inside kernels, overlapping: outputs, inputs, height, width; stride = {…}
    "channel"       filters, neurons, with all that is coupled to them: the network shrinks, everything gets faster
    "head", "head_dim"   attention heads, or positions inside them: the network shrinks
    "layer"         whole residual branches: the network gets shallower

Of the last three, what goes together is found by itself (m:groups() shows it), and every result is certified: the smaller network gives what
the masked one gave. Filter, neuron, unit: all are "channel" here; unstructured is "weight", structured is "channel".]],
    example = [[print(m:groups())]],
  },
  {
    name = "quantization",
    title = "fewer bits: int8, int4, float16, palettes",
    text = [[
    scheme         what                                             needs              size  speed
    "static"       int8 weights and activations                     calibration data   1/4   faster where bytes are multiplied
    "dynamic"      int8, activation scales found while running      nothing            1/4   for MatMul networks
    "weight_only"  8 to 2 bits (bits = 4), computes in float        nothing            1/4, 1/8   as before
    "float8"       weights as float8 (E4M3), computes in float      nothing            1/4   as before
    "float16", "bfloat16"   half precision                          nothing            1/2   as the runtime likes
    "palette"      2 to 256 values a weight, for .prunez files      nothing            small files
    "joint"        prunes and palettizes to a budget of bytes       calibration        as asked

Below 8 bits a block of 32 weights shares a scale (block_size); 3 bits and less want rounding = "gptq" with data or "hqq" without. Weights of
layers that integers cannot compute (LSTM, ConvTranspose, embeddings) are stored in 8 bits by every scheme.
Calibration data are 100 to 500 samples as the model will see them, labels not needed. When accuracy falls, in this order: calibrator = "percentile"
or "entropy"; bias_correction = true; equalize = true (MobileNets); rounding = "adaround"; mixed = true with a guard, which leaves the worst
layers in float; then training: see qat.]],
    example = [[
local int8, report = m:quantize{calibration = train:take(200), validate = test}
print(report.before.accuracy, report.after.accuracy)]],
  },
  {
    name = "qat",
    title = "training for int8: quantization-aware training",
    text = [[
Three steps: quantize with qat = true keeps float weights that compute as int8; fit adapts them; quantize again, without data, stores the
int8 model. learn_scales = true trains the scales as well (LSQ). Use a small rate: a tenth of that of the training.]],
    example = [[
local aware = m:quantize{qat = true, calibration = train:take(200)}
aware:fit{data = train, epochs = 1, lr = 1e-4}
local int8 = aware:quantize{}
print(int8:evaluate(test).accuracy)]],
  },
  {
    name = "distillation",
    title = "a network learns from another, with or without labels",
    text = [[
fit{teacher = m} and recover = {teacher = m} learn from what another network answers: loss = (1 - alpha) · own + alpha · T² · KL(teacher, student).
Data without targets will do: it is learnt from the teacher alone then, and accuracy is the agreement with it. `features` adds inner values
by name. A pruned network learns best from the one it came from.]],
    example = [[
local slim = m:prune{amount = 0.9}
slim:fit{data = train, epochs = 2, teacher = m, temperature = 4, alpha = 0.7}
print(slim:evaluate(test).accuracy)]],
  },
  {
    name = "lowrank",
    title = "low rank: two small layers in the place of a large one",
    text = [[
m:factorize{} writes a matrix of n x k as one of n x r and one of r x k, where that saves parameters and multiplications. By the weights alone
(SVD) it keeps the weights; with data it keeps what the layers compute on it, and fits each second layer to what the whole one gave: give data,
a few hundred samples without labels. One of these says how much:

    energy    0.99: what each layer keeps (the default)      rank    the same rank everywhere
    target    {macs = 0.5}, {params =}, {bytes =}            guard   as much as it allows

Convolutions become one with r channels and one of 1x1, or with form = "spatial" a column and a row of the kernel. The report has rank and energy
of each layer; what saves nothing stays whole and is named in `skipped`. Zeros of pruned weights are lost: factor first, then prune and quantize.]],
    example = [[
local small, report = m:factorize{data = train:take(256), target = {macs = 0.5}, validate = test}
print(report.layers)]],
  },
  {
    name = "transformers",
    title = "what suits attention, embeddings and layer normalization",
    text = [[
    weights     criterion = "wanda" or reconstruct = "sparsegpt" with 128 samples; granularity "2:4" where the hardware runs it
    heads       granularity = "head": whole heads, grouped queries understood
    hidden      granularity = "channel": the inner width of the feed-forward blocks
    width       granularity = "channel", width = true: the residual (embedding) width of the whole network
    layers      granularity = "layer": whole blocks
    int8        scheme = "dynamic", or "static" with smooth = 0.5 (SmoothQuant); weight_only, bits = 4, rounding = "awq" for memory

Inputs of several tensors (tokens, masks) are data with named inputs: prune.data.tensors{input_ids = …, attention_mask = …} or npz with x = {name = array}.
Open lengths: shapes = {sequence = 128} in every call.]],
    example = [[
local v = prune.zoo.vit{input = {1, 8, 8}, hidden = {32, 64}, depth = 2, heads = 4, classes = 10}
local slim, report = v:prune{granularity = "head", amount = 0.25}
print(report.groups)]],
  },
  {
    name = "data",
    title = "how to give data",
    text = [[
    prune.data.npz("train.npz", {x = "images", y = "labels"})    NumPy arrays by name
    prune.data.csv("iris.csv", {label = "species"})              a table of numbers; names of classes are numbered
    prune.data.idx{images =, labels =}, prune.data.cifar10{…}    MNIST, CIFAR
    prune.data.images{path =, size =}                            folders of JPEG and PNG, one a class
    prune.data.wav{path =, rate =, window =}                     folders of WAV, cut into windows
    prune.data.npy("arrays")                                     folders of .npy, or one file of samples
    prune.data.tensors(x, y)                                     tables or tensors that you have
    prune.data.digits()                                          1,797 small images, embedded, to try things

Samples are [N, …] as the model wants them: images are [N, channels, height, width] in the scale that the model was trained with. When accuracy is
far below what it should be, the data is not prepared as in training: data:normalize{mean =, std =} for the scale, data:resize{h, w}
for the size. Targets of whole numbers [N] are classes from 0; whole numbers [N, …] are a class for each pixel or token, of which
negative ones and data:ignore(255) count nowhere; floats are values, or labels of 0 and 1 where the model ends in Sigmoid.

    data:split{test = 0.2, seed = 7}    data:take(200)    data:subset{…}    data:classes{3, 5}    #data    data.x    data.y]],
    example = [[
local few = train:take(4)
print(#few, few.x.shape[2], few.class_count)]],
  },
  {
    name = "metrics",
    title = "what can be measured, and a measure of your own",
    text = [[
    classes   accuracy, error, top5 (any k), f1, precision, recall, miou (means over classes), auc, perplexity, loss
              per_class (a row a class), confusion (which classes are taken for which), roc (points of the curve): of m:evaluate alone
    values    mse, rmse, mae, loss

A guard, search{} and sensitivity{} take any that is one number, or a function of a model that returns one, with lower_is_better = true where
less is better.]],
    example = [[
print(m:evaluate(test, {metrics = {"accuracy", "precision", "recall", "per_class", "confusion"}}))
local slim = m:prune{amount = 0.5, guard = {metric = function(model) return model:evaluate(test).accuracy end, max_drop = 0.02}}]],
  },
  {
    name = "report",
    title = "reading a report",
    text = [[
The first line says when less was done than was asked for (report.headline). Then:

    before, after     costs, and metrics where `validate` or a guard measured them
    macs_kept, params_kept   shares of the costs that are left
    removed, units    how many units went, of how many; pruned, weights: the same of single weights
    groups, layers    what went where
    pinned            what may not go, and why: an output, or an operator without a rule
    journal           every step: its amount, metric, costs, and whether the guard kept it
    certificate       the largest difference between the smaller network and the masked one: 1e-4 at most
    rolled_back       the guard took a step back; refused: it kept none; stopped: Ctrl-C or a callback ended it
    notes             what else there is to know

print(report) shows it, report.after.accuracy reaches in, report:to_json() is for programs; report:save "x.html" makes a page with charts, .md
what a pull request shows, .csv tables, .svg one chart. report.journal:save "journal.csv" saves one table.]],
    example = [[
local slim, report = m:prune{amount = 0.5, validate = test}
print(report.after.accuracy, report["layers.1.sparsity"], #report:to_text_as "html" > 1000)]],
  },
  {
    name = "deploying",
    title = "where the result runs",
    text = [[
m:save "x.onnx" writes plain ONNX: every runtime reads it, removed channels are really gone, int8 models are QuantizeLinear/DequantizeLinear pairs that runtimes
fuse. m:save "x.prunez" writes a packed file, where zeros and palettes cost next to nothing; include/prunez.h reads it in one C file without this library.
From C: libprune.so and prune.h, pkg-config prune. Weights that are zero stay zeros in ONNX: what runs them must skip zeros to gain time.
m:fix_shapes{…} and m:simplify() help runtimes that want fixed shapes.]],
    example = [[print(m:sizes().onnx, m:sizes().packed)]],
  },
  {
    name = "reproducibility",
    title = "the same again",
    text = [[
With the same seed, data and number of threads every call gives the same bits. Another number of threads may sum in another order: results then
differ in the last digits, and so may what a threshold decides. prune.threads(1) makes every machine of one kind agree; prune.info() says what
else results depend on. report:recipe() has the steps of a prune, prune{recipe = …} takes them again.]],
    example = [[
local slim, report = m:prune{amount = 0.5, seed = 1}
local again = m:prune{recipe = report:recipe()}
print(prune.diff(slim, again).same, prune.threads())]],
  },
  {
    name = "troubleshooting",
    title = "when it goes wrong",
    text = [[
    the loaded model is no better than chance        the data is not prepared as in training: help "data"
    nothing was pruned                               the guard undid it: ask for less, recover = {epochs = 1}, more steps, a larger max_drop
    less was removed than asked for                  report.pinned says what may not go; scope, max_fraction and round_to hold back, too
    accuracy falls at once                           recover, or reconstruct = "least_squares" (no labels); sensitivity{} finds the layers to ignore
    training makes it worse                          leave lr out: a rate is then found; batch_norm = true for exported networks
    "is open"                                        extents that the file leaves open: shapes = {height = 224, width = 224}
    pruned, but not faster                           zeros are not skipped: granularity = "channel"; look with m:benchmark{steps = true}
    int8 is not faster                               this processor does not multiply bytes (prune.info().int8_products)
    times differ from run to run                     the machine is busy: compare{} times models in turns; prune.threads(1)
    not enough memory                                batch_size = 8; checkpointing = true in fit

Errors have a code, a place and a hint: local model, message, code = prune.safe.load "x.onnx".]],
    example = [[print(prune.safe.load "no-such-file.onnx")]],
  },
  {
    name = "shapes",
    title = "extents that a model leaves open",
    text = [[
Many exported models leave the batch, a length or the size of images open. Running takes what it is given. Costs need numbers: give shapes = {height = 640}
by the names that m.inputs shows, or whole shapes by input, {input = {1, 3, 640, 640}}, to load, stats, summary, benchmark, prune and search.
m:fix_shapes{…} writes them into the model for good, m:simplify() then folds what is computed from them.]],
    example = [[print(m.inputs[1].shape[1], m:stats().macs)]],
  },
  {
    name = "models",
    title = "model files: what comes in, what goes out",
    text = [[
    an ONNX file                     prune.load "m.onnx"; external data lies beside it
    a Keras model                    prune.load "m.keras", or .h5; m:save "slim.keras" writes one again
    a PyTorch module                 torch.onnx.export, then prune.load; axes of dynamic_axes are open: help "shapes"
    weights alone (.pth,             m:load_weights "w.pth", where m has the graph; prune.weights.load reads
      .safetensors, .gguf)           the tensors
    a TensorFlow or TFLite file      tf2onnx, then prune.load

Before all else evaluate: if the accuracy is not the one that you know, the data is not prepared as in training (help "data"). Most Keras
models want their channels last, many of them numbers of 0...255. A language model's data is token numbers, by the name of its input:
prune.data.npz("tokens.npz", {x = {input_ids = "input_ids"}}).

int8 and half precision models are saved as ONNX or packed (.prunez): Keras has no layers for them.]],
    example = [[
for _, input in ipairs(m.inputs) do print(input.name, input.dtype, table.concat(input.shape, " x ")) end]],
  },
  {
    name = "commands",
    title = "one-shot commands of the program",
    text = [[
    prune info model.onnx                          prune summary model.onnx
    prune evaluate model.onnx --data test.npz:x=images,y=labels
    prune prune model.onnx -o slim.onnx --granularity channel --target macs=0.5 --data train.npz --recover epochs=2
    prune quantize slim.onnx -o int8.onnx --calibration train.npz:take=200
    prune compare model.onnx slim.onnx int8.onnx --data test.npz --html compare.html
    prune diff model.onnx slim.onnx                prune convert slim.onnx slim.prunez

Options are those of the calls in Lua, with -- before them. `prune help prune` lists them; --json, --csv, --md and --html say how the report is written. `prune model.onnx`
opens the prompt with the model as `m`; `prune model.onnx < script.lua` runs a script on it.

The exit status is 0 when all was done, and 3 when less was: a guard of prune, or a target that was missed. It is 1 for an error, or when a guard of
quantize refused the model, and 2 for a wrong command.]],
    example = [[print(prune.version)]],
  },
}

for _, guide in ipairs(guides) do
  topics.list[#topics.list + 1] = guide
  topics.by_name[guide.name] = guide
end

--- Other words for pages, beside the last part of their name.
local ALIASES = {
  ["choose"] = "choosing", ["which"] = "choosing", ["criterion"] = "criteria", ["quantize"] = "quantization", ["int8"] = "quantization",
  ["target"] = "allocation", ["budget"] = "allocation", ["guard"] = "transactions", ["journal"] = "transactions",
  ["calibration"] = "quantization", ["reports"] = "report", ["reading"] = "report", ["deploy"] = "deploying", ["seed"] = "reproducibility",
  ["threads"] = "reproducibility", ["strategy"] = "strategy.global", ["metric"] = "metrics", ["command line"] = "commands", ["cli"] = "commands",
  ["ci"] = "commands", ["exit status"] = "commands", ["llm"] = "transformers", ["language model"] = "transformers", ["keras"] = "models",
  ["svd"] = "lowrank", ["low rank"] = "lowrank", ["factorize"] = "lowrank",
  ["pytorch"] = "models", ["tensorflow"] = "models", ["dynamic axes"] = "shapes", ["dynamic_axes"] = "shapes",
}

local find = topics.find

--- The topic that a name means, other words for it included.
function topics.find(name)
  local lower = name:lower()
  return find(name) or find(lower) or (ALIASES[lower] and find(ALIASES[lower])) or nil
end
