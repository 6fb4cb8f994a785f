-- A tiny test harness: test("name", function), then harness.finish().
local harness = { passed = 0, failed = 0 }

local here = (arg and arg[0] or ""):match "^(.*)/[^/]*$" or "."
harness.root = here .. "/../.."
harness.shared = harness.root .. "/../shared"

function harness.test(name, body)
  local ok, problem = xpcall(body, function(problem)
    return debug.traceback(tostring(problem), 2)
  end)
  if ok then
    harness.passed = harness.passed + 1
  else
    harness.failed = harness.failed + 1
    io.stderr:write("FAILED ", name, "\n  ", (problem:gsub("\n", "\n  ")), "\n")
  end
end

function harness.equal(got, wanted, what)
  if got ~= wanted and not (got ~= got and wanted ~= wanted) then
    error(("%s: got %s, wanted %s"):format(what or "value", tostring(got), tostring(wanted)), 2)
  end
end

function harness.near(got, wanted, tolerance, what)
  if type(got) ~= "number" or math.abs(got - wanted) > (tolerance or 1e-6) then
    error(("%s: got %s, wanted %s"):format(what or "value", tostring(got), tostring(wanted)), 2)
  end
end

function harness.check(value, what)
  if not value then error(what or "check failed", 2) end
end

--- Runs a function that must fail with a text that contains `part` literally; returns the error value.
function harness.fails(part, f, ...)
  local ok, problem = pcall(f, ...)
  if ok then error(("no error; wanted one with '%s'"):format(part), 2) end
  if not tostring(problem):find(part, 1, true) then
    error(("error '%s' has no '%s'"):format(tostring(problem), part), 2)
  end
  return problem
end

--- A path that is removed at the end.
local temporary = {}
function harness.temporary(extension)
  local path = os.tmpname()
  temporary[#temporary + 1] = path
  if extension then
    path = path .. extension
    temporary[#temporary + 1] = path
  end
  return path
end

function harness.exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

function harness.finish()
  for _, path in ipairs(temporary) do os.remove(path) end
  print(("%d passed, %d failed"):format(harness.passed, harness.failed))
  os.exit(harness.failed == 0)
end

return harness
