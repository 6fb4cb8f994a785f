-- Reads the documentation of docs.lua, docs_model.lua and docs_options.lua into entries. Called with that text.
local source = ...

local LISTS = { ["-"] = "arguments", ["*"] = "options" }

local function read_argument(line)
  local mark, name, flag, type, text = line:match "^([-*]) ([%w_.]+)([?!]?): (.-); (.+)$"
  if not mark then error("unreadable documentation: " .. line) end
  local plain, default = type:match "^(.-) = (.+)$"
  return LISTS[mark], {
    name = name,
    type = plain or type,
    default = default,
    text = text,
    required = flag == "!",
    optional = flag == "?",
  }
end

--- "Model, table<string, Tensor>" to a list of two.
local function read_returns(text)
  local list = {}
  text = text:gsub("%b<>", function(inner) return (inner:gsub(", ", "\1")) end)
  for type in text:gmatch "[^,%s]+" do list[#list + 1] = (type:gsub("\1", ", ")) end
  return list
end

local function read_signature(entry, line)
  entry.signature = line
  if line:find "^[%w_.]+: " then
    entry.kind, entry.name, entry.type = "field", line:match "^([%w_.]+): (.+)$"
  elseif line:find "[({]" then
    entry.kind, entry.name = "function", line:match "^[%w_.:]+"
    entry.returns = read_returns(line:match "%-> (.+)$" or "")
  else
    entry.kind, entry.name = "table", line
  end
end

local function read_entry(block)
  local entry = { arguments = {}, options = {}, returns = {}, text = "" }
  for line in block:gmatch "[^\n]+" do
    if not entry.signature then
      read_signature(entry, line)
    elseif line:find "^[-*] " then
      local list, argument = read_argument(line)
      table.insert(entry[list], argument)
    elseif line:find "^& " then
      entry.like = line:sub(3)
    elseif line:find "^> " then
      entry.example = line:sub(3)
    else
      entry.text = entry.text == "" and line or entry.text .. " " .. line
    end
  end
  return entry
end

local docs = { entries = {}, by_name = {} }
for block in (source .. "\n"):gmatch "(.-\n)\n" do
  local name = block:match "^%s*%+ ([^\n]+)"
  if name then
    -- The options of an entry before it.
    local entry = docs.by_name[name] or error("options of an entry that is not there: " .. name)
    for line in block:gmatch "\n(%* [^\n]+)" do
      local _, option = read_argument(line)
      table.insert(entry.options, option)
    end
  else
    local entry = read_entry(block)
    docs.entries[#docs.entries + 1] = entry
    docs.by_name[entry.name] = entry
  end
end

--- The named arguments of an entry, those taken over from another included.
function docs.options(entry)
  if not entry.like then return entry.options end
  local own, list = {}, {}
  for _, option in ipairs(entry.options) do own[option.name] = true end
  for _, option in ipairs(docs.options(docs.by_name[entry.like])) do
    if not own[option.name] then list[#list + 1] = option end
  end
  return table.move(entry.options, 1, #entry.options, #list + 1, list)
end

return docs
