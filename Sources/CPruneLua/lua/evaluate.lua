-- Compiling and running what was typed, and telling what went wrong.
local host = ...
local internals = host.internals
local evaluate = {}

local function is_incomplete(message) return message:find("<eof>", -5, true) ~= nil end

--- At the prompt, `local x = 1` would be gone with its line: it makes a global instead, except with an attribute.
local function keep_locals(source)
  local text = "\n" .. source
  text = text:gsub("\nlocal(%s+function%s)", "\n%1")
  text = text:gsub("\nlocal(%s+[%a_][%w_,%s]*=)", "\n%1")
  return text:sub(2)
end

--- A function, or nil and a message, with true when more lines may complete it.
function evaluate.compile(source)
  local name = "=stdin"
  local f = load("return " .. source, name)
  if f then return f end
  local message
  f, message = load(source, name)
  if f then return load(keep_locals(source), name) or f end
  return nil, message, is_incomplete(message)
end

--- ", did you mean …?" for a call of a function that is none: the nearest that the API has.
local function meant(message)
  local kind, name = message:match "attempt to call a nil value %((%a+) '([%a_][%w_]*)'%)"
  if kind ~= "field" and kind ~= "global" then return "" end
  local best, least
  for _, entry in ipairs(internals.docs.entries) do
    if entry.kind ~= "table" and entry.name:find("prune.", 1, true) == 1 then
      local distance = internals.distance(name, entry.name:match "[^.]+$")
      if distance > 0 and (not least or distance < least) then best, least = entry.name, distance end
    end
  end
  return best and least <= math.max(1, #name // 3) and (", did you mean '%s'?"):format(best) or ""
end

--- What to say about an error value; `place` is where the script stood.
function evaluate.message(problem, place)
  if getmetatable(problem) == "prune.Error" then
    return (place and not place:find "^stdin:" and place .. ": " or "") .. tostring(problem)
  end
  if type(problem) == "string" or type(problem) == "number" then return tostring(problem) .. meant(tostring(problem)) end
  local meta = type(problem) == "table" and getmetatable(problem)
  if type(meta) == "table" and meta.__tostring then return tostring(problem) end
  return ("(error object is a %s value)"):format(type(problem))
end

--- The traceback without the program's own frames.
local function own_frames(traceback)
  local lines = {}
  for line in traceback:gmatch "[^\n]+" do
    if line:find("in field 'guard'", 1, true) then break end
    lines[#lines + 1] = line
  end
  while #lines > 1 and lines[#lines]:find "^%s*%[C%]: in %?$" do lines[#lines] = nil end
  return table.concat(lines, "\n")
end

--- Runs a function of a script; its exit status. Errors are told on standard error.
function evaluate.run(f, ...)
  local ok, interrupted, problem, place, traceback = host.guard(f, ...)
  if ok and not interrupted then return 0 end
  io.stdout:flush()
  local status = interrupted and 130 or 1
  internals.fail_together(status, function()
    if interrupted then
      io.stderr:write "prune: interrupted\n"
      return
    end
    io.stderr:write("prune: ", evaluate.message(problem, place), "\n")
    if getmetatable(problem) ~= "prune.Error" and traceback then io.stderr:write(own_frames(traceback), "\n") end
  end, problem)
  return status
end

local function red(text)
  return internals.use_color(2) and "\27[31m" .. text .. "\27[0m" or text
end

--- Tells an error at the prompt.
function evaluate.complain(text)
  io.stdout:flush()
  io.stderr:write(red(text), "\n")
end

--- Tells of a call that did less than it was asked for: its results may go into variables that nobody looks at.
function internals.notice(report)
  if not report.headline then return end
  local text = "note: " .. report.headline
  io.stdout:flush()
  io.stderr:write(internals.use_color(2) and "\27[33m" .. text .. "\27[0m" or text, "\n")
end

local function print_results(count, results)
  local shown = internals.show
  for i = 1, count do print(shown(results[i])) end
end

--- Runs a function typed at the prompt: prints and keeps its results unless `silent`.
function evaluate.interact(f, silent)
  local got = table.pack(host.guard(function()
    local results = table.pack(f())
    if results.n > 0 then
      _G.__, _G._ = _G._, results[1]
      if not silent then print_results(results.n, results) end
    end
  end))
  local ok, interrupted, problem, place = table.unpack(got, 1, 4)
  -- A call that was stopped has given what it had: that is kept, and said.
  if ok and not interrupted then return true end
  evaluate.complain(interrupted and "interrupted" or evaluate.message(problem, place))
  return false
end

return evaluate
