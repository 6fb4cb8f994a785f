package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local digits = prune.data.digits()

test("digits", function()
  equal(#digits, 1797)
  equal(digits.class_count, 10)
  equal(table.concat(digits.x.shape, "x"), "1797x1x8x8")
  equal(digits.y.dtype, "int64")
  equal(tostring(digits), "Dataset: 1797 samples 1x8x8 float32, 10 classes")
end)

test("split is seeded and covers everything", function()
  local train, rest = digits:split{test = 0.2, seed = 7}
  equal(#train + #rest, 1797)
  near(#rest, 359, 6)
  local again = digits:split{test = 0.2, seed = 7}
  check(train.y == again.y, "the same seed splits the same way")
  local other = digits:split{test = 0.2, seed = 8}
  check(train.y ~= other.y, "another seed splits another way")
end)

test("take, subset and classes", function()
  equal(#digits:take(5), 5)
  equal(#digits:take(5000), 1797)
  local some = digits:subset{3, 1, 1}
  equal(#some, 3)
  check(some.x[1] == digits.x[3])
  equal(some.y[2], digits.y[1])
  local two = digits:classes{3, 5}
  equal(two.class_count, 2)
  for _, class in ipairs(two.y) do check(class == 0 or class == 1) end
end)

test("samples are labelled by a model", function()
  local m, some = prune.zoo.mlp{classes = 10, input = {1, 8, 8}}, digits:take(100)
  local answered = some:labelled(m)
  equal(answered.class_count, 10)
  equal(m:evaluate(answered).accuracy, 1)
  check(answered.y ~= some.y and answered.x == some.x)
  fails("expected", some.labelled, some)
end)

test("normalize and resize", function()
  local normal = digits:take(2):normalize{mean = 0.5, std = 0.25}
  near(normal.x:at(1, 1, 1, 1), (digits.x:at(1, 1, 1, 1) - 0.5) / 0.25)
  near(digits:take(1):normalize{mean = {0.5}, std = {2}}.x:at(1, 1, 1, 3), (digits.x:at(1, 1, 1, 3) - 0.5) / 2)
  equal(table.concat(digits:take(2):resize{16, 12}.x.shape, "x"), "2x1x16x12")
end)

test("tensors and tables", function()
  local xor = prune.data.tensors({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, {0, 1, 1, 0})
  equal(#xor, 4)
  equal(xor.class_count, 2)
  equal(xor.x.dtype, "float32")
  local values = prune.data.tensors({{1}, {2}}, {{0.5}, {1.5}})
  equal(values.class_count, 0)
  equal(prune.data.tensors{{1}, {2}}.y, nil)
  fails("", prune.data.tensors, {{1}, {2}}, {1, 2, 3})
end)

test("several inputs have names", function()
  local data = prune.data.tensors({ids = {{1, 2}, {3, 4}, {5, 6}}, mask = prune.tensor{1.5, 2, 3}}, {0, 1, 0})
  equal(#data, 3)
  equal(data.class_count, 2)
  equal(data.x.ids.dtype, "int64")
  equal(data.x.mask[1], 1.5)
  equal(data:subset{3, 1}.x.ids[1][2], 6)
  equal(tostring(data), "Dataset: 3 samples ids 2 int64, mask float32, 2 classes")
  local train, rest = data:split{test = 0.34, seed = 1}
  equal(#train.x.ids, 2)
  equal(#rest.x.mask, 1)
  fails("3 samples, 'b'", prune.data.tensors, {a = {{1}, {2}, {3}}, b = {1, 2}})
  fails("'ids', 'mask'", data.resize, data, {2, 2})
  local path = h.temporary ".npz"
  prune.npz.save(path, {tokens = data.x.ids, m = data.x.mask, label = data.y})
  local back = prune.data.npz(path, {x = {ids = "tokens", mask = "m"}, y = "label"})
  equal(back.x.ids[3][1], 5)
  equal(back.class_count, 2)
  equal(prune.data.npz(path, {x = {ids = "tokens"}}).y, nil)
  fails("it has: ", prune.data.npz, path, {x = {ids = "token"}})
  fails("'label2'", prune.data.npz, path, {x = {ids = "tokens"}, y = "label2"})
  fails("a table {input = name}", prune.data.npz, path, {x = {ids = 3}})
  fails("a table {input = name}", prune.data.npz, path, {x = 3})
end)

test("npz and csv", function()
  local path = h.temporary ".npz"
  prune.npz.save(path, {images = digits:take(10).x, labels = digits:take(10).y})
  local back = prune.data.npz(path, {x = "images", y = "labels"})
  equal(#back, 10)
  check(back.x == digits:take(10).x)
  fails("", prune.data.npz, path, {x = "pictures"})
  local csv = h.temporary ".csv"
  local file = assert(io.open(csv, "w"))
  file:write "a,b,kind\n1,2,0\n3,4,1\n5,6,1\n"
  file:close()
  for _, label in ipairs{"kind", 3, false} do
    local data = prune.data.csv(csv, label and {label = label} or nil)
    equal(#data, 3)
    equal(data.x:at(2, 2), 4.0)
    equal(data.y[3], 1)
  end
  equal(prune.data.csv(csv, {label = 1}).x:at(1, 1), 2.0)
end)

test("idx", function()
  local function file(bytes)
    local path = h.temporary()
    local out = assert(io.open(path, "wb"))
    out:write(bytes)
    out:close()
    return path
  end
  local images = file("\0\0\8\3" .. string.pack(">I4I4I4", 2, 2, 2) .. "\0\51\102\153\204\255\0\51")
  local labels = file("\0\0\8\1" .. string.pack(">I4", 2) .. "\1\0")
  local data = prune.data.idx{images = images, labels = labels}
  equal(table.concat(data.x.shape, "x"), "2x1x2x2")
  near(data.x:at(2, 1, 1, 2), 1.0)
  equal(data.y[1], 1)
  equal(fails("no-such", prune.data.idx, {images = "no-such", labels = labels}).code, "io")
end)

test("cifar records", function()
  local path = h.temporary()
  local out = assert(io.open(path, "wb"))
  out:write("\7" .. string.rep("\255", 3072) .. "\3" .. string.rep("\0", 3072))
  out:close()
  for _, paths in ipairs{path, {path, path}} do
    local data = prune.data.cifar10(paths)
    equal(table.concat(data:take(2).x.shape, "x"), "2x3x32x32")
    equal(data.y[1], 7)
    near(data.x:at(1, 3, 32, 32), 1.0)
  end
  fails("path 2 must be a string", prune.data.cifar10, {path, 1})
end)

test("wrong arguments are told", function()
  fails("option 'test' is required", digits.split, digits, {})
  fails("option 'test' must be in 0...1", digits.split, digits, {test = 2})
  fails("unknown option 'tset', did you mean 'test'?", digits.split, digits, {tset = 0.2})
  fails("option 'seed' must be an integer of 0 or more", digits.split, digits, {test = 0.2, seed = -1})
  fails("expected a table of options, got number", digits.split, digits, 0.2)
  fails("unexpected value at [1]", digits.split, digits, {0.2})
  fails("outside 1...1797", digits.subset, digits, {1798})
  fails("at least 1, got 0", digits.subset, digits, {0})
  fails("must be an integer, got string", digits.subset, digits, {"1"})
  fails("1 or more samples", digits.take, digits, 0)
  fails("mean has 2 values, std has 1", digits.normalize, digits, {mean = {0, 0}, std = 1})
  fails("option 'std' is required", digits.normalize, digits, {mean = 0})
  fails("expected {height, width}", digits.resize, digits, {8})
  fails("did you mean 'split'?", function() return digits.spilt end)
  fails("Dataset expected, got table", digits.take, {}, 1)
  fails("option 'images' is required", prune.data.idx, {})
end)

h.finish()
