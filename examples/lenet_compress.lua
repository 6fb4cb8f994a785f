#!/usr/bin/env prune
-- The networks that pruning papers report on, from random weights to packed files: trained, pruned little by little while
-- learning from what they were, their weights brought to a few values, and stored.
local prune = require "prune"

local USAGE = [=[
usage: prune lenet_compress.lua [FOLDER [NETWORK [SEED...]]]

  FOLDER   where the four files of MNIST are, gzip'ed or not: train-images-idx3-ubyte, train-labels-idx1-ubyte,
           t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; ../shared/data/mnist beside the repository by default
  NETWORK  lenet_300_100 or lenet5; both by default, or "all"
  SEED     of weights and order, one or several; 1 by default

For each seed it prints the test error of the dense network and, stage by stage, how much of it is left and with which error:
parameters that are not zero, biases counted, of all parameters; and the bytes of the packed file, whose weights are a palette,
of the dense network's as float32. The packed file is read again before it is tested. The files stay in the current folder.
It fails when a stage keeps more or errs more than its recipe says. Nothing is chosen by looking at the test images.
]=]

-- `start` of the weights goes at once. A stage goes on to `kept` of the dense network's parameters in `steps` steps of an epoch
-- each, then trains `epochs` more at a rate that falls from `lr` to nothing. `bits` a weight are stored. `most` is the error
-- allowed to the stage, `packed` the fraction of the bytes and the error allowed to the packed file.
local RECIPES = {
  {
    name = "lenet_300_100",
    fit = {
      epochs = 50, batch_size = 128, optimizer = "adamw", lr = 2e-3, weight_decay = 0.05, schedule = "cosine",
      augment = {crop = 2},
    },
    start = 0.8,
    stages = {
      {
        kept = 1 / 22, steps = 8, epochs = 8, lr = 1.5e-3, augment = {crop = 1}, bits = 4, most = 0.0164,
        packed = {1 / 64, 0.0164},
      },
      {kept = 1 / 60, steps = 60, epochs = 150, lr = 2e-3, bits = 4, most = 0.0165},
    },
  },
  {
    name = "lenet5",
    fit = {
      epochs = 20, batch_size = 64, optimizer = "adamw", lr = 1.5e-3, weight_decay = 0.05, schedule = "cosine", warmup = 200,
      augment = {crop = 2},
    },
    -- Channels and hidden units first: what is trained from there on is a fifth of the work.
    channels = {params = 0.12, epochs = 2},
    stages = {
      {
        kept = 1 / 108, steps = 12, epochs = 30, lr = 2e-3, augment = {crop = 1}, bits = 5, most = 0.008,
        packed = {1 / 162, 0.008},
      },
      {kept = 1 / 280, steps = 48, epochs = 160, lr = 2e-3, augment = {crop = 1}, bits = 5, most = 0.0085},
    },
  },
}
-- What softens the dense network's answers.
local TEMPERATURE = 3

local here = arg[0]:match "^(.*)/[^/]*$" or "."
local folder, only = arg[1] or here .. "/../../shared/data/mnist", arg[2]
if folder:find "^%-" then
  io.stderr:write(USAGE)
  os.exit(2)
end
local seeds = {}
for index = 3, #arg do seeds[#seeds + 1] = assert(math.tointeger(tonumber(arg[index])), "SEED is a number") end
if #seeds == 0 then seeds = {1} end

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

local function wrong(m) return 1 - m:evaluate(test, {metrics = {"accuracy"}, batch_size = 500}).accuracy end

--- How much of the weights has to go so that `kept` parameters are left, the others counted as they are.
local function amount(m, kept)
  local weights, others = 0, 0
  for _, name in ipairs(m:parameters()) do
    local tensor = m:parameter(name)
    if tensor.dtype == "float32" then
      if tensor.rank > 1 then weights = weights + tensor.count else others = others + tensor.count end
    end
  end
  return 1 - (kept - others) / weights
end

