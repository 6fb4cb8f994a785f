#!/usr/bin/env prune
-- ResNet-56 on CIFAR-10, smaller: what surgery alone costs, and what a short training brings back.
local prune = require "prune"

local USAGE = [[
usage: prune resnet56_cifar.lua MODEL TEST TRAINING [EPOCHS]

  MODEL      resnet56_cifar10.onnx: input [N,3,32,32], pixels 0...1 less the ImageNet mean, over its standard deviation
  TEST       CIFAR-10 binary records to test on, gzip'ed or not
  TRAINING   records to calibrate and train on
  EPOCHS     of training after pruning, 0 for none; 12 by default, and half as many before

The first part takes a third of the multiplications out without any training: channels go by their weights, and the layers
that read them are fitted by least squares to what they gave before. It ends with an error when this loses more than 2 points.
The second part fits the network to these images first, then takes half of its multiplications out, and trains what is left to
end every block as the whole network does. The whole network is trained in the same way: that is the honest base. It fails when
the smaller one is more than a point behind.
]]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function images(path)
  return prune.data.cifar10(path):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

local function heading(text) print(("\n== %s"):format(text)) end
local function accuracy(model, data) return 100 * model:evaluate(data, {metrics = {"accuracy"}, batch_size = 128}).accuracy end

local m, test, train = prune.load(arg[1]), images(arg[2]), images(arg[3])
local epochs = tonumber(arg[4] or 12)
local base = accuracy(m, test)
print(("untouched: %.2f %%, %d MACs"):format(base, m:stats().macs))

-- Channels inside the blocks: those of the residual stream are read by every block behind them.
local function shrink(network, fraction, criterion, samples)
  return network:prune{
    granularity = "channel", criterion = criterion, target = {macs = fraction}, ignore = {"/conv1/Conv", "/linear/Gemm"},
    data = train:take(samples), reconstruct = "least_squares", batch_size = 128,
  }
end

heading "1.5 times fewer multiplications, no training"
local slim, report = shrink(m, 1 / 1.5, "l2", 512)
local once = accuracy(slim, test)
print(("%.2f %%, %.3f of the MACs, certificate %.1e"):format(once, report.macs_kept, report.certificate))
assert(base - once <= 2, "one-shot pruning lost more than 2 points")

if epochs == 0 then return end

heading(("2.1 times fewer multiplications, %d epochs of training"):format(epochs))
-- Its normalizations are folded into the weights: without them large steps end in NaN, so Adam, a low rate and a bound.
local function train_on(network, options)
  local settings = {
    data = train, batch_size = 64, optimizer = "adam", schedule = "cosine", warmup = 20, clip_norm = 1,
    augment = {flip = true, crop = 4}, seed = 1, verbose = true,
  }
  for key, value in pairs(options) do settings[key] = value end
  network:fit(settings)
  return network
end

local start = os.clock()
local whole = train_on(m:clone(), {epochs = math.ceil(epochs / 2), lr = 3e-4, teacher = m})
local fitted = accuracy(whole, test)
local half = shrink(whole, 1 / 2.1, "fisher", 4096)
print(("the whole network, fitted: %.2f %%; pruned, before training: %.2f %%"):format(fitted, accuracy(half, test)))
local lesson = {
  epochs = epochs, lr = 5e-4, teacher = whole, alpha = 0.9, features = {"/layer*/Relu_1_output_0"}, feature_weight = 2,
}
train_on(half, lesson)
local small, seconds = accuracy(half, test), os.clock() - start
print(("%.2f %% after %.0f s of processor time"):format(small, seconds))
half:save "resnet56.slim.onnx"
print "saved resnet56.slim.onnx"
local same = accuracy(train_on(whole:clone(), lesson), test)
print(("the whole network, trained as long: %.2f %%"):format(same))
assert(math.max(fitted, same) - small <= 1, "the smaller network is more than a point behind")
