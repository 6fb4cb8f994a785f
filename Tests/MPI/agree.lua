-- Run by Tests/MPI/run on 1, 2 and 4 ranks: writes what came out, which is the same on any number.
local prune = require "prune"
local out = arg[1]
local train, test = prune.data.digits():split{ test = 0.2, seed = 7 }
train = train:take(403)
local m = prune.zoo.lenet5{ input = { 1, 8, 8 }, classes = 10, seed = 3 }
local epochs = 0
local history = m:fit{ data = train, epochs = 2, batch_size = 32, optimizer = "sgd", lr = 0.05, momentum = 0.9, validation = test,
  seed = 1, on_epoch = function() epochs = epochs + 1 end }
assert(epochs == 2, "every rank has its events")
local report = m:evaluate(test, { metrics = { "loss", "accuracy", "auc" } })
local lines = { ("loss %.6f %.6f"):format(history.epochs[1].loss, history.epochs[2].loss),
  ("evaluate %.6f %.6f %.6f"):format(report.loss, report.accuracy, report.auc) }
for _, criterion in ipairs{ "taylor", "fisher", "snip", "wanda", "apoz", "gate", "hessian" } do
  local scores = m:significance{ criterion = criterion, data = train:take(100), batch_size = 16 }
  lines[#lines + 1] = ("%s %.6g %.6g"):format(criterion, scores.layers[1].mean, scores.layers[2].mean)
end
local curves = m:sensitivity{ data = test:take(100), amounts = { 0.5, 0.9 } }
for _, layer in ipairs(curves.layers) do
  lines[#lines + 1] = ("sensitivity %s %.3f %.3f"):format(layer.name, layer.values[1], layer.values[2])
end
local best, found = prune.search{ model = m, data = test:take(200), max_drop = 0.05, objective = "macs", budget = 5 }
lines[#lines + 1] = ("search %d %d"):format(#found.front, best:stats().macs)
local slim = m:prune{ granularity = "channel", criterion = "taylor", data = train:take(100), amount = 0.3,
  recover = { epochs = 1, data = train, lr = 0.01, optimizer = "sgd" } }
lines[#lines + 1] = ("prune %d %.4f"):format(slim:stats().params, slim:evaluate(test).loss)
if prune.rank == 0 then
  local file = assert(io.open(out, "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end