--- The training images with what the dense network says of them in place of their labels: seven parts of its probabilities,
--- softened, and three of the label. It is asked once, and learnt from in every epoch, of moved images as of those that it saw.
local function answers(dense)
  local rows, labels = dense:predict(train):totable(), train.y:totable()
  for index, row in ipairs(rows) do
    local sum = 0
    for class = 1, #row do
      row[class] = math.exp(row[class] / TEMPERATURE)
      sum = sum + row[class]
    end
    for class = 1, #row do row[class] = 0.7 * row[class] / sum + (labels[index] == class - 1 and 0.3 or 0) end
  end
  return prune.data.tensors(train.x, prune.tensor(rows))
end

--- Options of a fit of a network that is being pruned.
local function learning(data, seed, options)
  local fit = {data = data, loss = "cross_entropy", batch_size = 128, optimizer = "adam", seed = seed}
  for key, value in pairs(options) do fit[key] = value end
  return fit
end

local function percent(x) return ("%.2f %%"):format(100 * x) end

--- One network from one seed; what it missed, if anything.
local function compress(recipe, seed)
  local start, cpu = os.time(), os.clock()
  local dense = prune.zoo[recipe.name]{classes = 10, input = {1, 28, 28}, seed = seed}
  recipe.fit.data, recipe.fit.seed = train, seed
  dense:fit(recipe.fit)
  local all, missed = dense:stats().params, {}
  print(("%s, seed %d: dense, %d parameters, %s test error, %d s"):format(
    recipe.name, seed, all, percent(wrong(dense)), os.time() - start))

  local m, soft = dense, answers(dense)
  if recipe.channels then
    m = dense:prune{
      granularity = "channel", criterion = "taylor", target = {params = recipe.channels.params}, max_fraction = 0.95,
      data = train:take(1000), recover = learning(soft, seed, {epochs = recipe.channels.epochs, lr = 2e-3, schedule = "cosine"}),
    }
  end
  if recipe.start then m = m:prune{allocation = "lamp", amount = recipe.start} end
  for position, stage in ipairs(recipe.stages) do
    m = m:prune{
      allocation = "lamp", amount = amount(m, stage.kept * all), schedule = {kind = "cubic", steps = stage.steps},
      data = train, recover = learning(soft, seed, {epochs = 1, lr = 1e-3, augment = stage.augment}),
    }
    m:fit(learning(soft, seed + 100, {epochs = stage.epochs, lr = stage.lr, schedule = "cosine", augment = stage.augment}))
    local left, lost = m:stats().nonzero, wrong(m)

    local name = ("%s.seed%d.stage%d.prunez"):format(recipe.name, seed, position)
    m:quantize{scheme = "palette", bits = stage.bits, fisher = true, calibration = train:take(5000)}:save(name)
    local packed = prune.load(name)
    local handle = assert(io.open(name, "rb"))
    local bytes, packed_lost = handle:seek "end", wrong(packed)
    handle:close()
    print(("  %d parameters, 1/%.1f, %s test error; %s %d bytes, 1/%.1f, %s"):format(
      left, all / left, percent(lost), name, bytes, 4 * all / bytes, percent(packed_lost)))
    print(("  %d s, %.0f s of processor time until here"):format(os.time() - start, os.clock() - cpu))

    local function want(what, value, most)
      if value <= most then return end
      missed[#missed + 1] = ("%s of stage %d is %.6g, wanted at most %.6g"):format(what, position, value, most)
    end
    -- A fraction of all is a whole number of parameters, rounded.
    want("what is left", left, math.ceil(stage.kept * all))
    want("the error", lost, stage.most)
    if stage.packed then
      want("the packed fraction", bytes / (4 * all), stage.packed[1])
      want("the packed error", packed_lost, stage.packed[2])
    end
  end
  return missed
end

local failures = {}
for _, recipe in ipairs(RECIPES) do
  if not only or only == "all" or only == recipe.name then
    for _, seed in ipairs(seeds) do
      for _, what in ipairs(compress(recipe, seed)) do
        failures[#failures + 1] = ("%s, seed %d: %s"):format(recipe.name, seed, what)
      end
    end
  end
end
if #failures > 0 then error(table.concat(failures, "\n"), 0) end
