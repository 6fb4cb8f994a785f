package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local data = prune.data.digits():take(256)
local function mlp() return prune.zoo.mlp{input = {1, 8, 8}, hidden = {8}, classes = 10} end

test("epochs and batches are reported", function()
  local epochs, batches = {}, 0
  mlp():fit{
    data = data, epochs = 2, batch_size = 64,
    on_epoch = function(event) epochs[#epochs + 1] = event end,
    on_batch = function(event) batches = batches + 1 equal(event.kind, "step") end,
  }
  equal(#epochs, 2)
  equal(epochs[2].epoch, 2)
  equal(epochs[2].epochs, 2)
  equal(epochs[1].kind, "epoch")
  check(epochs[1].loss > 0 and epochs[1].accuracy)
  equal(epochs[1].validation_loss, nil)
  equal(batches, 8)
end)

test("a callback stops the fit", function()
  for _, answer in ipairs{"stop", true} do
    local history = mlp():fit{data = data, epochs = 50, on_epoch = function(event) return event.epoch == 3 and answer end}
    equal(#history.epochs, 3)
    equal(history.stopped, true)
  end
  local history = mlp():fit{data = data, epochs = 2, on_epoch = function() return "go on" end}
  equal(#history.epochs, 2)
end)

test("errors of callbacks come through, and the model stays usable", function()
  local m = mlp()
  local mark = {}
  local ok, problem = pcall(m.fit, m, {data = data, epochs = 5, on_batch = function() error(mark) end})
  check(not ok and rawequal(problem, mark), "the very error value")
  fails("test_callbacks.lua", m.fit, m, {data = data, on_epoch = function() error "here" end})
  equal(#m:fit{data = data, epochs = 1}.epochs, 1)
  check(m:evaluate(data).accuracy)
  fails("boom", m.prune, m, {amount = 0.5, schedule = {kind = "linear", steps = 2}, on_step = function() error "boom" end})
  fails("boom", m.prune, m,
    {amount = 0.5, recover = {data = data, epochs = 1, on_epoch = function() error "boom" end}})
end)

test("the model is not to be touched while it changes", function()
  local m = mlp()
  local seen = 0
  m:fit{data = data, on_epoch = function()
    fails("it is being changed", m.evaluate, m, data)
    fails("it is being changed", m.fit, m, {data = data})
    fails("it is being changed", m.save, m, "never")
    fails("entry 1", prune.compare, {{"m", m}, data = data})
    local ok = pcall(function() local closing <close> = m end)
    check(not ok, "it cannot be closed")
    ok = pcall(function() local closing <close> = data end)
    check(not ok, "nor can the data")
    equal(#data, 256)
    seen = seen + 1
  end}
  equal(seen, 1)
  check(m:evaluate(data))
end)

test("other models work inside a callback", function()
  local m, other = mlp(), mlp()
  local accuracies = {}
  m:fit{data = data, epochs = 2, on_epoch = function()
    other:fit{data = data, epochs = 1, on_epoch = function() collectgarbage() end}
    accuracies[#accuracies + 1] = other:evaluate(data).accuracy
  end}
  equal(#accuracies, 2)
end)

test("callbacks cannot yield across the library", function()
  local m = mlp()
  local thread = coroutine.create(function() m:fit{data = data, on_epoch = function() coroutine.yield() end} end)
  local ok, problem = coroutine.resume(thread)
  check(not ok and tostring(problem):find "yield", tostring(problem))
  check(m:evaluate(data), "and the model is free again")
end)

test("fits run inside coroutines", function()
  local thread = coroutine.wrap(function() return #mlp():fit{data = data, epochs = 1, on_epoch = print and function() end}.epochs end)
  equal(thread(), 1)
end)

test("collecting while callbacks allocate", function()
  local m = mlp()
  m:fit{data = prune.data.digits():take(64), epochs = 20, on_batch = function(event)
    local garbage = {}
    for i = 1, 200 do garbage[i] = {event.loss, tostring(i)} end
    collectgarbage "step"
  end}
end)

h.finish()
