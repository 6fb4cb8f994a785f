#!/usr/bin/env prune
-- What zeros alone save: no channel goes, the network keeps its form, and yet it runs faster. Layers whose weights are mostly
-- zeros are multiplied without them wherever this machine does that faster.
local prune = require "prune"

local AMOUNTS = {0.5, 0.8, 0.9, 0.95}
local dense = arg[1] and prune.load(arg[1]) or prune.zoo.resnet{depth = 18, classes = 10, input = {3, 64, 64}, seed = 1}

local function time(model) return model:benchmark{threads = 1, runs = 20}.median_ms end

local function count(set)
  local sum = 0
  for _ in pairs(set) do sum = sum + 1 end
  return sum
end

local before = time(dense)
print(("%-12s %8.2f ms"):format("dense", before))
for _, amount in ipairs(AMOUNTS) do
  local sparse = dense:prune{amount = amount, allocation = "uniform", mode = "mask"}
  -- Dense again beside it: other work on the machine slows down both.
  local after = time(sparse)
  before = time(dense)
  local layers, fast = {}, {}
  for _, step in ipairs(sparse:benchmark{threads = 1, runs = 3, steps = true}.steps) do
    if step.weights then layers[step.name] = true end
    if step.weights == "sparse" then fast[step.name] = true end
  end
  print(("%3.0f %% zeros  %8.2f ms, %.2f of dense; %d of %d layers leave zeros out"):format(
    100 * amount, after, after / before, count(fast), count(layers)))
end
