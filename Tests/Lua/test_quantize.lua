package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, check, fails = h.test, h.equal, h.check, h.fails

local train, rest = prune.data.digits():split{test = 0.2, seed = 7}
local few = train:take(100)
local m = prune.zoo.mlp{classes = 10, input = {1, 8, 8}, hidden = {32, 16}, seed = 3}
m:fit{data = train, epochs = 4, batch_size = 64, optimizer = "adam", lr = 3e-3, seed = 1}
local dense = m:evaluate(rest).accuracy

local function close(model, lost) check(model:evaluate(rest).accuracy > dense - lost) end

test("operators on codes", function()
  local pairs_, codes = m:quantize{calibration = few}, m:quantize{calibration = few, format = "qoperator"}
  equal(codes:evaluate(rest).accuracy, pairs_:evaluate(rest).accuracy)
  local kinds = {}
  for _, layer in ipairs(codes:layers()) do kinds[layer.op] = true end
  check(kinds.QGemm, "no QGemm")
  fails("quantized already", codes.quantize, codes, {calibration = few})
  fails("format 'qoperator' changes nothing in this model", m.quantize, m, {scheme = "dynamic", format = "qoperator"})
end)

test("weights are rewritten one by one", function()
  local path = h.temporary ".onnx"
  prune.zoo.mlp{input = {1024}, hidden = {1024, 1024, 1024, 1024, 1024, 1024, 1024}, classes = 8}:save(path)
  collectgarbage()
  local function memory(key) return io.open "/proc/self/status":read "a":match(key .. ":%s*(%d+)") / 1024 end
  local reset = io.open("/proc/self/clear_refs", "w")
  for _, scheme in ipairs{"weight_only", "float16", "bfloat16", "palette"} do
    -- Starts the peak anew.
    if not reset or not reset:write "5" or not reset:flush() then return end
    local before = memory "VmRSS"
    local small = prune.load(path):quantize{scheme = scheme}
    -- 28 MB of weights, of which one is 4 MB.
    local peak = memory "VmHWM" - before
    check(peak < 28 + 3 * 4, scheme .. ": " .. peak .. " MB")
    small = nil
    collectgarbage()
  end
end)

test("a guard without labels", function()
  local answered = rest:labelled(m)
  local small, report = m:quantize{calibration = few, mixed = true, guard = {data = answered, max_drop = 0.02}}
  equal(report.guard.before, 1)
  check(report.guard.after >= 0.98 and small:evaluate(answered).accuracy >= 0.98)
end)

test("calibration is warned of", function()
  local _, report = m:quantize{calibration = train:take(5)}
  check(report.warnings[1]:find "calibrated on 5 samples, 32 or more")
  check(tostring(report):find "calibrated on 5 samples")
  _, report = m:quantize{calibration = few}
  equal(report.warnings, nil)
end)

test("rounding", function()
  for _, rounding in ipairs{"gptq", "adaround"} do
    local small, report = m:quantize{calibration = few, rounding = rounding}
    equal(report[rounding .. "_layers"], 3)
    close(small, 0.02)
  end
  local small, report = m:quantize{scheme = "weight_only", bits = 4, block_size = 16, calibration = few, rounding = "awq"}
  check(report.awq_inputs <= 3)
  close(small, 0.05)
  fails("awq", m.quantize, m, {calibration = few, rounding = "awq"})
  fails("calibration", m.quantize, m, {scheme = "weight_only", rounding = "awq"})
end)

test("smooth", function()
  local small, report = m:quantize{calibration = few, smooth = 0.5}
  check(report.smoothed_groups >= 2)
  close(small, 0.02)
  fails("smooth", m.quantize, m, {calibration = few, smooth = 2})
  fails("smooth", m.quantize, m, {scheme = "dynamic", smooth = 0.5})
end)

test("weights of few bits", function()
  local size = {}
  for _, bits in ipairs{2, 3, 4, 5, 6} do
    local small, report = m:quantize{scheme = "weight_only", bits = bits, block_size = 16}
    equal(report.bits, bits)
    equal(report.stored_bits, ({[2] = 4, [3] = 4, [5] = 8, [6] = 8})[bits])
    close(small, bits == 2 and 0.3 or bits == 3 and 0.06 or 0.03)
    local path = h.temporary ".prunez"
    small:save(path)
    local file <close> = assert(io.open(path, "rb"))
    size[bits] = file:seek "end"
    close(prune.load(path), bits == 2 and 0.3 or bits == 3 and 0.06 or 0.03)
    os.remove(path)
  end
  -- Packed files take what the codes need.
  for bits = 3, 6 do check(size[bits - 1] < size[bits], bits .. " bits: " .. size[bits - 1] .. " and " .. size[bits]) end
  local small, report = m:quantize{scheme = "weight_only", bits = 3, block_size = 16, rounding = "hqq"}
  equal(report.hqq_layers, 3)
  close(small, 0.06)
  fails("hqq", m.quantize, m, {scheme = "weight_only", rounding = "hqq"})
  close(m:quantize{scheme = "float8"}, 0.02)
  fails("bits", m.quantize, m, {scheme = "weight_only", bits = 7})
end)

