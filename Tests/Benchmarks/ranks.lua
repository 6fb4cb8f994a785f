-- How long an epoch takes, by the number of ranks:
--   OMP_NUM_THREADS=1 mpirun --oversubscribe --bind-to none -n 2 prunesh Tests/Benchmarks/ranks.lua
local prune = require "prune"
prune.distributed{}
prune.threads(1)
local digits = prune.data.digits():resize{28, 28}

local function measure(name, model, data, runs)
  local best = math.huge
  for seed = 1, runs do
    local history = model:fit{data = data, epochs = 1, batch_size = 128, lr = 1e-3, seed = seed}
    best = math.min(best, history.epochs[1].seconds)
  end
  print(("%-10s %d ranks  %.3f s an epoch"):format(name, prune.size, best))
end

measure("lenet5", prune.zoo.lenet5{classes = 10, input = {1, 28, 28}, seed = 1}, digits, 3)
measure("resnet20", prune.zoo.resnet{depth = 20, classes = 10, input = {1, 28, 28}, seed = 1}, digits:take(512), 2)
