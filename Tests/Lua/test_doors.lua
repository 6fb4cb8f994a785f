-- Weights and images as people have them: Tests/Data/formats and Tests/Data/images.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local formats, images = h.root .. "/Tests/Data/formats/", h.root .. "/Tests/Data/images"

local function load() return prune.load(formats .. "module.onnx") end

--- The largest difference between what a model answers and what PyTorch did.
local function difference(m)
  local io = prune.npz.load(formats .. "retrained_io.npz")
  local found, wanted, largest = m:predict(io.x):reshape{-1}, io.y:reshape{-1}, 0
  for i = 1, #wanted do largest = math.max(largest, math.abs(found[i] - wanted[i])) end
  return largest
end

test("a state dict answers as in PyTorch", function()
  local m = load()
  check(difference(m) > 0.1, "the model has other weights")
  local report = m:load_weights(formats .. "retrained.pt")
  equal(report.matched, 9)
  equal(report.ignored[1], "norm.num_batches_tracked")
  near(difference(m), 0, 1e-5)
  for _, suffix in ipairs{".safetensors", ".npz"} do
    local path, again = h.temporary(suffix), load()
    m:save_weights(path)
    equal(again:load_weights(path).matched, 9)
    equal(difference(again), difference(m))
  end
end)

test("names that an exporter let share an equal tensor get one each", function()
  -- Identity(norm.bias) gives norm.running_mean, Identity(norm.weight) norm.running_var, as of a network that was never trained.
  local m = prune.load(formats .. "shared.onnx")
  local weights = {
    ["norm.weight"] = prune.tensor {1.5, 2}, ["norm.bias"] = prune.tensor {0.5, -1},
    ["norm.running_mean"] = prune.tensor {3.5, 4}, ["norm.running_var"] = prune.tensor {2.25, 9},
  }
  local path = h.temporary ".safetensors"
  prune.weights.save(path, weights)
  local report = m:load_weights(path)
  equal(report.matched, 4)
  table.sort(report.separated)
  equal(table.concat(report.separated, " "), "norm.running_mean norm.running_var")
  local y = m:predict(prune.tensor {{5.5, 10}})
  near(y[1][1], (5.5 - 3.5) / 1.5 * 1.5 + 0.5, 1e-4)
  near(y[1][2], (10 - 4) / 3 * 2 - 1, 1e-4)
end)

test("what the exporter folded is said", function()
  local weights = {
    ["conv.weight"] = prune.tensor {{{{1}}}}, ["norm.weight"] = prune.tensor {1}, ["norm.bias"] = prune.tensor {0},
    ["norm.running_mean"] = prune.tensor {0}, ["norm.running_var"] = prune.tensor {1},
  }
  local path = h.temporary ".safetensors"
  prune.weights.save(path, weights)
  local m = prune.load(formats .. "folded.onnx")
  local problem = fails("are not in the file", m.load_weights, m, path)
  check(problem.hint:find("TrainingMode.PRESERVE", 1, true), problem.hint)
end)

test("NumPy gets what it has no type for in one that holds every value", function()
  local path = h.temporary ".safetensors"
  local values = {1.5, -2, 0.0078125}
  prune.weights.save(path, {w = prune.tensor {dtype = "bfloat16", shape = {3}, 1.5, -2, 0.0078125}})
  local npz = h.temporary ".npz"
  prune.weights.save(npz, prune.weights.load(path))
  local w = prune.npz.load(npz).w
  equal(w.dtype, "float32")
  for i, value in ipairs(values) do equal(w[i], value) end
end)

test("a path with a zero byte is refused", function()
  local m = load()
  fails("zero byte", m.save, m, h.temporary ".onnx" .. "\0b.onnx")
  fails("zero byte", prune.load, formats .. "module.onnx\0")
end)

