-- Where the prompt prints: the terminal, page by page, or a file.
local host = ...
local internals = host.internals

local terminal_print, file, once = print, nil, false

local function close()
  if not file then return end
  file:close()
  file, once = nil, false
  print, internals.output, internals.settings.redirected = terminal_print, io.stdout, false
  io.output(io.stdout)
end

--- Sends what is printed to a file, for one line or until the next call; an empty path is the terminal again.
function internals.redirect(path, for_one)
  close()
  if path == "" or path == "stdout" then return end
  local opened, problem = io.open(path, "w")
  if not opened then
    io.stderr:write(problem, "\n")
    return
  end
  file, once = opened, for_one or false
  internals.output, internals.settings.redirected = opened, true
  io.output(opened)
  print = function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    opened:write(table.concat(parts, "\t"), "\n")
    opened:flush()
  end
end

--- After a line: what was for one line alone is over.
function internals.redirect_done()
  if once then close() end
end

--- Prints a text; one that is longer than the terminal goes through a pager.
function internals.page(text)
  local rows = not file and host.is_terminal(0) and internals.rows(1)
  local _, lines = text:gsub("\n", "\n")
  if not rows or lines + 2 <= rows or not host.page(text .. "\n") then print(text) end
end
