-- What every option has in common: 0 is 0, "not given" is a state of its own, a misspelt choice is one kind of error.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, check, fails = h.test, h.equal, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local few = train:take(256)
local function network() return prune.zoo.mlp{input = {1, 8, 8}, hidden = {32, 16}, classes = 10, seed = 3} end
local m = network()
m:fit{data = train, epochs = 3, lr = 0.005, seed = 1}

test("an amount of 0 prunes nothing, and a threshold of 0 nothing either", function()
  for _, options in ipairs{{amount = 0}, {threshold = 0}} do
    local slim = m:prune(options)
    equal(slim:stats().nonzero, m:stats().nonzero)
  end
  fails("neither amount nor threshold", m.prune, m, {})
end)

test("a tolerated drop of 0 is none", function()
  local report = m:sensitivity{data = rest, amounts = {0.9}, max_drop = 0}
  equal(report.max_drop, 0)
  local _, found = prune.search{model = m, data = few, max_drop = 0, budget = 0.02}
  equal(found.max_drop, 0)
end)

test("an alpha of 0 learns nothing from the teacher", function()
  local alone, taught = network(), network()
  local options = {data = few, epochs = 2, lr = 0.005, seed = 4}
  alone:fit(options)
  options.teacher, options.alpha = m, 0
  taught:fit(options)
  local a, b = alone:parameter "fc1.weight", taught:parameter "fc1.weight"
  for i = 1, 32 do h.near(a:at(i, 1), b:at(i, 1), 1e-6) end
end)

test("a max_fraction of 0 leaves every group whole", function()
  local slim = m:prune{granularity = "channel", amount = 0.5, max_fraction = 0}
  equal(slim:stats().params, m:stats().params)
end)

test("a dropout of 0 is as false", function()
  local a, b = network(), network()
  a:fit{data = few, lr = 0.01, dropout = 0}
  b:fit{data = few, lr = 0.01, dropout = false}
  h.near(a:parameter "fc1.weight":at(1, 1), b:parameter "fc1.weight":at(1, 1), 0)
end)

test("shuffle is on unless it is turned off", function()
  local a, b = network(), network()
  a:fit{data = few, lr = 0.01, shuffle = false}
  b:fit{data = few, lr = 0.01}
  local function bias(model) return table.concat(model:parameter "fc1.bias":totable(), " ") end
  check(bias(a) ~= bias(b))
  local options = {data = few, lr = 0.01, shuffle = true}
  local c = network()
  c:fit(options)
  equal(bias(b), bias(c))
end)

test("every loss that a fit takes, evaluate takes", function()
  for _, loss in ipairs{"cross_entropy", "mse", "mae", "huber", "bce", "kl"} do
    local got = m:evaluate(rest, {loss = loss}).loss
    check(got > 0 and got < 100, loss)
  end
  local logits = m:predict(rest)
  h.near(m:evaluate(rest, {loss = "kl"}).loss, prune.losses.kl(rest.y, logits, {from_logits = true}), 1e-5)
  h.near(m:evaluate(rest, {loss = "huber", batch_size = 50}).loss, prune.losses.huber(rest.y, logits), 1e-4)
end)

test("a misspelt choice is an invalid argument that names the nearest", function()
  local cases = {
    {"optimizer", "adamm", "adam", function(v) network():fit{data = few, optimizer = v} end},
    {"loss", "mss", "mse", function(v) network():fit{data = few, loss = v} end},
    {"schedule", "cosin", "cosine", function(v) network():fit{data = few, schedule = v} end},
    {"monitor", "los", "loss", function(v) network():fit{data = few, monitor = v} end},
    {"loss", "hubr", "huber", function(v) m:evaluate(few, {loss = v}) end},
    {"criterion", "tailor", "taylor", function(v) m:significance{data = few, criterion = v} end},
    {"criterion", "wandaa", "wanda", function(v) m:prune{amount = 0.1, criterion = v} end},
    {"criterion", "magnitud", "magnitude", function(v) m:sensitivity{data = few, criterion = v} end},
    {"strategy", "globl", "global", function(v) m:prune{amount = 0.1, strategy = v} end},
    {"allocation", "lampp", "lamp", function(v) m:prune{amount = 0.1, allocation = v} end},
    {"reconstruct", "sparsgpt", "sparsegpt", function(v) m:prune{amount = 0.1, reconstruct = v} end},
    {"cost", "mac", "macs", function(v) m:prune{amount = 0.1, cost = v} end},
    {"shared", "al", "all", function(v) m:prune{amount = 0.1, shared = v} end},
    {"mode", "masks", "mask", function(v) m:prune{amount = 0.1, mode = v} end},
    {"schedule", "cubik", "cubic", function(v) m:prune{amount = 0.1, schedule = v} end},
    {"reduce", "men", "mean", function(v) m:prune{amount = 0.1, granularity = "channel", reduce = v} end},
    {"normalize", "nonee", "none", function(v) m:prune{amount = 0.1, granularity = "channel", normalize = v} end},
    {"method", "votes", "vote", function(v) prune.ensemble{models = {m, m}, method = v} end},
    {"objective", "byte", "bytes", function(v) prune.search{model = m, data = few, objective = v} end},
    {"scheme", "statik", "static", function(v) m:quantize{scheme = v} end},
    {"rounding", "gpqt", "gptq", function(v) m:quantize{scheme = "weight_only", rounding = v} end},
    {"calibrator", "minmaxx", "minmax", function(v) m:quantize{calibration = few, calibrator = v} end},
    {"format", "qdqq", "qdq", function(v) m:quantize{scheme = "dynamic", format = v} end},
    {"activation", "relou", "relu", function(v) prune.zoo.mlp{activation = v} end},
    {"stem", "smal", "small", function(v) prune.zoo.resnet{stem = v} end},
  }
  for _, case in ipairs(cases) do
    local option, typed, meant, call = table.unpack(case)
    local problem = fails(option .. " is '" .. typed .. "'", call, typed)
    equal(problem.code, "invalid_argument", option)
    check(problem.hint:find("did you mean '" .. meant .. "'", 1, true), option .. ": " .. problem.hint)
  end
end)

test("keep_classes narrows all the data that its options hold", function()
  local small = m:keep_classes({0, 3, 5}, {
    granularity = "channel", amount = 0.2, data = few, recover = {data = few, validation = rest, epochs = 1, lr = 1e-3},
    guard = {data = rest, max_drop = 1}, validate = rest,
  })
  equal(small.outputs[1].shape[2], 3)
end)

h.finish()
