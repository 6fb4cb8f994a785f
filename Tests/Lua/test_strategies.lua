-- What is particular to each strategy, the metrics of one's own, budgets, and options that contradict each other.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local calibration = train:take(256)
local function trained(m, epochs)
  m:fit{data = train, epochs = epochs or 4, lr = 0.005, seed = 1}
  return m
end
local function mlp() return trained(prune.zoo.mlp{input = {1, 8, 8}, hidden = {32, 16}, classes = 10, seed = 3}) end
local dense = mlp()
local convolutional
local function vgg()
  convolutional = convolutional or trained(prune.zoo.resnet{depth = 20, input = {1, 8, 8}, classes = 10, seed = 2}, 2)
  return convolutional
end
local function layer(report, name)
  for _, row in ipairs(report.layers) do
    if row.name == name then return row end
  end
end
local function values(m, name)
  local list = m:parameter(name):totable()
  local flat = {}
  local function walk(t) if type(t) == "table" then for _, v in ipairs(t) do walk(v) end else flat[#flat + 1] = t end end
  walk(list)
  return flat
end

-- No layer is emptied --------------------------------------------------------------------------------------------------

test("a ranking never empties a layer, and still takes as much as it was asked for", function()
  local m = dense:clone()
  local small = m:parameter "fc2.weight":totable()
  for i, row in ipairs(small) do for j in ipairs(row) do small[i][j] = row[j] * 1e-6 end end
  m:parameter("fc2.weight", prune.tensor(small))
  local slim, report = m:prune{amount = 0.5, strategy = "global"}
  equal(layer(report, "fc2").pruned, layer(report, "fc2").weights - 1)
  near(report.sparsity, 0.5, 1e-3)
  check(tostring(report):find("no layer is emptied", 1, true))
  local _, all = m:prune{amount = 1}
  for _, row in ipairs(all.layers) do equal(row.pruned, row.weights - 1, row.name) end
  local _, low = m:prune{threshold = 1e9}
  for _, row in ipairs(low.layers) do equal(row.pruned, row.weights - 1, row.name) end
  local _, blocks = m:prune{granularity = {block = {4, 4}}, amount = 1}
  for _, row in ipairs(blocks.layers) do equal(row.weights - row.pruned, 16, row.name) end
end)

-- Strategies -------------------------------------------------------------------------------------------------------------

test("regularized: what is cut after training with l1 is next to nothing", function()
  local m = mlp()
  local settings = {amount = 0.6, data = train, validate = rest}
  local _, plain = m:prune{amount = 0.6, validate = rest}
  settings.strategy = "regularized"
  settings.train = {epochs = 6, lr = 0.002, regularizer = {kind = "l1", strength = 2e-3}}
  local slim, report = m:prune(settings)
  equal(report.train, "l1")
  near(report.sparsity, 0.6, 1e-3)
  check(report["journal.1.norm_cut"] < 0.02, "norm cut " .. report["journal.1.norm_cut"])
  check(report.after.loss < plain.after.loss, "the cut costs less than without the training")
end)

test("regularized: greg1 drives what was selected before, and cuts just that", function()
  local m = mlp()
  local lowest = m:prune{amount = 0.5, strategy = "global"}
  local slim, report = m:prune{
    strategy = "regularized", amount = 0.5, data = train, validate = rest, seed = 4,
    train = {epochs = 5, lr = 0.002, regularizer = {kind = "greg1", limit = 1}},
  }
  equal(report.train, "greg1")
  for _, name in ipairs{"fc1.weight", "fc2.weight", "fc3.weight"} do
    local a, b = values(lowest, name), values(slim, name)
    for i = 1, #a do equal(a[i] == 0, b[i] == 0, name .. " " .. i) end
  end
  check(report.after.accuracy > 0.85)
end)

test("regularized: greg2 lets the loss choose first", function()
  local m = mlp()
  local lowest = m:prune{amount = 0.5, strategy = "global"}
  local slim, report = m:prune{
    strategy = "regularized", amount = 0.5, data = train, validate = rest,
    train = {epochs = 4, lr = 0.002, regularizer = {kind = "greg2"}},
  }
  near(report.sparsity, 0.5, 1e-3)
  local a, b, differences = values(lowest, "fc1.weight"), values(slim, "fc1.weight"), 0
  for i = 1, #a do if (a[i] == 0) ~= (b[i] == 0) then differences = differences + 1 end end
  check(differences > 20, "it chose what magnitude alone would have")
  check(report.after.accuracy > 0.85)
end)

test("regularized: network slimming removes channels by their scales", function()
  local m = vgg()
  local slim, report = m:prune{
    strategy = "regularized", granularity = "channel", amount = 0.3, data = train, validate = rest,
    train = {epochs = 2, lr = 0.002, regularizer = {kind = "bn_l1", strength = 5e-3}},
  }
  equal(report.criterion, "bn_scale")
  equal(report.mode, "remove")
  check(report.params_kept < 0.8)
  check(report.certificate < 1e-4)
  fails("bn_l1", m.prune, m, {
    strategy = "regularized", granularity = "channel", amount = 0.3, data = train, criterion = "magnitude",
    train = {regularizer = {kind = "bn_l1", strength = 1e-3}},
  })
end)

test("regularized: channels chosen before the training are those that go, as zeros or removed", function()
  local m = mlp()
  for _, mode in ipairs{"remove", "mask"} do
    local slim, report = m:prune{
      strategy = "regularized", granularity = "channel", amount = 0.4, data = train, validate = rest, mode = mode,
      train = {epochs = 4, lr = 0.002, regularizer = {kind = "greg1", limit = 1}},
    }
    check(report["journal.1.norm_cut"] < 1e-9, "they are zero when they are cut")
    check(report.after.accuracy > 0.8, mode .. " " .. report.after.accuracy)
    if mode == "remove" then check(slim:stats().params < 0.7 * m:stats().params) end
  end
end)

test("penalty: signs of what stays are those of before, and what wanted to change is zero", function()
  local m = mlp()
  local slim, report = m:prune{
    strategy = "penalty", amount = 0.3, data = train, train = {epochs = 3, lr = 0.01}, recover = {epochs = 1, lr = 0.01},
  }
  equal(report.train, "sign_constraint")
  for _, name in ipairs{"fc1.weight", "fc2.weight"} do
    local before, after = values(m, name), values(slim, name)
    for i = 1, #before do check(before[i] * after[i] >= 0, name .. " changed a sign") end
  end
  -- Without the constraint training changes signs.
  local free = m:clone()
  free:fit{data = train, epochs = 4, lr = 0.01}
  local before, after, changed = values(m, "fc1.weight"), values(free, "fc1.weight"), 0
  for i = 1, #before do if before[i] * after[i] < 0 then changed = changed + 1 end end
  check(changed > 0)
  local _, pulled = m:prune{
    strategy = "penalty", amount = 0.3, data = train, train = {epochs = 1, regularizer = {kind = "sign", strength = 1e-2}},
  }
  equal(pulled.train, "sign")
end)

test("layerwise: layer after layer, as far as the guard allows", function()
  local guard = {data = calibration, metric = "accuracy", max_drop = 0.02}
  for _, granularity in ipairs{"weight", "channel"} do
    local slim, report = dense:prune{strategy = "layerwise", granularity = granularity, guard = guard}
    check(#report.layer_importance >= 2)
    for _, row in ipairs(report.layer_importance) do check(row.importance and row.removed <= row.units, row.name) end
    check(slim:evaluate(calibration).accuracy >= dense:evaluate(calibration).accuracy - 0.02 - 1e-9)
  end
  fails("as far as a guard allows", dense.prune, dense, {strategy = "layerwise"})
end)

test("cost_aware: MACs go where they are, by any metric", function()
  local m = vgg()
  local by = {}
  for _, cost in ipairs{"params", "macs"} do
    local _, report = m:prune{strategy = "cost_aware", cost = cost, amount = 0.5, data = calibration}
    by[cost] = report.after.effective_macs
  end
  check(by.macs < by.params, "saving MACs saves more of them than saving parameters does")
  local calls = 0
  m = dense
  m:prune{strategy = "cost_aware", amount = 0.4, metric = function(model)
    calls = calls + 1
    return model:evaluate(calibration, {metrics = "auc"}).auc
  end}
  equal(calls, 1 + 3 * 8, "the given model, and eight amounts of three layers")
end)

test("cost_aware: widths of channels by a knapsack", function()
  local slim, report = dense:prune{
    strategy = "cost_aware", granularity = "channel", target = {macs = 0.5}, data = calibration, metric = "accuracy",
  }
  near(report.macs_kept, 0.5, 0.02)
  local _, same = dense:prune{strategy = "cost_aware", granularity = "channel", amount = 0.5, data = calibration}
  near(same.params_kept, 0.5, 0.02)
  fails("mode", dense.prune, dense, {strategy = "cost_aware", granularity = "channel", amount = 0.5, data = calibration, mode = "mask"})
end)

test("a target of latency is met, or the report says why not", function()
  local m = prune.zoo.mlp{input = {1, 32, 32}, hidden = {512, 512}, classes = 10}
  local slim, report = m:prune{granularity = "channel", target = {latency = 0.6}}
  local kept = report.after.median_ms / report.before.median_ms
  check(slim:stats().params < m:stats().params)
  check(math.abs(kept - 0.6) <= 0.02 or tostring(report):find("latency kept is", 1, true))
  -- Widths are multiples that the machine likes, and what others would have given stands beside it.
  check(report.round_to == 8 or report.round_to == 16)
  for _, row in ipairs(report.groups) do equal(row.left % report.round_to, 0) end
  check(report.with_round_to_1.median_ms > 0)
end)

test("round_to is a number or the machine's", function()
  local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {64, 48}, classes = 10}
  local _, ten = m:prune{granularity = "channel", amount = 0.4, round_to = 10}
  equal(ten.groups[1].left % 10, 0)
  local _, own = m:prune{granularity = "channel", amount = 0.4, round_to = "machine"}
  check(own.round_to == 8 or own.round_to == 16)
  for _, row in ipairs(own.groups) do equal(row.left % own.round_to, 0) end
  -- Unasked, whole units where nothing is timed.
  local _, plain = m:prune{granularity = "channel", amount = 0.4}
  equal(plain.round_to, nil)
  local _, timed = m:prune{granularity = "channel", amount = 0.4, benchmark = true}
  equal(timed.round_to, own.round_to)
  check(timed.with_round_to_1.macs_kept > 0)
  for _, wrong in ipairs{0, -1, 1.5, "machines", true} do
    fails("option 'round_to'", m.prune, m, {granularity = "channel", amount = 0.4, round_to = wrong})
  end
end)

test("local prunes one use of a shared weight, or all", function()
  -- Two layers that use one tensor.
  local path = h.temporary ".onnx"
  local m = prune.zoo.mlp{input = {1, 4, 4}, hidden = {16, 16}, classes = 10, seed = 5}
  m:parameter("fc2.weight", m:parameter "fc1.weight")
  local slim, report = m:prune{strategy = "shared", amount = 0.5}
  local a, b = values(slim, "fc1.weight"), values(slim, "fc2.weight")
  for i = 1, #a do equal(a[i] == 0, b[i] == 0) end
  local relations = {}
  for _, row in ipairs(report.shared) do relations[row.relation] = row.of end
  equal(relations.equal, "fc1.weight, fc2.weight")
  m:prune{strategy = "local", amount = 0.5, shared = "all"}
  fails("shared", m.prune, m, {strategy = "global", amount = 0.5, shared = "all"})
  fails("one", m.prune, m, {strategy = "local", amount = 0.5, shared = "some"})
end)

-- Budgets ----------------------------------------------------------------------------------------------------------------

test("zeros meet a budget of time", function()
  local m = prune.zoo.resnet{depth = 20, classes = 10, input = {3, 32, 32}, seed = 1}
  local ok, slim, report = pcall(m.prune, m, {target = {latency = 0.9}, allocation = "uniform"})
  -- What zeros save is measured, and on a machine that is busy it may be less than was asked for.
  if not ok then return check(tostring(slim):find("is the least that can be left", 1, true), tostring(slim)) end
  equal(report.target, "latency 0.9")
  check(report.kept > 0 and report.before.median_ms > 0 and report.after.median_ms > 0)
  check(report.sparsity > 0 and report.sparsity < 1 and slim:stats().nonzero < m:stats().nonzero)
end)

test("zeros meet a budget of parameters, MACs or bytes", function()
  for _, m in ipairs{dense, vgg()} do
    for _, kind in ipairs{"params", "macs", "bytes"} do
      local slim, report = m:prune{target = {[kind] = 0.4}, allocation = "lamp"}
      near(report.kept, 0.4, 0.02, kind)
      local stats = slim:stats()
      if kind == "params" then near(stats.nonzero / stats.params, 0.4, 0.02) end
      if kind == "macs" then near(stats.effective_macs / stats.macs, 0.4, 0.02) end
    end
  end
  local _, stepped = dense:prune{target = {params = 0.3}, schedule = {kind = "linear", steps = 3}}
  near(stepped.kept, 0.3, 0.02)
  equal(#stepped.journal, 3)
  fails("target params is 0.001, and ", dense.prune, dense, {target = {params = 0.001}})
  fails("target macs is 0.1, and ", dense.prune, dense, {target = {macs = 0.1}, granularity = "channel", max_fraction = 0.2})
  fails("target latency is 0.001, and ", dense.prune, dense, {target = {latency = 0.001}})
  fails("both a target and an amount", dense.prune, dense, {target = {params = 0.5}, amount = 0.5})
  fails("says itself how much goes", dense.prune, dense, {target = {params = 0.5}, granularity = "2:4"})
end)

-- Metrics ----------------------------------------------------------------------------------------------------------------

test("auc", function()
  local x = prune.tensor{{0.1}, {0.4}, {0.35}, {0.8}}
  local data = prune.data.tensors(x, prune.tensor{0, 0, 1, 1})
  local m = prune.zoo.mlp{input = {1}, hidden = {1}, classes = 2, activation = "relu"}
  m:parameter("fc1.weight", prune.tensor{{1.0}})
  m:parameter("fc1.bias", prune.tensor{0.0})
  m:parameter("fc2.weight", prune.tensor{{0.0}, {1.0}})
  m:parameter("fc2.bias", prune.tensor{0.0, 0.0})
  near(m:evaluate(data, {metrics = "auc"}).auc, 0.75, 1e-12)
  local auc = dense:evaluate(rest, {metrics = {"auc", "accuracy"}}).auc
  check(auc > 0.97 and auc <= 1)
  fails("auc", m.evaluate, m, prune.data.tensors(x, prune.tensor{1, 1, 1, 1}), {metrics = "auc"})
  local slim, report = dense:prune{amount = 0.9, guard = {data = rest, metric = "auc", max_drop = 0.01}}
  check(slim:evaluate(rest, {metrics = "auc"}).auc >= auc - 0.01 - 1e-9)
end)

test("a guard by a function of a model", function()
  local seen = 0
  local function f1(model)
    seen = seen + 1
    return model:evaluate(rest, {metrics = "f1"}).f1
  end
  local before = f1(dense)
  local slim, report = dense:prune{
    amount = 0.98, schedule = {kind = "linear", steps = 6}, guard = {metric = f1, max_drop = 0.05},
  }
  check(f1(slim) >= before - 0.05 - 1e-9)
  check(report.rolled_back)
  check(seen > 3)
  check(report["journal.1.metric"])
  -- Less is better.
  local loss = dense:evaluate(rest).loss
  local low = dense:prune{
    amount = 0.98, schedule = {kind = "linear", steps = 6},
    guard = {metric = function(model) return model:evaluate(rest).loss end, lower_is_better = true, max_drop = 0.2},
  }
  check(low:evaluate(rest).loss <= loss + 0.2 + 1e-9)
  -- What is not right is said.
  fails("must return a number, got string", dense.prune, dense, {amount = 0.5, guard = {metric = function() return "x" end}})
  fails("mine", dense.prune, dense, {amount = 0.5, guard = {metric = function() error "mine" end}})
  fails("metric 'metric' of the given model is nan", dense.prune, dense, {amount = 0.5, guard = {metric = function() return 0 / 0 end}})
  fails("the guard has no data", dense.prune, dense, {amount = 0.5, guard = {metric = "accuracy"}})
  fails("option 'metric' must be", dense.prune, dense, {amount = 0.5, guard = {metric = 3}})
  local channels = dense:prune{granularity = "channel", amount = 0.9, guard = {metric = f1, max_drop = 0.05}}
  check(f1(channels) >= before - 0.05 - 1e-9)
  check(dense:quantize{calibration = calibration, guard = {metric = f1, max_drop = 0.2}})
end)

test("a guard that the given model violates is said before any work", function()
  local steps = 0
  fails("violated before anything is done", dense.prune, dense, {
    amount = 0.5, guard = {data = rest, metric = "accuracy", bound = 0.999}, on_step = function() steps = steps + 1 end,
  })
  equal(steps, 0)
  local slim = dense:prune{amount = 0.99, schedule = {kind = "linear", steps = 8}, guard = {data = rest, bound = 0.8}}
  check(slim:evaluate(rest).accuracy >= 0.8)
end)

test("sensitivity by a function", function()
  local report = dense:sensitivity{metric = function(model) return model:evaluate(rest).accuracy end, amounts = {0.5, 0.9}}
  local named = dense:sensitivity{data = rest, amounts = {0.5, 0.9}}
  for i, row in ipairs(report.layers) do
    for j, value in ipairs(row.values) do near(value, named.layers[i].values[j], 1e-9) end
  end
  fails("there is none", dense.sensitivity, dense, {amounts = {0.5}})
end)

-- Contradictions -----------------------------------------------------------------------------------------------------------

test("options that contradict each other, and data that lacks labels, are said before any work", function()
  local unlabelled = prune.data.tensors(prune.tensor{{1.5, 2}, {3, 4}})
  local m = prune.zoo.mlp{input = {2}, hidden = {4}, classes = 2}
  for _, criterion in ipairs{"gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement"} do
    fails("has no targets", m.prune, m, {amount = 0.5, criterion = criterion, data = unlabelled})
    fails("has no targets", m.significance, m, {criterion = criterion, data = unlabelled})
  end
  check(m:significance{criterion = "wanda", data = unlabelled})
  fails("has no targets", m.prune, m, {amount = 0.5, recover = {data = unlabelled}})
  fails("has no targets", m.prune, m, {amount = 0.5, strategy = "regularized", data = unlabelled})
  fails("there is none", m.prune, m, {amount = 0.5, strategy = "penalty"})
  local function contradicts(what, options)
    options.amount = options.amount or 0.5
    fails(what, dense.prune, dense, options)
  end
  contradicts("round_to is for channels", {round_to = 8})
  contradicts("max_fraction is for channels", {max_fraction = 0.5})
  contradicts("isomorphic is for channels", {isomorphic = true})
  contradicts("normalize is for channels", {normalize = "max"})
  contradicts("reestimate is for channels", {reestimate = true, data = calibration})
  contradicts("rewind goes back", {rewind = dense:clone(), granularity = "channel"})
  contradicts("cost is what strategy 'cost_aware' saves", {cost = "macs"})
  contradicts("metric is what cost_aware", {metric = "accuracy"})
  contradicts("train is the training of", {train = {epochs = 1}, data = train})
  contradicts("strategy 'penalty' trains with sign", {strategy = "penalty", data = train, train = {regularizer = {kind = "l1", strength = 1}}})
  contradicts("recover", {recover = {epochs = 1}})
  fails("greg1 grows on the weights that a prune selected", dense.fit, dense, {data = train, regularizer = {kind = "greg1", strength = 1}})
end)

-- The journal of channels ----------------------------------------------------------------------------------------------------

test("channels have a journal to go back in, and a recipe", function()
  local m = mlp()
  local slim, report = m:prune{
    granularity = "channel", amount = 0.8, schedule = {kind = "linear", steps = 4}, recover = {data = train, epochs = 1, seed = 3},
    guard = {data = rest, max_drop = 0.04}, data = train,
  }
  local kept = 0
  for i, row in ipairs(report.journal) do
    check(row.ms and row.bytes and row.bar, "a row says what it costs")
    if row.kept then
      kept = i
      near(report:restore(i):evaluate(rest).accuracy, row.accuracy, 1e-9)
    else
      fails("holds no model", report.restore, report, i)
    end
  end
  check(kept > 0)
  local again = m:prune{recipe = report:recipe(), data = train}
  for _, name in ipairs(slim:parameters()) do check(slim:parameter(name) == again:parameter(name), name) end
  local other = prune.zoo.mlp{input = {1, 8, 8}, hidden = {8}, classes = 10}
  fails("does not fit", other.prune, other, {recipe = report:recipe(), data = train})
end)

test("training before cuts is in the recipe", function()
  local m = mlp()
  local slim, report = m:prune{
    strategy = "regularized", amount = 0.5, data = train, train = {epochs = 1, seed = 2, regularizer = {kind = "l1", strength = 1e-3}},
  }
  local again = m:prune{recipe = report:recipe(), data = train}
  for _, name in ipairs(slim:parameters()) do check(slim:parameter(name) == again:parameter(name), name) end
end)

h.finish()
