-- Targets beside one class a sample: classes of pixels and tokens, several labels, several values; and what is said of data that does not fit.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local onnx = require "onnx"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails
local ramp = onnx.ramp

local function load(given) return prune.load(onnx.save(h.temporary ".onnx", given)) end

--- Numbers of a shape by a function of their position from 0.
local function numbers(dtype, shape, f)
  local values, count = {}, 1
  for _, extent in ipairs(shape) do count = count * extent end
  for i = 1, count do values[i] = f(i - 1) end
  values.dtype, values.shape = dtype, shape
  return prune.tensor(values)
end

--- Pixels to classes: a 1x1 convolution of 2 channels to 3 classes.
local function segmenter(ending)
  local nodes = {{"Conv", {"x", "w", "b"}, {ending and "z" or "y"}, {kernel_shape = {1, 1}}}}
  if ending then nodes[2] = {ending, {"z"}, {"y"}, ending == "Softmax" and {axis = 1} or nil} end
  return load{
    nodes = nodes, weights = {w = ramp{3, 2, 1, 1}, b = ramp{3}},
    inputs = {{"x", "float32", {"N", 2, 4, 5}}}, outputs = {{"y", "float32", {"N", 3, 4, 5}}},
  }
end

--- Images of which the class of a pixel follows from its two channels; class 2 where both are small.
local function pixels(count)
  local x = numbers("float32", {count, 2, 4, 5}, function(i) return math.sin(i * 1.7) end)
  local y = numbers("int64", {count, 4, 5}, function(i)
    local image, place = i // 20, i % 20
    local a, b = math.sin((image * 40 + place) * 1.7), math.sin((image * 40 + 20 + place) * 1.7)
    return a < 0 and b < 0 and 2 or a > b and 0 or 1
  end)
  return x, y
end

--- The mean of -log softmax over the pixels that count, from the outputs themselves.
local function cross_entropy(m, x, y, ignored)
  local z = m:predict(prune.data.tensors(x))
  local sum, hits, counted = 0, 0, 0
  for n = 1, #y do
    for i = 1, 4 do
      for j = 1, 5 do
        local class = y[n][i][j]
        if class ~= ignored then
          local best, mass = 1, 0
          for c = 1, 3 do
            if z[n][c][i][j] > z[n][best][i][j] then best = c end
            mass = mass + math.exp(z[n][c][i][j])
          end
          sum = sum + math.log(mass) - z[n][class + 1][i][j]
          hits = hits + (best == class + 1 and 1 or 0)
          counted = counted + 1
        end
      end
    end
  end
  return sum / counted, hits / counted
end

test("each pixel has a class", function()
  local m, x, y = segmenter(), pixels(12)
  local data = prune.data.tensors(x, y)
  local report = m:evaluate(data, {metrics = {"loss", "accuracy", "miou", "perplexity", "per_class"}, batch_size = 5})
  local loss, accuracy = cross_entropy(m, x, y)
  near(report.loss, loss, 1e-5)
  near(report.accuracy, accuracy, 1e-9)
  near(report.perplexity, math.exp(loss), 1e-4)
  check(report.miou > 0 and report.miou < report.accuracy, report.miou)
  local samples = 0
  for _, row in ipairs(report.classes) do samples = samples + row.samples end
  equal(samples, 240)
  local history = m:fit{data = data, epochs = 60, lr = 0.05, optimizer = "adam", batch_size = 4, seed = 1}
  local after = m:evaluate(data)
  check(after.accuracy > 0.9, after.accuracy)
  near(history.epochs[60].accuracy, after.accuracy, 0.05)
  check(history.epochs[60].loss < history.epochs[1].loss / 2, "the loss falls")
end)

