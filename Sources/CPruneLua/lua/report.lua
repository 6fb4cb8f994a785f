-- Reports: plain tables that print as libprune draws them; "a.b.c" reaches into them.
local prune, internals = ...

local class = internals.report_class
local methods = {}

methods.to_text = internals.report_text
methods.to_json = internals.report_json
methods.to_text_as = internals.report_text_as
methods.save = internals.report_save
methods.restore = internals.report_restore
methods.recipe = internals.report_recipe

local function walk(report, path)
  local value = report
  for key in path:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    local found = rawget(value, key)
    if found == nil then found = rawget(value, math.tointeger(tonumber(key))) end
    value = found
  end
  return value
end

function class.__index(report, key)
  if methods[key] then return methods[key] end
  if type(key) == "string" and key:find(".", 1, true) then return walk(report, key) end
  return nil
end

function class.__tostring(report) return (methods.to_text(report):gsub("\n$", "")) end

class.__name = "prune.Report"
class.__metatable = "prune.Report"
internals.Report = { methods = methods, fields = {} }

--- A heat map of a tensor, printed, or as a file.
function prune.plot(tensor, path)
  if path then internals.tensor_draw(tensor, path) else print(internals.tensor_map(tensor)) end
end
