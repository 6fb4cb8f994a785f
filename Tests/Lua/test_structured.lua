package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local function mlp() return prune.zoo.mlp{input = {1, 8, 8}, hidden = {32, 16}, classes = 10, seed = 3} end

test("groups", function()
  local report = mlp():groups()
  equal(report.units, 48)
  equal(report.groups[1].name, "fc1")
  equal(report.groups[1].units, 32)
  equal(report.groups[1].params, 64 + 1 + 16)
  equal(report.groups[1].members[1].tensor, "fc1.weight")
  check(report.pinned[#report.pinned].reason:find "output")
  check(tostring(report):find "fc2")
end)

test("open extents are named, written in, and refused where they are wrong", function()
  local m = mlp()
  local batch = m.inputs[1].shape[1]
  local fixed = m:fix_shapes{[m.inputs[1].name] = {4, 1, 8, 8}}
  equal(fixed.inputs[1].shape[1], 4)
  equal(fixed:predict(rest:take(4)).shape[1], 4)
  equal(m.inputs[1].shape[1], batch)
  fails("did you mean", m.fix_shapes, m, {[m.inputs[1].name .. "s"] = {4, 1, 8, 8}})
  fails("is declared", m.fix_shapes, m, {[m.inputs[1].name] = {4, 1, 8, 9}})
  fails("must be an integer", m.fix_shapes, m, {[m.inputs[1].name] = {4, 1, 8, 8.5}})
  fails("by name", m.fix_shapes, m, {4})
  local simple, report = fixed:simplify()
  equal(report.certificate, 0)
  check(report.after <= report.before)
  equal(simple:stats().macs, m:stats().macs)
end)

test("channels", function()
  local m = mlp()
  local slim, report = m:prune{granularity = "channel", amount = 0.5, criterion = "l2", mode = "remove", strategy = "local"}
  check(report.certificate < 1e-4)
  equal(slim:stats().params, 64 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10)
  equal(slim:predict(rest:take(3)).shape[2], 10)
  near(report.params_kept, slim:stats().params / m:stats().params, 1e-9)
  local half, reached = m:prune{granularity = "channel", target = {macs = 0.6}, benchmark = true}
  near(half:stats().macs / m:stats().macs, 0.6, 0.02)
  check(reached.after.median_ms > 0)
  local masked = m:prune{granularity = "channel", amount = 0.5, criterion = "l2", mode = "mask", strategy = "local"}
  equal(masked:stats().params, m:stats().params)
  local small, dead = masked:compact()
  equal(small:stats().params, slim:stats().params)
  check(dead.certificate < 1e-4)
end)

test("width", function()
  local m = prune.zoo.vit{input = {1, 8, 8}, hidden = {32, 64}, depth = 1, heads = 4, classes = 10, seed = 1}
  local stays = m:prune{granularity = "channel", amount = 0.5, criterion = "l2", strategy = "local"}
  local slim, report = m:prune{granularity = "channel", amount = 0.5, criterion = "l2", strategy = "local", width = true}
  check(report.certificate < 1e-4)
  check(slim:stats().params < 0.7 * stays:stats().params)
  local heads, cut = m:prune{granularity = "head", amount = 0.5, criterion = "l2", strategy = "local"}
  check(cut.certificate < 1e-4)
  check(heads:stats().macs < m:stats().macs)
  fails("leave out mode", m.prune, m, {granularity = "channel", amount = 0.5, width = true, mode = "mask"})
end)

test("what cannot be", function()
  local m = mlp()
  fails("no head to prune", m.prune, m, {granularity = "head", amount = 0.5})
  fails("no layer to prune", m.prune, m, {granularity = "layer", amount = 0.5})
  fails("matches no layer", m.prune, m, {granularity = "channel", amount = 0.5, ignore = "conv*"})
  fails("needs units that are removed", m.prune, m, {granularity = "channel", mode = "mask", target = {latency = 0.5}})
  fails("unknown option 'mac'", m.prune, m, {granularity = "channel", target = {mac = 0.5}})
  local _, both = m:prune{granularity = "channel", target = {macs = 0.8, params = 0.5}}
  equal(#both.targets, 2)
  for _, row in ipairs(both.targets) do check(row.kept <= row.target + 0.02, row.cost) end
  fails("a target of params contradict", m.prune, m,
        {granularity = "channel", strategy = "cost_aware", data = train, cost = "macs", target = {macs = 0.8, params = 0.5}})
end)

test("classes", function()
  local m = mlp()
  m:fit{data = train, epochs = 10, batch_size = 64, seed = 2}
  local head = m:keep_classes({1, 4})
  equal(head.outputs[1].shape[2], 2)
  local small, report = m:keep_classes({4, 1, 7}, {
    granularity = "channel", criterion = "taylor", target = {macs = 0.5}, data = train, validate = rest,
    recover = {epochs = 5, seed = 1},
  })
  equal(small.outputs[1].shape[2], 3)
  check(report.before.kept_accuracy > 0.9)
  check(report.after.kept_accuracy > 0.9, report.after.kept_accuracy)
  -- Data that lack the last classes, and have no other than kept ones.
  local _, few = m:keep_classes({0, 1, 2, 9}, {validate = rest:classes{0, 1, 2}})
  check(few.before.kept_accuracy > 0.9 and few.before.dropped_accuracy == nil)
  fails("class 10 does not exist", m.keep_classes, m, {10})
  fails("different class numbers", m.keep_classes, m, {1, 1})
end)

h.finish()
