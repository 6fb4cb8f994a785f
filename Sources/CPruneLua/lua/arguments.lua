-- Words of a command line as the values of options, by the types that their documentation gives: "0.5", "macs=0.5", "train.npz".
local host = ...
local internals = host.internals
local docs = internals.docs
local arguments = {}

--- Raised for wrong usage; the program prints it and ends with 2.
local function wrong(...) error({ usage = (...):format(select(2, ...)) }, 0) end
arguments.wrong = wrong

--- The entry that says what the keys of an option's table are.
local function nested_entry(entry, name) return docs.by_name[entry.name .. " " .. name] or docs.by_name[name] end
arguments.nested_entry = nested_entry

local function split(text, separator)
  local list = {}
  for part in (text .. separator):gmatch("(.-)%" .. separator) do list[#list + 1] = part end
  return list
end

--- The alternatives of a type; what is inside <> or quotes is one.
local function alternatives(type)
  type = type:gsub("%b<>", function(inner) return (inner:gsub("|", "\1")) end)
  local list = {}
  for part in type:gmatch "[^|]+" do list[#list + 1] = (part:gsub("\1", "|")) end
  return list
end

local BOOLEANS = { ["true"] = true, yes = true, on = true, ["false"] = false, no = false, off = false }

--- What an option wants, in words; `entry` is whose option it is.
local function wanted(option, entry)
  local names, choices = {}, {}
  local is_named = option.type == "table" or option.type:find "number" or arguments.nested_entry(entry, option.name)
  for _, one in ipairs(alternatives(option.type)) do
    local choice = one:match '^"(.*)"$'
    if choice then
      choices[#choices + 1] = choice
    elseif one ~= "function" and (one ~= "table" or is_named) then
      names[#names + 1] = ({ Dataset = "data", Model = "a model file", table = "name=value,…", boolean = "true or false" })[one] or one
    end
  end
  if #choices > 0 then names[#names + 1] = "one of " .. table.concat(choices, ", ") end
  return table.concat(names, " or ")
end
arguments.wanted = wanted

--- An option of an entry by its name on the command line, where "-" may stand for "_".
function arguments.option(entry, name)
  name = name:gsub("%-", "_")
  for _, option in ipairs(docs.options(entry)) do
    if option.name == name then return option end
  end
end

local read

--- "height=640,input=1x3x640x640" to a table.
local function extents(text, where)
  local result = {}
  for _, part in ipairs(split(text, ",")) do
    local key, value = part:match "^([^=]+)=([%dx]+)$"
    if not key then wrong("%s wants name=extents such as height=640,input=1x3x640x640, got '%s'", where, text) end
    local list = {}
    for number in value:gmatch "%d+" do list[#list + 1] = math.tointeger(tonumber(number)) end
    result[key] = value:find("x", 1, true) and list or list[1]
  end
  return result
end

--- "macs=0.5,bytes=0.3" to a table, by the keys that an entry has, or with numbers for any.
local function table_of(text, entry, where)
  local result = {}
  -- What comes behind data with options, and is no option here, is another of the data's: "data=a.csv:label=y,take=9,epochs=2".
  local parts = {}
  for _, part in ipairs(split(text, ",")) do
    local key = part:match "^([^=]+)="
    local before = parts[#parts]
    local data = before and entry and arguments.option(entry, before:match "^([^=]+)=" or "")
    if data and data.type:find "Dataset" and before:find("[=:][^:]*:") and key and not arguments.option(entry, key) then
      parts[#parts] = before .. "," .. part
    else
      parts[#parts + 1] = part
    end
  end
  for _, part in ipairs(parts) do
    local key, value = part:match "^([^=]+)=(.*)$"
    if not key then wrong("%s wants name=value, got '%s'", where, part) end
    local option = entry and arguments.option(entry, key)
    if entry and not option then wrong("%s has no '%s'%s", where, key, arguments.nearest(entry, key)) end
    if option then
      -- Commas are between the options here: lists inside have slashes.
      if option.type:find("[]", 1, true) then value = value:gsub("/", ",") end
      result[option.name] = read(value, option, entry, where .. "." .. option.name)
    else
      result[key] = tonumber(value) or wrong("%s.%s wants a number, got '%s'", where, key, value)
    end
  end
  return result
end

--- ", did you mean …?" of the options of an entry.
function arguments.nearest(entry, name)
  local best, least
  name = name:gsub("%-", "_")
  for _, option in ipairs(docs.options(entry)) do
    local distance = internals.distance(name, option.name)
    if not least or distance < least then best, least = option.name, distance end
  end
  return best and least <= math.max(1, #name // 3) and (", did you mean '%s'?"):format(best) or ""
end

--- What one alternative of a type makes of a text; nil when it is not meant.
local function alternative(one, text, option, entry, where)
  if one == "Dataset" then return arguments.dataset(text, where) end
  if one == "Model" then return prune.load(text) end
  if one == "Model[]" then
    local list = {}
    for _, path in ipairs(split(text, ",")) do list[#list + 1] = prune.load(path) end
    return list
  end
  if one == '"' .. text .. '"' then return text end
  if one == "true" then return text == "true" or nil end
  if one == "boolean" or one == "false" then return BOOLEANS[text] end
  if one == "integer" then return math.tointeger(tonumber(text)) end
  if one == "number" then return tonumber(text) end
  if one == "string" then return text end
  if one:find "^table<string" then return extents(text, where) end
  local element = one:match "^(.*)%[%]$"
  if element then
    if element == "table" then return { table_of(text, nested_entry(entry, option.name), where) } end
    local list = {}
    for _, part in ipairs(split(text, ",")) do
      list[#list + 1] = alternative(element, part, option, entry, where) or wrong("%s wants %s, got '%s'", where, one, part)
    end
    return list
  end
  if one == "table" and text:find("=", 1, true) then return table_of(text, nested_entry(entry, option.name), where) end
end

--- The value of an option given as a text; `where` is what the user wrote.
function read(text, option, entry, where)
  local list = alternatives(option.type)
  -- A name = value is never the plain string that the type has as well, and commas are between the items of a list.
  local preferred
  for _, one in ipairs(list) do
    if one == "table" and text:find("=", 1, true) and not text:find "^[%w_./]+:" then preferred = one end
    if one:find "%[%]$" and text:find(",", 1, true) and not preferred then preferred = one end
  end
  for _, one in ipairs(list) do
    if not preferred or one == preferred then
      local value = alternative(one, text, option, entry, where)
      if value ~= nil then return value end
    end
  end
  wrong("%s wants %s, got '%s'", where, wanted(option, entry), text)
end
arguments.read = read

-- Data ---------------------------------------------------------------------------------------------------------------

arguments.DATA = [[
DATA is one of
  digits                          the embedded digits
  FILE.npz, FILE.csv              by the end of the name
  KIND:PATH                       csv, npz, cifar10 (PATH,PATH…) or another of prune.data
each with options behind a colon, apart by commas; lists have slashes:
  train.npz:x=images,y=labels     iris.csv:label=species      cifar10:test.bin:mean=0.49/0.48/0.45,std=0.25/0.24/0.26
  digits:part=test,take=100       part = train or test of four to one (seed 7), skip and take = so many samples]]

local SUFFIXES = { npz = "npz", csv = "csv", tsv = "csv", gz = "csv" }

local function numbers(text)
  local list = {}
  for part in text:gmatch "[^/]+" do list[#list + 1] = tonumber(part) or error({ usage = "'" .. part .. "' is not a number" }, 0) end
  return #list == 1 and list[1] or list
end

--- What data goes through after it is read, in this order.
local STEPS = {
  { "mean", function(data, value, all) return data:normalize{ mean = numbers(value), std = all.std and numbers(all.std) or 1 } end },
  { "std", function(data, value, all) return all.mean and data or data:normalize{ mean = 0, std = numbers(value) } end },
  { "resize", function(data, value) return data:resize(numbers(value)) end },
  { "part", function(data, value)
    local train, test = data:split{ test = 0.2, seed = 7 }
    if value ~= "train" and value ~= "test" then wrong("part is train or test, not '%s'", value) end
    return value == "train" and train or test
  end },
  { "skip", function(data, value)
    local rest = {}
    for i = (math.tointeger(tonumber(value)) or 0) + 1, #data do rest[#rest + 1] = i end
    return data:subset(rest)
  end },
  { "take", function(data, value) return data:take(math.tointeger(tonumber(value)) or wrong("take wants a count, got '%s'", value)) end },
}

local function is_step(name)
  for _, step in ipairs(STEPS) do
    if step[1] == name then return true end
  end
end

local opened = {}

--- Reads "kind:path:options".
local function open(text, where)
  local parts = split(text, ":")
  local kind, path, given = parts[1], parts[2], parts[3]
  if not prune.data[kind] then
    kind, path, given = SUFFIXES[(parts[1]:match "%.(%w+)$" or ""):lower()], parts[1], parts[2]
    if not kind then wrong("%s: '%s' is no data\n\n%s", where, text, arguments.DATA) end
  elseif path and path:find "^[%w_]+=" then
    path, given = nil, path
  end
  local entry = docs.by_name["prune.data." .. kind]
  local options, after = {}, {}
  for _, part in ipairs(given and split(given, ",") or {}) do
    local key, value = part:match "^([%w_]+)=(.*)$"
    if not key then wrong("%s: '%s' is not name=value", where, part) end
    local option = arguments.option(entry, key)
    if option then
      if option.type:find("[]", 1, true) then value = value:gsub("/", ",") end
      options[option.name] = read(value, option, entry, where .. ": " .. key)
    elseif is_step(key) then
      after[key] = value
    else
      wrong("%s: data of kind %s has no '%s'", where, kind, key)
    end
  end
  local data
  if kind == "digits" then
    data = prune.data.digits()
  elseif kind == "cifar10" then
    data = prune.data.cifar10(split(path or "", ","))
  elseif entry and #entry.arguments > 0 then
    data = prune.data[kind](path or wrong("%s: %s wants a path", where, kind), next(options) and options or nil)
  else
    if path then options[entry.options[1].name] = path end
    data = prune.data[kind](options)
  end
  for _, step in ipairs(STEPS) do
    if after[step[1]] then data = step[2](data, after[step[1]], after) end
  end
  return data
end

--- The data set that a text names; the same text is read once.
function arguments.dataset(text, where)
  opened[text] = opened[text] or open(text, where)
  return opened[text]
end

return arguments
