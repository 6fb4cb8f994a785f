-- One entry for each function of the API: help(), the editor's stub and the reference are all made from these.
--
-- An entry is a text: its signature; what it does; "- name: type = default; …" for arguments in order ("?": may be left
-- out); "* name: type = default; …" for named ones ("!": required); "& entry" for the named ones of another entry;
-- "> …" for an example. An entry without parentheses is a field, or a table given as an option. entries.lua reads them.

return [==[
prune.version: string
Version of the library, as "major.minor.patch".
> print(prune.version)

prune.memory_limit(bytes)
Limits the memory that data sets and models, and the work on them, may take at once. What needs more is refused before it begins, as out_of_memory.
- bytes: number; 0 for no limit, as it is at first
> prune.memory_limit(4e9)

prune.memory() -> integer, integer
How many bytes data sets and models take now, and the most that they and the work on them ever took.
> local used, peak = prune.memory()

prune.load(path, options) -> Model
Loads an ONNX file with its external data, a packed one (.prunez), or a Keras model (.h5 of Keras 1 to 3, .keras). The content says
what it is, not the name. What is not changed is saved as it was read. Lambda, custom and unknown Keras layers are refused by name.
- path: string; the file
> local m = prune.load "resnet20.onnx"

prune.zoo.mlp{...} -> Model
A multilayer perceptron with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {64, 32}, classes = 10}

prune.zoo.lenet_300_100{...} -> Model
LeNet-300-100 with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.lenet_300_100{input = {1, 28, 28}}

prune.zoo.lenet5{...} -> Model
LeNet-5 (20-50-500, as pruned in the literature) with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}

prune.zoo.vgg{...} -> Model
VGG with batch normalization, 11, 13, 16 or 19 layers deep, with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.vgg{depth = 11, input = {3, 32, 32}}

prune.zoo.resnet{...} -> Model
ResNet for ImageNet (18, 34, 50, 101, 152 layers) or for CIFAR (20, 32, 44, 56, 110), with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.resnet{depth = 50, input = {1, 32, 32}, classes = 10, stem = "imagenet"}

prune.zoo.mobilenet_v2{...} -> Model
MobileNetV2 with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.mobilenet_v2{width = 0.5, input = {3, 96, 96}, classes = 10}

prune.zoo.densenet121{...} -> Model
DenseNet-121 with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.densenet121{input = {3, 32, 32}}

prune.zoo.vit{...} -> Model
A vision transformer, of DeiT-Tiny's size unless told otherwise, with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.vit{input = {1, 8, 8}, hidden = {64, 128}, depth = 2, heads = 4, classes = 10}

prune.zoo.lstm{...} -> Model
An LSTM classifier of sequences {steps, features}, or of images row by row, with random weights; outputs logits.
& prune.zoo
> local m = prune.zoo.lstm{input = {1, 8, 8}, hidden = {32}, classes = 10}

prune.zoo
What the networks of the zoo take.

prune.data.digits() -> Dataset
The embedded UCI digits: 1,797 images 1x8x8, float32 in 0...1, ten classes.
> local train, test = prune.data.digits():split{test = 0.2, seed = 7}

prune.data.idx{...} -> Dataset
IDX files (MNIST), gzip'ed or not; images become float32 [N,1,H,W] in 0...1.
> local data = prune.data.idx{images = "train-images.gz", labels = "train-labels.gz"}

prune.data.npz(path, options) -> Dataset
Arrays of a NumPy .npz file: samples and targets.
- path: string; the file
> local data = prune.data.npz("train.npz", {x = "images", y = "labels"})

prune.data.csv(path, options) -> Dataset
Numbers separated by commas, gzip'ed or not, with or without a header line.
- path: string; the file
> local data = prune.data.csv("iris.csv", {label = "species"})

prune.data.cifar10(paths) -> Dataset
CIFAR-10 binary batches, gzip'ed or not, one after the other; float32 [N,3,32,32] in 0...1.
- paths: string|string[]; one file or several
> local data = prune.data.cifar10{"data_batch_1.bin", "data_batch_2.bin"}

prune.data.images{...} -> Dataset
JPEG and PNG files, decoded as batches are asked for: memory holds a batch, however many files there are. Images are turned upright
as EXIF says and resized as Pillow does it. Classes are numbered in the order of their names.
> local data = prune.data.images{path = "train", size = 224, shorter = 256, mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}

prune.data.wav{...} -> Dataset
WAV files, cut into windows that are read as batches are asked for: float32 [N, 1, window] in -1...1, all channels mixed into one,
resampled where rate says so. Classes are numbered in the order of their names. What does not fill a window at the end of a file is left
out; a file shorter than a window is followed by silence. Divide files, not windows, into training and test.
> local data = prune.data.wav{path = "commands", rate = 16000, window = 16000, hop = 8000}

prune.data.npy(path, options) -> Dataset
NumPy arrays: a folder of .npy files, each a sample that is read as batches are asked for, by class folders or flat; a CSV of file and
label; or one .npy file of samples [N, ...], which is mapped rather than read.
- path: string; the folder, table or file
> local data = prune.data.npy("images.npy", {y = "labels.npy"})

