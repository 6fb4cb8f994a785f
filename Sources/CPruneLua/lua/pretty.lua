-- Showing values at the prompt: tables with sorted keys, limited in depth, length and width.
local host = ...
local internals = host.internals

local DEPTH, LENGTH, WIDTH = 4, 40, 78

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while]]):gmatch "%a+" do
  KEYWORDS[word] = true
end
internals.keywords = KEYWORDS

local function quote(text)
  text = text:gsub("[%c\\\"]", function(c)
    local named = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }
    return named[c] or ("\\%d"):format(c:byte())
  end)
  return '"' .. text .. '"'
end

local function rank(key) return type(key) == "number" and 1 or type(key) == "string" and 2 or 3 end

local function sorted_keys(t, list_length)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= list_length) then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    if rank(a) ~= rank(b) then return rank(a) < rank(b) end
    if rank(a) == 3 then return tostring(a) < tostring(b) end
    return a < b
  end)
  return keys
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not KEYWORDS[key] then return key end
  return "[" .. (type(key) == "string" and quote(key) or tostring(key)) .. "]"
end

local show

--- Objects inside tables take one line.
local function brief(value)
  local class = getmetatable(value)
  if class == "prune.Tensor" then return internals.tensor_kind(value) end
  if class == "prune.Report" then return #value > 0 and ("Report of %d"):format(#value) or "Report" end
  return tostring(value)
end

local function has_tostring(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and meta.__tostring ~= nil
end

local function items_of(t, depth, seen, indent)
  local items, length, left_out = {}, rawlen(t), 0
  local function add(text)
    if #items < LENGTH then items[#items + 1] = text else left_out = left_out + 1 end
  end
  for i = 1, length do
    if #items < LENGTH then add(show(rawget(t, i), depth + 1, seen, indent .. "  ")) else left_out = left_out + 1 end
  end
  for _, key in ipairs(sorted_keys(t, length)) do
    if #items < LENGTH then
      add(key_text(key) .. " = " .. show(rawget(t, key), depth + 1, seen, indent .. "  "))
    else
      left_out = left_out + 1
    end
  end
  if left_out > 0 then items[#items + 1] = ("... %d more"):format(left_out) end
  return items
end

local function show_table(t, depth, seen, indent)
  if seen[t] then return "<cycle>" end
  if depth >= DEPTH then return next(t) == nil and "{}" or "{...}" end
  seen[t] = true
  local items = items_of(t, depth, seen, indent)
  seen[t] = nil
  if #items == 0 then return "{}" end
  local line = "{" .. table.concat(items, ", ") .. "}"
  if #indent + #line <= WIDTH and not line:find("\n", 1, true) then return line end
  local inner = indent .. "  "
  return "{\n" .. inner .. table.concat(items, ",\n" .. inner) .. "\n" .. indent .. "}"
end

function show(value, depth, seen, indent)
  if type(value) == "string" then return quote(value) end
  if type(value) == "function" then
    local name = internals.name_of(value)
    return name and "function " .. name or tostring(value)
  end
  if has_tostring(value) and type(value) ~= "string" then return depth == 0 and tostring(value) or brief(value) end
  if type(value) == "table" then return show_table(value, depth, seen, indent) end
  return tostring(value)
end

--- A value as the prompt prints it.
function internals.show(value) return show(value, 0, {}, "") end
