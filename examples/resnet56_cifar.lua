#!/usr/bin/env prune
-- ResNet-56 on CIFAR-10, smaller: what surgery alone costs, and what a short training brings back.
local prune = require "prune"

local USAGE = [[
usage: prune resnet56_cifar.lua MODEL TEST TRAINING [EPOCHS]

  MODEL      resnet56_cifar10.onnx: input [N,3,32,32], pixels 0...1 less the ImageNet mean, over its standard deviation
  TEST       CIFAR-10 binary records to test on, gzip'ed or not
  TRAINING   records to calibrate and train on
  EPOCHS     of training, 0 for none; 6 by default

The first part takes a third of the multiplications out without any training: channels go by their weights, and the layers
that read them are fitted by least squares to what they gave before. It ends with an error when this loses more than 2 points.
The second part takes half of them and trains, learning from the labels and from the untouched network. The unpruned network is
trained in the same way: that is the honest base.
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
local epochs = tonumber(arg[4] or 6)
local base = accuracy(m, test)
print(("untouched: %.2f %%, %d MACs"):format(base, m:stats().macs))

-- Channels inside the blocks: those of the residual stream are read by every block behind them.
local function shrink(fraction)
  return m:prune{
    granularity = "channel", criterion = "l2", target = {macs = fraction}, ignore = {"/conv1/Conv", "/linear/Gemm"},
    data = train:take(512), reconstruct = "least_squares", batch_size = 128,
  }
end

heading "1.5 times fewer multiplications, no training"
local slim, report = shrink(1 / 1.5)
local once = accuracy(slim, test)
print(("%.2f %%, %.3f of the MACs, certificate %.1e"):format(once, report.macs_kept, report.certificate))
assert(base - once <= 2, "one-shot pruning lost more than 2 points")

if epochs == 0 then return end

heading(("2.1 times fewer multiplications, %d epochs of training"):format(epochs))
local half = shrink(1 / 2.1)
print(("before training: %.2f %%"):format(accuracy(half, test)))
-- Its normalizations are folded into the weights: without them large steps end in NaN, so Adam, a low rate and a bound.
local settings = {
  data = train, epochs = epochs, batch_size = 64, optimizer = "adam", lr = 3e-4, schedule = "cosine", warmup = 20, clip_norm = 1,
  augment = {flip = true, crop = 4}, teacher = m, seed = 1, verbose = true,
}
half:fit(settings)
local trained = m:clone()
trained:fit(settings)
local small, same = accuracy(half, test), accuracy(trained, test)
print(("%.2f %%, the unpruned network trained as long %.2f %%"):format(small, same))
half:save "resnet56.slim.onnx"
print "saved resnet56.slim.onnx"
