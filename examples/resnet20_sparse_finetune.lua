#!/usr/bin/env prune
-- Weights of a pretrained CIFAR-10 network taken out: half of them layer by layer from what the layers see, four fifths little by
-- little while it learns to say what the dense network says.
local prune = require "prune"

local USAGE = [=[
usage: prune resnet20_sparse_finetune.lua MODEL TEST TRAINING [EPOCHS [SEED...]]

  MODEL      an ONNX file with input [N,3,32,32]: pixels 0...1, less the ImageNet mean, over its standard deviation
  TEST       CIFAR-10 binary records to measure on, gzip'ed or not
  TRAINING   records to calibrate and train on; their labels are not read
  EPOCHS     of training at the final sparsity, 0 for none; 170 by default
  SEED       of order and augmentation, one or several; 1 by default

The first part takes half of the weights out without training, SparseGPT's way, and fails when that loses more than a point.
The second goes to 80 % in 16 steps, each with an epoch of training towards what the dense network's layers and answers are, and
trains on towards its answers alone, of images that are mirrored, moved and pasted into one another: it has an answer to those too.
It fails when more than a point is lost, and says whether half a point is. The test images decide nothing.
]=]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end
for position = 1, 3 do
  local found = io.open(arg[position], "rb")
  if not found then
    print(("skipped: there is no file %s"):format(arg[position]))
    os.exit(0)
  end
  found:close()
end

local function images(path)
  return prune.data.cifar10(path):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

local m, test, train = prune.load(arg[1]), images(arg[2]), images(arg[3])
local epochs = math.tointeger(tonumber(arg[4] or 170))
local seeds = {}
for position = 5, #arg do seeds[#seeds + 1] = math.tointeger(tonumber(arg[position])) end
if #seeds == 0 then seeds = {1} end
local calibration = train:take(1024)
local function accuracy(model) return 100 * model:evaluate(test, {metrics = {"accuracy"}, batch_size = 100}).accuracy end

local base = accuracy(m)
print(("dense: %.2f %%"):format(base))
local half, report = m:prune{amount = 0.5, allocation = "lamp", reconstruct = "sparsegpt", data = calibration}
local after = accuracy(half)
print(("%.0f %% out, no training: %.2f %%, %+.2f points"):format(100 * report.sparsity, after, after - base))
assert(base - after <= 1, "reconstruction alone lost more than a point")
if epochs == 0 then return end

--- Nothing normalizes a network whose batch normalizations are folded: gradients are kept short.
local function settings(options)
  local fit = {
    data = train, batch_size = 128, optimizer = "adam", clip_norm = 1, teacher = m, alpha = 1, temperature = 4,
    augment = {flip = true, crop = 4, cutmix = 1},
  }
  for key, value in pairs(options) do fit[key] = value end
  return fit
end

local missed = 0
for _, seed in ipairs(seeds) do
  local start, cpu = os.time(), os.clock()
  local sparse, report = m:prune{
    amount = 0.8, allocation = "lamp", data = calibration, schedule = {kind = "cubic", steps = 16},
    recover = settings{epochs = 1, lr = 1e-3, seed = seed, features = {"*Relu*"}, feature_weight = 2},
  }
  local before = accuracy(sparse)
  sparse:fit(settings{epochs = epochs, lr = 1.5e-3, schedule = "cosine", seed = seed})
  local after = accuracy(sparse)
  print(("seed %d: %.1f %% out, %.2f %% after the steps, %.2f %% in the end, %+.2f points, %s half a point"):format(
    seed, 100 * report.sparsity, before, after, after - base, base - after < 0.5 + 1e-6 and "within" or "beyond"))
  print(("  %d s, %.0f s of processor time"):format(os.time() - start, os.clock() - cpu))
  if base - after > 1 then missed = missed + 1 end
  sparse:save(("resnet20.sparse80.seed%d.onnx"):format(seed))
end
if missed > 0 then error(("%d of %d seeds lost more than a point"):format(missed, #seeds), 0) end
