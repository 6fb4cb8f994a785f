-- What makes Tab complete `prune` in bash and zsh, from the same schema as the options: prune completion bash|zsh.
local host, verbs = ...
local internals = host.internals
local completion = {}

--- The words that an option may be, by its type.
local function choices(option)
  local list = {}
  for choice in option.type:gmatch '"([^"]+)"' do list[#list + 1] = choice end
  if option.type == "boolean" then list = { "true", "false" } end
  return list
end

local function option_words(verb)
  local words = {}
  for _, option in ipairs(verbs.options_of(verb)) do words[#words + 1] = "--" .. verbs.dashed(option.name) end
  for _, format in ipairs(verbs.formats) do words[#words + 1] = "--" .. format end
  if verb.writes then words[#words + 1] = "--out" end
  words[#words + 1] = "--quiet"
  words[#words + 1] = "--help"
  return words
end

local function verb_names()
  local names = {}
  for _, verb in ipairs(verbs.list) do names[#names + 1] = verb.name end
  return names
end

--- Options whose values are choices: {"verb:--option", choices}.
local function valued()
  local rows = {}
  for _, verb in ipairs(verbs.list) do
    for _, option in ipairs(verbs.options_of(verb)) do
      local list = choices(option)
      if #list > 0 then rows[#rows + 1] = { verb.name .. ":--" .. verbs.dashed(option.name), list } end
    end
  end
  return rows
end

local TOP = { "-e", "-l", "-i", "-q", "--color=always", "--color=never", "--log", "--mpi", "--no-init", "--version", "--help" }

function completion.bash()
  local lines = {
    "# bash completion of prune. Made by `prune completion bash`.",
    "_prune() {",
    '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} words=',
    "  if [ \"$COMP_CWORD\" -eq 1 ]; then",
    ("    words='%s help completion %s'"):format(table.concat(verb_names(), " "), table.concat(TOP, " ")),
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\"; compgen -f -- \"$word\")",
    "    return",
    "  fi",
    "  case $verb:$before in",
    ("    help:help) words='%s topics' ;;"):format(table.concat(verb_names(), " ")),
    "    completion:completion) words='bash zsh' ;;",
  }
  for _, row in ipairs(valued()) do
    lines[#lines + 1] = ("    %s) words='%s' ;;"):format(row[1], table.concat(row[2], " "))
  end
  lines[#lines + 1] = "    *) if [[ $word == -* ]]; then case $verb in"
  for _, verb in ipairs(verbs.list) do
    lines[#lines + 1] = ("      %s) words='%s' ;;"):format(verb.name, table.concat(option_words(verb), " "))
  end
  for _, line in ipairs {
    "    esac; fi ;;",
    "  esac",
    "  if [ -n \"$words\" ]; then",
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")",
    "  else",
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")",
    "  fi",
    "}",
    "complete -o filenames -F _prune prune",
    "",
  } do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

--- A description in a form that _describe and _arguments take.
local function plain(text) return (text:gsub("[%[%]:'\"`\\]", " "):gsub("%s+", " "):sub(1, 70)) end

function completion.zsh()
  local lines = { "#compdef prune", "# zsh completion of prune. Made by `prune completion zsh`.", "_prune() {", "  local -a verbs", "  verbs=(" }
  for _, verb in ipairs(verbs.list) do lines[#lines + 1] = ("    '%s:%s'"):format(verb.name, plain(verb.text)) end
  lines[#lines + 1] = "    'help:about a command or a word' 'completion:what makes Tab complete'"
  lines[#lines + 1] = "  )"
  lines[#lines + 1] = "  if (( CURRENT == 2 )); then _describe command verbs; _files; return; fi"
  lines[#lines + 1] = "  case $words[2] in"
  for _, verb in ipairs(verbs.list) do
    lines[#lines + 1] = ("    %s) shift words; (( CURRENT-- )); _arguments \\"):format(verb.name)
    for _, option in ipairs(verbs.options_of(verb)) do
      local list = choices(option)
      local action = #list > 0 and ("(%s)"):format(table.concat(list, " ")) or "_files"
      lines[#lines + 1] = ("      '--%s[%s]:%s:%s' \\"):format(verbs.dashed(option.name), plain(option.text), option.name, action)
    end
    if verb.writes then lines[#lines + 1] = "      '--out[where the model goes]:file:_files' \\" end
    for _, format in ipairs(verbs.formats) do
      lines[#lines + 1] = ("      '--%s[the report in that format]:file:_files' \\"):format(format)
    end
    lines[#lines + 1] = "      '--quiet[prints nothing but errors]' '--help[all about it]' '*:file:_files' ;;"
  end
  for _, line in ipairs {
    "    help) _describe command verbs ;;",
    "    completion) _values shell bash zsh ;;",
    "  esac",
    "}",
    "_prune \"$@\"",
    "",
  } do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

return completion
