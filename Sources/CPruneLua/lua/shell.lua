-- The program: its command line, scripts, and the prompt. Called with the host functions of C and the words of the command
-- line; returns the exit status.
local host, words = ...
local internals = host.internals
local evaluate = host.chunk "evaluate"(host)
host.chunk "pretty"(host)
host.chunk "complete"(host)
host.chunk "screen"(host)
local opening = host.chunk "opening"(host)
local verbs = host.chunk "verbs"(host)

local USAGE, parse, COLORS = host.chunk "usage"(opening, verbs)

local PROMPT, MORE = "prune> ", "   ..> "

-- Scripts ------------------------------------------------------------------------------------------------------------

--- The global `arg`, as lua has it: the script is 0.
local function set_arg(script)
  arg = {}
  for i = 0, #words do arg[i - (script or 0)] = words[i] end
end

local function failed(message)
  io.stderr:write("prune: ", message, "\n")
  return 1
end

local function run_step(letter, value)
  if letter == "e" then
    local f, message = load(value, "=(command line)")
    return f and evaluate.run(f) or failed(message)
  end
  local name, module = value:match "^([%a_][%w_]*)=(.+)$"
  return evaluate.run(function() _G[name or value] = require(module or value) end)
end

local function run_script(index)
  local path = words[index]
  local f, message
  if path == "-" then
    f, message = loadfile()
  else
    f, message = loadfile(path)
  end
  if not f then return failed(message) end
  return evaluate.run(f, table.unpack(words, index + 1))
end

-- The prompt ---------------------------------------------------------------------------------------------------------

local timing = false
local commands = {}

--- What the commands are for; `.help` shows it, in this order.
local COMMANDS = {
  { ".help [TOPIC]", "this, and what there is; or all about one thing; also `? TOPIC`" },
  { ".load FILE", "runs a file here" },
  { ".output [FILE]", "what is printed goes to a file; without one back to the terminal" },
  { ".once FILE", "the same for what comes next, alone" },
  { ".timing on|off", "the time of each line" },
  { ".quit [CODE]", "leaves; so does Ctrl-D" },
  { "!COMMAND", "runs a command of the system" },
  { "_ and __", "the last result, and the one before" },
}

function commands.help(topic)
  local text = internals.help(topic ~= "" and topic or nil)
  if topic == "" then
    text = text .. "\n\nAt the prompt\n" .. internals.columns_text(COMMANDS, 2, 30, internals.text_width())
  end
  internals.page(text)
  internals.redirect_done()
end

function commands.timing(state)
  if state == "" then timing = not timing else timing = state == "on" end
  print("timing is " .. (timing and "on" or "off"))
end

function commands.load(path)
  local f, message = loadfile(path)
  if f then evaluate.interact(f) else evaluate.complain(message) end
end

function commands.output(path) internals.redirect(path) end

function commands.once(path)
  if path == "" then return evaluate.complain "'.once' wants a file" end
  internals.redirect(path, true)
end

function commands.quit(code) return math.tointeger(tonumber(code)) or 0 end

internals.commands = {}
for name in pairs(commands) do table.insert(internals.commands, name) end
table.sort(internals.commands)

--- Runs ".name rest"; an exit status ends the program.
local function run_command(name, rest)
  local command = commands[name]
  if command then return command(rest) end
  evaluate.complain(("no command '.%s'; there are .%s"):format(name, table.concat(internals.commands, " .")))
end

--- Runs a command of the system.
local function run_system(line)
  io.stdout:flush()
  local ok, how, code = os.execute(line)
  if not ok then evaluate.complain(("%s %d"):format(how == "signal" and "ended by signal" or "ended with", code)) end
end

local function timed(f, silent)
  local wall, cpu = internals.clock(), os.clock()
  evaluate.interact(f, silent)
  internals.redirect_done()
  if timing then print(("%.3f s, processor %.3f s"):format(internals.clock() - wall, os.clock() - cpu)) end
end

--- Two spaces for each bracket and block that is open.
local function indentation(source)
  local _, opened = source:gsub("[{(]", "")
  local _, closed = source:gsub("[})]", "")
  local depth = opened - closed
  for word in source:gsub('"[^"\n]*"', ""):gmatch "%a+" do
    if word == "do" or word == "then" or word == "function" or word == "repeat" then depth = depth + 1 end
    if word == "end" or word == "until" or word == "elseif" then depth = depth - 1 end
  end
  return string.rep("  ", math.max(0, depth))
end

--- Reads lines until they are a whole; nil when they were given up.
local function read_rest(source)
  while true do
    local f, message, incomplete = evaluate.compile(source)
    if f or not incomplete then return f, message, source end
    internals.pending = source .. "\n"
    local line = host.read(MORE, indentation(source))
    if line == false then return nil, nil, source end
    if line == nil then return nil, message, source end
    source = source .. "\n" .. line
  end
end

--- Words that people type before they know the language: help, help TOPIC, quit and exit.
local function plain_word(line)
  local name, rest = line:match "^%s*(%a+)%s*(.-)%s*$"
  if name == "help" and rawget(_G, "help") == prune.help then
    if rest == "" then return "help", "" end
    if rest:find "^[%a_][%w_.:]*$" then return "help", rest end
  elseif (name == "quit" or name == "exit") and rawget(_G, name) == nil then
    if rest == "" or rest:find "^%(%s*%d*%s*%)$" then return "quit", rest:match "%d+" or "" end
  end
end

