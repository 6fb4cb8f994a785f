-- Small models of the kinds that exporters write and that once were misread, refused or spoilt: Tests/Cases/NN_*.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local function load(name) return prune.load(h.root .. "/Tests/Cases/" .. name .. ".onnx") end

--- sin(0.7 i), of this shape.
local function ramp(...)
  local shape, count = {...}, 1
  for _, extent in ipairs(shape) do count = count * extent end
  local values = {dtype = "float32", shape = shape}
  for i = 1, count do values[i] = math.sin(i * 0.7) end
  return prune.tensor(values)
end

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
    local inputs = {x = name == "cast" and ramp(2, 3, 6, 6) or ramp(2, 3, 6, 6):cast(dtype)}
    close(m, m:quantize{scheme = "weight_only"}, inputs, 0.03)
    close(m, m:quantize{scheme = "float32"}, inputs, 5e-3)
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
  fails("left operand", m.quantize, m, {scheme = "static", calibration = prune.data.tensors(x)})
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

h.finish()
