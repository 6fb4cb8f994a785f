-- Run by Tests/MPI/run: what goes wrong on one rank, by the first argument.
local prune = require "prune"
local what, file = arg[1], arg[2]
prune.distributed{ timeout = tonumber(arg[3] or 5) }
local data = prune.data.digits():take(200)
local m = prune.zoo.mlp{ input = { 1, 8, 8 }, hidden = { 32 }, classes = 10, seed = what == "model" and prune.rank or 1 }
if what == "throws" and prune.rank == 1 then error("this rank has no disk", 0) end
if what == "samples" then data = data:take(2) end
if what == "data" and prune.rank == 1 then data = data:take(150) end
local last = prune.rank == prune.size - 1
m:fit{ data = data, epochs = 400, batch_size = 40, lr = 0.01, checkpoint = file, seed = 1,
  on_batch = function(event)
    if event.epoch ~= 3 or not last then return end
    if what == "kill" then os.execute("kill -9 $PPID") end
    if what == "stop" then os.execute("kill -STOP $PPID") end
    if what == "callback" then error("the callback of the last rank", 0) end
  end }