test("a class is ignored, wherever it comes from", function()
  local m, x, y = segmenter(), pixels(6)
  local marked = numbers("int64", {6, 4, 5}, function(i)
    return i % 7 == 0 and 255 or y[i // 20 + 1][i % 20 // 5 + 1][i % 5 + 1]
  end)
  local data = prune.data.tensors(x, marked):ignore(255)
  local report = m:evaluate(data, {metrics = {"loss", "accuracy"}})
  local loss, accuracy = cross_entropy(m, x, marked, 255)
  near(report.loss, loss, 1e-5)
  near(report.accuracy, accuracy, 1e-9)
  -- The first loss of a fit is that of the batch before any step: the same mean over what counts.
  near(m:clone():fit{data = data, epochs = 1, batch_size = 6, lr = 1e-9, optimizer = "sgd"}.epochs[1].loss, loss, 1e-5)
  fails("data:ignore(255)", function() m:evaluate(prune.data.tensors(x, marked)) end)
  fails("data:ignore(255)", function() m:fit{data = prune.data.tensors(x, marked)} end)
  fails("a class is ignored where each position has one", function() prune.data.digits():ignore(3) end)
  fails("which would not move along", function() m:fit{data = data, augment = {flip = true}} end)
  -- Weights of classes and smoothing count the same pixels.
  local weighted = m:clone():fit{data = data, epochs = 1, batch_size = 6, lr = 1e-9, optimizer = "sgd", class_weights = {1, 1, 1}}
  near(weighted.epochs[1].loss, loss, 1e-5)
end)

test("a softmax of pixels is looked through, and pruned by its gradients", function()
  local m, plain, x, y = segmenter "Softmax", segmenter(), pixels(8)
  local data = prune.data.tensors(x, y)
  near(m:evaluate(data).loss, plain:evaluate(data).loss, 1e-5)
  near(m:clone():fit{data = data, epochs = 1, lr = 1e-9, optimizer = "sgd", batch_size = 8}.epochs[1].loss, plain:evaluate(data).loss, 1e-5)
  for _, criterion in ipairs{"taylor", "fisher", "gradient"} do
    local slim = m:prune{amount = 0.3, criterion = criterion, data = data}
    equal(slim:stats().nonzero < m:stats().nonzero, true, criterion)
  end
  local taught = plain:clone():fit{data = data, teacher = m, epochs = 2, lr = 1e-3}
  check(taught.epochs[2].loss == taught.epochs[2].loss, "the loss is a number")
end)

test("each token has a class", function()
  local m = load{
    nodes = {{"MatMul", {"x", "w"}, {"y"}}}, weights = {w = ramp{6, 4}},
    inputs = {{"x", "float32", {"N", "L", 6}}}, outputs = {{"y", "float32", {"N", "L", 4}}},
  }
  local x = numbers("float32", {5, 7, 6}, function(i) return math.sin(i * 0.9) end)
  local y = numbers("int64", {5, 7}, function(i) return i % 9 == 0 and -100 or i % 4 end)
  local z = m:predict(prune.data.tensors(x))
  local sum, counted = 0, 0
  for n = 1, 5 do
    for t = 1, 7 do
      if y[n][t] >= 0 then
        local mass = 0
        for c = 1, 4 do mass = mass + math.exp(z[n][t][c]) end
        sum, counted = sum + math.log(mass) - z[n][t][y[n][t] + 1], counted + 1
      end
    end
  end
  local data = prune.data.tensors(x, y)
  near(m:evaluate(data, {metrics = "perplexity", batch_size = 2}).perplexity, math.exp(sum / counted), 1e-4)
  local history = m:fit{data = data, epochs = 20, lr = 0.05, batch_size = 5}
  check(history.epochs[20].loss < history.epochs[1].loss, "the loss falls")
end)

test("several labels are told one by one", function()
  local function network(ending)
    local nodes = {{"Gemm", {"x", "w"}, {ending and "z" or "y"}}}
    if ending then nodes[2] = {ending, {"z"}, {"y"}} end
    return load{nodes = nodes, weights = {w = ramp{4, 3}}, inputs = {{"x", "float32", {"N", 4}}}, outputs = {{"y", "float32", {"N", 3}}}}
  end
  local m = network "Sigmoid"
  local x = numbers("float32", {40, 4}, function(i) return math.sin(i * 2.3) end)
  local y = numbers("float32", {40, 3}, function(i)
    return math.sin((i // 3 * 4 + i % 3) * 2.3) + 0.3 * math.sin((i // 3 * 4 + 3) * 2.3) > 0 and 1 or 0
  end)
  local data = prune.data.tensors(x, y)
  local report, p = m:evaluate(data, {metrics = {"loss", "accuracy", "f1", "auc", "per_class", "roc"}}), m:predict(data)
  local loss, right = 0, 0
  for n = 1, 40 do
    for c = 1, 3 do
      loss = loss - math.log(y[n][c] == 1 and p[n][c] or 1 - p[n][c])
      right = right + ((p[n][c] > 0.5) == (y[n][c] == 1) and 1 or 0)
    end
  end
  near(report.loss, loss / 120, 1e-5)
  near(report.accuracy, right / 120, 1e-9)
  equal(#report.classes, 3)
  equal(#report.roc, 3)
  near((report.roc[1].auc + report.roc[2].auc + report.roc[3].auc) / 3, report.auc, 1e-9)
  local points = report.roc[1].points
  equal(points[1].true_rate, 0)
  equal(points[#points].false_rate, 1)
  fails("per_class", function() m:evaluate(data, {metrics = "confusion"}) end)
  -- The loss is chosen, and said where it is not what the targets look like.
  m:fit{data = data, epochs = 60, lr = 0.05, seed = 1}
  check(m:evaluate(data).accuracy > 0.95, m:evaluate(data).accuracy)
  local plain = network()
  check(tostring(plain:evaluate(data)):find('loss = "bce"', 1, true), tostring(plain:evaluate(data)))
  near(plain:evaluate(data, {loss = "bce"}).loss, loss / 120, 1e-5)
  equal(plain:evaluate(data, {loss = "bce", metrics = "accuracy"}).accuracy, right / 120)
  -- Integers of the output's own shape are the same labels.
  local whole = numbers("int64", {40, 3}, function(i) return math.tointeger(y[i // 3 + 1][i % 3 + 1]) end)
  near(network "Sigmoid":evaluate(prune.data.tensors(x, whole)).loss, loss / 120, 1e-5)
end)

test("a table has several targets", function()
  local path = h.temporary ".csv"
  local file = io.open(path, "w")
  file:write "a,b,tall,c,wide\n1,2,3,4,5\n6,7,8,9,10\n"
  file:close()
  local data = prune.data.csv(path, {label = {"wide", "tall"}})
  equal(table.concat(data.x.shape, "x"), "2x3")
  equal(table.concat({data.x[2][1], data.x[2][2], data.x[2][3]}, " "), "6.0 7.0 9.0")
  equal(table.concat({data.y[1][1], data.y[1][2]}, " "), "5.0 3.0")
  equal(prune.data.csv(path, {label = {5, 3}}).y[2][2], 8)
  fails("listed twice", function() prune.data.csv(path, {label = {"a", "a"}}) end)
  fails("there is no column 'far'", function() prune.data.csv(path, {label = {"a", "far"}}) end)
  file = io.open(path, "w")
  file:write "size,kind\n1,owl\n2,cat\n3,owl\n"
  file:close()
  equal(table.concat(prune.data.csv(path).class_names, " "), "cat owl")
end)

test("bytes into a float model are named with the mend", function()
  local m = prune.zoo.lenet5{input = {1, 8, 8}, classes = 10, seed = 1}
  local bytes = numbers("uint8", {20, 1, 8, 8}, function(i) return i * 37 % 256 end)
  local data = prune.data.tensors(bytes, numbers("int64", {20}, function(i) return i % 10 end))
  local text = tostring(m:evaluate(data))
  check(text:find("data:normalize{mean = 0, std = 255}", 1, true), text)
  fails("data:normalize{mean = 0, std = 255}", function() m:fit{data = data} end)
  local scaled = tostring(m:evaluate(data:normalize{mean = 0, std = 255}))
  check(not scaled:find("gets bytes", 1, true), scaled)
end)

test("what data lacks is told", function()
  local m = prune.zoo.lenet5{input = {1, 8, 8}, classes = 4, seed = 1}
  local x = numbers("float32", {8, 1, 8, 8}, math.sin)
  local same = prune.data.tensors(x, numbers("int64", {8}, function() return 2 end))
  fails("all 8 of data set 'tensors' are of class 2", function() m:evaluate(same, {metrics = "auc"}) end)
  local wrong = prune.data.tensors(x, numbers("int64", {8}, function(i) return i == 5 and 9 or 1 end))
  for _, criterion in ipairs{"taylor", "fisher", "gate", "hessian"} do
    fails("sample 5", function()
      m:prune{amount = 0.3, criterion = criterion, data = wrong, granularity = criterion == "gate" and "channel" or nil}
    end)
  end
  fails("2^40 or less", function() m:stats{shapes = {N = math.maxinteger}} end)
  local nan = prune.data.tensors(numbers("float32", {8, 1, 8, 8}, function() return 0 / 0 end))
  fails("NaN or infinite on the data that layers are fitted with", function()
    m:prune{granularity = "channel", amount = 0.3, criterion = "l2", reconstruct = "least_squares", data = nan}
  end)
  local weight = m:parameter "conv2.weight"
  m:parameter("conv2.weight", numbers("float32", weight.shape, function(i) return i == 6 and -1 / 0 or math.sin(i) end))
  local problem = fails("holds NaN or infinity", function() m:prune{amount = 0.5} end)
  check(problem.hint:find("ignore = ", 1, true), problem.hint)
end)

test("the nodes of a graph go together", function()
  local m = load{
    nodes = {
      {"MatMul", {"a", "x"}, {"ax"}}, {"MatMul", {"ax", "w1"}, {"h"}}, {"Relu", {"h"}, {"r"}}, {"MatMul", {"a", "r"}, {"ar"}},
      {"MatMul", {"ar", "w2"}, {"y"}},
    },
    weights = {w1 = ramp{6, 16}, w2 = ramp{16, 3}},
    inputs = {{"a", "float32", {"n", "n"}}, {"x", "float32", {"n", 6}}}, outputs = {{"y", "float32", {"n", 3}}},
  }
  local inputs = {
    a = numbers("float32", {20, 20}, function(i) return i * 7 % 5 == 0 and 0.3 or 0 end),
    x = numbers("float32", {20, 6}, math.sin),
  }
  local data = prune.data.tensors(inputs, numbers("int64", {20}, function(i) return i % 3 end))
  check(m:evaluate(data).loss > 0)
  for _, options in ipairs{{}, {batch_size = 20}, {rounding = "adaround"}} do
    options.calibration = data
    local int8 = m:quantize(options)
    local exact, rounded = m:run(inputs).y, int8:run(inputs).y
    for n = 1, 20 do near(rounded[n][1], exact[n][1], 0.1) end
  end
  fails("the samples of a batch belong together", function()
    m:prune{granularity = "channel", amount = 0.3, criterion = "gate", data = data}
  end)
  local _, report = m:prune{granularity = "channel", amount = 0.3, criterion = "taylor", data = data}
  equal(report.removed, 5)
end)

test("a branch that is always taken is all there is", function()
  local m = load{
    nodes = {
      {"Gemm", {"x", "w"}, {"h"}},
      {"If", {"flag"}, {"y"}, {
        then_branch = {nodes = {{"Relu", {"h"}, {"t"}}, {"Mul", {"t", "two"}, {"u"}}}, weights = {two = {shape = {1}, 2}}, outputs = {{"u", "float32", {"N", 3}}}},
        else_branch = {nodes = {{"Neg", {"h"}, {"u"}}}, outputs = {{"u", "float32", {"N", 3}}}},
      }},
    },
    weights = {w = ramp{4, 3}, flag = {dtype = "bool", shape = {}, 1}},
    inputs = {{"x", "float32", {"N", 4}}}, outputs = {{"y", "float32", {"N", 3}}},
  }
  local data = prune.data.tensors(numbers("float32", {9, 4}, math.sin), numbers("int64", {9}, function(i) return i % 3 end))
  fails("m:simplify()", function() m:clone():fit{data = data} end)
  local simple, report = m:simplify()
  equal(report.folded >= 1, true)
  near(report.certificate, 0, 0)
  equal(simple:predict(data) == m:predict(data), true)
  check(simple:fit{data = data, epochs = 2}.epochs[2].loss > 0)
end)

h.finish()
