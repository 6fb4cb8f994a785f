package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, check, fails = h.test, h.equal, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}, seed = 1}
local history = m:fit{data = train, epochs = 3, lr = 2e-3, seed = 1, validation = rest}

local function saved(report, extension)
  local path = h.temporary(extension)
  report:save(path)
  local file = io.open(path, "rb")
  local text = file:read "a"
  file:close()
  return text
end

test("a report is saved as the end of the name says", function()
  local _, report = m:prune{amount = 0.5, validate = rest, guard = {data = rest, max_drop = 0.05}}
  local page = saved(report, ".html")
  check(page:find("<!DOCTYPE html>", 1, true) == 1 and page:find("weights left of each layer", 1, true))
  check(page:find("How to do it again", 1, true) and page:find("libprune recipe 1", 1, true) and page:find("libprune " .. prune.version, 1, true))
  check(saved(report, ".md"):find("| conv1 | Conv |", 1, true))
  check(saved(report, ".json"):find('"schema":1,"report":"prune"', 1, true))
  check(saved(report, ".svg"):find("<svg", 1, true))
  check(saved(report.layers, ".csv"):find("^name,op,weight,weights,pruned,sparsity"))
  equal(report:to_text_as "html", page)
  fails("does not say how to write", report.save, report, "report.pdf")
  fails("format is 'pdf'", report.to_text_as, report, "pdf")
  fails("nothing to draw", saved, m:stats(), ".svg")
end)

test("a history is a table and events for TensorBoard", function()
  local text = saved(history.epochs, ".csv")
  equal(select(2, text:gsub("\r\n", "")), 4)
  check(text:find("^epoch,loss,accuracy,validation_loss,validation_accuracy,seconds\r\n1,"))
  check(saved(history, ".tfevents.1"):find("fit/validation_accuracy", 1, true))
end)

test("JSON has no drawings", function()
  local json = m:significance{}:to_json()
  check(json:find('"share"', 1, true) and not json:find('"bar"', 1, true) and not json:find("█", 1, true))
end)

test("what was not done is said first, with how to get further", function()
  local slim, report = m:prune{amount = 0.98, guard = {data = rest, max_drop = 0}}
  check(report.headline:find("the guard", 1, true) and report.headline:find("To get further", 1, true), report.headline)
  check(tostring(report):find("^prune: .*the guard"))
  local _, none = m:prune{granularity = "channel", amount = 0.0001}
  check(none.headline:find("nothing was removed", 1, true), none.headline)
  local _, whole = m:prune{amount = 0.1}
  equal(whole.headline, nil)
  local _, searched = prune.search{model = m, data = rest:take(50), max_drop = 0, metric = "loss", budget = 0.0001}
  check(searched.headline:find("nothing smaller was found", 1, true) and searched.headline:find("budget", 1, true), searched.headline)
end)

test("models are compared in turns, and told apart", function()
  local half = m:prune{amount = 0.5}
  local report = prune.compare{{"one", m}, {"half", half}, data = rest}
  check(report.models[1].min_ms <= report.models[1].median_ms and report.models[1].median_ms <= report.models[1].p90_ms)
  check(report.threads >= 1 and report.runs == 20)
  local difference = prune.diff(m, half)
  equal(difference.same, false)
  equal(#difference.weights, 4)
  equal(difference.weights[1].zeros_after > difference.weights[1].zeros, true)
  equal(prune.diff(m, m:clone()).same, true)
end)

test("threads and what results depend on", function()
  local before = prune.threads()
  equal(prune.threads(1), 1)
  equal(m:benchmark{runs = 2}.threads, 1)
  equal(prune.info().threads, 1)
  prune.threads(0)
  equal(prune.threads(), before)
  check(prune.info().version == prune.version and #prune.info().oneDNN > 2)
  fails("wanted 0 to 4096", prune.threads, -1)
end)

test("who is taken for whom", function()
  local report = m:evaluate(rest, {metrics = {"precision", "recall", "per_class", "confusion"}})
  equal(#report.classes, 10)
  equal(report.confusion.shape[2], 10)
  local sum = 0
  for i = 1, 10 do sum = sum + report.confusion[i][i] end
  h.near(sum / #rest, m:evaluate(rest).accuracy, 1e-9)
  check(tostring(report):find("confused", 1, true) and report.precision > 0.5 and report.recall > 0.5)
end)

test("each layer has its own amount", function()
  local slim, report = m:prune{amount = {conv1 = 0.1, ["fc*"] = 0.6}}
  local by_name = {}
  for _, layer in ipairs(report.layers) do by_name[layer.name] = layer.pruned / layer.weights end
  h.near(by_name.conv1, 0.1, 1e-3)
  h.near(by_name.fc1, 0.6, 1e-3)
  h.near(by_name.fc2, 0.6, 1e-3)
  h.near(by_name.conv2, 0, 1e-3)
  check(report.amounts:find("conv1 0.1", 1, true))
  local _, channels = m:prune{granularity = "channel", amount = {conv1 = 0.5, ["*"] = 0.2}}
  for _, group in ipairs(channels.groups) do by_name[group.name] = group.removed / group.units end
  h.near(by_name.conv1, 0.5, 1e-9)
  h.near(by_name.conv2, 0.2, 1e-9)
  h.near(by_name.fc1, 0.2, 1e-9)
  local again = m:prune{recipe = report:recipe()}
  equal(prune.diff(slim, again).same, true)
  local _, gradual = m:prune{amount = {fc1 = 0.6}, schedule = {kind = "linear", steps = 3}}
  h.near(gradual.layers[3].pruned / gradual.layers[3].weights, 0.6, 1e-3)
  fails("did you mean 'conv1'", m.prune, m, {amount = {conv = 0.1}})
  fails("it must be a fraction", m.prune, m, {amount = {conv1 = 3}})
  fails("empty table", m.prune, m, {amount = {}})
  fails("numbers by name patterns", m.prune, m, {amount = {0.5}})
  fails("must be a number or", m.prune, m, {amount = "half"})
  fails("amounts by layer", m.prune, m, {amount = {conv1 = 0.1}, threshold = 1})
  fails("amounts by layer are of", m.prune, m, {amount = {conv1 = 0.1}, granularity = "kernel"})
end)

test("pictures of networks and tensors", function()
  local path = h.temporary ".svg"
  m:graph(path)
  local text = io.open(path):read "a"
  check(text:find("hsl(", 1, true) and text:find("conv2", 1, true) and text:find("which stay", 1, true))
  path = h.temporary ".dot"
  m:graph(path)
  check(io.open(path):read "a":find("^digraph \"lenet5\" {"))
  fails("does not say how to draw", m.graph, m, "net.png")
  path = h.temporary ".svg"
  prune.plot(m:parameter "conv1.weight", path)
  check(io.open(path):read "a":find("float32 [20,1,5,5]", 1, true))
  local shown, lines = print, {}
  print = function(text) lines[#lines + 1] = text end
  local ok, problem = pcall(prune.plot, prune.tensor{{0, 1}, {0.5, 0}})
  print = shown
  check(ok, problem)
  check(lines[1]:find("50.0 % zero", 1, true), lines[1])
  fails("does not say how to draw a tensor", prune.plot, prune.tensor{1}, "x.png")
end)

h.finish()
