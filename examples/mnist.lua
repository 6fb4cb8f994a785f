#!/usr/bin/env prune
-- The two networks that pruning papers report on, trained on MNIST to the errors that their papers know.
local prune = require "prune"

local USAGE = [=[
usage: prune mnist.lua [FOLDER [NETWORK]]

  FOLDER   where the four files of MNIST are, gzip'ed or not: train-images-idx3-ubyte, train-labels-idx1-ubyte,
           t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; ../shared/data/mnist beside the repository by default
  NETWORK  lenet5 or lenet_300_100; both by default

It trains each network by its recipe and tests it on the 10,000 test images.
]=]

-- Batches of 64; the rate falls to nothing along a cosine.
local RECIPES = {
  {name = "lenet_300_100", epochs = 25, optimizer = "adamw", lr = 1e-3, weight_decay = 0.05, most = 0.017},
  {name = "lenet5", epochs = 10, optimizer = "adamw", lr = 1e-3, weight_decay = 0.05, most = 0.008},
}

local here = arg[0]:match "^(.*)/[^/]*$" or "."
local folder, only = arg[1] or here .. "/../../shared/data/mnist", arg[2]
if folder:find "^%-" then
  io.stderr:write(USAGE)
  os.exit(2)
end

local function file(name)
  for _, path in ipairs{folder .. "/" .. name, folder .. "/" .. name .. ".gz"} do
    local found = io.open(path, "rb")
    if found then
      found:close()
      return path
    end
  end
end

local function images(kind)
  local pixels, labels = file(kind .. "-images-idx3-ubyte"), file(kind .. "-labels-idx1-ubyte")
  return pixels and labels and prune.data.idx{images = pixels, labels = labels}
end

local train, test = images "train", images "t10k"
if not train or not test then
  print(("skipped: MNIST is not in %s; give its folder as an argument"):format(folder))
  os.exit(0)
end

local missed
for _, recipe in ipairs(RECIPES) do
  if not only or only == recipe.name then
    print(("\n== %s, %d epochs"):format(recipe.name, recipe.epochs))
    local m = prune.zoo[recipe.name]{classes = 10, input = {1, 28, 28}, seed = 1}
    local start, cpu = os.time(), os.clock()
    m:fit{
      data = train, epochs = recipe.epochs, batch_size = 64, optimizer = recipe.optimizer, lr = recipe.lr,
      weight_decay = recipe.weight_decay, schedule = "cosine", seed = 1,
      on_epoch = function(event)
        print(("epoch %2d   loss %.4f   accuracy %.2f %%"):format(event.epoch, event.loss, 100 * event.accuracy))
      end,
    }
    local wrong = 1 - m:evaluate(test).accuracy
    print(("%s: %.2f %% test error, at most %.1f %% wanted; %d s, %.0f s of processor time"):format(
      recipe.name, 100 * wrong, 100 * recipe.most, os.time() - start, os.clock() - cpu))
    if wrong > recipe.most then missed = recipe.name end
  end
end
if missed then error(missed .. " missed its recipe's error", 0) end
