-- Other forms of what Tests/Cases holds, and what was found beside them: each model is written by its test.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local onnx = require "onnx"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails
local ramp = onnx.ramp

local function load(given) return prune.load(onnx.save(h.temporary ".onnx", given)) end
local function numbers(...) return prune.tensor(ramp({...}, "float32")) end
local function labels(count, classes)
  local list = {}
  for i = 1, count do list[i] = i % classes end
  return list
end

--- What a model gives, as a flat list.
local function flat(tensor)
  local values = {}
  local function walk(value)
    if type(value) == "table" then for _, inner in ipairs(value) do walk(inner) end else values[#values + 1] = value end
  end
  walk(tensor:totable())
  return values
end

local function same(a, b, what)
  check(table.concat(flat(a), " ") == table.concat(flat(b), " "), what .. " differs")
end

--- The largest difference of what two models give, relative to the largest number of the first.
local function distance(a, b, inputs)
  local most, largest = 0, 1e-9
  local left, right = flat(a:run(inputs).y), flat(b:run(inputs).y)
  equal(#left, #right, "outputs")
  for i = 1, #left do
    most, largest = math.max(most, math.abs(left[i] - right[i])), math.max(largest, math.abs(left[i]))
  end
  return most / largest
end

--- x [N, 6] -> Gemm -> Relu -> `between`, from r to g -> Gemm -> y [N, 4], half of the eight units between having no
--- weights, and biases of 1.
local function gated(inputs, between, constants)
  local w1, b1 = ramp{8, 6}, {shape = {8}}
  for i = 1, 24 do w1[i] = 0 end
  for i = 1, 8 do b1[i] = 1 end
  local weights = {w1 = w1, b1 = b1, w2 = ramp{4, 8}, b2 = ramp{4}, zero = {shape = {}, 0}}
  for name, tensor in pairs(constants or {}) do weights[name] = tensor end
  local nodes = {{"Gemm", {"x", "w1", "b1"}, {"h"}, {transB = 1}}, {"Relu", {"h"}, {"r"}}}
  for _, node in ipairs(between) do nodes[#nodes + 1] = node end
  nodes[#nodes + 1] = {"Gemm", {"g", "w2", "b2"}, {"y"}, {transB = 1}}
  return load{
    inputs = {{"x", "float32", {"N", 6}}, table.unpack(inputs)}, outputs = {{"y", "float32", {"N", 4}}},
    weights = weights, nodes = nodes,
  }
end

test("units that an input gates are not constant", function()
  local flags, mask = {"c", "bool", {"N", 1}}, {"m", "int64", {"N", 1}}
  local forms = {
    {flags, {{"Where", {"c", "r", "zero"}, {"g"}}}},
    {flags, {{"Not", {"c"}, {"n"}}, {"Where", {"n", "zero", "r"}, {"g"}}}},
    {mask, {{"Cast", {"m"}, {"f"}, {to = 1}}, {"Mul", {"r", "f"}, {"g"}}}},
    {mask, {{"Cast", {"m"}, {"f"}, {to = 1}}, {"Add", {"r", "f"}, {"g"}}}},
    {mask, {{"Cast", {"m"}, {"f"}, {to = 9}}, {"Where", {"f", "r", "zero"}, {"g"}}}},
  }
  for _, form in ipairs(forms) do
    local m = gated({form[1]}, form[2])
    local small, report = m:compact()
    local inputs = {x = numbers(3, 6)}
    inputs[form[1][1]] = prune.tensor{shape = {3, 1}, dtype = form[1][2], 1, 0, 1}
    check(distance(m, small, inputs) < 1e-6)
    equal(report.removed, 0)
  end
  -- What is computed from numbers decides as well.
  local sums = {{"ReduceSum", {"x", "axes"}, {"s"}}, {"Greater", {"s", "zero"}, {"c"}}, {"Where", {"c", "r", "zero"}, {"g"}}}
  local m = gated({}, sums, {axes = {shape = {1}, dtype = "int64", 1}})
  equal(m:compact() ~= nil, true)
  check(distance(m, m:compact(), {x = numbers(5, 6)}) < 1e-6)
end)

test("units that nothing gates are constant still, and zeros whatever gates them", function()
  local _, report = gated({}, {{"Identity", {"r"}, {"g"}}}):compact()
  equal(report.removed, 4)
  local mask = {"m", "int64", {"N", 1}}
  local _, silent = gated({mask}, {
    {"Cast", {"m"}, {"f"}, {to = 1}}, {"Sub", {"r", "one"}, {"s"}}, {"Relu", {"s"}, {"t"}}, {"Mul", {"t", "f"}, {"g"}},
  }, {one = {shape = {1}, 1}}):compact()
  equal(silent.removed, 4)
end)

test("statistics of numbers that are not finite are refused", function()
  local m = prune.zoo.resnet{depth = 20, input = {3, 8, 8}, classes = 10}
  local values = ramp({8, 3, 8, 8}, "float32")
  values[5] = 0 / 0
  local data = prune.data.tensors{[m.inputs[1].name] = prune.tensor(values)}
  fails("NaN or infinite", m.prune, m, {
    granularity = "channel", amount = 0.3, criterion = "l2", reconstruct = "none", reestimate = true, data = data,
  })
end)

test("units of half and double weights are masked", function()
  for _, dtype in ipairs{"float16", "float64"} do
    local m = load{
      inputs = {{"x", "float32", {"N", 8}}}, outputs = {{"y", "float32", {"N", 4}}},
      weights = {w1 = ramp({8, 16}, dtype), w2 = ramp({16, 4}, dtype)},
      nodes = {
        {"Cast", {"x"}, {"c"}, {to = dtype == "float16" and 10 or 11}}, {"MatMul", {"c", "w1"}, {"h"}},
        {"Relu", {"h"}, {"r"}}, {"MatMul", {"r", "w2"}, {"o"}}, {"Cast", {"o"}, {"y"}, {to = 1}},
      },
    }
    local masked, report = m:prune{granularity = "channel", amount = 0.3, mode = "mask"}
    check(report.certificate < 1e-4 and report.removed > 0)
    equal(masked:parameter "w1".dtype, dtype)
    local removed = m:prune{granularity = "channel", amount = 0.3, mode = "remove"}
    check(distance(masked, removed, {x = numbers(3, 8)}) < 2e-3)
    local again, rewound = m:prune{amount = 0.5, rewind = m}
    near(rewound.sparsity, 0.5, 0.01)
    equal(again:parameter "w1".dtype, dtype)
  end
end)

test("models of one batch size are scored", function()
  local m = load{
    inputs = {{"x", "float32", {4, 3, 4, 4}}}, outputs = {{"y", "float32", {4, 5}}},
    weights = {k = ramp{8, 3, 3, 3}, to = {shape = {2}, dtype = "int64", 4, 32}, w = ramp{32, 5}},
    nodes = {
      {"Conv", {"x", "k"}, {"c"}}, {"Relu", {"c"}, {"r"}}, {"Reshape", {"r", "to"}, {"f"}}, {"MatMul", {"f", "w"}, {"y"}},
    },
  }
  for _, count in ipairs{8, 3, 6} do
    local data = prune.data.tensors(numbers(count, 3, 4, 4), prune.tensor(labels(count, 5)))
    for _, criterion in ipairs{"taylor", "fisher", "gradient", "hessian", "gate", "wanda", "apoz"} do
      local _, report = m:prune{amount = 0.5, criterion = criterion, data = data}
      near(report.sparsity, 0.5, 0.02, criterion .. " of " .. count)
    end
  end
  -- A batch that is full of one sample tells what the sample alone does: as a model of an open batch says it.
  local open = load{
    inputs = {{"x", "float32", {"N", 3, 4, 4}}}, outputs = {{"y", "float32", {"N", 5}}},
    weights = {k = ramp{8, 3, 3, 3}, to = {shape = {2}, dtype = "int64", -1, 32}, w = ramp{32, 5}},
    nodes = {
      {"Conv", {"x", "k"}, {"c"}}, {"Relu", {"c"}, {"r"}}, {"Reshape", {"r", "to"}, {"f"}}, {"MatMul", {"f", "w"}, {"y"}},
    },
  }
  local data = prune.data.tensors(numbers(6, 3, 4, 4), prune.tensor(labels(6, 5)))
  for _, criterion in ipairs{"fisher", "gate"} do
    local a = m:prune{amount = 0.5, criterion = criterion, data = data}
    local b = open:prune{amount = 0.5, criterion = criterion, data = data}
    same(a:parameter "k", b:parameter "k", criterion)
  end
end)

test("layers of every form are reconstructed by what they read", function()
  local forms = {
    {opset = 9, x = {"N", 3, 6, 6}, shape = {3, 6, 6}, weights = {k = ramp{8, 3, 3, 3}},
      nodes = {{"Conv", {"x", "k"}, {"y"}, {pads = {1, 1, 1, 1}, strides = {2, 2}}}}},
    {opset = 17, x = {"N", 3, 7, 7}, shape = {3, 7, 7}, weights = {k = ramp{8, 3, 3, 3}},
      nodes = {{"Conv", {"x", "k"}, {"y"}, {auto_pad = "SAME_UPPER", strides = {2, 2}}}}},
    {opset = 17, x = {"N", 3, 5, 5}, shape = {3, 5, 5}, weights = {k = ramp{3, 8, 3, 3}},
      nodes = {{"ConvTranspose", {"x", "k"}, {"y"}, {strides = {2, 2}, pads = {1, 1, 1, 1}}}}},
    {opset = 17, x = {"N", 4, 5}, shape = {4, 5}, weights = {k = ramp{6, 4}}, nodes = {{"MatMul", {"k", "x"}, {"y"}}}},
    {opset = 17, x = {"N", 3, 5, 8}, shape = {3, 5, 8}, weights = {k = ramp{3, 8, 12}}, nodes = {{"MatMul", {"x", "k"}, {"y"}}}},
  }
  for number, form in ipairs(forms) do
    local m = load{
      opset = form.opset, inputs = {{"x", "float32", form.x}}, outputs = {{"y", "float32"}}, weights = form.weights,
      nodes = form.nodes,
    }
    local x = numbers(16, table.unpack(form.shape))
    local data = prune.data.tensors{x = x}
    local function error(options)
      options.amount, options.data = 0.5, data
      local slim, report = m:prune(options)
      near(report.sparsity, 0.5, 0.02)
      for _, note in ipairs(report.notes or {}) do check(not note:find("size of its weights alone", 1, true), note) end
      local sum, a, b = 0, flat(m:run{x = x}.y), flat(slim:run{x = x}.y)
      for i = 1, #a do sum = sum + (a[i] - b[i]) ^ 2 end
      return sum
    end
    local plain = error{}
    check(error{reconstruct = "obs"} < plain, "form " .. number .. " is not reconstructed")
    check(error{reconstruct = "sparsegpt"} < plain, "form " .. number .. " is not reconstructed")
    error{criterion = "wanda"}
  end
end)

test("a layer whose inputs are not seen is named, and the others go on", function()
  local m = load{
    inputs = {{"x", "float32", {"N", 8}}}, outputs = {{"y", "float32"}}, weights = {a = ramp{8, 8}, k = ramp{3, 8, 12}},
    nodes = {{"MatMul", {"x", "a"}, {"h"}}, {"MatMul", {"h", "k"}, {"y"}}},
  }
  local data = prune.data.tensors{x = numbers(16, 8)}
  for _, options in ipairs{{criterion = "wanda"}, {reconstruct = "obs"}} do
    options.amount, options.data = 0.5, data
    local _, report = m:prune(options)
    near(report.sparsity, 0.5, 0.02)
    check(table.concat(report.notes, "; "):find("'y_node' was pruned by the size of its weights alone", 1, true))
  end
end)

test("a recipe of a guarded prune replays without its guard", function()
  local train, validation = prune.data.digits():take(400):split{test = 0.4, seed = 3}
  local m = prune.zoo.mlp{classes = 10, input = {1, 8, 8}, hidden = {32}}
  m:fit{data = train, epochs = 4, lr = 1e-2, seed = 1}
  local outcomes = {}
  -- A rate that hurts is taken back, or halved.
  for _, lr in ipairs{1e-3, 1, 4, 100} do
    local slim, report = m:prune{
      amount = 0.6, schedule = {kind = "linear", steps = 3}, guard = {data = validation, metric = "accuracy", max_drop = 0.5},
      recover = {data = train, epochs = 1, lr = lr, optimizer = "sgd", seed = 4},
    }
    for _, step in ipairs(report.journal) do if step.kept then outcomes[step.recovery] = true end end
    local again = m:prune{recipe = report:recipe(), recover = {data = train}}
    for _, name in ipairs(slim:parameters()) do
      same(again:parameter(name), slim:parameter(name), name .. " with lr " .. lr)
    end
  end
  check(outcomes.kept and outcomes["taken back"], "the guard took nothing back, or everything")
end)

test("the calibrator that is chosen sees all samples", function()
  local m = load{
    inputs = {{"x", "float32", {"N", 8}}}, outputs = {{"y", "float32", {"N", 4}}},
    weights = {w1 = ramp{8, 16}, w2 = ramp{16, 4}},
    nodes = {{"MatMul", {"x", "w1"}, {"h"}}, {"Relu", {"h"}, {"r"}}, {"MatMul", {"r", "w2"}, {"y"}}},
  }
  local values = ramp({16, 8}, "float32")
  -- Every fourth sample is held back: there the numbers are largest.
  for sample = 2, 15, 4 do
    for i = 1, 8 do values[sample * 8 + i] = values[sample * 8 + i] * 3 end
  end
  local x = prune.tensor(values)
  local int8, report = m:quantize{scheme = "static", calibration = prune.data.tensors{x = x}}
  equal(report.calibrator, "minmax")
  check(distance(m, int8, {x = x}) < 0.05, distance(m, int8, {x = x}))
end)

test("Resize with axes between int8 layers says all of them", function()
  for _, sizes in ipairs{false, true} do
    local m = load{
      opset = 18, inputs = {{"x", "float32", {"N", 3, 8, 8}}}, outputs = {{"y", "float32", {"N", 4, 16, 16}}},
      weights = {
        k = ramp{8, 3, 3, 3}, l = ramp{4, 8, 3, 3},
        s = sizes and {shape = {2}, dtype = "int64", 16, 16} or {shape = {2}, 2, 2},
      },
      nodes = {
        {"Conv", {"x", "k"}, {"c"}, {pads = {1, 1, 1, 1}}},
        {"Resize", sizes and {"c", "", "", "s"} or {"c", "", "s"}, {"u"}, {axes = {2, 3}, mode = "nearest"}},
        {"Conv", {"u", "l"}, {"y"}, {pads = {1, 1, 1, 1}}},
      },
    }
    local x = numbers(8, 3, 8, 8)
    local int8 = m:quantize{scheme = "static", calibration = prune.data.tensors{x = x}}
    check(distance(m, int8, {x = x}) < 0.05)
    local path = h.temporary ".onnx"
    int8:save(path)
    check(not io.open(path, "rb"):read "a":find("axes\x40\x02", 1, true), "axes are still there")
  end
end)

test("inputs without a rank, and with open channels, are pruned by channel", function()
  local function network(shape)
    return load{
      inputs = {{"x", "float32", shape}}, outputs = {{"y", "float32"}},
      weights = {k = ramp{8, 3, 3, 3}, l = ramp{4, 8, 1, 1}},
      nodes = {
        {"Conv", {"x", "k"}, {"c"}}, {"Relu", {"c"}, {"r"}}, {"Conv", {"r", "l"}, {"d"}}, {"GlobalAveragePool", {"d"}, {"y"}},
      },
    }
  end
  for _, shape in ipairs{{"N", "C", "H", "W"}, {"?", "?", "?", "?"}, false} do
    local m = network(shape or nil)
    for _, data in ipairs{prune.data.tensors{x = numbers(4, 3, 9, 11)}, false} do
      local slim, report = m:prune{granularity = "channel", amount = 0.5, data = data or nil}
      equal(report.removed, 4)
      check(report.certificate < 1e-4)
      equal(slim:run{x = numbers(2, 3, 9, 11)}.y.shape[2], 4)
    end
    equal(m:stats{shapes = {x = {1, 3, 9, 11}}}.macs, 7 * 9 * (8 * 27 + 4 * 8))
  end
  -- A matrix alone does not say how many axes its input has, data does.
  local m = load{
    inputs = {{"x", "float32"}}, outputs = {{"y", "float32"}}, weights = {a = ramp{6, 8}, b = ramp{8, 3}},
    nodes = {{"MatMul", {"x", "a"}, {"h"}}, {"Relu", {"h"}, {"r"}}, {"MatMul", {"r", "b"}, {"y"}}},
  }
  local _, report = m:prune{granularity = "channel", amount = 0.5, data = prune.data.tensors{x = numbers(4, 5, 6)}}
  equal(report.removed, 4)
end)

test("weights that are computed from constants are weights", function()
  local mask = {shape = {8, 6}}
  for i = 1, 48 do mask[i] = i % 2 end
  local forms = {
    {{w = ramp{8, 6}, m = mask}, {{"Mul", {"w", "m"}, {"k"}}}},
    {{w = ramp{8, 6}, m = mask}, {{"Add", {"w", "m"}, {"k"}}}},
    {{w = ramp{4, 6}, m = ramp{4, 6}}, {{"Concat", {"w", "m"}, {"k"}, {axis = 0}}}},
    {{w = ramp{16, 6}}, {{"Split", {"w"}, {"k", "rest"}, {axis = 0}}}},
    {{w = ramp{8, 6}, a = ramp{8, 2}, b = ramp{2, 6}}, {{"MatMul", {"a", "b"}, {"ab"}}, {"Add", {"w", "ab"}, {"k"}}}},
  }
  for number, form in ipairs(forms) do
    local nodes = form[2]
    nodes[#nodes + 1] = {"Gemm", {"x", "k"}, {"y"}, {transB = 1}}
    local m = load{
      opset = 17, inputs = {{"x", "float32", {"N", 6}}}, outputs = {{"y", "float32", {"N", 8}}}, weights = form[1], nodes = nodes,
    }
    local slim, report = m:prune{amount = 0.6}
    equal(report.weights, 48, "form " .. number)
    near(report.sparsity, 0.6, 0.02)
    equal(distance(m, (m:prune{threshold = 0}), {x = numbers(3, 6)}), 0)
    check(#m:quantize{scheme = "weight_only"}:stats().layers > 0)
    check(slim:run{x = numbers(2, 6)}.y)
  end
end)

test("a weight that is not folded is named", function()
  local integers = {shape = {6, 8}, dtype = "int8"}
  for i = 1, 48 do integers[i] = i % 7 - 3 end
  local m = load{
    inputs = {{"x", "float32", {"N", 6}}}, outputs = {{"y", "float32"}},
    weights = {q = integers, s = {shape = {1}, 0.5}, w = ramp{8, 4}},
    nodes = {
      {"Cast", {"q"}, {"c"}, {to = 1}}, {"Mul", {"c", "s"}, {"k"}}, {"MatMul", {"x", "k"}, {"h"}}, {"MatMul", {"h", "w"}, {"y"}},
    },
  }
  local _, report = m:prune{amount = 0.5}
  equal(report.weights, 32)
  equal(report.skipped[1].weight, "k")
  check(report.skipped[1].reason:find("int8", 1, true), report.skipped[1].reason)
end)

test("what stands behind If is not trained, by name", function()
  local function branch(name)
    return {outputs = {{name, "float32"}}, nodes = {{"Relu", {"h"}, {name}}}}
  end
  local function network(behind)
    local nodes = {
      {"MatMul", {"x", "a"}, {"h"}}, {"ReduceSum", {"x"}, {"s"}, {keepdims = 0}}, {"Greater", {"s", "zero"}, {"c"}},
      {"If", {"c"}, {behind and "i" or "y"}, {then_branch = branch "t", else_branch = branch "e"}, name = "gate"},
    }
    if behind then nodes[#nodes + 1] = {"MatMul", {"i", "b"}, {"y"}} end
    return load{
      inputs = {{"x", "float32", {"N", 6}}}, outputs = {{"y", "float32", {"N", 4}}},
      weights = {a = ramp{6, 4}, b = ramp{4, 4}, zero = {shape = {}, 0}}, nodes = nodes,
    }
  end
  local data = prune.data.tensors(numbers(8, 6), prune.tensor(labels(8, 4)))
  fails("If 'gate'", network(false).fit, network(false), {data = data, epochs = 1})
  -- Nor where the shape of what follows is only known when it runs.
  fails("If 'gate'", network(true).fit, network(true), {data = data, epochs = 1})
end)

test("weights that an exporter made one are loaded apart", function()
  local m = load{
    inputs = {{"x", "float32", {"N", 4}}}, outputs = {{"y", "float32", {"N", 4}}},
    weights = {["b.bias"] = {shape = {4}, 0, 0, 0, 0}, ["b.weight"] = {shape = {4}, 1, 1, 1, 1}},
    nodes = {
      {"Identity", {"b.bias"}, {"b.running_mean"}}, {"Identity", {"b.weight"}, {"b.running_var"}},
      {"BatchNormalization", {"x", "b.weight", "b.bias", "b.running_mean", "b.running_var"}, {"y"}},
    },
  }
  local path = h.temporary ".npz"
  prune.npz.save(path, {
    ["b.weight"] = prune.tensor{1, 2, 3, 4, dtype = "float32"}, ["b.bias"] = prune.tensor{5, 6, 7, 8, dtype = "float32"},
    ["b.running_mean"] = prune.tensor{1, 0, 1, 0, dtype = "float32"}, ["b.running_var"] = prune.tensor{4, 4, 4, 4, dtype = "float32"},
  })
  m:load_weights(path)
  local y = flat(m:run{x = prune.tensor{shape = {1, 4}, dtype = "float32", 1, 1, 1, 1}}.y)
  near(y[1], 5, 1e-4)
  near(y[2], 7, 1e-4)
end)

h.finish()
