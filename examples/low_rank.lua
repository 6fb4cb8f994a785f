#!/usr/bin/env prune
-- Low rank: half of the multiplications, by two small layers in the place of each large one, without training; then an epoch of it.
--   scripts/prune examples/low_rank.lua                   a ResNet-20 of the zoo that learns the digits first
--   scripts/prune examples/low_rank.lua MODEL.onnx DATA.npz   a model and data (x, y) of your own
local prune = require "prune"

local m, train, test
if arg and arg[2] then
  m = prune.load(arg[1])
  train, test = prune.data.npz(arg[2]):split{test = 0.2, seed = 7}
else
  train, test = prune.data.digits():resize{16, 16}:split{test = 0.2, seed = 7}
  m = prune.zoo.resnet{depth = 20, input = {1, 16, 16}, classes = 10, seed = 1}
  m:fit{data = train, epochs = 4, batch_size = 32, lr = 2e-3, schedule = "cosine", seed = 1}
end
local samples = prune.data.tensors(train.x):take(512)                    -- no labels

local function row(name, model)
  print(("%-28s %6.2f %% right  %9d MACs  %8d parameters  %7.3f ms"):format(
    name, 100 * model:evaluate(test).accuracy, model:stats().macs, model:stats().params,
    model:benchmark{runs = 30, threads = 1}.median_ms))
end

row("dense", m)
row("by the weights alone", (m:factorize{target = {macs = 0.5}}))
local channel, report = m:factorize{target = {macs = 0.5}, data = samples}
row("by what layers compute", channel)
row("columns and rows of kernels", (m:factorize{target = {macs = 0.5}, data = samples, form = "spatial"}))
channel:fit{data = train, epochs = 1, batch_size = 32, seed = 1}
row("after an epoch", channel)
print(report.layers)
