-- Low rank: m:factorize.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, check, equal, near, fails = h.test, h.check, h.equal, h.near, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 3}
local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {96, 64}, classes = 10, seed = 1}
m:fit{data = train, epochs = 8, batch_size = 32, seed = 1}

test("a target is met, by data better than without", function()
  local small, report = m:factorize{target = {macs = 0.5}, data = train, validate = rest}
  check(small:stats().macs / m:stats().macs <= 0.501)
  near(report.kept, small:stats().macs / m:stats().macs, 1e-6)
  equal(report.method, "whitened")
  check(report.after.accuracy > report.before.accuracy - 0.05, report.after.accuracy)
  local blind = m:factorize{target = {macs = 0.5}, validate = rest}
  local function loss(model) return model:evaluate(rest).loss end
  check(loss(small) <= loss(blind) + 0.02)
  check(tostring(report):find "rank")
end)

test("a guard alone decides", function()
  local small, report = m:factorize{data = train, round_to = 2, guard = {data = rest, metric = "accuracy", max_drop = 0.01}}
  check(small:stats().params < 0.9 * m:stats().params)
  check(report.guard.after >= report.guard.before - 0.01)
end)

test("a guard that nothing satisfies leaves the model, and says so", function()
  local same, report = m:factorize{rank = 1, round_to = 1, guard = {data = rest, metric = function(x) return x:stats().params end}}
  equal(same:stats().params, m:stats().params)
  check(report.headline:find "guard undid everything", report.headline)
end)

test("saved, read, trained", function()
  local path = os.tmpname() .. ".onnx"
  local small = m:factorize{energy = 0.8, data = train}
  small:save(path)
  local back = prune.load(path)
  near(back:evaluate(rest).loss, small:evaluate(rest).loss, 1e-5)
  back:fit{data = train, epochs = 1, seed = 1}
  os.remove(path)
end)

test("what cannot be", function()
  fails("rank and energy", m.factorize, m, {rank = 4, energy = 0.9})
  fails("target latency is not one of factorize", m.factorize, m, {target = {latency = 0.5}})
  fails("least that can be left", m.factorize, m, {target = {params = 0.001}})
  fails("did you mean 'energy'", m.factorize, m, {energie = 0.9})
  fails("spatial", m.factorize, m, {form = "spacial"})
end)

h.finish()
