-- Printing tensors: aligned columns, long ones shortened, dtype and shape last.
local _, internals = ...

local EDGE = 3 -- rows, columns and slices kept at either end

--- How many positions of dimension d are shown before they are shortened.
local function limit(shape, d)
  if #shape == 1 then return 20 end
  return d > #shape - 2 and 10 or 4
end

--- Positions along dimension d, with false where some are left out.
local function positions(shape, d)
  local list, n = {}, shape[d]
  if n <= limit(shape, d) then
    for i = 1, n do list[i] = i end
    return list
  end
  for i = 1, EDGE do list[i] = i end
  list[#list + 1] = false
  for i = n - EDGE + 1, n do list[#list + 1] = i end
  return list
end

--- One format for all numbers shown, so that columns line up.
local function formatter(values)
  local largest, smallest, whole = 0, math.huge, true
  for _, value in ipairs(values) do
    if type(value) == "number" and value == value and math.abs(value) ~= math.huge then
      local size = math.abs(value)
      if size > largest then largest = size end
      if size > 0 and size < smallest then smallest = size end
      if math.type(value) == "float" and value % 1 ~= 0 then whole = false end
    end
  end
  local pattern = "%.4f"
  if whole and largest < 1e9 then
    pattern = "%d"
  elseif largest >= 1e5 or (largest > 0 and largest < 1e-3) or (largest > 1e3 and smallest < 1e-3) then
    pattern = "%.4e"
  end
  return function(value)
    if type(value) ~= "number" then return tostring(value) end
    if value ~= value then return "nan" end
    if math.abs(value) == math.huge then return value > 0 and "inf" or "-inf" end
    if math.type(value) == "integer" then return tostring(value) end
    if pattern == "%d" then return string.format("%d.", value) end
    return string.format(pattern, value)
  end
end

local function append(list, value)
  local copy = table.move(list, 1, #list, 1, {})
  copy[#copy + 1] = value
  return copy
end

--- Every element that will be shown, so that the format suits all.
local function shown(t, shape, prefix, values)
  if #prefix == #shape then
    values[#values + 1] = t:at(table.unpack(prefix))
    return values
  end
  for _, i in ipairs(positions(shape, #prefix + 1)) do
    if i then shown(t, shape, append(prefix, i), values) end
  end
  return values
end

local function pad(text, width) return string.rep(" ", width - #text) .. text end

local function rows(t, shape, prefix, format, width, lines)
  local columns = positions(shape, #shape)
  for _, i in ipairs(positions(shape, #shape - 1)) do
    local cells = {}
    for _, j in ipairs(columns) do
      local text = i and j and format(t:at(table.unpack(append(append(prefix, i), j)))) or "..."
      cells[#cells + 1] = pad(text, width)
    end
    lines[#lines + 1] = " " .. table.concat(cells, "  ")
  end
end

local function blocks(t, shape, prefix, format, width, lines)
  if #prefix == #shape - 2 then
    if #prefix > 0 then
      if #lines > 0 then lines[#lines + 1] = "" end
      lines[#lines + 1] = "(" .. table.concat(prefix, ",") .. ",.,.) ="
    end
    return rows(t, shape, prefix, format, width, lines)
  end
  for _, i in ipairs(positions(shape, #prefix + 1)) do
    if i then
      blocks(t, shape, append(prefix, i), format, width, lines)
    elseif lines[#lines] ~= "..." then
      lines[#lines + 1] = ""
      lines[#lines + 1] = "..."
    end
  end
end

local function vector(t, format, width, lines)
  local cells = {}
  for _, i in ipairs(positions(t.shape, 1)) do cells[#cells + 1] = pad(i and format(t[i]) or "...", width) end
  local line = ""
  for _, cell in ipairs(cells) do
    if #line + #cell + 2 > 78 then
      lines[#lines + 1] = line
      line = ""
    end
    line = line .. (line == "" and " " or "  ") .. cell
  end
  lines[#lines + 1] = line
end

--- "[float32 2x3]", or "[float32 scalar]".
local function kind(t)
  local shape = t.shape
  return ("[%s %s]"):format(t.dtype, #shape == 0 and "scalar" or table.concat(shape, "x"))
end

function internals.tensor_text(t)
  local shape, dtype = t.shape, t.dtype
  if t.count == 0 or dtype == "string" or dtype:find "^complex" or dtype == "unknown" then return kind(t) end
  local lines = {}
  local values = shown(t, shape, {}, {})
  local format = formatter(values)
  local width = 1
  for d = math.max(1, #shape - 1), #shape do
    if shape[d] > limit(shape, d) then width = 3 end
  end
  for _, value in ipairs(values) do width = math.max(width, #format(value)) end
  if #shape == 0 then
    lines[1] = " " .. format(t:at())
  elseif #shape == 1 then
    vector(t, format, width, lines)
  else
    blocks(t, shape, {}, format, width, lines)
  end
  lines[#lines + 1] = kind(t)
  return table.concat(lines, "\n")
end

--- One line, for tables of tensors.
internals.tensor_kind = kind
