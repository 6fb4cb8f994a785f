package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, check, fails = h.test, h.equal, h.check, h.fails

test("a limit refuses work and leaves everything", function()
  local data = prune.data.digits()
  local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}
  local used, peak = prune.memory()
  check(used > 1797 * 64 * 4 and peak >= used, used)
  local before = m:evaluate(data).loss
  prune.memory_limit(prune.memory() + 500000)
  local problem = fails("memory limit", m.fit, m, {data = data, batch_size = 1024})
  equal(problem.code, "out_of_memory")
  local nothing, message, code = prune.safe.data.digits()
  equal(nothing, nil)
  equal(code, "out_of_memory")
  check(message:find "limit")
  prune.memory_limit(0)
  equal(m:evaluate(data).loss, before)
  m:fit{data = data, batch_size = 1024}
  check(select(2, prune.memory()) > peak)
end)

test("what is no limit is refused", function()
  fails("is no number of bytes", prune.memory_limit, -1)
  fails("is no number of bytes", prune.memory_limit, 0 / 0)
  fails("is no number of bytes", prune.memory_limit, math.huge)
  fails("number expected", prune.memory_limit, "much")
end)

test("a deterministic fit does not depend on threads", function()
  local data = prune.data.digits():take(64)
  local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}
  local report = m:fit{data = data, deterministic = true, seed = 3}
  equal(report.threads, 1)
  equal(report.seed, 3)
  local _, found = m:prune{amount = 0.5, data = data, recover = {epochs = 1, deterministic = true}}
  check(found)
end)

h.finish()
