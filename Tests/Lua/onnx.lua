-- Writes small ONNX files, so that a test holds the model that it speaks of.
local onnx = {}

local types = {float32 = 1, uint8 = 2, int8 = 3, int32 = 6, int64 = 7, bool = 9, float16 = 10, float64 = 11}
local formats = {float32 = "<f", uint8 = "<B", int8 = "<b", int32 = "<i4", int64 = "<i8", bool = "<B", float64 = "<d", float16 = "<I2"}

local function varint(value)
  local bytes = {}
  repeat
    local low = value & 0x7f
    value = value >> 7
    bytes[#bytes + 1] = string.char(value ~= 0 and low | 0x80 or low)
  until value == 0
  return table.concat(bytes)
end
local function number(field, value) return varint(field << 3) .. varint(value) end
local function bytes(field, text) return varint(field << 3 | 2) .. varint(#text) .. text end

--- A float16 number's bits; for numbers that float16 holds.
local function half(value)
  if value == 0 then return 0 end
  local sign = value < 0 and 0x8000 or 0
  local mantissa, exponent = math.abs(value), 0
  while mantissa >= 2 do mantissa, exponent = mantissa / 2, exponent + 1 end
  while mantissa < 1 do mantissa, exponent = mantissa * 2, exponent - 1 end
  return sign | (exponent + 15) << 10 | math.floor((mantissa - 1) * 1024 + 0.5)
end

--- `{dtype = "float32", shape = {2, 3}, values…}`
local function tensor(name, given)
  local dtype, parts, data = given.dtype or "float32", {}, {}
  for _, extent in ipairs(given.shape) do parts[#parts + 1] = number(1, extent) end
  for i = 1, #given do
    local value = given[i]
    data[i] = string.pack(formats[dtype], dtype == "float16" and half(value) or value)
  end
  return table.concat(parts) .. number(2, types[dtype]) .. bytes(8, name) .. bytes(9, table.concat(data))
end

--- sin(0.7 i) in steps of 1/64, of this shape: numbers that every floating-point type holds.
function onnx.ramp(shape, dtype)
  local values, count = {shape = shape, dtype = dtype}, 1
  for _, extent in ipairs(shape) do count = count * extent end
  for i = 1, count do values[i] = math.floor(math.sin(i * 0.7) * 64) / 64 end
  return values
end

local graph

local function attribute(name, value)
  local text = bytes(1, name)
  if type(value) == "string" then return text .. bytes(4, value) .. number(20, 3) end
  if math.type(value) == "integer" then return text .. number(3, value) .. number(20, 2) end
  if type(value) == "number" then return text .. varint(2 << 3 | 5) .. string.pack("<f", value) .. number(20, 1) end
  if value.nodes then return text .. bytes(6, graph(value)) .. number(20, 5) end
  if value.shape then return text .. bytes(5, tensor("", value)) .. number(20, 4) end
  for _, entry in ipairs(value) do text = text .. number(8, entry) end
  return text .. number(20, 7)
end

--- `{dtype, {extents or names}}`; without the extents not even the rank is said.
local function info(name, given)
  local shape = ""
  for _, extent in ipairs(given[2] or {}) do
    local dim = extent == "?" and "" or type(extent) == "string" and bytes(2, extent) or number(1, extent)
    shape = shape .. bytes(1, dim)
  end
  return bytes(1, name) .. bytes(2, bytes(1, number(1, types[given[1]]) .. (given[2] and bytes(2, shape) or "")))
end

function graph(given)
  local text = {bytes(2, "graph")}
  for _, node in ipairs(given.nodes) do
    local part = ""
    for _, name in ipairs(node[2]) do part = part .. bytes(1, name) end
    for _, name in ipairs(node[3]) do part = part .. bytes(2, name) end
    part = part .. bytes(3, node.name or node[3][1] .. "_node") .. bytes(4, node[1])
    for _, name in ipairs(onnx.sorted(node[4] or {})) do part = part .. bytes(5, attribute(name, node[4][name])) end
    text[#text + 1] = bytes(1, part)
  end
  for _, name in ipairs(onnx.sorted(given.weights or {})) do text[#text + 1] = bytes(5, tensor(name, given.weights[name])) end
  for _, input in ipairs(given.inputs or {}) do text[#text + 1] = bytes(11, info(input[1], {input[2], input[3]})) end
  for _, output in ipairs(given.outputs) do text[#text + 1] = bytes(12, info(output[1], {output[2], output[3]})) end
  return table.concat(text)
end

function onnx.sorted(entries)
  local names = {}
  for name in pairs(entries) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Writes `{opset =, inputs = {{name, dtype, shape}…}, outputs =, weights = {name = tensor}, nodes = {{op, inputs, outputs, attributes}…}}`.
function onnx.save(path, given)
  local file = assert(io.open(path, "wb"))
  file:write(number(1, given.ir or 8), bytes(7, graph(given)), bytes(8, number(2, given.opset or 17)))
  file:close()
  return path
end

return onnx
