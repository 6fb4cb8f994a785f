--- libprune for LuaJIT, through its FFI: all of prune.h under `prune.C`, and what makes calls short.
---
---     local prune = require "prune_ffi"
---     local model = prune.make("model", prune.C.prune_model_load, nil, "model.onnx", nil)
---     local options = prune.options "prune_prune_options"
---     options.amount = 0.8
---     local slim, report = prune.make("model report", prune.C.prune_model_prune, model, options)
---     print(prune.text(prune.C.prune_report_to_text, report, 0, 0))
---     prune.check(prune.C.prune_model_save(slim, "slim.onnx"))
---
--- Strings given to a struct's field must stay referenced as long as the struct is used. Scripts that need all of Lua's
--- names and options run in `prune`, or with a stock Lua 5.4.
local ffi = require "ffi"
ffi.cdef [=[
@HEADER@
]=]

local C = ffi.load(os.getenv "PRUNE_LIBRARY" or "libprune.so.0")
local prune = { C = C }

--- Raises what a failed call said, as {code, message, where, hint} that prints as one line.
function prune.check(status)
  if tonumber(status) == 0 then return end
  local last = C.prune_last_error()
  local failure = {
    code = ffi.string(C.prune_status_name(status)), message = ffi.string(last.message), where = ffi.string(last.where),
    hint = ffi.string(last.hint),
  }
  local line = (failure.where ~= "" and failure.where .. ": " or "") .. failure.message
  if failure.hint ~= "" then line = line .. " (" .. failure.hint .. ")" end
  error(setmetatable(failure, { __tostring = function() return line end }), 2)
end

--- A struct of options with every default set, as "prune_fit_options".
function prune.options(name)
  local made = ffi.new(name)
  C[name .. "_init"](made, ffi.sizeof(made))
  return made
end

--- Calls a function whose last arguments take handles, and returns these, freed when they are collected: `kinds` are
--- their names, as "model" or "model report".
function prune.make(kinds, call, ...)
  local places, arguments, count = {}, { ... }, select("#", ...)
  for kind in kinds:gmatch "%S+" do
    places[#places + 1] = { kind, ffi.new("prune_" .. kind .. " *[1]") }
    arguments[count + #places] = places[#places][2]
  end
  prune.check(call(unpack(arguments, 1, count + #places)))
  for i, place in ipairs(places) do places[i] = ffi.gc(place[2][0], C["prune_" .. place[1] .. "_free"]) end
  return unpack(places)
end

--- The text of a call whose last argument takes a buffer.
function prune.text(call, ...)
  local buffer, arguments, count = ffi.new "prune_buffer", { ... }, select("#", ...)
  arguments[count + 1] = buffer
  prune.check(call(unpack(arguments, 1, count + 1)))
  local text = ffi.string(buffer.data, buffer.size)
  C.prune_buffer_free(buffer)
  return text
end

--- The number, integer or flag of a report, as "after.accuracy".
function prune.number(report, path)
  local value = ffi.new "double[1]"
  prune.check(C.prune_report_number(report, path, value))
  return value[0]
end

return prune
