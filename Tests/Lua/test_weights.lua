-- A weight is the same weight whatever an exporter puts before it: every consumer over Tests/Cases/weights, which is one network.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check = h.test, h.equal, h.near, h.check

local kinds = {"identity", "transpose", "reshape", "cast", "squeeze", "constant", "function"}
local function load(kind) return prune.load(h.root .. "/Tests/Cases/weights/" .. kind .. ".onnx") end

local values = {dtype = "float32", shape = {64, 8}}
for i = 1, 64 * 8 do values[i] = math.sin(i * 0.7) + math.cos(i * 0.13) end
local x = prune.tensor(values)
local labels = {}
for i = 1, 64 do labels[i] = i % 4 end
local data = prune.data.tensors(x, prune.tensor(labels))

--- The outputs of a model, from a saved file.
local function outputs(model)
  local path = h.temporary ".onnx"
  model:save(path)
  local list = {}
  for _, row in ipairs(prune.load(path):predict(x):totable()) do
    for _, value in ipairs(row) do list[#list + 1] = value end
  end
  return list
end

--- What `make` gives of every kind is what it gives of the plain network.
local function alike(what, tolerance, make)
  local wanted = outputs(make(load "plain"))
  for _, kind in ipairs(kinds) do
    test(what .. " behind " .. kind, function()
      local got, most, largest = outputs(make(load(kind))), 0, 0
      for i = 1, #wanted do
        most = math.max(most, math.abs(got[i] - wanted[i]))
        largest = math.max(largest, math.abs(wanted[i]))
      end
      check(most <= tolerance * largest, ("outputs differ by %g of %g"):format(most, largest))
    end)
  end
end

for _, kind in ipairs(kinds) do
  test("stats and significance behind " .. kind, function()
    local plain, m = load "plain", load(kind)
    equal(m:stats().params, plain:stats().params)
    equal(m:stats().macs, plain:stats().macs)
    equal(m:significance{}.weights, plain:significance{}.weights)
    local options = {data = data, amounts = {0.5}}
    for i = 1, 2 do equal(m:sensitivity(options).layers[i].lowest, plain:sensitivity(options).layers[i].lowest) end
  end)
end

alike("the network", 1e-6, function(m) return m end)
alike("magnitude", 1e-5, function(m) return (m:prune{amount = 0.5}) end)
alike("wanda", 1e-5, function(m) return (m:prune{amount = 0.5, criterion = "wanda", data = data}) end)
alike("taylor", 1e-5, function(m) return (m:prune{amount = 0.5, criterion = "taylor", data = data}) end)
alike("channels", 1e-5, function(m) return (m:prune{granularity = "channel", amount = 0.5, criterion = "l2"}) end)
alike("int8", 1e-5, function(m) return (m:quantize{scheme = "static", calibration = data}) end)
alike("dynamic", 1e-5, function(m) return (m:quantize{scheme = "dynamic"}) end)
alike("8 bits", 1e-5, function(m) return (m:quantize{scheme = "weight_only"}) end)
alike("4 bits", 1e-5, function(m) return (m:quantize{scheme = "weight_only", bits = 4}) end)
alike("MatMulNBits", 1e-5, function(m) return (m:quantize{scheme = "weight_only", bits = 4, format = "matmul_nbits"}) end)
alike("bfloat16", 1e-2, function(m) return (m:quantize{scheme = "bfloat16"}) end)
alike("float16", 1e-2, function(m) return (m:quantize{scheme = "float16"}) end)
alike("palette", 1e-5, function(m) return (m:quantize{scheme = "palette", bits = 3}) end)

for _, kind in ipairs(kinds) do
  test("n:m behind " .. kind, function()
    -- The pattern runs along what is summed over, wherever that lies in the file.
    local _, report = load(kind):prune{granularity = "2:4"}
    near(report.sparsity, 0.5, 1e-9)
  end)
  test("fit behind " .. kind, function()
    local plain, m = load "plain", load(kind)
    if kind == "cast" then
      h.fails("float32", m.fit, m, {data = data, epochs = 1})
      m = m:quantize{scheme = "float32"}
    end
    local options = {data = data, epochs = 2, lr = 1e-3, seed = 1}
    near(m:fit(options).epochs[2].loss, plain:fit(options).epochs[2].loss, 1e-4)
  end)
end

h.finish()
