-- The progress of long work: one line on a terminal (what, bar, values, time left), redrawn at most ten times a second, and a log of
-- the same events as lines of JSON; C asks for it and calls it.
local _, internals = ...

local WIDTH = 20
--- Calls that end sooner show nothing.
local PATIENCE = 0.5

local function clock(seconds)
  seconds = math.max(0, math.floor(seconds + 0.5))
  if seconds >= 3600 then
    return ("%d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60)
  end
  return ("%d:%02d"):format(seconds // 60, seconds % 60)
end

local function bar(part, whole)
  local done = whole > 0 and math.min(1, part / whole) * WIDTH or 0
  local full = math.floor(done)
  return string.rep("█", full) .. string.rep("░", WIDTH - full)
end

--- "loss 0.1234  accuracy 0.9876" of what an event has.
local function measures(event, names)
  local list = {}
  for _, name in ipairs(names) do
    if event[name] then list[#list + 1] = ("%s %.4f"):format((name:gsub("_", " ")), event[name]) end
  end
  return table.concat(list, "  ")
end

local FIT = { "loss", "accuracy", "validation_loss", "validation_accuracy" }

local function joined(...)
  local parts = {}
  for _, part in ipairs{ ... } do
    if part ~= "" then parts[#parts + 1] = part end
  end
  return table.concat(parts, "  ")
end

local function step_line(event)
  local steps, step = event.steps or 0, event.step or 0
  return joined(("epoch %d/%d %s %d/%d"):format(event.epoch or 0, event.epochs or 0, bar(step, steps), step, steps),
    measures(event, FIT), event.eta_seconds and "eta " .. clock(event.eta_seconds) or "")
end

local function epoch_line(event)
  return joined(("epoch %d/%d"):format(event.epoch or 0, event.epochs or 0), measures(event, FIT),
    event.seconds and ("%.1f s"):format(event.seconds) or "")
end

--- A step of a prune, a layer of a sensitivity analysis, a candidate of a search.
local function work_line(what, event, draws)
  local step, steps = event.step or 0, event.steps or 0
  local head = what == "prune" and "pruning step" or what
  local count = steps > 0 and ("%d/%d"):format(step, steps) or ("%d"):format(step)
  local middle = draws and steps > 0 and bar(step, steps) .. " " or ""
  local values = {}
  if event.amount then values[1] = ("%s %.4f"):format(what == "search" and "amount" or "sparsity", event.amount) end
  if event.metric then values[#values + 1] = ("%s %.4f"):format(what == "sensitivity" and "lowest" or "metric", event.metric) end
  return joined(("%s %s%s"):format(head, middle, count), event.name or "", table.concat(values, "  "),
    event.eta_seconds and ((what == "search" and "at most " or "eta ") .. clock(event.eta_seconds)) or "")
end

--- Shortens a line to the terminal's width; "█" and "░" are three bytes and one column.
local function fit_width(text)
  local width = (internals.columns(2) or 80) - 1
  local past = utf8.offset(text, width + 1)
  return past and text:sub(1, past - 1) or text
end

-- The log ------------------------------------------------------------------------------------------------------------

local function json(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if type(value) == "number" then return value == value and math.abs(value) < math.huge and ("%.9g"):format(value) or "null" end
  if type(value) == "boolean" then return tostring(value) end
  return '"' .. tostring(value):gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

local log_file

--- Adds a line to the log: the keys of a flat table, sorted, after "time" (seconds since 1970) and "call".
local function log(what, event)
  if not internals.log_path then return end
  if not log_file then
    local problem
    log_file, problem = io.open(internals.log_path, "w")
    if not log_file then
      internals.log_path = nil
      io.stderr:write("prune: no log: ", problem, "\n")
      return
    end
    log_file:setvbuf "line"
  end
  local parts, keys = { ('"time":%d,"call":%s'):format(os.time(), json(what)) }, {}
  for key in pairs(event) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do parts[#parts + 1] = json(key) .. ":" .. json(event[key]) end
  log_file:write("{", table.concat(parts, ","), "}\n")
end
internals.log = log

-- The line -----------------------------------------------------------------------------------------------------------

--- A function that is called with events, and with none at the end; nil when nobody watches. `what` is the call.
function internals.progress(what, verbose)
  if internals.is_silent then return nil end
  local stream, terminal = io.stderr, internals.is_terminal(2)
  local lines = verbose or (terminal and internals.settings.epochs)
  if not terminal and not lines and not internals.log_path then return nil end
  local drawn, start = false, internals.clock()
  log(what, { event = "begin" })

  local function clear()
    if drawn then stream:write "\r\27[K" end
    drawn = false
  end

  --- Whether an event leaves a line behind: an epoch, a step of a prune; of layers and candidates only where asked.
  local function stays(event) return lines and (event.kind == "epoch" or (event.kind == "prune" and (verbose or what == "prune"))) end

  return function(event)
    if not event then
      log(what, { event = "end", seconds = internals.clock() - start })
      return clear()
    end
    local fields = {}
    for key, value in pairs(event) do fields[key == "kind" and "event" or key] = value end
    log(what, fields)
    if not terminal and not lines then return end
    local keep = stays(event)
    local text = event.kind == "step" and step_line(event)
      or event.kind == "epoch" and epoch_line(event)
      or event.kind == "prune" and work_line(what, event, not keep)
    if not text then return end
    if keep then
      clear()
      stream:write(text, "\n")
    elseif terminal and internals.clock() - start >= (event.kind == "step" and 0 or PATIENCE) then
      stream:write("\r", fit_width(text), "\27[K")
      drawn = true
    end
    stream:flush()
  end
end
