-- Small models of the kinds that exporters write and that once were misread, refused or spoilt: Tests/Cases/NN_*.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local function load(name) return prune.load(h.root .. "/Tests/Cases/" .. name .. ".onnx") end

--- sin(0.7 i), of this type and shape.
local function typed(dtype, ...)
  local shape, count = {...}, 1
  for _, extent in ipairs(shape) do count = count * extent end
  local values = {dtype = dtype, shape = shape}
  for i = 1, count do values[i] = math.sin(i * 0.7) end
  return prune.tensor(values)
end
local function ramp(...) return typed("float32", ...) end

--- What a model gives, as a flat list.
local function run(model, inputs, output)
  local values = {}
  local function flatten(value)
    if type(value) == "table" then for _, inner in ipairs(value) do flatten(inner) end else values[#values + 1] = value end
  end
  flatten(model:run(inputs)[output or "y"]:totable())
  return values
end

--- The largest difference of two lists, relative to the largest number of the first.
local function distance(a, b)
  equal(#a, #b, "outputs")
  local most, largest = 0, 0
  for i = 1, #a do
    most = math.max(most, math.abs(a[i] - b[i]))
    largest = math.max(largest, math.abs(a[i]))
  end
  return most / math.max(largest, 1e-9)
end

--- The model once more, from a saved file.
local function saved(model)
  local path = h.temporary ".onnx"
  model:save(path)
  return prune.load(path)
end

local function close(model, other, inputs, tolerance)
  local found = distance(run(model, inputs), run(saved(other), inputs))
  check(found <= tolerance, ("outputs differ by %g, at most %g is allowed"):format(found, tolerance))
end

--- A cut that is certified, and whose saved file gives what the cut gives.
local function cut(model, options)
  options.granularity = options.granularity or "channel"
  local slim, report = model:prune(options)
  check(report.removed > 0, "nothing was removed")
  check(report.certificate < 1e-4, ("the certificate is %g"):format(report.certificate))
  saved(slim)
  return slim, report
end

test("01: open extents are no costs of 0", function()
  for _, name in ipairs{"model", "image"} do
    local m = load("01_target_macs_open_dims/" .. name)
    equal(m:stats().macs, nil)
    for _, kind in ipairs{"macs", "params"} do
      local _, report = m:prune{target = {[kind] = 0.5}}
      near(report.sparsity, 0.5, 0.02)
    end
  end
  local m = load "01_target_macs_open_dims/image"
  local shapes = {[m.inputs[1].name] = {1, 3, 32, 32}}
  local fixed = m:fix_shapes(shapes)
  equal(m:stats{shapes = shapes}.macs, fixed:stats().macs)
  equal(prune.load(h.root .. "/Tests/Cases/01_target_macs_open_dims/image.onnx", {shapes = shapes}):stats().macs, fixed:stats().macs)
  check(m:benchmark{shapes = shapes, runs = 2}.median_ms > 0)
  local _, report = m:prune{granularity = "channel", amount = 0.3, shapes = shapes}
  equal(report.before.macs, fixed:stats().macs)
  fails("did you mean", m.stats, m, {shapes = {[m.inputs[1].name .. "s"] = {1, 3, 32, 32}}})
end)

test("02: one name is one extent", function()
  for _, name in ipairs{"model", "lengths", "pairs"} do cut(load("02_invented_extents/" .. name), {amount = 0.3}) end
  cut(load "02_invented_extents/model", {amount = 0.3, data = prune.data.tensors{x = ramp(2, 3, 160, 160)}})
end)

test("03: constants behind Identity become float16", function()
  local m = load "03_fp16_identity_constant/model"
  close(m, m:quantize{scheme = "float16"}, {x = ramp(2, 8)}, 5e-3)
end)

test("04: operators whose type is a default become float16", function()
  for _, name in ipairs{"model", "window"} do
    local m = load("04_fp16_default_float_ops/" .. name)
    local half = m:quantize{scheme = "float16"}
    close(m, half, {x = ramp(2, 8)}, 5e-3)
    check(saved(half):stats().macs)
  end
end)

test("05: layers behind If and Loop are calibrated", function()
  for _, name in ipairs{"model", "loop"} do
    local m = load("05_static_control_flow/" .. name)
    local data = prune.data.tensors{x = ramp(32, 8)}
    close(m, m:quantize{scheme = "static", calibration = data}, {x = ramp(2, 8)}, 0.05)
  end
end)

test("06: blocks raise the opset", function()
  for _, name in ipairs{"model", "transA"} do
    for _, symmetric in ipairs{false, true} do
      local m = load("06_nbits_fallback_opset/" .. name)
      saved(m:quantize{scheme = "weight_only", bits = 4, format = "matmul_nbits", symmetric = symmetric})
    end
  end
end)

test("08: subnormal weights have a palette", function()
  check(load "08_palette_denormal_crash/model":quantize{scheme = "palette"})
end)

--- Whether a parameter holds NaN.
local function isNaN(value)
  if type(value) ~= "table" then return value ~= value end
  for _, inner in ipairs(value) do if isNaN(inner) then return true end end
  return false
end

test("09: constants with infinities are not trained", function()
  local m, x = load "09_fit_nonfinite_constant/model", ramp(8, 4, 8)
  m:fit{data = prune.data.tensors(x, prune.tensor{dtype = "float32", shape = {8, 4, 4}}), epochs = 1, batch_size = 4, loss = "mse"}
  check(not isNaN(m:parameter "mask":totable()))
  local p, ids = load "09_fit_nonfinite_constant/padding", prune.tensor{{0, 1, 2}, {3, 4, 5}, {0, 0, 1}, {2, 2, 2}}
  p:fit{data = prune.data.tensors(ids, p:predict(prune.data.tensors{ids = ids})), epochs = 1, batch_size = 4, loss = "mse"}
  check(not isNaN(p:parameter "e":totable()))
end)

test("10: repeated states shrink with their layer", function()
  local m = load "10_rnn_expanded_state/model"
  local _, report = cut(m, {amount = 0.3})
  check(report.units <= m:groups().units)
end)

test("11: int8 pairs stand on both sides of what reorders", function()
  for _, name in ipairs{"model", "opset17"} do
    local m, x = load("11_symmetric_opset21/" .. name), {x = ramp(32, 3, 4, 4)}
    close(m, m:quantize{scheme = "static", symmetric = true, calibration = prune.data.tensors(x)}, x, 0.06)
  end
end)

test("12: NaN stays NaN behind a fused activation", function()
  local x = ramp(2, 12):totable()
  x[2][3] = 0 / 0
  local y = load "12_fused_activation_hides_nan/model":run{x = prune.tensor{x[1], x[2], dtype = "float32"}}.y
  check(y[2][1] ~= y[2][1] and y[2][2] ~= y[2][2])
  check(y[1][1] == y[1][1])
end)

test("13: dead channels are not equalized", function()
  local m, x = load "13_equalize_tiny_channel/model", {x = ramp(32, 3, 8, 8)}
  close(m, m:quantize{scheme = "static", calibration = prune.data.tensors(x), equalize = true}, x, 0.02)
end)

test("14: directions are no units", function()
  local m = load "14_lstm_peephole_bidirectional/model"
  for _, amount in ipairs{0.3, 0.7} do cut(m, {amount = amount}) end
end)

test("15: weights in Constant nodes are trained, pruned and palettized", function()
  local m = load "15_weights_in_constant_nodes/model"
  equal(#m:parameters(), 2)
  local x = ramp(8, 3, 6, 6)
  local data = prune.data.tensors(x, prune.tensor{0, 1, 2, 3, 4, 0, 1, 2})
  check(m:fit{data = data}.epochs[1].loss)
  local slim, report = load "15_weights_in_constant_nodes/model":prune{amount = 0.5, data = data, recover = {epochs = 1}}
  near(report.sparsity, 0.5, 0.01)
  check(slim:quantize{scheme = "palette"})
end)

test("15: what was not changed is saved as it was", function()
  local path = h.root .. "/Tests/Cases/15_weights_in_constant_nodes/model.onnx"
  local copy = h.temporary ".onnx"
  prune.load(path):save(copy)
  equal(io.open(copy, "rb"):read "a", io.open(path, "rb"):read "a")
end)

test("16: weights of rank 3 are quantized", function()
  local m = load "16_matmul_rank3_weight/model"
  equal(m:stats().macs, 11520)
  local x = {x = ramp(8, 5, 32)}
  local data = prune.data.tensors(x)
  close(m, m:quantize{scheme = "static", calibration = data}, x, 0.05)
  close(m, m:quantize{scheme = "dynamic"}, x, 0.05)
  close(m, m:quantize{scheme = "weight_only"}, x, 0.02)
  close(m, m:quantize{scheme = "bfloat16"}, x, 0.02)
  for _, format in ipairs{"qdq", "matmul_nbits"} do
    close(m, m:quantize{scheme = "weight_only", bits = 4, format = format}, x, 0.3)
  end
end)

test("17: sparse tensors are tensors", function()
  for _, name in ipairs{"model", "constant"} do
    local m = load("17_sparse_initializer/" .. name)
    equal(#run(m, {x = ramp(1, 8)}), 4)
    local _, report = m:prune{amount = 0.7}
    near(report.sparsity, 0.7, 0.01)
    close(m, m:quantize{scheme = "weight_only"}, {x = ramp(3, 8)}, 0.02)
    close(m, m, {x = ramp(3, 8)}, 0)
  end
end)

test("18: functions of the model's own are looked into", function()
  local m = load "18_local_functions/model"
  equal(m:stats().macs, 448)
  local _, report = m:prune{amount = 0.5}
  equal(report.weights, 448)
  local slim, cut = m:prune{granularity = "channel", amount = 0.3}
  check(cut.removed > 0 and cut.certificate < 1e-4)
  equal(#m:quantize{scheme = "weight_only"}:stats().layers > 0, true)
  check(m:quantize{scheme = "weight_only", bits = 4})
  saved(slim)
end)

test("19: a layer that is dead as a whole keeps one unit", function()
  local m = load "19_compact_all_dead/model"
  local info = m.inputs[1]
  local x = {[info.name] = ramp(2, table.unpack(info.shape, 2))}
  local output = m.outputs[1].name
  near(distance(run(m, x, output), run(saved(m:compact()), x, output)), 0, 1e-6)
end)

test("20: half and double weights are pruned in their type, and quantized", function()
  local types = {model = "float16", double = "float64", cast = "float16"}
  for name, dtype in pairs(types) do
    local m = load("20_half_and_double_weights/" .. name)
    local slim, report = m:prune{amount = 0.5}
    near(report.sparsity, 0.5, 0.01)
    local kept, names = 0, {}
    for _, parameter in ipairs(saved(slim):parameters()) do names[parameter] = true end
    for parameter in pairs(names) do
      local before, after = m:parameter(parameter), slim:parameter(parameter)
      equal(after.dtype, before.dtype)
      if before.dtype == dtype then kept = kept + 1 end
    end
    check(kept > 0, name .. " has no weight of " .. dtype)
    local inputs = {x = typed(name == "cast" and "float32" or dtype, 2, 3, 6, 6)}
    close(m, m:quantize{scheme = "weight_only"}, inputs, 0.03)
    -- All of it is float32 then, and can be trained.
    local wide = saved(m:quantize{scheme = "float32"})
    local x = ramp(2, 3, 6, 6)
    check(distance(run(m, inputs), run(wide, {x = x})) < 5e-3)
    fails("float32", m.fit, m, {data = prune.data.tensors(x, prune.tensor{0, 1}), epochs = 1})
    check(wide:fit{data = prune.data.tensors(x, prune.tensor{0, 1}), epochs = 1}.epochs[1].loss)
  end
end)

test("21: the gates of recurrent layers are weights", function()
  local m = load "21_recurrent_weights_not_prunable/model"
  local _, report = m:prune{amount = 0.5}
  equal(report.weights, 1600)
  equal(report.pruned, 800)
  local _, met = m:prune{target = {params = 0.5}}
  near(met.kept, 0.5, 0.02)
end)

test("22: opsets 9 to 12 are raised", function()
  for _, name in ipairs{"model", "opset9", "opset12"} do
    local m = load("22_old_opset_int8/" .. name)
    local x = {x = ramp(32, 3, 6, 6)}
    close(m, m:quantize{scheme = "static", calibration = prune.data.tensors(x)}, x, 0.06)
    close(m, m:quantize{scheme = "weight_only"}, x, 0.03)
    close(m, m:quantize{scheme = "weight_only", bits = 4}, x, 0.5)
    close(m, m:quantize{scheme = "bfloat16"}, x, 0.02)
  end
end)

test("24: a weight on the left is a weight", function()
  local m = load "24_left_constant_matmul/model"
  local x = {x = ramp(8, 12, 6)}
  close(m, m:quantize{scheme = "weight_only"}, x, 0.02)
  for _, scheme in ipairs{"static", "dynamic"} do
    local small, report = m:quantize{scheme = scheme, calibration = prune.data.tensors(x)}
    equal(report.float_layers, nil)
    close(m, small, x, 0.06)
  end
end)

test("25: one table with infinities stays float, the rest is quantized", function()
  for _, options in ipairs{{scheme = "weight_only"}, {scheme = "weight_only", bits = 4}, {scheme = "palette"}} do
    local m = load "25_infinite_table_blocks_all/model"
    local _, report = m:quantize(options)
    local reasons = {}
    for _, layer in ipairs(report.float_layers) do reasons[#reasons + 1] = layer.reason end
    check(table.concat(reasons, "; "):find("NaN or infinity", 1, true), table.concat(reasons, "; "))
  end
end)

test("23: symmetric int8 weights have zero points", function()
  local m = load "23_weight_only_zero_points/model"
  local zeros = 0
  for _, name in ipairs(m:quantize{scheme = "weight_only"}:parameters()) do
    if name:find "zero_point" then zeros = zeros + 1 end
  end
  check(zeros > 0)
end)

test("26: a quantized network is pruned", function()
  local m = prune.zoo.mobilenet_v2{width = 0.5, input = {3, 32, 32}, classes = 10}
  local int8 = m:quantize{scheme = "static", calibration = prune.data.tensors(ramp(8, 3, 32, 32))}
  local _, report = int8:prune{granularity = "channel", amount = 0.3}
  check(report.removed > 0)
end)

test("27: scikit-learn's operators run and pass ranks on", function()
  local m = load "27_ai_onnx_ml_scaler/model"
  local x = {x = ramp(2, 8)}
  equal(#run(m, x), 6)
  cut(m, {amount = 0.3})
  close(m, m:quantize{scheme = "weight_only"}, x, 0.02)
end)

test("28: channels picked by number are followed", function()
  for _, name in ipairs{"model", "slice"} do cut(load("28_constant_gather_pins/" .. name), {amount = 0.3}) end
end)

test("29: nodes are named apart", function()
  local m = load "29_node_names_not_unique/model"
  local data = prune.data.tensors{x = ramp(32, 3, 4, 4)}
  saved(m:quantize{scheme = "static", calibration = data})
  saved(m:quantize{scheme = "float16"}:quantize{scheme = "float16"})
  saved(load "29_node_names_not_unique/shape":prune{granularity = "channel", amount = 0.3})
end)

h.finish()
