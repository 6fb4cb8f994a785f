#!/usr/bin/env prune
-- Squeezes a pretrained CIFAR-10 network.
local prune = require "prune"

local USAGE = [[
usage: prune cifar.lua MODEL DATA [TRAINING DATA...]

  MODEL   an ONNX file with input [N,3,32,32], such as resnet20_cifar10.onnx: pixels 0...1, less the ImageNet mean,
          over its standard deviation
  DATA    CIFAR-10 binary records to test on, such as test_batch.bin; gzip'ed or not. Without training data, a half of
          them is trained on and the other half tested on

It evaluates the network, shows which layers matter, prunes half of its weights in steps with fine-tuning after each,
quantizes it, saves MODEL.slim.onnx and MODEL.int8.onnx in the current folder, and compares the three.
]]

if #arg < 2 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function heading(text) print(("\n== %s"):format(text)) end
local function percent(x) return ("%.2f %%"):format(100 * x) end

local function images(paths)
  return prune.data.cifar10(paths):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

heading "Model and data"
local m = prune.load(arg[1])
local test, train = images(arg[2]), nil
if arg[3] then
  train = images(table.move(arg, 3, #arg, 1, {}))
else
  train, test = test:split{test = 0.5, seed = 1}
end
print(m)
print("train", train)
print("test", test)
m:summary()

heading "As it came"
print(m:evaluate(test, {metrics = {"loss", "accuracy", "top5"}}))
print(m:benchmark{batch_size = 1, runs = 30})

heading "Which weights matter: Taylor, by layer"
local few = train:take(512)
print(m:significance{data = few, criterion = "taylor"})

heading "Prune half of the weights in four steps, training after each; a step that costs over 5 points is taken back"
local slim, report = m:prune{
  strategy = "global", criterion = "magnitude", amount = 0.5,
  schedule = {kind = "cubic", steps = 4},
  recover = {data = train, epochs = 2, batch_size = 32, optimizer = "adam", lr = 1e-4},
  guard = {data = test, metric = "accuracy", max_drop = 0.05},
  validate = test,
}
print(report)

heading "Quantize to 8 bits"
local int8, quantized = slim:quantize{calibration = few, validate = test}
print(quantized)

local name = arg[1]:match "([^/]+)%.onnx$" or "model"
slim:save(name .. ".slim.onnx")
int8:save(name .. ".int8.onnx")
print(("saved %s.slim.onnx and %s.int8.onnx"):format(name, name))

heading "Side by side"
print(prune.compare{{"dense", m}, {"slim", slim}, {"slim int8", int8}, data = test})
print("accuracy of the quantized network: " .. percent(int8:evaluate(test).accuracy))
