package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, fails = h.test, h.equal, h.near, h.fails

local function shape_of(t) return table.concat(t.shape, "x") end

test("dtype is inferred", function()
  equal(prune.tensor{1, 2, 3}.dtype, "int64")
  equal(prune.tensor{1, 2.5}.dtype, "float32")
  equal(prune.tensor{true, false}.dtype, "bool")
  equal(prune.tensor(5).dtype, "int64")
  equal(prune.tensor{}.dtype, "float32")
end)

test("shapes of nested tables", function()
  equal(shape_of(prune.tensor{{1, 2, 3}, {4, 5, 6}}), "2x3")
  equal(shape_of(prune.tensor{{{1}}, {{2}}}), "2x1x1")
  equal(#prune.tensor(5).shape, 0)
  equal(shape_of(prune.tensor{}), "0")
  equal(shape_of(prune.tensor{1, 2, 3, 4, shape = {2, 2}}), "2x2")
  equal(shape_of(prune.tensor{shape = {2, 3}}), "2x3")
  equal(prune.tensor{shape = {2, 3}}:at(2, 3), 0.0)
end)

test("elements, rows and lengths", function()
  local t = prune.tensor{{1, 2, 3}, {4, 5, 6}}
  equal(t[2][3], 6)
  equal(t:at(1, 2), 2)
  equal(#t, 2)
  equal(#t[1], 3)
  equal(t[3], nil)
  equal(t[0], nil)
  equal(t.count, 6)
  equal(t.rank, 2)
  local sum = 0
  for _, row in ipairs(t) do
    for _, value in ipairs(row) do sum = sum + value end
  end
  equal(sum, 21)
  equal(prune.tensor(7):at(), 7)
end)

test("totable gives back what tensor took", function()
  local rows = prune.tensor{{1, 2}, {3, 4}}:totable()
  equal(rows[2][1], 3)
  equal(math.type(rows[1][1]), "integer")
  equal(prune.tensor(2.5):totable(), 2.5)
  equal(prune.tensor{true, false}:totable()[1], true)
end)

test("every dtype holds its own values", function()
  local cases = {
    int8 = {-128, 127}, uint8 = {0, 255}, int16 = {-32768, 32767}, uint16 = {0, 65535}, int32 = {-2147483648, 2147483647},
    uint32 = {0, 4294967295}, int64 = {math.mininteger, math.maxinteger}, uint64 = {0, math.maxinteger},
    float32 = {0.5, -1.25}, float64 = {0.1, 1e300}, float16 = {0.5, 65504.0}, bfloat16 = {0.5, -2.0}, bool = {true, false},
  }
  for dtype, values in pairs(cases) do
    local t = prune.tensor{values[1], values[2], dtype = dtype}
    equal(t.dtype, dtype)
    equal(t[1], values[1], dtype)
    equal(t[2], values[2], dtype)
  end
end)

test("half precision rounds to nearest even", function()
  local t = prune.tensor{1 + 2^-11, 1 + 3 * 2^-11, 65520, 65519, 2^-24, 2^-25, 2^-14, -0.1, dtype = "float16"}
  equal(t[1], 1.0)
  equal(t[2], 1 + 2^-9)
  equal(t[3], math.huge)
  equal(t[4], 65504.0)
  equal(t[5], 2^-24)
  equal(t[6], 0.0)
  equal(t[7], 2^-14)
  near(t[8], -0.1, 1e-4)
  equal(prune.tensor{1 + 2^-8, dtype = "bfloat16"}[1], 1.0)
  equal(prune.tensor{1 + 3 * 2^-8, dtype = "bfloat16"}[1], 1 + 2^-6)
  h.check(prune.tensor{0 / 0, dtype = "float16"}[1] ~= prune.tensor{0 / 0, dtype = "float16"}[1], "NaN stays NaN")
end)

test("equality and reshape", function()
  local t = prune.tensor{{1, 2}, {3, 4}}
  h.check(t == prune.tensor{{1, 2}, {3, 4}})
  h.check(t ~= prune.tensor{{1, 2}, {3, 5}})
  h.check(t ~= prune.tensor{1, 2, 3, 4})
  h.check(t:reshape{-1} == prune.tensor{1, 2, 3, 4})
  equal(shape_of(t:reshape{1, -1, 2}), "1x2x2")
  fails("do not fill", t.reshape, t, {3, -1})
  fails("only one extent", t.reshape, t, {-1, -1})
end)

test("what cannot be a tensor is refused", function()
  local function make(values) return function() return prune.tensor(values) end end
  fails("a row has 1 elements, the first has 2", make{{1, 2}, {3}})
  fails("a number where a table was expected", make{{1, 2}, 3})
  fails("must be numbers or booleans, got string", make{1, "2"})
  fails("must be numbers or booleans, got table", make{1, {2}})
  fails("expected, got string", make "x")
  fails("300 does not fit dtype uint8", make{300, dtype = "uint8"})
  fails("1.5 does not fit dtype int64", make{1.5, dtype = "int64"})
  fails("unknown dtype 'float33', did you mean 'float32'?", make{1, dtype = "float33"})
  fails("unknown option 'dtyp'", make{1, dtyp = "float32"})
  fails("3 elements do not fill the shape of 4", make{1, 2, 3, shape = {2, 2}})
  fails("at least 0, got -1", make{1, shape = {-1}})
  fails("nested more than 16 deep", make{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}})
  local absurd = {shape = {}}
  for i = 1, 9 do absurd.shape[i] = 1 << 32 end
  h.check(not pcall(prune.tensor, absurd), "absurd shapes are refused")
end)

test("wrong positions are told", function()
  local t = prune.tensor{{1, 2}, {3, 4}}
  fails("has 2 dimensions, got 1", t.at, t, 1)
  fails("position 3 of dimension 2 is outside 1...2", t.at, t, 1, 3)
  fails("did you mean 'shape'?", function() return t.shap end)
  fails("cannot be assigned", function() t[1] = 2 end)
  fails("must be an integer", function() return t[1.5] end)
end)

test("printing", function()
  equal(tostring(prune.tensor{{1, 2}, {3, 4.5}}), " 1.0000  2.0000\n 3.0000  4.5000\n[float32 2x2]")
  equal(tostring(prune.tensor{1, 2, 3}), " 1  2  3\n[int64 3]")
  equal(tostring(prune.tensor(5)), " 5\n[int64 scalar]")
  equal(tostring(prune.tensor{}), "[float32 0]")
  equal(tostring(prune.tensor{true, false}), "  true  false\n[bool 2]")
  local long = tostring(prune.tensor{shape = {1000, 1000}})
  h.check(long:find("...", 1, true) and #long < 1000, "long tensors are shortened")
  h.check(tostring(prune.tensor{1e10, 0.5}):find "e%+10", "large numbers use exponents")
  h.check(tostring(prune.tensor{0 / 0, 1 / 0, -1 / 0}):find "nan.*inf.*%-inf", "NaN and infinities")
end)

test("closing", function()
  local kept
  do
    local t <close> = prune.tensor{1}
    kept = t
  end
  equal(tostring(kept), "Tensor (closed)")
  fails("it is closed", function() return kept.shape end)
  equal(getmetatable(kept), "prune.Tensor")
end)

test("npz round trip", function()
  local path = h.temporary ".npz"
  prune.npz.save(path, {a = prune.tensor{{1, 2}, {3, 4}}, b = {0.5, 1.5}})
  local back = prune.npz.load(path)
  h.check(back.a == prune.tensor{{1, 2}, {3, 4}})
  equal(back.b[2], 1.5)
  fails("must be a Tensor or a table of numbers, got string", prune.npz.save, path, {a = "x"})
  fails("tensors are named", prune.npz.save, path, {prune.tensor(1)})
  equal(fails("no-such-file", prune.npz.load, "no-such-file.npz").code, "io")
end)

test("losses of the textbook", function()
  near(prune.losses.cross_entropy({0, 0, 1, 0, 0}, {0.1, 0.2, 0.6, 0.05, 0.05}), 0.5108, 1e-4)
  near(prune.losses.mse({3, -0.5, 2, 7}, {2.5, 0, 2, 8}), 0.375, 1e-6)
  fails("", prune.losses.mse, {1, 2}, {1, 2, 3})
  near(prune.losses.cross_entropy(prune.tensor{1, 0, dtype = "float32"}, {0, 1}), -math.log(1e-15), 1e-3)
end)

h.finish()
