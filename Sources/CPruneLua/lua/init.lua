-- The parts of the binding that are written in Lua. Called once with the API table and the table shared with C.
local prune, internals = ...

local settings = {
  color = "auto", -- "auto", true or false
  epochs = false, -- whether a fit leaves a line for each epoch on a terminal
  redirected = false, -- whether what is printed goes to a file
}
internals.settings = settings
internals.sort = table.sort
internals.output = io.stdout

--- Whether text for a stream (1 or 2) is coloured.
function internals.use_color(stream)
  if settings.redirected and stream == 1 then return false end
  if settings.color ~= "auto" then return settings.color end
  local refused = os.getenv "NO_COLOR"
  return internals.is_terminal(stream) and (refused == nil or refused == "")
end

--- Width and colour of what is printed; C asks.
function internals.display()
  -- Neither a file nor a pipe has an edge: there a table keeps its columns.
  local width = settings.width or not settings.redirected and internals.columns(1) or 100
  if not settings.width and not settings.redirected and not internals.is_terminal(1) and not os.getenv "COLUMNS" then width = 160 end
  return math.max(40, math.min(width, 160)), internals.use_color(1)
end

local function part(name) return internals.embedded(name)(prune, internals) end

part "distributed"
part "layout"
part "tensor"
part "report"
part "progress"
internals.docs = internals.embedded "entries"(part "docs" .. "\n" .. part "docs_model" .. "\n" .. part "docs_options")
internals.topics = part "topics"
part "guides"
part "help"

-- prune.safe: the same API, but what libprune refuses comes back as nil, message, code. Wrong uses of Lua itself (a number
-- where a model was expected) still raise.

local function outcome(ok, ...)
  if ok then return ... end
  local problem = ...
  if getmetatable(problem) ~= "prune.Error" then error(problem, 0) end
  local text = tostring(problem)
  return nil, text:sub(#problem.code + 3), problem.code
end

local function guarded(f)
  return function(...) return outcome(pcall(f, ...)) end
end

local function mirror(from)
  local to = {}
  for name, value in pairs(from) do
    if type(value) == "function" then
      to[name] = guarded(value)
    elseif type(value) == "table" then
      to[name] = mirror(value)
    else
      to[name] = value
    end
  end
  return to
end

local safe = mirror(prune)
for _, class in ipairs { "Model", "Dataset", "Tensor" } do
  safe[class] = mirror(internals[class].methods)
end
prune.safe = setmetatable(safe, {
  __call = function(_, f, ...) return outcome(pcall(f, ...)) end,
})
package.loaded["prune.safe"] = safe
