-- prune.help: what there is, all about one thing, and what is said of a word, from the documentation.
local prune, internals = ...
local docs, topics = internals.docs, internals.topics

local CLASSES = { ["prune.Model"] = "Model", ["prune.Dataset"] = "Dataset", ["prune.Tensor"] = "Tensor",
  ["prune.Report"] = "Report" }
local GROUPS = { "prune", "Dataset", "Model", "Tensor", "Report" }

local function color(code, text)
  return internals.use_color(1) and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function bold(text) return color("1", text) end
local function title(text) return color("1;36", text) end

-- One thing ----------------------------------------------------------------------------------------------------------

--- "string|table = \"x\"", choices without quotes.
local function type_of(argument)
  local type = argument.type:gsub('"', ""):gsub("|", " | ")
  if argument.default then type = type .. " = " .. argument.default:gsub('"', "") end
  return type
end

local function argument_rows(list, width)
  local lines = {}
  for _, argument in ipairs(list) do
    local note = argument.optional and "(optional) " or ""
    local type = type_of(argument)
    -- A long type takes a paragraph of its own.
    local text = #type <= 34 and color("2", type) .. "  " .. note .. argument.text or color("2", type) .. ". " .. note .. argument.text
    lines[#lines + 1] = { bold(argument.name), text }
  end
  return internals.columns_text(lines, 2, 18, width)
end

--- The options that most calls give, in the order in which one thinks of them; help shows them first.
local COMMON = {
  ["Model:prune"] = "amount target granularity criterion data recover guard validate schedule strategy",
  ["Model:keep_classes"] = "amount target granularity criterion data recover guard validate",
  ["Model:fit"] = "epochs batch_size lr optimizer schedule validation teacher seed",
  ["Model:quantize"] = "scheme calibration calibrator bits guard validate ignore",
  ["Model:factorize"] = "data target energy rank guard form validate",
  ["Model:significance"] = "criterion data",
  ["Model:sensitivity"] = "data amounts metric max_drop",
  ["Model:benchmark"] = "batch_size threads runs steps",
  ["prune.search"] = "max_drop objective budget metric",
}
internals.common_options = COMMON

--- Options under what they are: required, common, all others.
local function option_sections(entry, lines, width)
  local kinds = { { "Required", {} }, { "Common", {} }, { "Others", {} } }
  local options, common = docs.options(entry), {}
  for name in (COMMON[entry.name] or ""):gmatch "[%w_]+" do
    for _, option in ipairs(options) do
      if option.name == name and not option.required then
        common[name] = true
        table.insert(kinds[2][2], option)
      end
    end
  end
  for _, option in ipairs(options) do
    local kind = option.required and 1 or 3
    if common[option.name] then goto continue end
    table.insert(kinds[kind][2], option)
    ::continue::
  end
  local alone = #kinds[1][2] + #kinds[2][2] == 0
  for _, kind in ipairs(kinds) do
    if #kind[2] > 0 then
      lines[#lines + 1] = ""
      lines[#lines + 1] = " " .. title(alone and "Options" or kind[1])
      lines[#lines + 1] = argument_rows(kind[2], width)
    end
  end
end

local function example_lines(text, lines)
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = "  " .. color("32", "> " .. line) end
end

--- A page on a topic.
local function topic_text(topic)
  local lines = { title(topic.name) .. ": " .. topic.title, "", internals.wrap_page(topic.text, "  ", internals.text_width()) }
  if topic.example then
    lines[#lines + 1] = ""
    example_lines(topic.example, lines)
  end
  return table.concat(lines, "\n")
end

--- All about one entry.
function internals.help_text(entry)
  local width = internals.text_width()
  local lines = { title(entry.signature), internals.wrap(entry.text, "  ", width) }
  if #entry.arguments > 0 then
    lines[#lines + 1] = ""
    lines[#lines + 1] = argument_rows(entry.arguments, width)
  end
  option_sections(entry, lines, width)
  if entry.example then
    lines[#lines + 1] = ""
    example_lines(entry.example, lines)
  end
  return table.concat(lines, "\n")
end

-- All there is -------------------------------------------------------------------------------------------------------

local function first_sentence(text) return text:match "^(.-[^.]%.)%s" or text end

local function entry_rows(rows, wanted)
  for _, entry in ipairs(docs.entries) do
    if entry.kind ~= "table" and wanted(entry) then
      rows[#rows + 1] = { bold((entry.signature:gsub(" %->.*", ""))), first_sentence(entry.text) }
    end
  end
  return rows
end

local function listed(rows) return internals.columns_text(rows, 2, 30, internals.text_width()) end

local function group_text(group)
  return title(group) .. "\n" .. listed(entry_rows({}, function(entry) return entry.name:match "^%a+" == group end))
end

local function topics_text()
  local rows = {}
  for _, topic in ipairs(topics.list) do rows[#rows + 1] = { bold(topic.name), topic.title } end
  return title "Topics" .. "\n" .. listed(rows)
end

local function overview()
  local parts = {
    internals.wrap("libprune " .. prune.version .. ": load a network, see which weights matter, prune, fine-tune, quantize, save.", "",
      internals.text_width()),
  }
  for _, group in ipairs(GROUPS) do parts[#parts + 1] = group_text(group) end
  parts[#parts + 1] = topics_text()
  parts[#parts + 1] = internals.wrap('help "Model:fit" or help(m.fit) tells all about one of them; help "int8", or any other word, looks for it.',
    "", internals.text_width())
  return table.concat(parts, "\n\n")
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

-- Looking for words --------------------------------------------------------------------------------------------------

--- What people call things that are called otherwise here.
local SYNONYMS = {
  flops = "macs", flop = "macs", mac = "macs", filter = "channel", filters = "channel", neuron = "channel", neurons = "channel",
  unstructured = "weight", structured = "channel", l1 = "magnitude", importance = "significance", saliency = "significance",
  finetune = "fit", ["fine-tune"] = "fit", train = "fit", training = "fit", retrain = "fit", inference = "run", forward = "run",
  latency = "benchmark", speed = "benchmark", time = "benchmark", profile = "benchmark", sparsity = "amount", ratio = "amount",
  distil = "distillation", kd = "distillation", teacher = "distillation", int8 = "quantization", int4 = "quantization",
  fp16 = "float16", half = "float16", bf16 = "bfloat16", nas = "search", pareto = "search", attention = "head", ptq = "quantization",
  dataset = "data", images = "data", csv = "data", batchnorm = "reestimate", undo = "transactions", rollback = "transactions",
  checkpoint = "Model:fit", onnx = "prune.load", export = "Model:save", compress = ".prunez", target = "allocation", reproduce = "reproducibility",
  deterministic = "reproducibility", error = "troubleshooting", problem = "troubleshooting", nan = "troubleshooting",
}
internals.synonyms = SYNONYMS

local function contains(text, word) return text:lower():find(word, 1, true) ~= nil end

--- Lines on every place that a word occurs in, the most telling first.
local function places(word)
  word = word:lower()
  local found = { {}, {}, {}, {} }
  local function add(rank, name, text) table.insert(found[rank], { bold(name), text }) end
  for _, topic in ipairs(topics.list) do
    if contains(topic.name, word) or contains(topic.title, word) then
      add(1, topic.name, topic.title)
    elseif contains(topic.text, word) then
      add(4, topic.name, topic.title)
    end
  end
  local seen = {}
  for _, entry in ipairs(docs.entries) do
    if contains(entry.name, word) then
      add(entry.kind == "table" and 3 or 1, entry.name, first_sentence(entry.text))
    elseif contains(entry.text, word) then
      add(4, entry.name, first_sentence(entry.text))
    end
    for _, option in ipairs(entry.options) do
      local name = entry.name .. " " .. option.name
      if not seen[name] then
        seen[name] = true
        if contains(option.name, word) then
          add(2, name, option.text)
        elseif contains(option.type, '"' .. word) then
          add(2, name .. ' = "…"', option.text)
        elseif contains(option.text, word) then
          add(3, name, option.text)
        end
      end
    end
  end
  local rows = {}
  for _, rank in ipairs(found) do
    for _, row in ipairs(rank) do
      if #rows < 24 then rows[#rows + 1] = row end
    end
  end
  return rows
end

local function nearest(name)
  local best, least
  local function try(candidate, short)
    local distance = internals.distance(name:match "[^.:]+$" or name, short)
    if not least or distance < least then best, least = candidate, distance end
  end
  for _, entry in ipairs(docs.entries) do try(entry.name, entry.name:match "[^.:]+$") end
  for _, topic in ipairs(topics.list) do try(topic.name, topic.name:match "[^.]+$") end
  for synonym in pairs(SYNONYMS) do try(synonym, synonym) end
  for _, entry in ipairs(docs.entries) do
    for _, option in ipairs(entry.options) do
      try(option.name, option.name)
      for value in option.type:gmatch '"([^"]+)"' do try(value, value) end
    end
  end
  return least <= math.max(1, #name // 3) and best or nil
end

--- What is said of a word that is no name.
local function search(word)
  local synonym = SYNONYMS[word:lower()]
  local parts = {}
  if synonym then parts[#parts + 1] = ("'%s' is under '%s' here: help \"%s\""):format(word, synonym, synonym) end
  local rows = places(word)
  if #rows == 0 and synonym then rows = places(synonym) end
  if #rows > 0 then
    parts[#parts + 1] = title(("'%s' is said in"):format(word)) .. "\n" .. listed(rows)
    parts[#parts + 1] = 'help "NAME" tells all about one of them.'
    return table.concat(parts, "\n\n")
  end
  local guess = nearest(word)
  return ("nothing about '%s'%s"):format(word, guess and (", did you mean '%s'?"):format(guess) or "; help() lists all there is"), true
end

-- Names --------------------------------------------------------------------------------------------------------------

--- The entries that a name means: the whole name, or its last part.
local function find(name)
  name = name:gsub("%b()$", ""):gsub("%b{}$", "")
  if docs.by_name[name] and docs.by_name[name].kind ~= "table" then return { docs.by_name[name] } end
  local found, plain = {}, name:match "[^.:]+$"
  for _, entry in ipairs(docs.entries) do
    if plain == name and entry.name:match "[^.:]+$" == plain and entry.kind ~= "table" then found[#found + 1] = entry end
  end
  if #found == 0 and docs.by_name[name] then found[1] = docs.by_name[name] end
  -- The method of a variable, as m.prune.
  if #found == 0 and plain ~= name then
    for _, entry in ipairs(docs.entries) do
      if entry.name:match ":([^.:]+)$" == plain then found[#found + 1] = entry end
    end
  end
  return found
end

--- The functions of a table of the API: "prune.data".
local function part(prefix)
  local rows = entry_rows({}, function(entry) return entry.name:find(prefix .. ".", 1, true) == 1 end)
  return #rows > 0 and title(prefix) .. "\n" .. listed(rows) or nil
end

local function about_name(name)
  name = name:match "^%s*(.-)%s*$"
  for _, group in ipairs(GROUPS) do
    if group:lower() == name:lower() and group ~= "prune" then
      -- A page of that name comes first: "report" reads one, "Report" is the class.
      local topic = name ~= group and topics.find(name)
      return (topic and topic_text(topic) .. "\n\n" or "") .. group_text(group)
    end
  end
  if name:lower() == "topics" then return topics_text() end
  local texts = {}
  local topic = topics.find(name)
  if topic then texts[1] = topic_text(topic) end
  for _, entry in ipairs(find(name)) do texts[#texts + 1] = internals.help_text(entry) end
  if #texts == 0 or topic then texts[#texts + 1] = part(name:find "^prune%." and name or "prune." .. name) end
  if #texts == 0 then return search(name) end
  -- What a page does not say, other places may.
  local more = topic and places(name) or {}
  local others = {}
  for _, row in ipairs(more) do
    if not contains(row[1], name) and #others < 6 then others[#others + 1] = row end
  end
  if #others > 0 then texts[#texts + 1] = title "See also" .. "\n" .. listed(others) end
  return table.concat(texts, "\n\n")
end

--- The help on a topic, as a text; and true where nothing is known of it.
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

function prune.help(topic) internals.page(internals.help(topic)) end
