package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local digits = prune.data.digits()

test("require prune.safe is prune.safe", function()
  equal(require "prune.safe", prune.safe)
  equal(prune.safe.version, prune.version)
end)

test("refusals come back", function()
  local m, message, code = prune.safe.load "no-such-file.onnx"
  equal(m, nil)
  equal(code, "io")
  check(message:find("no-such-file.onnx", 1, true) and not message:find "^io", message)
  local net = prune.zoo.mlp{input = {1, 8, 8}}
  local slim, problem, kind = prune.safe.Model.prune(net, {ammount = 1})
  equal(slim, nil)
  equal(kind, "invalid_argument")
  check(problem:find("did you mean 'amount'?", 1, true))
  equal(select("#", prune.safe(digits.split, digits, {test = 0.5})), 2)
  equal(select(3, prune.safe(digits.split, digits, {})), "invalid_argument")
end)

test("results come through", function()
  equal(#prune.safe.data.digits(), 1797)
  local train, rest = prune.safe.Dataset.split(digits, {test = 0.5})
  equal(#train + #rest, 1797)
  equal(prune.safe.tensor{1, 2}[2], 2)
  near(prune.safe.losses.mse({1, 2}, {1, 4}), 2)
end)

test("other errors are raised", function()
  fails("plain", prune.safe, function() error "plain" end)
  fails("bad argument", prune.safe.load)
end)

h.finish()
