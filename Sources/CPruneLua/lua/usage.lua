-- The options of the program: what `prune --help` says, and what the words of the command line mean.
local opening, verbs = ...

local USAGE = ([=[
usage: prune [options] [script.lua [arguments]]      runs a script
       prune [options] MODEL                         the prompt, with the model as `m`
       prune COMMAND FILE… [options]                 one thing done to a model:

%s

  -e STATEMENT    runs it; may be repeated
  -l MODULE       requires a module into a global of its name
  -i              the prompt after the script
  -q              no banner
  --color=WHEN    auto (default), always or never
  --mpi           as one of the processes that mpirun started: prune.distributed()
  --log FILE      a line of JSON for every event of long calls
  --no-init       does not run ~/.config/prune/init.lua before the prompt
  -v, --version   the version
  -h, --help      this text
  -               standard input as the script
  --              ends the options

`prune help COMMAND` tells all about one, `prune help WORD` about anything else; `prune completion bash|zsh` prints what makes Tab
complete. Without a script, and on a terminal, it is a prompt.
Exit status: 0 ok, 1 failed, 2 wrong usage, 3 done, but not what was asked, 130 interrupted.
]=]):format(verbs.help.list())

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
    local log = word:match "^%-%-log=(.*)$"
    if not options.model and (word == "-" or not word:find "^%-") then
      if opening.is_model(word) then
        options.model = word
      else
        options.script = i
        break
      end
    elseif word == "-" or not word:find "^%-" then
      options.script = i
      break
    elseif log or word == "--log" then
      options.log = log or value_of "--"
      if not options.log then return nil, "'--log' needs a file" end
    elseif word == "--no-init" then
      options.no_init = true
    elseif word == "--mpi" then
      options.mpi = true
    elseif word == "--" then
      options.script = given[i + 1] and i + 1 or nil
      break
    elseif letter then
      local value = value_of(word)
      if not value then return nil, ("'%s' needs an argument"):format(word) end
      table.insert(options.steps, { letter, value })
    elseif color then
      if COLORS[color] == nil then return nil, ("--color is auto, always or never, not '%s'"):format(color) end
      options.color = COLORS[color]
    elseif word == "-i" or word == "-q" then
      options[word:sub(2)] = true
    elseif word == "-v" or word == "--version" then
      options.version = true
    elseif word == "-h" or word == "--help" then
      options.help = true
    else
      if options.model then
        return nil, ("unknown option '%s' of the prompt; one thing done to the model is a command: prune prune %s %s …"):format(word,
          options.model, word), true
      end
      return nil, ("unknown option '%s'"):format(word)
    end
    i = i + 1
  end
  return options
end

return USAGE, parse, COLORS
