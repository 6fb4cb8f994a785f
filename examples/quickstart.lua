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
local history = m:fit{data = train, epochs = 12, batch_size = 64, optimizer = "adam", lr = 1e-3, validation_split = 0.1, seed = 1}
for _, epoch in ipairs(history.epochs) do
  if epoch.epoch % 3 == 0 then
    print(("epoch %2d   loss %.4f   accuracy %s   validation accuracy %s"):format(
      epoch.epoch, epoch.loss, percent(epoch.accuracy), percent(epoch.validation_accuracy)))
  end
end
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

heading "Further: nine of ten weights in four steps, trained a little after each; pruned weights stay zero"
slim = slim:prune{
  strategy = "global", criterion = "magnitude", amount = 0.9,
  schedule = {kind = "cubic", steps = 4},
  recover = {data = train, epochs = 2, batch_size = 64},
  guard = {data = test, metric = "accuracy", max_drop = 0.02},
}
slim:fit{data = train, epochs = 3, batch_size = 64, lr = 5e-4}
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
print(prune.compare{{"dense", m}, {"slim", slim}, {"slim int8", reloaded}, data = test})
if not (arg and arg[1]) then os.remove(path) end
