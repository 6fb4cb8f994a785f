-- LeNet-5 on the digits, trained and pruned by several processes together:
--   mpirun -n 4 prune examples/distributed/train.lua [epochs]
-- One process alone gives the same, but for rounding.
local prune = require "prune"
if os.getenv "OMPI_COMM_WORLD_SIZE" or os.getenv "PMI_RANK" or os.getenv "PMIX_RANK" then prune.distributed{ timeout = 120 } end
local epochs = tonumber(arg and arg[1]) or 10

local train, test = prune.data.digits():split{ test = 0.2, seed = 7 }
local m = prune.zoo.lenet5{ input = { 1, 8, 8 }, classes = 10, seed = 1 }
-- The batch is that of all ranks: each takes its part, and gradients are summed before every step.
local history = m:fit{ data = train, validation = test, epochs = epochs, batch_size = 64, optimizer = "adam", lr = 1e-3, seed = 1,
  checkpoint = os.getenv "CHECKPOINT" }
print(("%d ranks, %.2f s"):format(prune.size, history.seconds))
print(m:evaluate(test))

-- Scores are summed over the ranks before anything is cut: all cut alike.
local slim, report = m:prune{ granularity = "channel", criterion = "taylor", data = train, amount = 0.5,
  recover = { data = train, epochs = 3, lr = 5e-4 }, guard = { data = test, metric = "accuracy", max_drop = 0.02 } }
print(report)
print(slim:sensitivity{ data = test })
-- What is to happen once, outside of what is shared.
if prune.rank == 0 then slim:save(os.getenv "OUT" or "digits-slim.onnx") end
