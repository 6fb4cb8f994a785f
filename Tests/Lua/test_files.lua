-- Folders of sound and of arrays.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir -p " .. folder .. "/low " .. folder .. "/high"))

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

--- A WAV file of frames in -1...1, one list a channel.
local function wave(rate, channels, bits)
  local data = {}
  for i = 1, #channels[1] do
    for _, frames in ipairs(channels) do
      local value = frames[i]
      if bits == 8 then
        data[#data + 1] = string.pack("<B", math.floor(value * 128 + 128))
      elseif bits == "float" then
        data[#data + 1] = string.pack("<f", value)
      else
        data[#data + 1] = string.pack("<i" .. bits // 8, math.floor(value * 2 ^ (bits - 1)))
      end
    end
  end
  local bytes, width = table.concat(data), bits == "float" and 32 or bits
  local format = string.pack("<I2I2I4I4I2I2", bits == "float" and 3 or 1, #channels, rate, rate * #channels * width // 8, #channels * width // 8, width)
  return "RIFF" .. string.pack("<I4", 36 + 10 + #bytes) .. "WAVEfmt " .. string.pack("<I4", 16) .. format .. "LIST" .. string.pack("<I4", 1) .. "x\0"
    .. "data" .. string.pack("<I4", #bytes) .. bytes
end

local function tone(frequency, rate, count, scale)
  local frames = {}
  for i = 1, count do frames[i] = (scale or 0.5) * math.sin(2 * math.pi * frequency * (i - 1) / rate) end
  return frames
end

write("low/a.wav", wave(8000, {tone(200, 8000, 1000)}, 16))
write("low/b.wav", wave(8000, {tone(300, 8000, 90)}, 24))
write("high/a.wav", wave(16000, {tone(1000, 16000, 2000), tone(1000, 16000, 2000, 0)}, 16))
write("high/b.wav", wave(8000, {tone(1100, 8000, 400)}, "float"))
write("high/c.mp3", "ID3")

test("sound is cut into windows", function()
  local data = prune.data.wav{path = folder, rate = 8000, window = 200, hop = 100}
  -- 1000 frames are 9 windows; 2000 at twice the rate too; 400 are 3; 90 are one with silence behind.
  equal(#data, 9 + 3 + 9 + 1)
  equal(table.concat(data.class_names, " "), "high low")
  equal(table.concat(data.x.shape, "x"), "22x1x200")
  local labels = {}
  for _, class in ipairs(data.y) do labels[class] = (labels[class] or 0) + 1 end
  equal(labels[0], 12)
  equal(labels[1], 10)
  equal(data.broken.count, 1)
  check(data.broken.files[1].reason:find("WAV", 1, true), data.broken.files[1].reason)
  local x = data.x
  -- low/a.wav, its second window: frames from 100 on.
  for i = 1, 200 do near(x[14][1][i], 0.5 * math.sin(2 * math.pi * 200 * (99 + i) / 8000), 1e-4) end
  near(x[22][1][90], 0.5 * math.sin(2 * math.pi * 300 * 89 / 8000), 1e-5)
  equal(x[22][1][91], 0)
  -- Two channels are mixed, and resampled to a tone of the same frequency.
  for i = 1, 200 do near(x[5][1][i], 0.25 * math.sin(2 * math.pi * 1000 * (399 + i) / 8000), 2e-3) end
end)

test("what is above half the rate is taken out", function()
  assert(os.execute("mkdir -p " .. folder .. "/other"))
  write("other/alias.wav", wave(16000, {tone(6000, 16000, 4000)}, 16))
  local list = io.open(folder .. "/other/list.csv", "w")
  list:write "file,label\nalias.wav,0\n"
  list:close()
  local x = prune.data.wav{path = folder .. "/other/list.csv", rate = 8000, window = 1000}.x
  equal(x.shape[1], 2)
  -- 6 kHz would be heard as 2 kHz of the same strength.
  local most = 0
  for i = 200, 800 do most = math.max(most, math.abs(x[1][1][i])) end
  check(most < 0.005, most)
  os.execute("rm -r " .. folder .. "/other")
end)

test("a model listens", function()
  local data = prune.data.wav{path = folder, rate = 8000, window = 200, hop = 50}
  local m = prune.zoo.mlp{input = {1, 200}, classes = 2, hidden = {16}, seed = 1}
  m:fit{data = data, epochs = 30, batch_size = 8, lr = 5e-3, seed = 1}
  check(m:evaluate(data).accuracy > 0.9, m:evaluate(data).accuracy)
end)

test("sound that does not fit is named", function()
  fails("rate = 16000", function() prune.data.wav{path = folder .. "/high", window = 100, strict = true} end)
  fails("option 'window' is required", function() prune.data.wav{path = folder} end)
  fails("it is one sound file", function() prune.data.wav{path = folder .. "/low/a.wav", window = 10} end)
  write("low/bad.wav", "RIFF\0\0\0\0WAVEfmt ")
  equal(prune.data.wav{path = folder, rate = 8000, window = 200}.broken.count, 2)
  fails("bad.wav", function() prune.data.wav{path = folder, rate = 8000, window = 200, strict = true} end)
  local whole = wave(8000, {tone(200, 8000, 50)}, 16)
  for cut = 0, #whole do
    write("low/bad.wav", whole:sub(1, cut))
    local data = prune.data.wav{path = folder, rate = 8000, window = 200}
    check(#data > 0 and data.x.shape[1] == #data)
  end
  for seed = 1, 300 do
    math.randomseed(seed)
    local bytes = {whole:byte(1, -1)}
    for _ = 1, 3 do bytes[math.random(60)] = math.random(0, 255) end
    write("low/bad.wav", string.char(table.unpack(bytes)))
    local ok, problem = pcall(function() return prune.data.wav{path = folder, rate = 8000, window = 200}.x end)
    check(ok or problem.code, problem)
  end
end)

-- Arrays -------------------------------------------------------------------------------------------------------------

local function npy(descr, shape, data)
  local header = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }"):format(descr, table.concat(shape, ", "))
  header = header .. (" "):rep((64 - (11 + #header) % 64) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. string.pack("<I2", #header) .. header .. data
end
local function floats(count, first)
  local parts = {}
  for i = 1, count do parts[i] = string.pack("<f", first + i) end
  return table.concat(parts)
end

test("a folder of arrays is data, and a file of them", function()
  assert(os.execute("mkdir -p " .. folder .. "/arrays/cat " .. folder .. "/arrays/dog"))
  for i, name in ipairs{"cat/1", "cat/2", "dog/1"} do write("arrays/" .. name .. ".npy", npy("<f4", {2, 3}, floats(6, 10 * i))) end
  local data = prune.data.npy(folder .. "/arrays")
  equal(tostring(data), "Dataset: 3 samples 2x3 float32, 2 classes")
  equal(data.x[3][2][3], 36)
  equal(table.concat(data.class_names, " "), "cat dog")
  write("x.npy", npy("<f4", {4, 3}, floats(12, 0)))
  write("y.npy", npy("<i8", {4}, string.pack("<i8i8i8i8", 0, 1, 2, 1)))
  local whole = prune.data.npy(folder .. "/x.npy", {y = folder .. "/y.npy"})
  equal(tostring(whole), "Dataset: 4 samples 3 float32, 3 classes")
  equal(whole.x[4][3], 12)
  fails("whose folders are the classes", function() prune.data.npy(folder .. "/arrays", {y = "y.npy"}) end)
  write("arrays/dog/2.npy", npy("<f4", {2, 2}, floats(4, 0)))
  fails("dog/2.npy", function() return prune.data.npy(folder .. "/arrays").x end)
end)

test("an empty class keeps its number, and other kinds are named", function()
  assert(os.execute("mkdir -p " .. folder .. "/arrays/cow " .. folder .. "/arrays/bear"))
  write("arrays/dog/2.npy", npy("<f4", {2, 3}, floats(6, 0)))
  write("arrays/cow/1.mat", "MATLAB")
  local data = prune.data.npy(folder .. "/arrays")
  equal(table.concat(data.class_names, " "), "bear cat cow dog")
  equal(data.y[4], 3)
  equal(data.broken.count, 3)
end)

os.execute("rm -r " .. folder)
h.finish()
