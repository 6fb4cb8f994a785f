#!/usr/bin/env prune
-- A well-known article's scenario: a ResNet-50 learns handwritten digits, is pruned by one threshold over all its weights, saved,
-- read again and tested.
--   scripts/prune examples/resnet50_digits.lua [FILE.onnx]
local prune = require "prune"

local SEED, ARTICLE = 1, 0.9829

local function heading(text) print(("\n== %s"):format(text)) end
local function percent(x) return ("%.2f %%"):format(100 * x) end

local path = arg and arg[1]
local is_ours = not path
if is_ours then
  local unused = os.tmpname() -- makes the file
  os.remove(unused)
  path = unused .. ".onnx"
end

heading "Data: the 1,797 embedded digits, enlarged from 8x8 to 32x32"
local digits = prune.data.digits():resize{32, 32}
-- What `validation_split` holds out of the training: the network never sees these.
local _, held_out = digits:split{test = 0.2, seed = SEED}
print(digits)

heading "ResNet-50 with one input channel, 10 epochs of Adam in batches of 64"
local m = prune.zoo.resnet{depth = 50, input = {1, 32, 32}, classes = 10, stem = "imagenet", seed = SEED}
local start, cpu = os.time(), os.clock()
m:fit{
  data = digits, validation_split = 0.2, epochs = 10, batch_size = 64, optimizer = "adam", lr = 1e-3, schedule = "cosine",
  loss = "cross_entropy", seed = SEED,
  on_epoch = function(event)
    print(("epoch %2d   loss %.4f   accuracy %s   held out %s"):format(
      event.epoch, event.loss, percent(event.accuracy), percent(event.validation_accuracy)))
  end,
}
print(("trained in %d s, %.0f s of processor time"):format(os.time() - start, os.clock() - cpu))

heading "Global pruning: every weight below 0.01 goes"
local slim, report = m:prune{strategy = "global", threshold = 0.01, device = "cpu", validate = held_out}
print(report)
slim:save(path)

heading "Saved, read again, tested"
local reloaded = prune.load(path)
print(reloaded)
if is_ours then os.remove(path) end
local all, unseen = reloaded:evaluate(digits).accuracy, reloaded:evaluate(held_out).accuracy
print(("accuracy on the data it was given, as the article counts: %s (the article: %s)"):format(percent(all), percent(ARTICLE)))
print(("accuracy on the fifth that was held out of the training:   %s"):format(percent(unseen)))
print(("%s of the weights are zero"):format(percent(reloaded:stats().sparsity)))
print(("the whole run took %d s"):format(os.time() - start))
if all < ARTICLE then error(("the accuracy is below %s"):format(percent(ARTICLE)), 0) end
