#!/usr/bin/env prune
-- Half of the weights of a pretrained CIFAR-10 network removed without training, by several methods side by side.
local prune = require "prune"

local USAGE = [[
usage: prune sparse_resnet20.lua MODEL CALIBRATION TEST

  MODEL        an ONNX file with input [N,3,32,32]: pixels 0...1, less the ImageNet mean, over its standard deviation
  CALIBRATION  CIFAR-10 binary records whose first 1,024 images tell what the layers see; labels are not used
  TEST         CIFAR-10 binary records to measure on
]]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function images(path)
  return prune.data.cifar10{path}:normalize{mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225}}
end

local m, calibration, test = prune.load(arg[1]), images(arg[2]):take(1024), images(arg[3])
local function accuracy(model) return 100 * model:evaluate(test).accuracy end
local before = accuracy(m)
print(("dense                         %.2f %%"):format(before))

for _, way in ipairs{
  {"magnitude, global", {amount = 0.5}},
  {"magnitude, local", {amount = 0.5, strategy = "local"}},
  {"wanda", {amount = 0.5, criterion = "wanda"}},
  {"sparsegpt, local", {amount = 0.5, strategy = "local", reconstruct = "sparsegpt"}},
  {"sparsegpt, lamp", {amount = 0.5, allocation = "lamp", reconstruct = "sparsegpt"}},
  {"sparsegpt, erk", {amount = 0.5, allocation = "erk", reconstruct = "sparsegpt"}},
  {"sparsegpt, 2:4", {granularity = "2:4", reconstruct = "sparsegpt"}},
} do
  local name, options = table.unpack(way)
  options.data = calibration
  local start = os.clock()
  local slim, report = m:prune(options)
  local seconds, after = os.clock() - start, accuracy(slim)
  print(("%-28s  %.2f %%  %+.2f points  %.1f %% zeros  %.0f s of processor time"):format(
    name, after, after - before, 100 * report.sparsity, seconds))
end
