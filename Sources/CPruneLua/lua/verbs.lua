-- One-shot commands: prune info FILE, prune prune FILE --target macs=0.5 -o OUT, …, over the same calls as in Lua.
local host = ...
local internals = host.internals
local docs = internals.docs
local arguments = host.chunk "arguments"(host)
local evaluate = host.chunk "evaluate"(host)
local wrong = arguments.wrong

--- Exit statuses.
local OK, FAILED, USAGE, SHORT = 0, 1, 2, 3

local FORMATS = { "json", "csv", "md", "html", "svg" }

--- Each command: what it does; files: how many it takes; entry: whose options it takes, but for `without`; data: which of its arguments is
--- data; writes: whether -o says where its model goes; run: a function of the models and options, which gives a report, and a model.
local verbs = {
  { name = "info", files = 1, text = "what a file holds: inputs, outputs, layers, costs", entry = "Model:stats" },
  { name = "summary", files = 1, text = "the table of layers", entry = "Model:summary", without = { file = true } },
  { name = "significance", files = 1, text = "which weights matter, layer by layer", entry = "Model:significance" },
  { name = "sensitivity", files = 1, text = "what pruning each layer alone costs", entry = "Model:sensitivity" },
  { name = "groups", files = 1, text = "which channels go together, and what is pinned and why" },
  { name = "prune", files = 1, text = "a smaller or sparser model", entry = "Model:prune", writes = true },
  { name = "quantize", files = 1, text = "a model of fewer bits", entry = "Model:quantize", writes = true },
  { name = "factorize", files = 1, text = "a model of low rank: layers become two smaller ones each", entry = "Model:factorize", writes = true },
  { name = "fit", files = 1, text = "trains a model further", entry = "Model:fit", writes = true },
  { name = "evaluate", files = 1, text = "accuracy, loss and other metrics on data", entry = "Model:evaluate", data = "data" },
  { name = "bench", files = 1, more = true, text = "how long a run takes; several models in turns, or with options one by one", entry = "Model:benchmark" },
  { name = "compare", files = 1, more = true, text = "models side by side", entry = "prune.compare" },
  { name = "search", files = 1, text = "the smallest model that keeps a metric", entry = "prune.search", without = { model = true }, writes = true },
  { name = "convert", files = 2, text = "reads FILE, writes OUT: .onnx, .prunez, .h5 or .keras", entry = "prune.load" },
  { name = "diff", files = 2, text = "where a second model differs from a first" },
}

local by_name = {}
for _, verb in ipairs(verbs) do by_name[verb.name] = verb end

