package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

-- Models of several inputs: one of ../shared, and MiniLM where it was built.
local path = h.shared .. "/models/topologies/two_inputs_two_outputs.onnx"
local file = io.open(path)
if not file then
  print "skipped: needs ../shared beside the repository"
  os.exit(0)
end
file:close()

local rows, nested, labels = {}, {}, {}
local pixels = {shape = {48, 3, 16, 16}, dtype = "float32"}
math.randomseed(5)
for i = 1, 48 do
  rows[i], nested[i] = {}, {}
  for j = 1, 7 do
    rows[i][j] = math.random() - 0.5
    nested[i][j] = {rows[i][j]}
  end
  for _ = 1, 768 do pixels[#pixels + 1] = math.random() end
  labels[i] = rows[i][1] > 0 and 1 or 0
end
local inputs = {image = prune.tensor(pixels), table = prune.tensor(rows)}
local data = prune.data.tensors(inputs, labels)
local model = prune.load(path)

test("everything takes data of several inputs", function()
  local m = model:clone()
  local history = m:fit{data = data, epochs = 12, lr = 0.01, batch_size = 16, validation_split = 0.25}
  check(history.epochs[12].loss < 0.7 * history.epochs[1].loss)
  local report = m:evaluate(data)
  check(report.accuracy > 0.7, report.accuracy)
  equal(m:predict(data).shape[1], 48)
  equal(m:predict{image = data:take(2).x.image, table = data:take(2).x.table}.shape[2], 4)
  local slim, pruned = m:prune{granularity = "channel", amount = 0.3, criterion = "l2", data = data, recover = {data = data, epochs = 1}}
  check(pruned.certificate < 1e-4)
  local int8 = slim:quantize{scheme = "static", calibration = prune.data.tensors(data.x)}
  print(prune.compare{{"dense", m}, {"slim", slim}, {"int8", int8}, data = data})
  check(#m:sensitivity{data = data, amounts = {0.5}}.layers > 3)
end)

test("the loss may be taken of another output", function()
  local m, values = model:clone(), {}
  for i = 1, 48 do values[i] = {rows[i][2]} end
  local history = m:fit{data = prune.data.tensors(inputs, values), output = m.outputs[2].name, epochs = 12, lr = 0.01}
  check(history.epochs[12].loss < 0.7 * history.epochs[1].loss)
  near(m:evaluate(prune.data.tensors(inputs, values), {output = m.outputs[2].name, metrics = "mse"}).mse, history.epochs[12].loss, 0.1)
  fails("no output 'outputs'", m.fit, m, {data = data, output = "outputs"})
  local other, name = prune.data.tensors(inputs, values), m.outputs[2].name
  local slim, report = m:prune{
    amount = 0.5, criterion = "taylor", data = other, output = name, validate = true, guard = {data = other, metric = "mse", max_drop = 100},
    recover = {epochs = 2, lr = 0.01},
  }
  near(report.after.loss, slim:evaluate(other, {output = name, metrics = "mse"}).mse, 1e-6)
  check(#m:significance{criterion = "fisher", data = other, output = name}.layers > 1)
  near(m:sensitivity{data = other, output = name, amounts = {0.5}, metric = "mse"}.baseline, m:evaluate(other, {output = name, metrics = "mse"}).mse, 1e-6)
  fails("no output 'outputs'", m.prune, m, {amount = 0.5, output = "outputs"})
  fails("no output 'outputs'", m.significance, m, {output = "outputs"})
  local found, front = prune.search{model = m, data = other, output = name, metric = "mse", objective = "bytes", max_drop = 1}
  check(#front.front > 0 and found:evaluate(other, {output = name, metrics = "mse"}).mse <= m:evaluate(other, {output = name, metrics = "mse"}).mse + 1)
  fails("no output 'outputs'", prune.search, {model = m, data = other, output = "outputs"})
end)

test("what does not fit is named", function()
  fails("it lacks 'image'", model.evaluate, model, prune.data.tensors({table = inputs.table}, labels))
  fails("'image', 'table'", model.evaluate, model, prune.data.tensors(inputs.table, labels))
  fails("it lacks 'table', and 'tables' is no input", model.evaluate, model,
    prune.data.tensors({image = inputs.image, tables = inputs.table}, labels))
  fails("[7,1], input 'table'", model.evaluate, model,
    prune.data.tensors({image = inputs.image, table = nested}, labels))
end)

h.finish()