test("channels go from codes of 4 bits", function()
  local conv = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}
  local small = conv:quantize{scheme = "weight_only", bits = 4}
  local slim, report = small:prune{granularity = "channel", amount = 0.3}
  check(report.certificate < 1e-5 and slim:stats().macs < small:stats().macs)
end)

test("what an option does not serve", function()
  local small, report = m:quantize{scheme = "weight_only", bits = 4, calibration = few, rounding = "gptq", format = "matmul_nbits"}
  equal(report.gptq_layers, 3)
  equal(report.not_served, nil)
  close(small, 0.05)
  local conv = prune.zoo.lenet5{classes = 10, input = {1, 8, 8}}
  _, report = conv:quantize{scheme = "weight_only", bits = 4, calibration = few, rounding = "awq"}
  check(report.awq_inputs >= 1)
  for _, row in ipairs(report.not_served) do
    check(row.option == "rounding 'awq'" and row.name and row.reason, row.reason)
  end
  fails("symmetric is for", conv.quantize, conv, {scheme = "float16", symmetric = true})
end)

test("the calibrator that serves best", function()
  local small, report = m:quantize{calibration = few}
  check(({minmax = 1, moving_average = 1, mse = 1, percentile = 1})[report.calibrator], report.calibrator)
  check(#report.tried >= 5)
  for index = 3, #report.tried do check(report.tried[index - 1].distance <= report.tried[index].distance) end
  equal(report.tried[1].calibrator, report.calibrator)
  close(small, 0.02)
  _, report = m:quantize{calibration = few, calibrator = "minmax"}
  equal(report.tried, nil)
end)

test("what each layer lost", function()
  local small, report = m:quantize{calibration = few}
  for _, layer in ipairs(report.layers) do check(layer.output_sqnr_db > 20 and layer.output_cosine > 0.99, layer.name) end
  check(report.outputs[1].cosine > 0.99)
  local found = m:differences(small, rest, {samples = 20})
  equal(found.samples, 20)
  check(found.compared >= 3 and #found.values == found.compared)
  for index = 2, #found.values do check(found.values[index - 1].distance >= found.values[index].distance) end
  check(tostring(found):find "sqnr_db" and tostring(found):find "█")
  equal(m:differences(m, rest).values[1].distance, 0)
  fails("samples", m.differences, m, small, rest, {samples = 0})
end)

test("layers that are slower in integers", function()
  local _, report = m:quantize{calibration = few, keep_faster = true}
  equal(#report.speed, 3)
  for _, row in ipairs(report.speed) do check(row.float_ms > 0 and row.int8_ms > 0) end
  for _, row in ipairs(report.float_layers or {}) do check(row.reason:find "slower here") end
end)

test("one budget for bits and densities", function()
  local small, report = m:quantize{scheme = "joint", bytes = 0.1, calibration = few}
  check(report.estimated_bytes <= report.budget)
  equal(#report.layers, 3)
  close(small, 0.1)
  fails("budget", m.quantize, m, {scheme = "joint", bytes = 0.001, calibration = few})
  fails("bytes", m.quantize, m, {scheme = "joint", calibration = few})
end)

test("scales that are learned", function()
  local pruned = m:prune{strategy = "global", amount = 0.5}
  local simulated = pruned:quantize{calibration = few, qat = true, learn_scales = true}
  simulated:fit{data = train, epochs = 2, batch_size = 64, optimizer = "adam", lr = 1e-3}
  local stored = simulated:quantize{format = "qoperator"}
  local path = h.temporary "onnx"
  stored:save(path)
  local again = prune.load(path)
  os.remove(path)
  check(math.abs(again:evaluate(rest).accuracy - simulated:evaluate(rest).accuracy) < 0.01)
  close(again, 0.03)
  -- Every zero of the pruned model is a zero of the codes.
  check(again:stats().sparsity > 0.45)
  fails("qat", m.quantize, m, {calibration = few, learn_scales = true})
end)

test("what cannot be done is said", function()
  fails("calibration", m.quantize, m, {})
  fails("float32", m.quantize, m, {calibration = prune.data.tensors(prune.tensor{{1, 2}, {3, 4}})})
  local constant = m:quantize{calibration = prune.data.tensors(few:take(1).x)}
  close(constant, 1)
  fails("scheme is 'ternary'", m.quantize, m, {scheme = "ternary"})
end)

h.finish()
