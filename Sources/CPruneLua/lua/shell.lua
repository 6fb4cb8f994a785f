-- The program: its command line, scripts, and the prompt. Called with the host functions of C and the words of the command
-- line; returns the exit status.
local host, words = ...
local internals = host.internals
local evaluate = host.chunk "evaluate"(host)
host.chunk "pretty"(host)
host.chunk "complete"(host)

local USAGE = [=[
usage: prune [options] [script [arguments]]

  -e STATEMENT    runs it; may be repeated
  -l MODULE       requires a module into a global of its name
  -i              the prompt after the script
  -q              no banner
  --color=WHEN    auto (default), always or never
  -v, --version   the version
  -h, --help      this text
  -               standard input as the script
  --              ends the options

Without a script, and on a terminal, it is a prompt. Exit status: 0 ok, 1 a script failed, 2 wrong usage, 130 interrupted.
]=]

local PROMPT, MORE = "prune> ", "   ..> "

-- The command line ---------------------------------------------------------------------------------------------------

local COLORS = { auto = "auto", always = true, never = false }

--- The options as a table, or nil and what is wrong.
local function parse(given)
  local options = { steps = {} }
  local i = 1
  local function value_of(word)
    if #word > 2 then return word:sub(3) end
    i = i + 1
    return given[i]
  end
  while given[i] do
    local word = given[i]
    local letter = word:match "^%-([el])"
    local color = word:match "^%-%-color=(.*)$"
    if word == "-" or not word:find "^%-" then
      options.script = i
      break
    elseif word == "--" then
      options.script = given[i + 1] and i + 1 or nil
      break
    elseif letter then
      local value = value_of(word)
      if not value then return nil, ("'%s' needs an argument"):format(word) end
      table.insert(options.steps, { letter, value })
    elseif color then
      if COLORS[color] == nil then return nil, ("--color is auto, always or never, not '%s'"):format(color) end
      options.color = color
    elseif word == "-i" or word == "-q" then
      options[word:sub(2)] = true
    elseif word == "-v" or word == "--version" then
      options.version = true
    elseif word == "-h" or word == "--help" then
      options.help = true
    else
      return nil, ("unknown option '%s'"):format(word)
    end
    i = i + 1
  end
  return options
end

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

function commands.help(topic)
  print(internals.help(topic ~= "" and topic or nil))
  if topic == "" then print "\nAt the prompt: .help TOPIC  .load FILE  .timing on|off  .quit CODE  ? TOPIC  _ (last result)" end
end

function commands.timing(state)
  if state == "" then timing = not timing else timing = state == "on" end
  print("timing is " .. (timing and "on" or "off"))
end

function commands.load(path)
  local f, message = loadfile(path)
  if f then evaluate.interact(f) else evaluate.complain(message) end
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

local function timed(f, silent)
  local wall, cpu = host.clock(), os.clock()
  evaluate.interact(f, silent)
  if timing then print(("%.3f s, processor %.3f s"):format(host.clock() - wall, os.clock() - cpu)) end
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

local function interpret(line)
  local name, rest = line:match "^%s*%.(%a[%w-]*)%s*(.-)%s*$"
  if name then
    host.add_history(line)
    return run_command(name, rest)
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

local function prompt(quiet)
  local terminal = host.is_terminal(0)
  internals.settings.epochs = true
  help = prune.help
  if terminal then host.load_history(history_path()) end
  if not quiet then
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

local options, problem = parse(words)
if not options then
  io.stderr:write("prune: ", problem, "\n\n", USAGE)
  return 2
end
if options.color then internals.settings.color = COLORS[options.color] end
if options.help then
  io.write(USAGE)
  return 0
end
if options.version then
  print(("libprune %s, %s"):format(prune.version, _VERSION))
  if not (options.script or options.i or #options.steps > 0) then return 0 end
end
set_arg(options.script)
for _, step in ipairs(options.steps) do
  local status = run_step(step[1], step[2])
  if status ~= 0 then return status end
end
local status = 0
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
return prompt(options.q)