--- The options that a command takes from the schema, sorted as documented.
local function options_of(verb)
  local entry = verb.entry and docs.by_name[verb.entry]
  local list = {}
  for _, option in ipairs(entry and docs.options(entry) or {}) do
    if option.type ~= "function" and not (verb.without and verb.without[option.name]) then list[#list + 1] = option end
  end
  -- Those that most calls give come first.
  local place = {}
  for name in (internals.common_options[verb.entry or ""] or ""):gmatch "[%w_]+" do place[#place + 1], place[name] = name, #place + 1 end
  for i, option in ipairs(list) do place[option] = place[option.name] or (option.required and 0 or 1000 + i) end
  table.sort(list, function(a, b) return place[a] < place[b] end)
  if verb.data then
    for _, argument in ipairs(entry.arguments) do
      if argument.name == verb.data then table.insert(list, 1, argument) end
    end
  end
  return list
end

local function dashed(name) return (name:gsub("_", "-")) end

local function file_words(verb)
  if verb.name == "convert" then return "FILE OUT" end
  if verb.name == "diff" then return "FILE FILE" end
  return verb.more and "FILE…" or "FILE"
end

-- Running ------------------------------------------------------------------------------------------------------------

local run = {}

function run.info(call)
  local m = call.models[1]
  call.shown = internals.about(m, nil, call.options)
  return m:stats(call.options)
end

function run.summary(call)
  if #call.outputs == 0 then call.models[1]:summary(call.options) end
  call.shown = ""
  return call.models[1]:stats{ shapes = call.options.shapes }
end

function run.significance(call) return call.models[1]:significance(call.options) end
function run.sensitivity(call) return call.models[1]:sensitivity(call.options) end
function run.groups(call) return call.models[1]:groups() end

function run.prune(call)
  local model, report = call.models[1]:prune(call.options)
  return report, model
end

function run.quantize(call)
  local model, report = call.models[1]:quantize(call.options)
  return report, model
end

function run.factorize(call)
  local model, report = call.models[1]:factorize(call.options)
  return report, model
end

function run.fit(call)
  -- What is trained when Ctrl-C stops it is kept: see `command`.
  call.kept = call.models[1]
  return call.models[1]:fit(call.options), call.models[1]
end

function run.search(call)
  call.options.model = call.models[1]
  local model, report = prune.search(call.options)
  return report, model
end

function run.evaluate(call)
  local data = call.options.data or wrong("prune evaluate needs --data\n\n%s", arguments.DATA)
  call.options.data = nil
  return call.models[1]:evaluate(data, call.options)
end

function run.bench(call)
  if #call.models == 1 then return call.models[1]:benchmark(call.options) end
  if not next(call.options) then return run.compare(call) end
  -- Models take turns at batch 1 on all threads alone: with options they are timed one after the other.
  if #call.outputs > 0 then wrong("options of prune bench go with one FILE where a report is written; several without options are timed in turns") end
  local texts = {}
  for i, model in ipairs(call.models) do texts[i] = call.files[i]:match "[^/]+$" .. ": " .. tostring(model:benchmark(call.options)) end
  print(table.concat(texts, "\n"))
end

function run.compare(call)
  local list = { data = call.options.data }
  for i, model in ipairs(call.models) do list[i] = { call.files[i]:match "[^/]+$", model } end
  return prune.compare(list)
end

function run.convert(call) return #call.outputs > 0 and call.models[1]:stats() or nil, call.models[1] end

function run.diff(call)
  local report = prune.diff(call.models[1], call.models[2])
  if not report.same then call.status = SHORT end
  return report
end

-- Reading the words --------------------------------------------------------------------------------------------------

--- "--name value", "--name=value", "--flag", "--no-flag", "--outer.inner value".
local function read_option(call, word, value, next_word)
  local verb, name = call.verb, word
  local entry = verb.entry and docs.by_name[verb.entry]
  local outer, inner = name:match "^([^.]+)%.(.+)$"
  local function find(of, key)
    local option
    for _, one in ipairs(of == entry and options_of(verb) or docs.options(of)) do
      if one.name == key:gsub("%-", "_") then option = one end
    end
    return option
  end
  local from, into = entry, call.options
  if entry and outer and find(entry, outer) then
    from = arguments.nested_entry(entry, outer:gsub("%-", "_")) or wrong("prune %s: --%s has no parts", verb.name, outer)
    local key = outer:gsub("%-", "_")
    if type(into[key]) ~= "table" then into[key] = {} end
    into, name = into[key], inner
  end
  local option = from and find(from, name)
  local negated = from and not option and name:match "^no%-(.+)$"
  if negated and find(from, negated) and find(from, negated).type == "boolean" then
    into[find(from, negated).name] = false
    return 0
  end
  if not option then
    wrong("prune %s has no option '--%s'%s", verb.name, word, from and dashed(arguments.nearest(from, name)) or "")
  end
  if option.type == "function" then wrong("--%s is a function: give it in a script", word) end
  if not value and option.type == "boolean" and not (next_word and ({ ["true"] = 1, ["false"] = 1 })[next_word]) then
    into[option.name] = true
    return 0
  end
  local text = value or next_word or wrong("--%s wants %s", word, arguments.wanted(option, from))
  local read = arguments.read(text, option, from, "--" .. word)
  if type(into[option.name]) == "table" and type(read) == "table" and getmetatable(read) == nil then
    for key, one in pairs(read) do into[option.name][key] = one end
  else
    into[option.name] = read
  end
  return value and 0 or 1
end

--- Whether a word after --json and the like is where to write.
local function is_output(word, format) return word == "-" or word and word:lower():find("%." .. format .. "$") ~= nil end

local function read_words(verb, words)
  local call = { verb = verb, options = {}, files = {}, models = {}, outputs = {}, status = OK }
  local i, ended, given = 1, false, {}
  while words[i] do
    local word = words[i]
    local name, value = word:match "^%-%-([^=]+)=(.*)$"
    name = name or word:match "^%-%-(.+)$"
    local format
    for _, one in ipairs(FORMATS) do
      if name == one then format = one end
    end
    if ended or not word:find "^%-." then
      call.files[#call.files + 1] = word
    elseif word == "--" then
      ended = true
    elseif word == "-o" or name == "out" then
      if not verb.writes then wrong("prune %s makes no model: it has no %s", verb.name, word) end
      call.out = value or words[i + 1] or wrong("%s wants a file", word)
      if not value then i = i + 1 end
    elseif format then
      local output = value or "-"
      if not value and is_output(words[i + 1], format) then
        output = words[i + 1]
        i = i + 1
      end
      for _, one in ipairs(call.outputs) do
        if one.path == output then wrong("two reports go to %s", output == "-" and "standard output: name files" or output) end
      end
      table.insert(call.outputs, { format = format, path = output })
    elseif name == "width" then
      local text = value or words[i + 1]
      internals.settings.width = math.tointeger(tonumber(text)) or wrong("--width wants a number of columns, got '%s'", tostring(text))
      if not value then i = i + 1 end
    elseif name == "log" and not internals.log_path then
      internals.log_path = value or words[i + 1]
      if not value then i = i + 1 end
    elseif word == "-h" or name == "help" then
      call.help = true
    elseif word == "-q" or name == "quiet" then
      call.quiet = true
    elseif name and name:find "^color=?" then
      wrong("put --color before the command")
    elseif name then
      local key = name:gsub("_", "-"):gsub("^no%-", "")
      if given[key] then wrong("--%s is given twice; lists have commas", name) end
      given[key] = true
      i = i + read_option(call, name, value, words[i + 1])
    else
      wrong("prune %s has no option '%s'", verb.name, word)
    end
    i = i + 1
  end
  return call
end

local function check(call)
  local verb = call.verb
  if #call.files < verb.files or (#call.files > verb.files and not verb.more) then
    wrong("prune %s wants %s, got %d file%s", verb.name, file_words(verb), #call.files, #call.files == 1 and "" or "s")
  end
  for _, option in ipairs(options_of(verb)) do
    if option.required and call.options[option.name] == nil and not (verb.name == "compare") then
      wrong("prune %s needs --%s (%s)%s", verb.name, dashed(option.name), option.text,
        option.type:find("Dataset", 1, true) and "\n\n" .. arguments.DATA or "")
    end
  end
end

--- Writes or prints what a command gave.
local function show(call, report)
  if #call.outputs > 0 and report then
    for _, output in ipairs(call.outputs) do
      if output.path == "-" then
        io.write(report:to_text_as(output.format))
      else
        report:save(output.path)
      end
    end
  elseif report and not call.quiet and call.shown ~= "" then
    print(call.shown or tostring(report))
  end
end

local function work(call)
  -- The report is shown, and says it itself.
  internals.notice = nil
  local verb = call.verb
  if verb.writes and not call.out and not call.quiet then
    io.stderr:write(("prune: without -o FILE the model is not kept, %s alone is shown\n"):format(verb.name == "fit" and "its history" or "the report"))
  end
  local last = verb.name == "convert" and 1 or #call.files
  for i = 1, last do
    call.models[i] = verb.name == "convert" and prune.load(call.files[i], call.options) or prune.load(call.files[i])
  end
  local report, model = run[verb.name](call)
  local out = verb.name == "convert" and call.files[2] or call.out
  call.kept = call.kept or model
  if model and out then model:save(out) end
  call.kept = nil
  show(call, report)
  if report and report.headline and verb.writes then call.status = SHORT end
  return call.status
end

-- Help ---------------------------------------------------------------------------------------------------------------

local help = {}

--- The list of commands, for the usage.
function help.list()
  local lines = {}
  for _, verb in ipairs(verbs) do
    local files = file_words(verb)
    lines[#lines + 1] = ("  %-13s %s%s %s"):format(verb.name, files, string.rep(" ", 10 - internals.text_length(files)), verb.text)
  end
  return table.concat(lines, "\n")
end

--- All about one command.
function help.verb(verb)
  local width = internals.text_width()
  local lines = { ("usage: prune %s %s [options]%s"):format(verb.name, file_words(verb), verb.writes and " -o OUT" or ""), "", "  " .. verb.text, "" }
  local function line(name, text) lines[#lines + 1] = internals.columns_text({ { name, text } }, 2, 24, width) end
  for _, option in ipairs(options_of(verb)) do
    local default = option.default and (" (default %s)"):format((option.default:gsub('"', ""))) or ""
    line("--" .. dashed(option.name), (option.required and "needed; " or "") .. arguments.wanted(option, docs.by_name[verb.entry]) .. default .. ": " .. option.text)
  end
  if verb.writes then line("-o, --out OUT", "where the model goes: .onnx, .h5 or .keras, or .prunez for a packed file") end
  line("--json [OUT.json]", "the report in that format, to standard output or a file; also --csv, --md, --html, --svg, and several of them")
  line("--width N", "columns of what is printed; those of the terminal by default")
  line("-q, --quiet", "prints nothing but errors")
  lines[#lines + 1] = ""
  lines[#lines + 1] = "  Parts of tables: --target macs=0.5, --recover epochs=2,lr=1e-3, or --recover.epochs 2. Lists have commas: --ignore 'conv1,fc*'."
  lines[#lines + 1] = ""
  for text in arguments.DATA:gmatch "[^\n]+" do lines[#lines + 1] = "  " .. text end
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("  Exit status: %d ok, %d failed, %d wrong usage, %d done, but not what was asked (a guard, a target, or models that differ), 130 interrupted.")
    :format(OK, FAILED, USAGE, SHORT)
  return table.concat(lines, "\n")
end

--- Runs a command; its exit status.
local function command(name, words)
  local ok, call = pcall(function()
    local call = read_words(by_name[name], words)
    if not call.help then check(call) end
    return call
  end)
  if not ok then
    local problem = call
    if type(problem) == "table" and problem.usage then
      io.stderr:write("prune: ", problem.usage, "\n", ("try: prune help %s\n"):format(name))
      return USAGE
    end
    io.stderr:write("prune: ", evaluate.message(problem), "\n")
    return FAILED
  end
  if call.help then
    internals.page(help.verb(call.verb))
    return OK
  end
  local result
  local status = evaluate.run(function()
    local ok, problem = pcall(function() result = work(call) end)
    if ok then return end
    if type(problem) == "table" and problem.usage then
      io.stderr:write("prune: ", problem.usage, "\n")
      result = USAGE
      return
    end
    error(problem, 0)
  end)
  if status == 130 and call.kept and call.out then
    local saved, problem = pcall(function() call.kept:save(call.out) end)
    io.stderr:write("prune: ", saved and call.out .. " holds what was done until then" or evaluate.message(problem), "\n")
  end
  return status ~= OK and status or result
end

return { list = verbs, by_name = by_name, options_of = options_of, help = help, command = command, formats = FORMATS, dashed = dashed }