test("names are mapped by patterns and by functions", function()
  local weights = {}
  for name, tensor in pairs(prune.weights.load(formats .. "retrained.pt")) do weights["net." .. name] = tensor end
  local path = h.temporary ".safetensors"
  prune.weights.save(path, weights)
  local problem = fails("9 weights of the model are not in the file", function() load():load_weights(path) end)
  equal(problem.code, "mismatch")
  check(problem.hint:find('map = {["net.*"] = "*"}', 1, true), problem.hint)
  for _, map in ipairs{{["net.*"] = "*"}, function(name) return (name:gsub("^net%.", "")) end} do
    local m = load()
    equal(m:load_weights(path, {map = map}).matched, 9)
    near(difference(m), 0, 1e-5)
  end
  local m = load()
  equal(m:load_weights(weights, {map = {["net.*"] = "*"}}).matched, 9)
  local report = m:load_weights(weights, {map = {["net.*"] = "*", ["net.fc.*"] = false}, strict = false})
  equal(report.matched, 7)
  equal(#report.missing, 2)
  fails("option 'map'", function() m:load_weights(path, {map = 3}) end)
  fails("wanted a name or false", function() m:load_weights(path, {map = {a = 1}}) end)
  fails("unknown option 'mapp'", function() m:load_weights(path, {mapp = {}}) end)
end)

test("a suffix that is not written lists those that are", function()
  local problem = fails("not written to a file of that name", function() load():save_weights "/tmp/weights.h5" end)
  check(problem.hint:find(".safetensors or .npz", 1, true), problem.hint)
end)

local ok, problem = pcall(function()
  return prune.data.images{path = images .. "/dog", size = 8}:take(1).x and prune.data.images{path = images .. "/cat", size = 8}.x
end)
if not ok and problem.code == "unsupported" then
  io.stderr:write("skipped: images need libturbojpeg0 and libspng0\n")
  h.finish()
  return
end

test("an image folder is data", function()
  local data = prune.data.images{path = images, size = {16, 12}, mean = {0.5}, std = {0.5, 0.25, 0.5}}
  equal(tostring(data), "Dataset: 7 samples 3x16x12 float32, 3 classes")
  equal(table.concat(data.class_names, " "), "cat dog owl")
  equal(data.layout, "nchw")
  equal(data.broken.count, 0)
  equal(table.concat(data.x.shape, "x"), "7x3x16x12")
  equal(data.broken.count, 1)
  check(data.broken.files[1].file:find "owl/broken.jpg$", data.broken.files[1].file)
  fails("broken.jpg", function() return prune.data.images{path = images, size = 16, strict = true}.x end)
  equal(#prune.data.images{path = images, size = 16, check = true}, 6)
  fails("prune.data.images", function() data:normalize{mean = 0, std = 1} end)
  fails("size", function() prune.data.images{path = images} end)
  fails("'large'", function() prune.data.images{path = images, size = 8, resize = "large"} end)
end)

test("a model is trained, judged, pruned and quantized on a folder", function()
  local data = prune.data.images{path = images, size = 8, check = true}
  local m = prune.zoo.lenet5{input = {3, 8, 8}, classes = 3, seed = 1}
  local before = m:evaluate(data).loss
  m:fit{data = data, epochs = 15, batch_size = 2, optimizer = "adam", lr = 1e-3, seed = 1, augment = {flip = true}}
  check(m:evaluate(data).loss < before, "the loss falls")
  equal(table.concat(m:predict(data).shape, "x"), "6x3")
  -- A stream gives what the same samples in memory give.
  local memory = prune.data.tensors(data.x, data.y)
  equal(m:evaluate(data).loss, m:evaluate(memory).loss)
  local slim = m:prune{granularity = "channel", criterion = "taylor", amount = 0.3, data = data}
  local int8 = slim:quantize{scheme = "static", calibration = data}
  check(int8:evaluate(data).loss < 10)
end)

test("images of the wrong layout say how to turn them", function()
  local m = prune.zoo.lenet5{input = {3, 8, 8}, classes = 3, seed = 1}
  local stream = prune.data.images{path = images, size = 8, layout = "nhwc"}
  check(fails("samples of data set", function() m:evaluate(stream) end).hint:find('layout = "nchw"', 1, true))
  local data = prune.data.tensors(stream.x, stream.y)
  equal(data.layout, "nhwc")
  local hint = fails("samples of data set", function() m:evaluate(data) end).hint
  check(hint:find('data:to_layout "nchw"', 1, true), hint)
  local turned = data:to_layout "nchw"
  equal(turned.layout, "nchw")
  equal(m:evaluate(turned).loss, m:evaluate(prune.data.images{path = images, size = 8}).loss)
  equal(data:set_layout("nchw").layout, "nchw")
  fails("'chw'", function() data:to_layout "chw" end)
end)

h.finish()
