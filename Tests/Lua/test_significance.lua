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
    "cosine", "lamp", "random",
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
  fails("option 'data' is required", m.sensitivity, m, {})
  fails("option 'amounts' must be a list of numbers", m.sensitivity, m, {data = rest, amounts = {"x"}})
  fails("amounts has 2", m.sensitivity, m, {data = rest, amounts = {2}})
end)

h.finish()
