-- prune.help: what there is, and all about one thing, from the documentation.
local prune, internals = ...
local docs, topics = internals.docs, internals.topics

local CLASSES = { ["prune.Model"] = "Model", ["prune.Dataset"] = "Dataset", ["prune.Tensor"] = "Tensor",
  ["prune.Report"] = "Report" }
local GROUPS = { "prune", "Dataset", "Model", "Tensor", "Report" }

local function color(code, text)
  return internals.use_color(1) and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function wrap(text, indent, width)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and #line + #word + 1 > width - #indent then
      lines[#lines + 1] = indent .. line
      line = word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = indent .. line
  return table.concat(lines, "\n")
end

local function argument_lines(list, lines)
  local names, types = 0, 0
  local function type_of(argument)
    local type = argument.type:gsub('"', "")
    if argument.default then type = type .. " = " .. argument.default:gsub('"', "") end
    return type
  end
  for _, argument in ipairs(list) do
    names = math.max(names, #argument.name)
    types = math.max(types, #type_of(argument))
  end
  types = math.min(types, 30)
  for _, argument in ipairs(list) do
    local note = argument.required and "(required) " or argument.optional and "(optional) " or ""
    local name = argument.name .. string.rep(" ", names - #argument.name)
    local type = type_of(argument)
    local head = ("  %s  %s"):format(color("1", name), type .. string.rep(" ", types - #type))
    local text = note .. argument.text
    if #type > types then
      lines[#lines + 1] = head
      lines[#lines + 1] = string.rep(" ", names + types + 6) .. text
    else
      lines[#lines + 1] = head .. "  " .. text
    end
  end
end

--- A page on a topic, verbatim.
local function topic_text(topic)
  local lines = { color("1;36", topic.name) .. ": " .. topic.title, "" }
  for line in (topic.text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line == "" and "" or "  " .. line end
  lines[#lines + 1] = ""
  for line in topic.example:gmatch "[^\n]+" do lines[#lines + 1] = "  " .. color("32", "> " .. line) end
  return table.concat(lines, "\n")
end

--- All about one entry.
function internals.help_text(entry)
  local lines = { color("1;36", entry.signature), wrap(entry.text, "  ", 92) }
  local function section(list)
    if #list == 0 then return end
    lines[#lines + 1] = ""
    argument_lines(list, lines)
  end
  section(entry.arguments)
  section(docs.options(entry))
  if entry.example then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "  " .. color("32", "> " .. entry.example)
  end
  return table.concat(lines, "\n")
end

local function first_sentence(text) return text:match "^(.-[^.]%.)%s" or text end

local function group_lines(group, lines)
  for _, entry in ipairs(docs.entries) do
    if entry.kind ~= "table" and entry.name:match "^%a+" == group then
      local head = entry.signature:gsub(" %->.*", "")
      lines[#lines + 1] = ("  %s%s %s"):format(
        color("1", head), string.rep(" ", 34 - #head), first_sentence(entry.text))
    end
  end
end

local function overview()
  local lines = { "libprune " .. prune.version .. ": load a network, see which weights matter, prune, fine-tune, quantize, save." }
  for _, group in ipairs(GROUPS) do
    lines[#lines + 1] = ""
    lines[#lines + 1] = color("1;36", group)
    group_lines(group, lines)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = color("1;36", "Topics")
  for _, topic in ipairs(topics.list) do
    lines[#lines + 1] = ("  %s%s %s"):format(color("1", topic.name), string.rep(" ", 34 - #topic.name), topic.title)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = 'help "Model:fit" or help(m.fit) tells all about one of them.'
  return table.concat(lines, "\n")
end

--- The name under which a function is documented.
local function name_of(f)
  for _, class in ipairs { "Model", "Dataset", "Tensor", "Report" } do
    for name, method in pairs(internals[class].methods) do
      if method == f then return class .. ":" .. name end
    end
  end
  local function search(from, prefix)
    for name, value in pairs(from) do
      if value == f and docs.by_name[prefix .. name] then return prefix .. name end
      if type(value) == "table" and value ~= prune.safe then
        local found = search(value, prefix .. name .. ".")
        if found then return found end
      end
    end
  end
  return search(prune, "prune.")
end
internals.name_of = name_of

--- The entries that a name means: the whole name, or its last part.
local function find(name)
  name = name:gsub("%b()$", ""):gsub("%b{}$", "")
  if docs.by_name[name] then return { docs.by_name[name] } end
  local found = {}
  for _, entry in ipairs(docs.entries) do
    if entry.name:match "[^.:]+$" == name:match "[^.:]+$" and entry.kind ~= "table" then found[#found + 1] = entry end
  end
  return found
end

local function nearest(name)
  local best, least
  for _, entry in ipairs(docs.entries) do
    local distance = internals.distance(name:match "[^.:]+$" or name, entry.name:match "[^.:]+$")
    if not least or distance < least then best, least = entry.name, distance end
  end
  for _, topic in ipairs(topics.list) do
    local distance = internals.distance(name:match "[^.]+$" or name, topic.name:match "[^.]+$")
    if distance < least then best, least = topic.name, distance end
  end
  return least <= math.max(1, #name // 3) and best or nil
end

local function about_name(name)
  for _, group in ipairs(GROUPS) do
    if group:lower() == name:lower() then
      local lines = { color("1;36", group) }
      group_lines(group, lines)
      return table.concat(lines, "\n")
    end
  end
  local texts = {}
  local topic = topics.find(name)
  if topic then texts[1] = topic_text(topic) end
  for _, entry in ipairs(find(name)) do texts[#texts + 1] = internals.help_text(entry) end
  if #texts > 0 then return table.concat(texts, "\n\n") end
  local guess = nearest(name)
  return ("nothing about '%s'%s"):format(name, guess and (", did you mean '%s'?"):format(guess) or "; help() lists all there is")
end

--- The help on a topic, as a text.
function internals.help(topic)
  if topic == nil or topic == prune then return overview() end
  if type(topic) == "string" then return about_name(topic) end
  if type(topic) == "function" then
    local name = name_of(topic)
    return name and about_name(name) or "a function that is not libprune's"
  end
  local class = CLASSES[tostring(getmetatable(topic))]
  if class then return about_name(class) end
  for name, value in pairs(prune) do
    if value == topic then
      local lines = {}
      for _, entry in ipairs(docs.entries) do
        if entry.name:find("prune." .. name .. ".", 1, true) == 1 then lines[#lines + 1] = internals.help_text(entry) end
      end
      return table.concat(lines, "\n\n")
    end
  end
  return "a " .. type(topic)
end

function prune.help(topic) print(internals.help(topic)) end
