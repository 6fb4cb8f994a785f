-- Models of Keras in and out: Tests/Data/keras has small ones, with the outputs that Keras computes.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local folder = h.root .. "/Tests/Data/keras/"
local names = {
  "activations.keras", "attention.keras", "channels_first.keras", "conv.h5", "conv1d.keras", "conv3d.keras", "dense.keras", "embedding.keras",
  "groups.keras", "lstm.keras", "merge.keras", "nested.keras", "normalization.keras", "pools.keras", "prelu.keras", "states.keras",
  "steps.keras", "trainable.h5", "transpose.keras", "compiled.h5",
  -- Calls with numbers, masks, states and cells, and low-rank adapters.
  "ops.keras", "einsum.keras", "causal.keras", "gqa.keras", "additive.keras", "state.keras", "cells.keras", "onecell.keras", "both.keras",
  "masked.keras", "masksteps.keras", "maskpool.keras", "maskconv.keras", "lora.h5", "lora2.h5", "lora3.h5", "blocks.keras",
}

--- The numbers of a tensor as one list.
local function flat(tensor)
  local list = {}
  local function walk(value)
    if type(value) == "table" then for _, inner in ipairs(value) do walk(inner) end else list[#list + 1] = value end
  end
  walk(tensor:totable())
  return list
end

--- Largest difference between two lists, relative to values above 1.
local function distance(a, b)
  equal(#a, #b, "number of outputs")
  local most = 0
  for i = 1, #a do
    local difference = math.abs(a[i] - b[i]) / math.max(1, math.abs(b[i]))
    check(difference == difference, "an output is NaN")
    most = math.max(most, difference)
  end
  return most
end

--- All outputs of a model for the inputs that lie beside its file.
local function outputs(model, data)
  local feed, list = {}, {}
  for i, input in ipairs(model.inputs) do feed[input.name] = data["x" .. i - 1] end
  local found = model:run(feed)
  for _, output in ipairs(model.outputs) do
    for _, value in ipairs(flat(found[output.name])) do list[#list + 1] = value end
  end
  return list
end

local function wanted(data)
  local list, index = {}, 0
  while data["y" .. index] do
    for _, value in ipairs(flat(data["y" .. index])) do list[#list + 1] = value end
    index = index + 1
  end
  return list
end

for _, name in ipairs(names) do
  local data = prune.npz.load(folder .. name:gsub("%.%w+$", ".npz"))
  test("what Keras computes of " .. name, function()
    local model = prune.load(folder .. name)
    local most = distance(outputs(model, data), wanted(data))
    check(most < 1e-4, ("outputs differ by %g"):format(most))
    for _, suffix in ipairs {".h5", ".keras", ".onnx"} do
      local path = h.temporary(suffix)
      model:save(path)
      local again = distance(outputs(prune.load(path), data), wanted(data))
      check(again < 1e-4, ("outputs saved as %s differ by %g"):format(suffix, again))
    end
  end)
end

test("channels go out of a Keras model, and it stays one", function()
  local data = prune.npz.load(folder .. "conv.npz")
  local slim, report = prune.load(folder .. "conv.h5"):prune {granularity = "channel", amount = 0.4, validate = false}
  check(report.certificate < 1e-3, "certificate")
  check(slim:stats().params < prune.load(folder .. "conv.h5"):stats().params, "no channel went")
  for _, suffix in ipairs {".h5", ".keras"} do
    local path = h.temporary(suffix)
    slim:save(path)
    local again = prune.load(path)
    near(distance(outputs(again, data), outputs(slim, data)), 0, 1e-5, "outputs saved as " .. suffix)
    equal(again:layers()[1].name, slim:layers()[1].name, "layer names")
  end
end)

for _, granularity in ipairs {"channel", "layer"} do
  test("a transformer whose default pruning is by " .. granularity .. " goes back to Keras", function()
    local data = prune.npz.load(folder .. "blocks.npz")
    local whole = prune.load(folder .. "blocks.keras")
    local slim = whole:prune {granularity = granularity, amount = 0.4}
    check(slim:stats().params < whole:stats().params, "nothing went")
    for _, suffix in ipairs {".h5", ".keras"} do
      local path = h.temporary(suffix)
      slim:save(path)
      local again = prune.load(path)
      near(distance(outputs(again, data), outputs(slim, data)), 0, 1e-4, "outputs saved as " .. suffix)
      equal(again.inputs[1].name, whole.inputs[1].name, "input")
    end
  end)
end

test("an adapter of an .h5 file is in the kernel, and no longer beside it", function()
  local path = h.temporary ".h5"
  prune.load(folder .. "lora.h5"):save(path)
  local names = {}
  for name in pairs(prune.weights.load(path)) do names[#names + 1] = name end
  for _, name in ipairs(names) do check(not name:find "lora", name) end
end)

test("layers that Keras cannot be read from say what to do", function()
  local model = prune.zoo.vit {classes = 3, input = {3, 8, 8}, patch = 4, width = 8, depth = 1, heads = 2}
  local problem = fails("Keras", model.save, model, h.temporary ".keras")
  check(problem.hint:find("onnx", 1, true), problem.hint)
end)

test("shapes that a graph computes are folded before it is refused", function()
  local model = prune.load(h.root .. "/Tests/Data/keras/computed.onnx")
  local values = {dtype = "float32", shape = {3, 2, 4, 4}}
  for i = 1, 96 do values[i] = math.sin(i * 0.37) end
  local x = prune.tensor(values)
  local before = flat(model:predict(x))
  for _, suffix in ipairs {".h5", ".keras"} do
    local path = h.temporary(suffix)
    model:save(path)
    near(distance(flat(prune.load(path):predict(x)), before), 0, 1e-5, suffix)
  end
end)

test("trained and masked weights come back", function()
  local x, labels = {}, {}
  for i = 1, 60 do
    labels[i] = i % 3
    x[i] = {}
    for j = 1, 5 do x[i][j] = math.sin(i * j) + labels[i] end
  end
  local data = prune.data.tensors(prune.tensor(x), prune.tensor(labels))
  local model = prune.load(folder .. "compiled.h5")
  model:fit {data = data, epochs = 2}
  local masked = model:prune {strategy = "global", amount = 0.3}
  local path = h.temporary ".h5"
  masked:save(path)
  local again = prune.load(path)
  equal(again:evaluate(data).loss, masked:evaluate(data).loss, "loss")
  check(again:stats().sparsity > 0.25, "sparsity")
  again:fit {data = data, epochs = 1}
  equal(again:stats().nonzero, masked:stats().nonzero, "weights that training left alone")
end)

test("networks that never saw Keras are written for it", function()
  for name, model in pairs {
    lenet5 = prune.zoo.lenet5 {classes = 10, input = {1, 12, 12}}, mlp = prune.zoo.mlp {input = {6}, hidden = {5}, classes = 3},
    resnet = prune.zoo.resnet {depth = 20, classes = 10, input = {3, 16, 16}},
    mobilenet = prune.zoo.mobilenet_v2 {classes = 10, input = {3, 32, 32}},
  } do
    local shape, count = {2}, 2
    for i = 2, #model.inputs[1].shape do shape[i] = model.inputs[1].shape[i] end
    for i = 2, #shape do count = count * shape[i] end
    local values = {dtype = "float32", shape = shape}
    for i = 1, count do values[i] = math.sin(i * 0.37) end
    local x = prune.tensor(values)
    local before = flat(model:predict(x))
    for _, suffix in ipairs {".h5", ".keras"} do
      local path = h.temporary(suffix)
      model:save(path)
      near(distance(flat(prune.load(path):predict(x)), before), 0, 1e-4, name .. suffix)
    end
  end
end)

test("a suffix that is not written is an error, and writes nothing", function()
  local model, path = prune.zoo.mlp {input = {4}, hidden = {3}, classes = 2}, h.temporary ".pt"
  local problem = fails("are not written as", model.save, model, path)
  for _, suffix in ipairs {".onnx", ".prunez", ".h5", ".keras"} do check(problem.hint:find(suffix, 1, true), suffix) end
end)

test("what Keras cannot say is named", function()
  local model = prune.zoo.mlp {input = {4}, hidden = {3}, classes = 2}
  local problem = fails("Keras", model.save, model:quantize {scheme = "dynamic"}, h.temporary ".h5")
  equal(problem.code, "unsupported")
end)

h.finish()
