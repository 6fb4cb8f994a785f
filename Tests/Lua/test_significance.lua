package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local function mlp()
  local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {16}, classes = 10, seed = 3}
  m:fit{data = train, epochs = 3, lr = 0.005, seed = 1}
  return m
end

test("every criterion by its name", function()
  local m = mlp()
  for _, criterion in ipairs{
    "magnitude", "l2", "gradient", "taylor", "fisher", "hessian", "snip", "grasp", "movement", "wanda", "apoz", "fpgm",
    "cosine", "mutual", "lamp", "random", "gate",
  } do
    local report = m:significance{data = train:take(64), criterion = criterion}
    equal(report.criterion, criterion)
    equal(#report.layers, 2)
    equal(#report.bottom, 5)
    check(report.units[next(report.units)].count > 1)
  end
  fails("bn_scale", m.significance, m, {criterion = "bn_scale"})
  fails("magnitude", m.significance, m, {criterion = "magnitud"})
  fails("data", m.significance, m, {criterion = "wanda"})
end)

test("outputs too many to compare in pairs come last", function()
  local m = prune.zoo.mlp{input = {4}, hidden = {9000}, classes = 3, seed = 1}
  local data = prune.data.tensors(prune.tensor{shape = {6, 4}, dtype = "float32"})
  local wide, head = table.unpack(m:significance{criterion = "mutual", data = data}.layers)
  check(wide.min == wide.max and wide.min > head.max)
end)

test("a criterion of one's own", function()
  local m = mlp()
  local seen = {}
  local slim, report = m:prune{amount = 0.5, criterion = function(name, weight)
    seen[#seen + 1] = name
    return weight
  end}
  check(#seen >= 2)
  equal(report.criterion, "user")
  near(slim:stats().sparsity, 0.48, 0.05)
  local scores = m:significance{criterion = "taylor", data = train:take(100)}.scores
  local own = m:prune{amount = 0.3, criterion = scores}
  local named = m:prune{amount = 0.3, criterion = "taylor", data = train:take(100)}
  for _, name in ipairs(own:parameters()) do check(own:parameter(name) == named:parameter(name), name) end
  fails("must return a Tensor, got nil", m.prune, m, {amount = 0.5, criterion = function() end})
  fails("wanted", m.prune, m, {amount = 0.5, criterion = function() return prune.tensor{1.5, 2} end})
  fails("mine", m.significance, m, {criterion = function() error "mine" end})
  fails("there are no scores of weight", m.prune, m, {amount = 0.5, criterion = {other = prune.tensor{1.5}}})
  fails("option 'criterion' must be", m.prune, m, {amount = 0.5, criterion = 3})
end)

test("granularities and allocations", function()
  local m = mlp()
  local _, report = m:prune{granularity = "2:4"}
  near(report.sparsity, 0.5, 0.01)
  equal(select(2, m:prune{granularity = {block = {2, 8}}, amount = 0.5}).granularity, "block:2x8")
  equal(select(2, m:prune{strategy = "block", amount = 0.5}).granularity, "block:4x4")
  for _, allocation in ipairs{"global", "local", "uniform", "row", "lamp", "erk", "isomorphic"} do
    near(select(2, m:prune{allocation = allocation, amount = 0.5}).sparsity, 0.5, 0.01)
  end
  local lenet = prune.zoo.lenet5{classes = 10, input = {1, 28, 28}}
  local _, inner = lenet:prune{granularity = {block = {1, 1, 4, 4}}, scope = "conv*", amount = 0.25}
  equal(inner.granularity, "block:1x1x4x4")
  check(inner.sparsity > 0.1)
  equal(select(2, lenet:prune{granularity = {block = {1, 1, 3, 3}, stride = {1, 1, 2, 2}}, amount = 0.25}).granularity,
        "block:1x1x3x3/1x1x2x2")
  fails("larger than the kernel", lenet.prune, lenet, {granularity = {block = {1, 1, 6, 6}}, amount = 0.5})
  fails("a stride has 4 numbers", lenet.prune, lenet, {granularity = {block = {1, 1, 4, 4}, stride = {1}}, amount = 0.5})
  fails("stride is of blocks inside kernels", m.prune, m, {granularity = {block = {4, 4}, stride = {1, 1}}, amount = 0.5})
  fails("has no 'strides'", m.prune, m, {granularity = {block = {4, 4}, strides = {1, 1}}, amount = 0.5})
  fails("2 extents", m.prune, m, {granularity = {block = {2}}, amount = 0.5})
  fails("option 'granularity' must be", m.prune, m, {granularity = {blok = {2}}, amount = 0.5})
  fails("contradict", m.prune, m, {strategy = "global", allocation = "erk", amount = 0.5})
end)

test("reconstruction loses less than masking", function()
  local m = mlp()
  local function loss(options)
    options.amount, options.strategy = 0.7, "local"
    return (m:prune(options)):evaluate(rest).loss
  end
  local masked, moved = loss{}, loss{data = train:take(256), reconstruct = "sparsegpt"}
  check(moved < masked, moved .. " < " .. masked)
  fails("data", m.prune, m, {amount = 0.5, reconstruct = "obs"})
end)

test("sensitivity", function()
  local m = mlp()
  local layers = 0
  local report = m:sensitivity{
    data = rest, amounts = {0.2, 0.6, 0.95}, max_drop = 0.05, on_step = function() layers = layers + 1 end,
  }
  equal(layers, 2)
  equal(report.metric, "accuracy")
  equal(#report.layers[1].values, 3)
  check(report.layers[1].safe >= 0 and report.layers[1].safe <= 0.95)
  check(tostring(report):find "[▁▂▃▄▅▆▇█]", "bars")
  equal(#m:sensitivity{data = rest, on_step = function() return "stop" end}.layers, 1)
  fails("sensitivity measures a metric on data", m.sensitivity, m, {})
  fails("option 'amounts' must be a list of numbers", m.sensitivity, m, {data = rest, amounts = {"x"}})
  fails("amounts has 2", m.sensitivity, m, {data = rest, amounts = {2}})
end)

test("the journal: restore, recipe, rewind", function()
  local m = mlp()
  local slim, report = m:prune{
    amount = 0.8, schedule = {kind = "linear", steps = 2}, data = train, recover = {epochs = 1},
    guard = {data = rest, max_drop = 1},
  }
  equal(#report.journal, 2)
  check(report.journal[1].bytes > report.journal[2].bytes and report.journal[1].ms > 0)
  local first = report:restore(1)
  near(first:evaluate(rest).accuracy, report.journal[1].accuracy, 1e-9)
  check(report:restore(2):predict(rest) == slim:predict(rest))
  fails("entry 8", report.restore, report, 8)
  fails("count from 1", report.restore, report, 0)
  fails("not one of", report.restore, m:stats(), 1)
  local text = report:recipe()
  check(text:find "^libprune recipe 1\n", text)
  local again = m:prune{recipe = text, data = train, guard = {data = rest, max_drop = 1}}
  check(again:predict(rest) == slim:predict(rest), "the same bits")
  fails("recipe", m.prune, m, {recipe = "bread"})
  local start = prune.zoo.mlp{input = {1, 8, 8}, hidden = {16}, classes = 10, seed = 3}
  local ticket = m:prune{amount = 0.5, rewind = start}
  near(ticket:stats().sparsity, 0.48, 0.05)
  fails("option 'rewind' must be a Model", m.prune, m, {amount = 0.5, rewind = train})
  near(select(2, m:prune{strategy = "cost_aware", amount = 0.6, data = train}).sparsity, 0.6, 0.01)
end)

test("ensembles are models", function()
  local a = mlp()
  local b = a:prune{amount = 0.6}
  for _, method in ipairs{"average", "vote", "stack"} do
    local both, report = prune.ensemble{models = {a, b}, method = method, data = train:take(300), epochs = 1}
    equal(#report.members, 2)
    check(both:evaluate(rest).accuracy > 0.5, method)
    local path = h.temporary ".onnx"
    both:save(path)
    check(prune.load(path):predict(rest) == both:predict(rest))
  end
  fails("option 'models' is required", prune.ensemble, {})
  fails("model 2: Model expected, got number", prune.ensemble, {models = {a, 3}})
  fails("two models", prune.ensemble, {models = {a}})
end)

test("search", function()
  local m = mlp()
  local small, report = prune.search{model = m, data = rest, calibration = train:take(128), max_drop = 0.05, budget = 1}
  check(m:evaluate(rest).accuracy - small:evaluate(rest).accuracy <= 0.05 + 1e-9)
  check(small:stats().effective_macs < m:stats().effective_macs)
  check(report.front[1].recipe:find "^libprune recipe")
  equal(select(2, prune.search{model = m, data = rest, on_step = function() return "stop" end}).tried, 1)
  fails("option 'model' must be a Model", prune.search, {model = 3, data = rest})
  fails("macs", prune.search, {model = m, data = rest, objective = "mac"})
end)

h.finish()
