package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local shared_model = h.shared .. "/models/resnet_cifar/resnet20_cifar10.onnx"
local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local function mlp() return prune.zoo.mlp{input = {1, 8, 8}, hidden = {16}, classes = 10, seed = 3} end

test("the zoo", function()
  local m = prune.zoo.lenet5{classes = 10, input = {1, 28, 28}}
  equal(m.outputs[1].shape[2], 10)
  equal(m.inputs[1].dtype, "float32")
  equal(m.inputs[1].shape[1], "N")
  check(tostring(m):find("^Model '.*float32 %[N,1,28,28%] %-> .*%[N,10%]"), tostring(m))
  check(not tostring(m):find "\n")
  equal(#prune.zoo.lenet_300_100{input = {1, 8, 8}, classes = 4}.inputs, 1)
  for name, options in pairs{
    vgg = {depth = 11, input = {1, 32, 32}}, resnet = {depth = 20}, mobilenet_v2 = {width = 0.25, input = {3, 32, 32}},
    vit = {input = {1, 8, 8}, hidden = {32}, depth = 1, heads = 2, patch = 4}, lstm = {input = {8, 8}, hidden = {8, 8}},
    densenet121 = {input = {1, 32, 32}, stem = "imagenet"},
  } do
    local made = prune.zoo[name](options)
    equal(made.outputs[1].shape[2], 10)
    equal(made.inputs[1].shape[1], "N")
  end
  fails("18, 34, 50", prune.zoo.resnet, {depth = 17})
  fails("unknown option 'class', did you mean 'classes'?", prune.zoo.mlp, {class = 3})
  fails("option 'hidden'", prune.zoo.mlp, {hidden = {0}})
end)

test("run and predict", function()
  local m = mlp()
  local y = m:predict(rest:take(5))
  equal(table.concat(y.shape, "x"), "5x10")
  local named = m:run{[m.inputs[1].name] = rest:take(5).x}
  check(named[m.outputs[1].name] == y)
  check(m:predict(rest:take(5).x) == y)
  local zeros = {}
  for i = 1, 8 do zeros[i] = {0, 0, 0, 0, 0, 0, 0, 0} end
  equal(#m:predict{{zeros}}, 1)
  fails("", m.predict, m, prune.tensor{1, 2, 3})
  fails("", m.run, m, {nonsense = rest.x})
end)

test("parameters", function()
  local m = mlp()
  local names = m:parameters()
  check(#names >= 4)
  local w = m:parameter(names[1])
  local half = {}
  for i, row in ipairs(w:totable()) do
    half[i] = {}
    for j, value in ipairs(row) do half[i][j] = value / 2 end
  end
  local copy = m:clone()
  copy:parameter(names[1], half)
  near(copy:parameter(names[1]):at(1, 1), w:at(1, 1) / 2)
  check(m:parameter(names[1]) == w, "the clone does not change the original")
  fails("", m.parameter, m, names[1], {1, 2, 3})
  equal(fails("nonsense", m.parameter, m, "nonsense").code, "not_found")
end)

test("stats, layers and summary", function()
  local m = mlp()
  local stats = m:stats()
  equal(stats.params, 64 * 16 + 16 + 16 * 10 + 10)
  equal(#m, #m:layers())
  check(#m >= 2)
  check(stats["layers.1.params"] == stats.layers[1].params)
  local text = ""
  m:summary{width = 90, color = false, file = {write = function(_, s) text = text .. s end}}
  check(text:find("1,210", 1, true) or text:find("1210", 1, true), text)
  check(not text:find "\27", "no colour")
end)

test("fit, evaluate and the history", function()
  local m = mlp()
  local before = m:evaluate(rest)
  local history = m:fit{data = train, epochs = 3, batch_size = 64, lr = 0.005, validation = rest, seed = 1}
  equal(#history.epochs, 3)
  check(history.epochs[3].loss < history.epochs[1].loss)
  local after = m:evaluate(rest, {metrics = {"loss", "accuracy", "top5"}})
  check(after.accuracy > 0.7 and after.accuracy > before.accuracy)
  near(history.epochs[3].validation_accuracy, after.accuracy, 1e-9)
  check(after.top5 >= after.accuracy)
  equal(#tostring(history) > 0, true)
  check(not tostring(after):find "\27" or os.getenv "TERM", "text")
  check(after:to_json():find '"accuracy"')
  check(after:to_text{width = 60, color = false}:find "accuracy")
end)

test("pruning: the classic call", function()
  local m = mlp()
  m:fit{data = train, epochs = 2, lr = 0.005}
  local slim, report = m:prune{strategy = "global", threshold = 0.05, device = "cpu", validate = rest}
  check(slim:stats().sparsity > 0.02)
  check(m:stats().sparsity < 0.01, "the given model is as it was")
  check(report.before and report.after)
  check(report.after.accuracy or report["after.metrics.accuracy"], tostring(report))
  local names = slim:parameters()
  slim:fit{data = train, epochs = 1}
  check(slim:stats().sparsity > 0.02, "masks survive training")
  check(#names > 0)
end)

test("pruning in steps with a guard", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  local steps = 0
  local slim = m:prune{
    amount = 0.5, schedule = {kind = "linear", steps = 2}, recover = {data = train, epochs = 1},
    guard = {data = rest, max_drop = 0.5}, on_step = function(event) steps = steps + 1 check(event.kind == "prune") end,
  }
  near(slim:stats().sparsity, 0.5, 0.02)
  equal(steps, 2)
  check(m:prune{amount = 0.3, schedule = "one_shot", data = train, validate = true})
  for _, criterion in ipairs{"magnitude", "l2", "gradient", "taylor", "random"} do
    local _, report = m:prune{criterion = criterion, amount = 0.3, data = train:take(64), strategy = "local"}
    check(#report.layers >= 2, criterion)
  end
end)

test("significance", function()
  local m = mlp()
  local report = m:significance{data = train:take(128), criterion = "taylor"}
  check(#report.layers >= 2)
  local name, scores = next(report.scores)
  check(table.concat(scores.shape, "x") == table.concat(m:parameter(name).shape, "x"))
  check(tostring(report):find "█", "a bar")
end)

test("a data set is predicted in batches", function()
  local m = mlp()
  local whole = m:predict(rest.x)
  check(m:predict(rest) == whole)
  for _, size in ipairs{1, 7, 1000} do
    local batched = m:predict(rest:take(20), size)
    equal(batched.shape[1], 20)
    near(batched:totable()[20][3], whole:totable()[20][3], 1e-6)
  end
  fails("1 or more", m.predict, m, rest, -1)
end)

test("quantize, save, reload, compare", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  local int8 = m:quantize{scheme = "static", calibration = train:take(100)}
  local path = h.temporary ".onnx"
  int8:save(path)
  local back = prune.load(path)
  check(back:predict(rest) == int8:predict(rest))
  near(back:evaluate(rest).accuracy, m:evaluate(rest).accuracy, 0.03)
  local report = prune.compare{{"dense", m}, {"int8", back}, data = rest}
  equal(#report.models, 2)
  equal(report.models[2].label, "int8")
  for i, model in ipairs{m, int8} do
    equal(report.models[i].onnx_bytes, model:sizes().onnx)
    equal(report.models[i].packed_bytes, model:sizes().packed)
  end
  check(tostring(report):find "int8")
  check(m:benchmark{runs = 3, warmup = 1, batch_size = 2}.median_ms > 0)
  local share, before = 0, math.huge
  for _, step in ipairs(m:benchmark{runs = 3, steps = true}.steps) do
    check(step.ms <= before and #step.name > 0 and #step.kernel > 0)
    share, before = share + step.share, step.ms
  end
  near(share, 1, 1e-6)
end)

test("benchmark says which layers leave zeros out", function()
  local conv = prune.zoo.lenet5{input = {1, 28, 28}, classes = 10, seed = 3}
  local sparse = conv:prune{amount = 0.95, allocation = "uniform", mode = "mask"}
  local layers = 0
  for _, step in ipairs(sparse:benchmark{runs = 1, steps = true}.steps) do
    if step.weights then
      layers = layers + 1
      check(step.weights == "sparse" or step.weights == "dense")
      equal(step.kernel == "sparse", step.weights == "sparse")
      near(step.zeros, 0.95, 0.03)
      check(step.weights == "dense" or not step.sparse_ms or step.sparse_ms > 0 and step.dense_ms > 0)
    end
  end
  check(layers >= 4)
end)

test("quantization schemes", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  local accuracy = m:evaluate(rest).accuracy
  for _, options in ipairs{
    {scheme = "static", calibration = train:take(100), calibrator = "mse"},
    {scheme = "static", calibration = train:take(100), calibrator = "percentile", percentile = 99.9},
    {scheme = "dynamic"}, {scheme = "weight_only"}, {scheme = "weight_only", bits = 4, block_size = 16},
    {scheme = "weight_only", bits = 4, format = "matmul_nbits"}, {scheme = "float16"}, {scheme = "bfloat16"},
  } do
    local small, report = m:quantize(options)
    local path = h.temporary ".onnx"
    small:save(path)
    near(prune.load(path):evaluate(rest).accuracy, accuracy, 0.03)
    check(report.after.bytes < report.before.bytes * 0.6, options.scheme)
  end
end)

test("quantization-aware training", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  local simulated = m:quantize{calibration = train:take(100), qat = true, rounding = "gptq"}
  simulated:fit{data = train, epochs = 1, lr = 0.001}
  local int8 = simulated:quantize{}
  near(int8:evaluate(rest).accuracy, simulated:evaluate(rest).accuracy, 0.02)
  check(int8:stats().bytes < simulated:stats().bytes / 2)
end)

test("packed files", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  local slim = m:prune{amount = 0.8}
  local few, report = slim:quantize{scheme = "palette", bits = 4, fisher = true, calibration = train}
  equal(report.bits, 4)
  near(few:evaluate(rest).accuracy, slim:evaluate(rest).accuracy, 0.05)
  local path = h.temporary ".prunez"
  few:save(path)
  local back = prune.load(path)
  check(back:predict(rest) == few:predict(rest))
  equal(back:stats().nonzero, slim:stats().nonzero)
  local sizes = few:sizes()
  equal(sizes.packed, #assert(io.open(path, "rb")):read "a")
  check(sizes.ratio > 4, sizes.ratio)
  check(sizes.packed < slim:sizes().packed and slim:sizes().packed < m:sizes().packed)
  check(#sizes.tensors > 0 and sizes.tensors[1].packed < sizes.tensors[1].bytes)
end)

test("folded normalizations are there while a model is trained", function()
  local m = prune.zoo.lenet5{input = {1, 8, 8}, seed = 2}
  local before = m:stats().params
  local report = m:fit{data = train, epochs = 2, lr = 0.01, batch_norm = true}
  equal(report.batch_norms, 2)
  equal(m:stats().params, before)
  check(m:evaluate(rest).accuracy > 0.8)
  fails("batch_norm and palettes", m.fit, m, {data = train, batch_norm = true, palettes = true})
end)

test("palettes are trained", function()
  local m = mlp()
  m:fit{data = train, epochs = 3, lr = 0.005}
  fails("no weight takes few values", m.fit, m, {data = train, palettes = true})
  local few = m:prune{amount = 0.5}:quantize{scheme = "palette", bits = 2}
  local before, size, nonzero = few:evaluate(rest), few:sizes().packed, few:stats().nonzero
  few:fit{data = train, epochs = 3, palettes = true, frozen = "*.bias"}
  local after = few:evaluate(rest)
  check(after.loss < before.loss and after.accuracy > before.accuracy)
  near(few:sizes().packed, size, 50)
  equal(few:stats().nonzero, nonzero)
end)

test("what goes wrong is told", function()
  local m = mlp()
  fails("fisher takes the gradient of a loss", m.quantize, m, {scheme = "palette", fisher = true})
  fails("9 bits are not available for scheme 'palette'", m.quantize, m, {scheme = "palette", bits = 9})
  fails("mixed gives layers back until a guard holds", m.quantize, m, {calibration = train, mixed = true})
  fails("block_size is for schemes 'weight_only'", m.quantize, m, {scheme = "dynamic", block_size = 8})
  fails("4 bits are not available for scheme 'dynamic'", m.quantize, m, {scheme = "dynamic", bits = 4})
  fails("unknown option 'ammount', did you mean 'amount'?", m.prune, m, {ammount = 0.5})
  fails("known: data, epochs, batch_size", m.fit, m, {data = train, xyzzy = 1})
  fails("option 'data' is required", m.fit, m, {epochs = 1})
  fails("option 'data' must be a Dataset, got Model", m.fit, m, {data = m})
  fails("option 'epochs' must be an integer of 1 or more, got 0", m.fit, m, {data = train, epochs = 0})
  fails("option 'epochs' must be an integer of 1 or more, got 1.5", m.fit, m, {data = train, epochs = 1.5})
  fails("option 'lr' must be a number above 0", m.fit, m, {data = train, lr = -1})
  fails("option 'shuffle' must be true or false, got number", m.fit, m, {data = train, shuffle = 1})
  fails("option 'on_epoch' must be a function", m.fit, m, {data = train, on_epoch = "stop"})
  fails("option 'frozen' must be a list of strings", m.fit, m, {data = train, frozen = {1}})
  fails("adamw", m.fit, m, {data = train, optimizer = "adm"})
  fails("amount is 1.5, it must be a fraction from 0 to 1", m.prune, m, {amount = 1.5})
  fails("Model:prune recover: unknown option 'epoch', did you mean 'epochs'?", m.prune, m, {amount = 0.5, recover = {epoch = 1}})
  fails("the guard has no data", m.prune, m, {amount = 0.5, guard = {}})
  fails("Model:prune schedule: unknown option 'step', did you mean 'steps'?", m.prune, m, {amount = 0.5, schedule = {step = 1}})
  fails("option 'schedule' must be a string or", m.prune, m, {amount = 0.5, schedule = 3})
  fails("validate = true measures on 'data'", m.prune, m, {amount = 0.5, validate = true})
  fails("option 'validate' must be a Dataset or true", m.prune, m, {amount = 0.5, validate = 3})
  fails("Dataset expected, got no value", m.evaluate, m)
  fails("Model expected, got table; methods are called with a colon", m.evaluate, {}, rest)
  equal(m:evaluate{data = rest, metrics = "accuracy"}.accuracy, m:evaluate(rest).accuracy)
  fails("write m:evaluate{data = test}", m.evaluate, m, {metrics = "accuracy"})
  fails("did you mean 'summary'?", function() return m.sumary end)
  fails("there is no model", prune.compare, {data = rest})
  fails("'data' must be a Dataset", prune.compare, {{"a", m}, data = 5})
  check(prune.compare{{"a", m}, {"b", m}}.models[2].median_ms > 0, "without data there are times")
  fails("entry 1: Model expected, got number", prune.compare, {{"a", 1}, data = rest})
  fails("did you mean 'macs'?", m.prune, m, {target = {flops = 0.5}})
  fails("did you mean 'lr'?", m.fit, m, {data = rest, learning_rate = 1})
  fails("unknown option 'dat'", prune.compare, {{"a", m}, dat = rest})
  fails("cannot be assigned", function() m.name = "x" end)
  local problem = fails("no-such-file", prune.load, "no-such-file.onnx")
  equal(problem.code, "io")
  check(problem.message ~= "" and type(problem.where) == "string" and type(problem.hint) == "string")
  check(not tostring(problem):find "\n")
  equal(getmetatable(problem), "prune.Error")
  equal(fails("", m.fit, m, {data = prune.data.tensors({{1, 2}, {3, 4}}, {0, 1})}).code, "mismatch")
end)

test("a closed model stays closed", function()
  local kept
  do
    local m <close> = mlp()
    kept = m
  end
  equal(tostring(kept), "Model (closed)")
  fails("Model: it is closed", kept.stats, kept)
  fails("closed", prune.compare, {{"x", kept}, data = rest})
end)

if h.exists(shared_model) then
  test("a network from elsewhere", function()
    local m = prune.load(shared_model)
    equal(table.concat(m:predict(prune.tensor{shape = {2, 3, 32, 32}}).shape, "x"), "2x10")
    equal(m:stats().params > 2e5, true)
    equal(tostring(prune.load(shared_model, {copy = true})), tostring(m))
  end)
else
  print "skipped: no ../shared beside the repository"
end

h.finish()