local function interpret(line)
  local word, argument = plain_word(line)
  if word then
    host.add_history(line)
    return commands[word](argument)
  end
  local name, rest = line:match "^%s*%.(%a[%w-]*)%s*(.-)%s*$"
  if name then
    host.add_history(line)
    return run_command(name, rest)
  end
  local system = line:match "^%s*!%s*(.*)$"
  if system then
    host.add_history(line)
    return run_system(system)
  end
  local topic = line:match "^%s*%?%s*(.-)%s*$"
  if topic then
    host.add_history(line)
    return commands.help(topic)
  end
  local f, message, source = read_rest((line:gsub("^%s*=", "return ")))
  internals.pending = ""
  host.add_history(source)
  if f then
    timed(f, source:find ";%s*$" ~= nil)
  elseif message then
    evaluate.complain(message)
  end
end

local function history_path()
  local path = os.getenv "PRUNE_HISTORY"
  if path then return path ~= "" and path or nil end
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state ~= "" then return state .. "/prune/history" end
  return home and home .. "/.local/state/prune/history"
end

--- Runs the user's own file before the first prompt; what goes wrong there is told, and that is all.
local function run_init()
  local path = os.getenv "PRUNE_INIT"
  if not path then
    local config, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME"
    if config and config ~= "" then path = config .. "/prune/init.lua" elseif home then path = home .. "/.config/prune/init.lua" end
  end
  local file = path and path ~= "" and io.open(path)
  if not file then return end
  file:close()
  local f, message = loadfile(path)
  if f then evaluate.interact(f, true) else evaluate.complain(message) end
end

local function prompt(options)
  local terminal = host.is_terminal(0)
  internals.settings.epochs = true
  help = prune.help
  if terminal then host.load_history(history_path()) end
  if terminal and not options.no_init then run_init() end
  if options.model then
    print(internals.about(m, "m"))
    if not options.q then print "m:summary() shows its layers; help() says what there is; .quit or Ctrl-D leaves." end
  elseif not options.q then
    print(("libprune %s, %s. help() says what there is; .quit or Ctrl-D leaves."):format(prune.version, _VERSION))
  end
  while true do
    local line = host.read(PROMPT)
    if line == nil then
      if terminal then print() end
      return 0
    end
    if line and line:find "%S" then
      local status = interpret(line)
      if status then return status end
    end
  end
end

-- All of it ----------------------------------------------------------------------------------------------------------

--- `prune help WORD`.
local function print_help(word)
  local verb = word and verbs.by_name[word]
  if verb then
    internals.page(verbs.help.verb(verb))
  elseif word then
    local text, missing = internals.help(word)
    if missing then
      io.stderr:write("prune: ", text, "\n")
      return 2
    end
    internals.page(text)
  else
    io.write(USAGE)
  end
  return 0
end

--- A command of the words, when the first that is no option is one; else nil.
local function run_verb()
  local first, color, log = 1, nil, nil
  while words[first] do
    local given, file = words[first]:match "^%-%-color=(.*)$", words[first]:match "^%-%-log=(.+)$"
    if given and COLORS[given] ~= nil then
      color = given
    elseif file then
      log = file
    elseif words[first] == "--log" and words[first + 1] then
      first, log = first + 1, words[first + 1]
    else
      break
    end
    first = first + 1
  end
  local name = words[first]
  local rest = table.move(words, first + 1, #words, 1, {})
  if not verbs.by_name[name or ""] and name ~= "help" and name ~= "completion" then return nil end
  if color then internals.settings.color = COLORS[color] end
  internals.log_path = log
  if name == "help" then return print_help(rest[1]) end
  if name == "completion" then
    local script = host.chunk "completion"(host, verbs)[rest[1] or ""]
    if not script then
      io.stderr:write "prune: completion is for bash or zsh: prune completion bash\n"
      return 2
    end
    io.write(script())
    return 0
  end
  return verbs.command(name, rest)
end

local status = run_verb()
if status then return status end
local options, problem, is_told = parse(words)
if not options then
  io.stderr:write("prune: ", problem, "\n", is_told and "try: prune --help\n" or "\n" .. USAGE)
  return 2
end
--- A word that is no file and nearly a command.
local unknown = options.script and words[options.script] ~= "-" and words[options.script]
local file = unknown and io.open(unknown)
if file then
  file:close()
elseif unknown and not unknown:find "[./]" then
  local best, least
  for _, verb in ipairs(verbs.list) do
    local distance = internals.distance(unknown, verb.name)
    if not least or distance < least then best, least = verb.name, distance end
  end
  if least <= math.max(1, #unknown // 3) then
    io.stderr:write(("prune: there is no script and no command '%s', did you mean '%s'?\n"):format(unknown, best))
    return 2
  end
end
if options.color ~= nil then internals.settings.color = options.color end
if options.help then
  io.write(USAGE)
  return 0
end
if options.version then
  print(("libprune %s, %s"):format(prune.version, _VERSION))
  if not (options.script or options.model or options.i or #options.steps > 0) then return 0 end
end
if options.mpi then
  status = evaluate.run(function() prune.distributed() end)
  if status ~= 0 then return status end
end
internals.log_path = options.log
set_arg(options.script)
if options.model then
  status = evaluate.run(function() m = prune.load(options.model) end)
  if status ~= 0 then return status end
end
for _, step in ipairs(options.steps) do
  status = run_step(step[1], step[2])
  if status ~= 0 then return status end
end
status = 0
if options.script then
  status = run_script(options.script)
elseif not options.i and #options.steps == 0 then
  if not host.is_terminal(0) then
    local f, message = loadfile()
    return f and evaluate.run(f) or failed(message)
  end
  options.i = true
end
if not options.i then return status end
return prompt(options)
