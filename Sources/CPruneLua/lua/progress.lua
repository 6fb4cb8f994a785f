-- The progress of long work: one line on a terminal, redrawn at most ten times a second; C asks for it and calls it.
local _, internals = ...

local WIDTH = 24

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

local function measures(event)
  local list = {}
  local function add(name, value)
    if value then list[#list + 1] = ("%s %.4f"):format(name, value) end
  end
  add("loss", event.loss)
  add("accuracy", event.accuracy)
  add("validation loss", event.validation_loss)
  add("validation accuracy", event.validation_accuracy)
  return table.concat(list, "  ")
end

local function step_line(event)
  local steps, step = event.steps or 0, event.step or 0
  local text = ("epoch %d/%d %s %d/%d  %s"):format(
    event.epoch or 0, event.epochs or 0, bar(step, steps), step, steps, measures(event))
  if event.eta_seconds then text = text .. "  eta " .. clock(event.eta_seconds) end
  return text
end

local function epoch_line(event)
  local text = ("epoch %d/%d  %s"):format(event.epoch or 0, event.epochs or 0, measures(event))
  if event.seconds then text = ("%s  %.1f s"):format(text, event.seconds) end
  return text
end

local function prune_line(event)
  local text = ("pruning step %d/%d"):format(event.step or 0, event.steps or 0)
  if event.amount then text = ("%s  sparsity %.4f"):format(text, event.amount) end
  if event.metric then text = ("%s  metric %.4f"):format(text, event.metric) end
  return text
end

--- Shortens a line to the terminal's width; "█" and "░" are three bytes and one column.
local function fit_width(text)
  local width = (internals.columns(2) or 80) - 1
  local past = utf8.offset(text, width + 1)
  return past and text:sub(1, past - 1) or text
end

--- A function that is called with events, and with none at the end; nil when nobody watches.
function internals.progress(_, verbose)
  local stream, terminal = io.stderr, internals.is_terminal(2)
  local lines = verbose or (terminal and internals.settings.epochs)
  if not terminal and not lines then return nil end
  local drawn = false

  local function clear()
    if drawn then stream:write "\r\27[K" end
    drawn = false
  end

  return function(event)
    if not event then return clear() end
    local text = event.kind == "step" and step_line(event)
      or event.kind == "epoch" and epoch_line(event)
      or event.kind == "prune" and prune_line(event)
    if not text then return end
    if event.kind ~= "step" and lines then
      clear()
      stream:write(text, "\n")
    elseif terminal then
      stream:write("\r", fit_width(text), "\27[K")
      drawn = true
    end
    stream:flush()
  end
end
