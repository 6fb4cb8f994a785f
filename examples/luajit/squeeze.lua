-- Prunes and quantizes a small network from LuaJIT: luajit squeeze.lua
-- prune_ffi.lua is installed by scripts/install, below share/lua/5.1.
local prune = require "prune_ffi"
local C = prune.C

local data = prune.make("dataset", C.prune_dataset_digits, nil)
local train, test = prune.make("dataset dataset", C.prune_dataset_split, data, 0.2, 7)

local zoo = prune.options "prune_zoo_options"
local input = require("ffi").new("int64_t[3]", 1, 8, 8)
zoo.input, zoo.input_rank, zoo.seed = input, 3, 1
local dense = prune.make("model", C.prune_zoo_create, nil, "lenet5", zoo)
local fit = prune.options "prune_fit_options"
fit.epochs, fit.batch_size = 5, 64
prune.make("report", C.prune_model_fit, dense, train, fit)

local options = prune.options "prune_prune_options"
options.amount = 0.7
local slim, report = prune.make("model report", C.prune_model_prune, dense, options)
print(prune.text(C.prune_report_to_text, report, 0, 0))

for label, model in pairs { dense = dense, slim = slim } do
  local measured = prune.make("report", C.prune_model_evaluate, model, test, nil)
  print(("%-6s accuracy %.4f"):format(label, prune.number(measured, "accuracy")))
end
prune.check(C.prune_model_save(slim, "slim.onnx"))
