-- Every block of Lua in the documents runs, and prints what the document says; blocks of sh run too, where this is the program.
--   test_documents.lua [--write] [DOCUMENT…]    with --write: writes what the blocks print into the documents
local here = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = here .. "/?.lua;" .. package.path
local h = require "harness"
local documents = require "documents"
local test, check = h.test, h.check
local write = arg[1] == "--write"
local only = table.move(arg, write and 2 or 1, #arg, 1, {})

local DOCUMENTS = documents.NAMES

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local interpreter = capture(("command -v '%s'"):format(arg[-1]))
local is_program = not interpreter:find "lua[%d.]*$"
if not interpreter:find "^/" then interpreter = capture "pwd" .. "/" .. interpreter end
local root = capture(("cd '%s' && pwd"):format(h.root))

--- A folder with what documents read: images and a model with open axes as people have them, and the program under its name.
local function folder()
  local path = capture "mktemp -d"
  assert(path:find "^/", "no temporary folder")
  local function link(target, name) assert(os.execute(("ln -s '%s' '%s/%s'"):format(target, path, name))) end
  assert(os.execute(("mkdir '%s/bin'"):format(path)))
  link(interpreter, "bin/prune")
  link(root .. "/Tests/Data/images", "photos")
  link(root .. "/Tests/Cases/01_target_macs_open_dims/image.onnx", "open.onnx")
  return path
end

local function put(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- Runs a command in a folder; what it printed, and nothing but an error when it fails.
local function run(command, at, what)
  local ok = os.execute(("cd '%s' && PATH=\"$PWD/bin:$PATH\" NO_COLOR=1 COLUMNS=120 OMP_NUM_THREADS=1 %s >out 2>err </dev/null"):format(at, command))
  local output = documents.read(at .. "/out")
  if not ok then error(("%s: %s"):format(what, documents.read(at .. "/err"):sub(-2000)), 0) end
  return output
end

--- The runs that a document makes: all of its Lua as one, or each block by itself.
local function runs(blocks, together)
  local list, all = {}, {}
  for _, block in ipairs(blocks) do
    if block.language == "lua" then check(load(block.text), ("line %d: does not parse"):format(block.line)) end
    if block.needs then
    elseif block.language == "lua" and together then
      all[#all + 1] = block
      if #all == 1 then list[#list + 1] = all end
    elseif block.language == "lua" or (block.language == "sh" and is_program) then
      list[#list + 1] = { block }
    end
  end
  return list
end

--- A document with what blocks print in place of what it said they print.
local function rewritten(text, changes)
  local lines = {}
  for line in text:gmatch "(.-)\n" do lines[#lines + 1] = line end
  table.sort(changes, function(a, b) return a.block.line > b.block.line end)
  for _, change in ipairs(changes) do
    local new = table.move(lines, 1, change.block.line - 1, 1, {})
    for line in change.output:gsub("%s+$", ""):gmatch "([^\n]*)\n?" do new[#new + 1] = (line:gsub("%s+$", "")) end
    if new[#new] == "" then new[#new] = nil end
    lines = table.move(lines, change.block.line + #change.block.lines, #lines, #new + 1, new)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function document(name, together)
  local path = root .. "/" .. name
  local text = documents.read(path)
  local list = runs(documents.blocks(text), together)
  local at = folder()
  local problems, changes = {}, {}
  for _, blocks in ipairs(list) do
    local first = blocks[1]
    local ok, problem = pcall(function()
      local parts
      if first.language == "sh" then
        put(at .. "/block.sh", first.text)
        parts = { [first.line] = run("sh -e block.sh", at, "line " .. first.line) }
      else
        local script = name:match "[^/]*$" .. ".lua"
        put(at .. "/" .. script, documents.program(blocks))
        parts = documents.parts(run(("'%s' %s"):format(interpreter, script), at, "line " .. first.line))
      end
      for _, block in ipairs(blocks) do
        local says, output = block.output and block.output.text, parts[block.line] or ""
        local difference = says and documents.difference(says, output)
        if difference then problems[#problems + 1] = ("line %d: %s"):format(block.line, difference) end
        if says and (difference or not ("\n" .. says):find "\n%s*…\n") then
          changes[#changes + 1] = { block = block.output, output = documents.calm(output) }
        end
      end
    end)
    if not ok then problems[#problems + 1] = tostring(problem) end
  end
  os.execute(("rm -r '%s'"):format(at))
  if write then
    put(path, rewritten(text, changes))
  else
    check(#problems == 0, name .. "\n" .. table.concat(problems, "\n"))
  end
end

-- The tutorial is one session; in the others each block runs by itself.
for _, name in ipairs(only[1] and only or DOCUMENTS) do
  test(name, function() document(name, name:find "tutorial" ~= nil) end)
end

--- The anchors of a document's headings, as GitHub names them.
local function anchors(text)
  local set = {}
  for heading in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
    set[heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")] = true
  end
  return set
end

test("links lead to files and headings that are there", function()
  for _, name in ipairs(DOCUMENTS) do
    local text = documents.read(root .. "/" .. name)
    for target in text:gmatch "%]%(([^)%s]+)%)" do
      local path, anchor = target:match "^([^#]*)#?(.*)$"
      local file = path == "" and root .. "/" .. name or root .. "/" .. (name:match "^(.*/)" or "") .. path
      if not target:find "://" then
        check(h.exists(file), name .. ": no " .. target)
        check(anchor == "" or anchors(documents.read(file))[anchor], name .. ": no heading " .. target)
      end
    end
  end
end)

test("Sources/README.md names files and folders that are there", function()
  local count = 0
  for path in documents.read(root .. "/Sources/README.md"):gmatch "`(%a+/[%w_/+.]+)`" do
    count = count + 1
    check(h.exists(root .. "/Sources/" .. path) or h.exists(root .. "/" .. path), "no " .. path)
  end
  check(count > 20, "it names few files")
end)

test("outputs are compared by their words, and by numbers that are near", function()
  local difference = documents.difference
  h.equal(difference("accuracy  0.97\n", "accuracy 0.98\n"), nil)
  h.equal(difference("median_ms  0.97\n", "median_ms 9\n"), nil)
  h.equal(difference("a\n…\nd 3\n", "a\nb\nc\nd 3\n"), nil)
  check(difference("accuracy  0.97\n", "accuracy 0.80 %\n"))
  check(difference("accuracy  0.97\n", "accuracy 0.60\n"))
  check(difference("a\nb\n", "a\n"))
  check(difference("a\n", "a\nb\n"))
  check(difference("conv1 3\n", "conv2 3\n"))
end)

h.finish()
