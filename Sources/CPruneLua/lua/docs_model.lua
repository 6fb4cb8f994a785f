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
> m:summary()

Model:layers() -> Report
The list of layers of Model:stats.
> for _, layer in ipairs(m:layers()) do print(layer.name, layer.params) end

Model:stats{...} -> Report
Totals and the same by layer: params, nonzero, sparsity, macs, effective_macs, bytes. MACs that depend on an open extent are left
out, and open lists what they depend on: give shapes, or write the extents in with Model:fix_shapes.
> print(m:stats().sparsity)

Model:sizes() -> Report
Bytes in memory, as ONNX and packed, in all and by tensor. The model is packed to find out.
> print(slim:sizes().packed, slim:sizes().ratio)

Model:run(inputs) -> table<string, Tensor>
Runs the model on named inputs, any batch size.
- inputs: table<string, Tensor|table>; by name
> local y = m:run{[m.inputs[1].name] = test.x}

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
Writes the model, atomically: the file is the old one or the new one, never a part. The suffix says the format: .onnx, .prunez
(packed), .h5 or .keras (Keras; what Keras has no layer for is named). A name without a suffix is ONNX, any other an error.
- path: string; the file
> m:save "slim.onnx"

Model:load_weights(source, options) -> Report
Puts the tensors of a file of weights (see prune.weights.load), or of a table, into the model's weights of the same names. The
report has matched, a count, and the names missing, unexpected and ignored; differing lists other shapes with the order of axes
(from 0) that would fit. Matrices that PyTorch's exporter left without a name are found by their layer, and transposed. It stores
equal weights once, such as statistics of a network that was never trained: each layer gets a tensor of its own again, and separated
names them.
- source: string|table<string, Tensor>; the file, or tensors by name
> m:load_weights("resnet50.pth", {map = {["module.*"] = "*"}})

Model:save_weights(path)
Writes what the model has learned: .safetensors or .npz, as the name ends.
- path: string; the file
> m:save_weights "slim.safetensors"

Model:fit{...} -> Report
Trains the model in place. Weights that pruning removed stay zero. The report's "epochs" lists loss, accuracy,
validation_loss, validation_accuracy and seconds of each.
> m:fit{data = train, epochs = 10, batch_size = 64, lr = 1e-3, validation_split = 0.2}

Model:fit augment
Random changes of images as they are fed to training, decided by the fit's seed and the step.

Model:fit regularizer
A pull on weights, or a bound on them, beside the loss.

Model:fit groups
Parameters with a learning rate or decay of their own.

Model:evaluate(data, options) -> Report
Loss, accuracy and other metrics.
- data: Dataset; what to evaluate on
> print(m:evaluate(test).accuracy)

Model:benchmark{...} -> Report
Latency on random inputs: median_ms, min_ms, p90_ms, mean_ms, samples_per_second. With steps = true, its steps say which family of
kernels they run by: kernel "onednn", "winograd", "sparse", "reference" and others; those with constant weights say whether zeros are left out: weights "sparse" or "dense", zeros, and dense_ms and sparse_ms where both were measured.
> print(m:benchmark{batch_size = 1, threads = 1}.median_ms)

Model:differences(other, data, options) -> Report
What another model, such as a quantized one, computes differently on the same samples, value by value: "values" with name, layer,
op, sqnr_db, cosine, largest, distance and a bar, the worst first, and "outputs" with the same.
- other: Model; one that was made from this one, so that values have the same names
- data: Dataset; samples to run both on
> print(m:differences(int8, test))

Model:significance{...} -> Report
How much each weight matters: "layers" with mean, sum, min, max and share, "bottom" and "top" outputs of layers, "units", the
mean of each output, and "scores", a tensor for each weight. Printing draws a bar a layer and the spread of its scores.
> print(m:significance{data = train, criterion = "taylor"})

Model:sensitivity{...} -> Report
The metric against the amount, each layer pruned by itself: "layers" with the curve, the values and the largest safe amount.
> print(m:sensitivity{data = test, amounts = {0.3, 0.6, 0.9}})

Model:prune{...} -> Model, Report
Prunes into a new model. The report says what went, where, and what it cost.
> local slim, report = m:prune{strategy = "global", threshold = 0.01, device = "cpu", validate = test}

Model:groups() -> Report
Which units go together: groups, what a unit of each costs, and which groups are pinned, by whom and why.
> print(m:groups())

Model:graph(path)
Draws the network to a file, .svg or .dot (for Graphviz). What loses its units together has one colour; what must stay is grey and dashed, and says why
where one points at it.
- path: string; the file
> m:graph "network.svg"

Model:compact() -> Model, Report
Takes out units that single-weight pruning left dead: those that nothing reads, and constant ones, which go into the next bias.
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
> local slim = m:prune{granularity = "channel", target = {macs = 0.5}}

Model:prune recover
Fine-tuning after each pruning step.
& Model:fit

Model:prune train
Training before each cut, of the strategies penalty and regularized; its regularizer says how.
& Model:fit

Model:prune schedule
How the amount is reached.

guard
Undoes what costs too much: a step of pruning that loses more is taken back.

Model:quantize{...} -> Model, Report
Quantizes into a new model that every ONNX runtime can run.
> local int8 = slim:quantize{scheme = "static", calibration = train:take(200), calibrator = "entropy"}
> local few = slim:quantize{scheme = "palette", bits = 2}; few:fit{data = train, palettes = true}; few:save "few.prunez"
> local int4, report = slim:quantize{scheme = "weight_only", bits = 4}

Model:factorize{...} -> Model, Report
Low rank: matrix products and convolutions become two smaller ones each where that saves something; by the weights, or with data by what layers compute.
> local small, report = m:factorize{target = {macs = 0.5}, data = train:take(256)}
> local small = m:factorize{data = train, guard = {data = test, metric = "accuracy", max_drop = 0.01}}; small:fit{data = train}

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
> io.stderr:write(report:to_text{color = false})

Report:save(path)
Writes the report, atomically, as the end of the name says: .html (one page with charts), .svg (its first chart), .md, .csv, .json or .txt; .tfevents is for TensorBoard. A
list in it can be saved by itself: report.layers:save "layers.csv".
- path: string; the file
> report:save "report.html"

Report:to_text_as(format) -> string
What Report:save writes, as a text.
- format: string; "html", "svg", "md", "csv", "json", "txt" or "tfevents"
> print(report:to_text_as "md")

Report:to_json() -> string
JSON; NaN and infinities are null, tensors are {dtype, shape}, drawings are left out.
> io.open("report.json", "w"):write(report:to_json())
]==]
