#!/usr/bin/env prune
-- A classifier of ten things that only ever has to tell three apart: cut, and pruned for them.
local prune = require "prune"

local USAGE = [=[
usage: prune keep_classes.lua MODEL TEST TRAINING [EPOCHS [CLASSES]]

  MODEL      resnet20_cifar10.onnx or like it: input [N,3,32,32], pixels 0...1 less the ImageNet mean, over its deviation
  TEST       CIFAR-10 binary records to test on, gzip'ed or not
  TRAINING   records to judge units and to train on
  EPOCHS     of training, 24 by default
  CLASSES    to keep, "0,1,9" by default: airplanes, automobiles and trucks

Cuts the head, then takes half of the multiplications out of what is before it, by what matters to the kept classes, and trains
what is left on their images, learning from the labels and from the network whose head alone was cut. Ends with an error when
more than half a point of the three-way accuracy is lost.
]=]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function images(path)
  return prune.data.cifar10(path):normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

local m, test, train = prune.load(arg[1]), images(arg[2]), images(arg[3])
local classes = {}
for number in (arg[5] or "0,1,9"):gmatch "%d+" do classes[#classes + 1] = math.tointeger(number) end

-- Channels inside the blocks: those of the residual stream are read by every block behind them.
local slim, report = m:keep_classes(classes, {
  granularity = "channel", criterion = "taylor", target = {macs = 0.5}, ignore = {"/conv1/Conv", "/linear/Gemm"},
  data = train, validate = test, reconstruct = "least_squares", batch_size = 64,
  recover = {
    epochs = tonumber(arg[4] or 24), batch_size = 64, optimizer = "adam", lr = 5e-4, schedule = "cosine", clip_norm = 1,
    augment = {flip = true, crop = 2}, teacher = m:keep_classes(classes), seed = 1, verbose = true,
  },
})

local before, after = 100 * report.before.kept_accuracy, 100 * report.after.kept_accuracy
print(("%d classes: %.2f %% before, %.2f %% after; %.1f %% of the multiplications, certificate %.1e"):format(
  #classes, before, after, 100 * report.prune.macs_kept, report.certificate))
assert(report.prune.macs_kept <= 0.51, "more than half of the multiplications are left")
assert(before - after <= 0.5, "more than half a point was lost")
slim:save "resnet20.classes.onnx"
print "saved resnet20.classes.onnx"
