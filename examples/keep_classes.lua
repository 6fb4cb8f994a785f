#!/usr/bin/env prune
-- A classifier of ten things that only ever has to tell three apart: cut, and pruned for them.
local prune = require "prune"

local USAGE = [[
usage: prune keep_classes.lua MODEL TEST TRAINING [EPOCHS]

  MODEL      resnet20_cifar10.onnx or like it: input [N,3,32,32], pixels 0...1 less the ImageNet mean, over its deviation
  TEST       CIFAR-10 binary records to test on, gzip'ed or not
  TRAINING   records to judge units and to train on
  EPOCHS     of training, 6 by default

Keeps cats, dogs and horses (3, 5, 7). Ends with an error when at half the multiplications more than half a point of the
three-way accuracy is lost.
]]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function images(path)
  return prune.data.cifar10(path):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

local m, test, train = prune.load(arg[1]), images(arg[2]), images(arg[3])
local slim, report = m:keep_classes({3, 5, 7}, {
  granularity = "channel", criterion = "taylor", target = {macs = 0.5}, data = train, validate = test,
  reconstruct = "least_squares", batch_size = 64,
  recover = {
    epochs = tonumber(arg[4] or 6), batch_size = 64, optimizer = "adam", lr = 3e-4, schedule = "cosine", clip_norm = 1,
    augment = {flip = true, crop = 2}, seed = 1, verbose = true,
  },
})
print(report)

local before, after = 100 * report.before.kept_accuracy, 100 * report.after.kept_accuracy
print(("three classes: %.2f %% before, %.2f %% after; %.1f %% of the multiplications"):format(
  before, after, 100 * report.prune.macs_kept))
assert(report.prune.macs_kept <= 0.505, "more than half of the multiplications are left")
assert(before - after <= 0.5, "more than half a point was lost")
slim:save "resnet20.three.onnx"
print "saved resnet20.three.onnx"
