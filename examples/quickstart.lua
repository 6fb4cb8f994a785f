#!/usr/bin/env prune
-- The whole job on handwritten digits: train, look, prune, fine-tune, quantize, save, reload, compare.
--   scripts/prune examples/quickstart.lua [FILE.onnx]
local prune = require "prune"

local function heading(text) print(("\n== %s"):format(text)) end
local function percent(x) return ("%.2f %%"):format(100 * x) end

local path = arg and arg[1]
if not path then
  local unused = os.tmpname() -- makes the file
  os.remove(unused)
  path = unused .. ".onnx"
end

heading "Data: 1,797 images of digits, 8x8 pixels; a fifth is kept for testing"
local train, test = prune.data.digits():split{test = 0.2, seed = 7}
print("train", train)
print("test", test)

heading "A LeNet-5, trained from scratch"
local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}, seed = 1}
m:fit{
  data = train, epochs = 15, batch_size = 32, optimizer = "adam", lr = 2e-3, schedule = "cosine", seed = 1,
  on_epoch = function(event)
    if event.epoch % 5 > 0 then return end
    print(("epoch %2d   loss %.4f   accuracy %s"):format(event.epoch, event.loss, percent(event.accuracy)))
  end,
}
m:summary()
local dense = m:evaluate(test)
print("accuracy on images it has not seen: " .. percent(dense.accuracy))

heading "Which weights matter? What the loss would lose without them (Taylor), by layer"
print(m:significance{data = train, criterion = "taylor"})

heading "Prune: all weights smaller than a threshold go, wherever they are"
local slim, report = m:prune{strategy = "global", threshold = 0.025, device = "cpu", validate = test}
print(report)
local pruned = slim:evaluate(test)
print(("accuracy %s before, %s after; %s of the weights are zero"):format(
  percent(dense.accuracy), percent(pruned.accuracy), percent(slim:stats().sparsity)))

heading "Further: four of five weights in four steps, trained a little after each; pruned weights stay zero"
slim = slim:prune{
  strategy = "global", criterion = "magnitude", amount = 0.8,
  schedule = {kind = "cubic", steps = 4},
  recover = {data = train, epochs = 4, batch_size = 32, lr = 3e-3, schedule = "cosine"},
  guard = {data = test, metric = "accuracy", max_drop = 0.02},
}
slim:fit{data = train, epochs = 8, batch_size = 32, lr = 2e-3, schedule = "cosine"}
print(("accuracy %s with %s of the weights zero"):format(
  percent(slim:evaluate(test).accuracy), percent(slim:stats().sparsity)))

heading "Quantize to 8 bits, with scales from 200 training images"
local int8 = slim:quantize{scheme = "static", calibration = train:take(200)}
int8:save(path)
print("saved " .. path)

heading "Reload the file and test it"
local reloaded = prune.load(path)
print(reloaded)
local final = reloaded:evaluate(test)
print("accuracy " .. percent(final.accuracy))

heading "Side by side"
print(prune.compare{{"dense", m}, {"slim", slim}, {"int8", reloaded}, data = test})
if not (arg and arg[1]) then os.remove(path) end
