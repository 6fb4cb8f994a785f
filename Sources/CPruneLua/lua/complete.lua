-- Completion: globals, fields, methods, option names and their values. It looks at tables raw and calls nothing.
local host = ...
local internals = host.internals
local docs = internals.docs

local CLASSES = { ["prune.Model"] = "Model", ["prune.Dataset"] = "Dataset", ["prune.Tensor"] = "Tensor",
  ["prune.Report"] = "Report" }

local function class_of(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and type(meta.__name) == "string" and internals[CLASSES[meta.__name] or ""] or nil
end

--- Calls add with every string key reachable from a value.
local function names_of(value, separator, add)
  local class = class_of(value)
  if class then
    for name in pairs(separator == ":" and class.methods or class.fields) do add(name) end
  end
  for _ = 1, 8 do
    if type(value) ~= "table" then
      local meta = debug.getmetatable(value)
      value = type(meta) == "table" and rawget(meta, "__index") or nil
      if type(value) ~= "table" then return end
    end
    for name, item in next, value do
      if type(name) == "string" and (separator ~= ":" or type(item) == "function") then add(name) end
    end
    local meta = debug.getmetatable(value)
    local above = type(meta) == "table" and rawget(meta, "__index")
    if type(above) ~= "table" then return end
    value = above
  end
end

local function field(value, name)
  local class = class_of(value)
  if class and class.methods[name] then return class.methods[name] end
  if type(value) == "string" then value = string end
  return type(value) == "table" and rawget(value, name) or nil
end

--- The value of "a.b:c", looked up raw from the globals.
local function resolve(path)
  local value = _G
  for name in path:gmatch "[^.:]+" do
    value = field(value, name)
    if value == nil then return nil end
  end
  return value
end

--- The text before a position, with brackets closed there and what strings contain left out.
local function open_text(text)
  text = text:gsub('\\.', "__"):gsub('"[^"]*"', '""'):gsub("'[^']*'", "''")
  repeat
    local before = text
    text = text:gsub("%b{}", ""):gsub("%b()", "")
  until text == before
  return text
end

--- The documentation entry of the call or option table that is open at the end of a text.
local function open_entry(text)
  local before, bracket = text:match "^(.*)([{(])"
  while before do
    local path = before:match "([%a_][%w_.:]*)%s*%(?%s*$"
    local key = before:match "([%a_][%w_]*)%s*=%s*$"
    if bracket == "{" and key then
      local outer = open_entry(before)
      return outer and (docs.by_name[outer.name .. " " .. key] or docs.by_name[key])
    end
    local value = path and resolve(path)
    local name = value ~= nil and internals.name_of(value) or nil
    -- A variable that holds nothing yet, or a call's result: the method's name says enough.
    local method = not name and before:match ":([%a_][%w_]*)%s*%(?%s*$"
    for _, class in ipairs(method and { "Model", "Dataset", "Tensor", "Report" } or {}) do
      if docs.by_name[class .. ":" .. method] then name = name or class .. ":" .. method end
    end
    if name then return docs.by_name[name] end
    before, bracket = before:match "^(.*)([{(])"
  end
end

local function matching(names, prefix, word)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    if name:sub(1, #word) == word and not seen[name] then
      seen[name] = true
      list[#list + 1] = prefix .. name
    end
  end
  table.sort(list)
  return list
end

local function collect(value, separator)
  local names = {}
  names_of(value, separator, function(name)
    if name:find "^[%a_][%w_]*$" and (not name:find "^__" or separator == "" ) then names[#names + 1] = name end
  end)
  return names
end

--- Inside a string: the values of the option it is given to.
local function option_values(text, word)
  local before, key = text:match "^(.*[{,%s])([%a_][%w_]*)%s*=%s*[\"'][^\"']*$"
  if not key then return {} end
  local entry = open_entry(open_text(before))
  for _, option in ipairs(entry and docs.options(entry) or {}) do
    if option.name == key then
      local values = {}
      for value in option.type:gmatch '"([^"]+)"' do values[#values + 1] = value end
      return matching(values, "", word)
    end
  end
  return {}
end

local function option_names(text, word)
  local open = open_text(text)
  if not open:find "[{,]%s*$" then return {} end
  local entry = open_entry(open)
  local names = {}
  for _, option in ipairs(entry and docs.options(entry) or {}) do
    if not open:match("[{,]%s*" .. option.name .. "%s*=[^{]*$") then names[#names + 1] = option.name end
  end
  return matching(names, "", word)
end

--- What help can be asked for.
local function help_names(word)
  local names = {}
  for _, topic in ipairs(internals.topics.list) do names[#names + 1] = topic.name end
  for _, entry in ipairs(docs.entries) do
    if entry.kind ~= "table" then names[#names + 1] = entry.name end
  end
  return matching(names, "", word)
end

--- Lines of the chunk that were entered before this one.
internals.pending = ""

--- The words that may replace line[start…finish), and the character to put after a sole one.
function internals.complete(line, start, finish)
  local word, text = line:sub(start + 1, finish), internals.pending .. line:sub(1, start)
  local _, quotes = open_text(text .. word):gsub("[\"']", "")
  if (text .. word):find "^%s*help%s*%(?[\"'][^\"']*$" then return help_names(word), '"' end
  if quotes % 2 == 1 then return option_values(text .. word, word), '"' end
  if text:find "^%s*%?%s*$" or text:find "^%.help%s+$" then return help_names(word), " " end
  if text:find "^%.timing%s+$" then return matching({ "on", "off" }, "", word), " " end
  if start == 0 and word:find "^%.%a*$" then return matching(internals.commands, ".", word:sub(2)), " " end
  local path, separator, last = word:match "^(.*)([.:])([%w_]*)$"
  if path then
    local value = resolve(path)
    return value ~= nil and matching(collect(value, separator), path .. separator, last) or {}
  end
  local options = option_names(text, word)
  if #options > 0 then return options, "=" end
  if word == "" then return {} end
  local names = collect(_G, "")
  for keyword in pairs(internals.keywords) do names[#names + 1] = keyword end
  return matching(names, "", word)
end
