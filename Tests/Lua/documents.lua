-- The fenced blocks of the documents: what they are, how they run, and whether they print what the document says.
--   A block that begins with "-- needs: …" or "# needs: …" wants something that a test has not: it is only parsed.
--   A block without a language, or of "text", is what the block of Lua or sh before it prints; "…" alone on a line stands for any lines.
local documents = {}

--- The documents whose blocks are tested, and compiled where they are C.
documents.NAMES = {
  "README.md", "examples/README.md", "examples/tutorial.md", "examples/cookbook.md", "examples/cookbook_ship.md", "examples/formats.md",
  "examples/embedding.md",
}

--- The blocks of a Markdown text, each {language =, line =, text =, output =}: `line` is its first, `output` the block it prints.
function documents.blocks(markdown)
  local blocks, open, number = {}, nil, 0
  for line in (markdown .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local fence = line:match "^```(.*)$"
    if not fence then
      if open then open.lines[#open.lines + 1] = line end
    elseif not open then
      open = { language = fence, line = number + 1, lines = {} }
    else
      open.text = table.concat(open.lines, "\n") .. "\n"
      open.needs = open.text:match "^%-%- needs: (.-)\n" or open.text:match "^# needs: (.-)\n"
      local before = blocks[#blocks]
      local prints = open.language == "" or open.language == "text"
      if prints and before and not before.output and (before.language == "lua" or before.language == "sh") then before.output = open end
      blocks[#blocks + 1] = open
      open = nil
    end
  end
  assert(not open, "a block of the document has no end")
  return blocks
end

function documents.read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

--- Some blocks of Lua as one program, each at its own lines of the document; before it prints anything it prints a mark.
function documents.program(blocks)
  local parts, line = {}, 1
  for _, block in ipairs(blocks) do
    parts[#parts + 1] = ("\n"):rep(block.line - 1 - line) .. ("io.stdout:write '\1%d\\n'\n"):format(block.line) .. block.text
    line = block.line + #block.lines
  end
  return table.concat(parts)
end

--- What each block of a program's output printed, by the line of the block.
function documents.parts(output)
  local parts = {}
  for line, text in output:gmatch "\1(%d+)\n([^\1]*)" do parts[tonumber(line)] = text end
  return parts
end

-- What is the same whenever a document is run: words, and numbers nearly. Times and drawings are not.

local function words(line)
  line = line:gsub("\xE2\x96[\x80-\x9F]", ""):gsub("\xE2\x94\x80", "")
  line = line:gsub("(%d) (%%)", "%1%2"):gsub("(%d) ([kMG]?B)%f[%A]", "%1%2")
  local list = {}
  for word in line:gmatch "%S+" do list[#list + 1] = word end
  return list
end

--- An output without the note that the machine was busy.
function documents.calm(text)
  return (text:gsub("\n *notes\n *the machine is busy[^\n]*", ""))
end

local function is_time(name) return name == "ms" or name == "seconds" or name == "threads" or name:find "_ms$" ~= nil end

--- The lines of an output as lists of words; words that are times are "time".
local function lines(text)
  local list, header = {}, nil
  local raw = {}
  for line in documents.calm(text):gmatch "[^\n]+" do raw[#raw + 1] = line end
  for i, line in ipairs(raw) do
    local found = words(line)
    if line:find "^[%s\xE2\x94\x80]+$" then
      header = words(raw[i - 1] or "")
    else
      if #found == 2 and is_time(found[1]) then found[2] = "time" end
      if header and #found == #header then
        for column, name in ipairs(header) do
          if is_time(name) then found[column] = "time" end
        end
      elseif line:find "^%s*%a[%w_]*%s*$" then
        header = nil
      end
    end
    if #found > 0 then list[#list + 1] = found end
  end
  return list
end

local NUMBER = "%d[%d,.]*"

local function close(a, b)
  if a == b then return true end
  local between, largest = math.abs(a - b), math.max(math.abs(a), math.abs(b))
  local integers = math.type(a) == "integer" and math.type(b) == "integer"
  return between <= 0.3 * largest or between <= (integers and 6 or 0.03)
end

local function same_word(wanted, got)
  if wanted == got then return true end
  if wanted:find "^%a" then return false end
  local plain = function(word) return (word:gsub("e[-+]%d+", ""):gsub(NUMBER, "#")) end
  if plain(wanted) ~= plain(got) then return false end
  local numbers = function(word)
    local list = {}
    for number in word:gmatch "%d[%d,.]*e?[-+]?%d*" do list[#list + 1] = tonumber((number:gsub(",", ""))) or 0 end
    return list
  end
  local a, b = numbers(wanted), numbers(got)
  for i = 1, #a do
    if not b[i] or not close(a[i], b[i]) then return false end
  end
  return true
end

local function same_line(wanted, got)
  if #wanted ~= #got then return false end
  for i = 1, #wanted do
    if not same_word(wanted[i], got[i]) then return false end
  end
  return true
end

--- Nil when `got` is what a document says is printed, else the first line that is not.
function documents.difference(wanted, got)
  local want, have = lines(wanted), lines(got)
  local at = 1
  local skips = false
  for _, line in ipairs(want) do
    if #line == 1 and line[1] == "…" then
      skips = true
    else
      if skips then
        while have[at] and not same_line(line, have[at]) do at = at + 1 end
      end
      if not have[at] then return "it does not print: " .. table.concat(line, " ") end
      if not same_line(line, have[at]) then
        return ("it prints\n    %s\n  where the document says\n    %s"):format(table.concat(have[at], " "), table.concat(line, " "))
      end
      at, skips = at + 1, false
    end
  end
  if not skips and have[at] then return "it also prints: " .. table.concat(have[at], " ") end
end

return documents