prune.data.tensors(x, y) -> Dataset
A data set of tensors, or of nested tables of numbers. Everything that takes data feeds each named tensor to the input of that name.
- x: Tensor|table; samples, [N, ...]; for a model of several inputs {input = samples}, integers and booleans as int64
- y?: Tensor|table; targets: integers [N] are classes, integers [N, ...] a class for each pixel or token, floats [N, ...] values or labels of 0 and 1
> local data = prune.data.tensors({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, {0, 1, 1, 0})

prune.tensor(values) -> Tensor
A tensor of nested tables, or of one number. Integers make int64, floats float32, booleans bool.
- values: table|number|boolean; rows of equal length
* dtype: string; "float32", "int64", "uint8", ... in place of the guess
* shape: integer[]; another arrangement of the same elements; without elements, zeros
> local t = prune.tensor{{1, 2}, {3, 4}, dtype = "float32"}

prune.npz.load(path) -> table<string, Tensor>
Reads a NumPy .npz file, or a .npy file as one entry "data".
- path: string; the file
> local arrays = prune.npz.load "weights.npz"

prune.npz.save(path, tensors)
Writes a NumPy .npz file, atomically.
- path: string; the file
- tensors: table<string, Tensor|table>; by name
> prune.npz.save("out.npz", {x = train.x, y = train.y})

prune.weights.load(path) -> table<string, Tensor>
Reads the tensors of a file of weights, whatever its name: safetensors, an index of shards (.index.json), .npz, a PyTorch state
dict (.pt, .pth; nothing in it is executed), GGUF (quantized ones decoded to float32), or a model.
- path: string; the file
> local weights = prune.weights.load "resnet50.pth"

prune.weights.save(path, tensors)
Writes tensors, atomically: .safetensors or .npz, as the name ends.
- path: string; the file
- tensors: table<string, Tensor|table>; by name
> prune.weights.save("half.safetensors", prune.weights.load "model-q4_k.gguf")

prune.losses.cross_entropy(y_true, y_pred, options) -> number
Mean over the rows of -sum(y_true * log(y_pred)); predictions are clipped at 1e-15.
- y_true: Tensor|table; [C] or [N, C], or an int64 tensor of class numbers
- y_pred: Tensor|table; [C] or [N, C]
& prune.losses
> print(prune.losses.cross_entropy({0, 1, 0}, {0.1, 0.8, 0.1}))

prune.losses.mse(y_true, y_pred) -> number
Mean squared difference.
- y_true: Tensor|table; of any shape
- y_pred: Tensor|table; of the same shape
> print(prune.losses.mse({3, -0.5, 2, 7}, {2.5, 0, 2, 8}))

prune.losses.mae(y_true, y_pred) -> number
Mean absolute difference.
- y_true: Tensor|table; of any shape
- y_pred: Tensor|table; of the same shape
> print(prune.losses.mae({3, -0.5, 2, 7}, {2.5, 0, 2, 8}))

prune.losses.huber(y_true, y_pred, options) -> number
Mean of half the squared difference up to delta, and a straight line beyond it.
- y_true: Tensor|table; of any shape
- y_pred: Tensor|table; of the same shape
& prune.losses
> print(prune.losses.huber({0, 0}, {0.5, 3}, {delta = 1}))

prune.losses.bce(y_true, y_pred, options) -> number
Mean binary cross-entropy; probabilities are clipped at 1e-15.
- y_true: Tensor|table; of any shape, in 0...1
- y_pred: Tensor|table; of the same shape
& prune.losses
> print(prune.losses.bce({1, 0}, {2.5, -1}, {from_logits = true}))

prune.losses.kl(y_true, y_pred, options) -> number
Mean over the rows of sum(y_true * log(y_true / y_pred)).
- y_true: Tensor|table; [C] or [N, C]
- y_pred: Tensor|table; of the same shape
& prune.losses
> print(prune.losses.kl({0.5, 0.5}, {0.9, 0.1}))

prune.losses
What losses take beside the numbers.

prune.compare{...} -> Report
Several models side by side: accuracy and loss on data, parameters, sparsity, MACs, bytes in memory, as ONNX file and packed, and the time of
a run: the models take turns, and the report says on how many threads, and when the machine was busy.
- entries: table; {label, model} entries, and data
* data: Dataset; what they are evaluated on; without it there is no accuracy and no loss
> print(prune.compare{{"dense", m}, {"slim", slim}, data = test})

prune.diff(first, second) -> Report
Where a second model differs from a first: totals, layers that are gone, new or changed, and weights of other numbers or extents.
- first: Model; the one before
- second: Model; the one after
> print(prune.diff(m, slim))

prune.distributed{...} -> integer, integer
Makes this process one of several that were started together and share the work: `mpirun -n 4 prune train.lua`. Every rank runs the
same script; fit, evaluate, the scores of criteria that look at data, the metrics and training of prune, and the layers of sensitivity
are shared out, and all ranks get the same result. Only rank 0 prints (`print` is silent elsewhere, `io.write` is not), shows progress
and writes checkpoints. Put what else must happen once under `if prune.rank == 0`, except shared calls, which every rank makes. Returns the rank,
from 0, and how many there are. `prune --mpi script.lua` does it before the script.
> -- mpirun -n 4 prune train.lua
> if os.getenv "OMPI_COMM_WORLD_SIZE" then prune.distributed{timeout = 60} end

prune.rank: integer
The number of this process among those that prune.distributed found, from 0; 0 before.
> if prune.rank == 0 then print "once" end

prune.size: integer
How many processes prune.distributed found; 1 before.
> print(prune.size)

prune.threads(n) -> integer
How many threads calls use, from the next on. Without an argument it only says so.
- n?: integer; 0 is one a core
> prune.threads(1)

prune.info() -> Report
What results depend on beside the model and the data: version, processor, instruction_sets, threads, oneDNN, and int8_products, whether this processor
multiplies bytes into 32-bit sums.
> print(prune.info().threads)

prune.plot(tensor, path)
Prints a heat map of a tensor: rows are its first axis, columns all others, bright where numbers are large, so that a mask or a layer's scores can be
seen. With a path it is written to a file (.svg) instead.
- tensor: Tensor; such as m:parameter "conv1.weight", or a score of m:significance{}
- path?: string; the file
> prune.plot(m:parameter(m:parameters()[1]))

prune.search{...} -> Model, Report
Looks for the smallest model that keeps a metric, without training; "front" has the points that no other beats in both, with
the recipe of each.
> local small, report = prune.search{model = m, data = test, max_drop = 0.02, budget = 2}

prune.ensemble{...} -> Model, Report
Several classifiers of one input as one model, which can be saved, pruned and quantized like any other.
> local both, report = prune.ensemble{models = {m, slim}, method = "average", data = test}

prune.safe(f, ...) -> any
Calls f; what libprune refuses comes back as nil, message, code. prune.safe.load, prune.safe.Model.prune, ... do the same
under every function's own name.
- f: function; such as m.prune
- ...?: any; its arguments
> local slim, message, code = prune.safe(m.prune, m, {amount = 0.9})

prune.help(topic)
Prints what there is, or all about one thing.
- topic?: any; a name such as "Model:fit", a function, or an object
> prune.help(m.fit)

Dataset.x: Tensor|table
The samples, [N, ...]; {input = samples} where inputs have names.
> print(data.x.shape[1])

Dataset.y: Tensor?
The targets, nil when there are none.
> print(data.y[1])

Dataset.class_count: integer
Number of classes, 0 when the targets are values. #data is the number of samples.
> print(#data, data.class_count)

Dataset.class_names: string[]
What the classes are called, class 0 first; {} where files do not say.
> print(data.class_names[1])

Dataset.broken: Report
Files that could not be read so far: count, and files, a list of file and reason.
> print(data.broken.count)

Dataset.layout: string
Where the channels of images are: "nchw" or "nhwc". Few channels behind large extents are "nhwc" unless set_layout says otherwise.
> print(data.layout)

Dataset:to_layout(layout) -> Dataset
Images with their channels moved in front or last.
- layout: string; "nchw" or "nhwc"
> local data = prune.data.npz "keras.npz":to_layout "nchw"

Dataset:set_layout(layout) -> Dataset
The same samples, said to be in a layout; nothing is moved.
- layout: string; "nchw" or "nhwc"
> local data = prune.data.npz "maps.npz":set_layout "nchw"

Dataset:split{...} -> Dataset, Dataset
Splits in two, each class by the same fraction; the same seed splits the same way.
> local train, test = data:split{test = 0.2, seed = 7}

Dataset:take(n) -> Dataset
The first n samples, all when there are fewer.
- n: integer; 1 or more
> local few = data:take(200)

Dataset:subset(positions) -> Dataset
The samples at these positions, in that order.
- positions: integer[]; from 1
> local some = data:subset{1, 5, 9}

Dataset:normalize{...} -> Dataset
(x - mean) / std of each channel, or of all alike.
> local normal = data:normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}

Dataset:resize(size) -> Dataset
Images resized, bilinear.
- size: integer[]; {height, width}
> local large = data:resize{28, 28}

Dataset:classes(classes) -> Dataset
Only the samples of these classes, renumbered 0, 1, ... in the order given.
- classes: integer[]; class numbers as they are in y
> local threes_and_fives = data:classes{3, 5}

Dataset:ignore(label) -> Dataset
The same where positions of a class count nowhere: the border of objects in a mask, padding. For targets that are classes of positions,
integers [N, ...]; negative ones never count.
- label: integer; the class number that is none
> print(prune.data.tensors(prune.tensor{{0.5, 1}, {1, 2}}, prune.tensor{{0, 255}, {1, 1}}):ignore(255).y)

Dataset:labelled(m) -> Dataset
The samples with what a model answers as their targets: the accuracy of another model on them is its agreement with that one. A guard
on them bounds how often a quantized or pruned model differs, without labels.
- m: Model; a classifier
> local int8 = m:quantize{calibration = data, mixed = true, guard = {data = data:labelled(m), max_drop = 0.02}}
]==]
