package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, check = h.test, h.equal, h.check

local lua = h.root .. "/Sources/CPruneLua/lua/"
local docs = assert(loadfile(lua .. "entries.lua"))(
  dofile(lua .. "docs.lua") .. "\n" .. dofile(lua .. "docs_model.lua") .. "\n" .. dofile(lua .. "docs_options.lua"))

--- The table that the binding's C and Lua share, through an upvalue of prune.help.
local internals
for i = 1, 10 do
  local name, value = debug.getupvalue(prune.help, i)
  if name == "internals" then internals = value end
end

test("every function has an entry, and every entry a function", function()
  local seen = {}
  local function walk(from, prefix)
    for name, value in pairs(from) do
      local full = prefix .. name
      if value == prune.safe then
        seen[full] = true
      elseif type(value) == "table" then
        walk(value, full .. ".")
      else
        seen[full] = true
        check(docs.by_name[full], full .. " is not documented")
      end
    end
  end
  walk(prune, "prune.")
  for _, class in ipairs{"Model", "Dataset", "Tensor", "Report"} do
    for name in pairs(internals[class].methods) do seen[class .. ":" .. name] = true end
    for name in pairs(internals[class].fields) do seen[class .. "." .. name] = true end
  end
  for name in pairs(seen) do check(docs.by_name[name], name .. " is not documented") end
  for _, entry in ipairs(docs.entries) do
    check(entry.kind == "table" or seen[entry.name], entry.name .. " is documented, but is not there")
  end
end)

test("every option is documented, with whether it is required", function()
  for name, options in pairs(internals.option_sets()) do
    local entry = docs.by_name[name]
    check(entry, name .. " has options, but no entry")
    local documented = {}
    for _, option in ipairs(docs.options(entry)) do documented[option.name] = option.required end
    for option, required in pairs(options) do
      check(documented[option] ~= nil, ("%s: option '%s' is not documented"):format(name, option))
      equal(documented[option], required, name .. " " .. option)
    end
    for option in pairs(documented) do
      check(options[option] ~= nil, ("%s: option '%s' is documented, but is not there"):format(name, option))
    end
  end
end)

test("entries say what they must", function()
  for _, entry in ipairs(docs.entries) do
    check(#entry.text > 10, entry.name .. " says too little")
    check(entry.kind == "table" or entry.example, entry.name .. " has no example")
    if entry.example then check(load(entry.example) or load("return " .. entry.example), entry.name .. ": example") end
  end
end)

test("every strategy has a page, and every page an example that runs", function()
  local topics = internals.topics
  local choices
  for _, option in ipairs(docs.options(docs.by_name["Model:prune"])) do
    if option.name == "strategy" then choices = option.type end
  end
  for name in choices:gmatch '"([%w_]+)"' do
    local topic = topics.by_name["strategy." .. name]
    check(topic, "strategy '" .. name .. "' has no page")
    for _, word in ipairs{"Use it", "Options:"} do check(topic.text:find(word, 1, true), topic.name .. " does not say: " .. word) end
    check(internals.help("strategy." .. name):find(topic.title, 1, true))
  end
  local shown = print
  for _, topic in ipairs(topics.list) do
    local chunk = assert(load(topics.preamble .. "\n" .. topic.example, topic.name))
    print = function() end
    local ok, problem = pcall(chunk)
    print = shown
    check(ok, topic.name .. ": " .. tostring(problem))
  end
  check(internals.help "penalty":find("may not change their sign", 1, true))
  check(internals.help():find("strategy.block", 1, true))
end)

test("the files made from the documentation are current", function()
  check(os.execute(("lua5.4 '%s/scripts/lua_docs' --check"):format(h.root)), "run scripts/lua_docs")
end)

test("help", function()
  check(internals.help():find("Model:fit{...}", 1, true))
  check(internals.help "fit":find("Trains the model in place", 1, true))
  check(internals.help "Model:fit":find("validation_split", 1, true))
  check(internals.help(prune.load):find("prune.load(path, options)", 1, true))
  check(internals.help(prune.data.digits()):find("Dataset:split", 1, true))
  check(internals.help(prune.data.digits().split):find("Splits in two", 1, true))
  check(internals.help(prune.zoo):find("prune.zoo.lenet5", 1, true))
  check(internals.help "Model:fitt":find("did you mean 'Model:fit'?", 1, true))
  check(internals.help "xyzzyxyzzy":find("help() lists", 1, true))
end)

h.finish()
