#!/usr/bin/env prune
-- Half of the channels, then 8 bits, in one session on embedded data: what each step costs and brings, measured.
local prune = require "prune"

local train, test = prune.data.digits():split{test = 0.2, seed = 7}
local calibration = train:take(200)

local m = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}, seed = 1}
m:fit{data = train, epochs = 6, batch_size = 32, optimizer = "adam", lr = 1e-3, seed = 1}

-- Channels out of every tensor they reach, a short training, and the certificate that the cut is what the mask was.
local slim, cut = m:prune{
  granularity = "channel", amount = 0.5, criterion = "l2", data = calibration,
  recover = {data = train, epochs = 3, batch_size = 32, optimizer = "adam", lr = 1e-3},
}
-- Scales from 200 images; a model that loses more than 2 points is refused.
local int8, report = slim:quantize{
  scheme = "static", calibration = calibration, calibrator = "mse", equalize = true, bias_correction = true,
  format = "qoperator", guard = {data = test, metric = "accuracy", max_drop = 0.02},
}

local function row(name, model)
  local sizes, speed = model:sizes(), model:benchmark{runs = 30, threads = 1}
  print(("%-10s %6.2f %% right  %9d MACs  %8d bytes  %8d packed  %7.3f ms"):format(
    name, 100 * model:evaluate(test).accuracy, model:stats().macs, sizes.onnx, sizes.packed, speed.median_ms))
  return sizes
end

local dense = row("dense", m)
row("half", slim)
local packed = row("half int8", int8)
print(("certificate of the cut %.1e, %d layers in int8"):format(cut.certificate, #report.layers))
print(("%.1f times smaller"):format(dense.onnx / packed.onnx))
