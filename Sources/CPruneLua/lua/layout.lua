-- Text in lines that fit: wrapped paragraphs, names beside what is said of them, pages.
local _, internals = ...

local WIDEST = 100

--- Columns for text to read: those of the terminal, but no more than the eye follows.
function internals.text_width() return internals.settings.width or math.max(40, math.min(internals.columns(1) or WIDEST, WIDEST)) end

--- The columns of a text; escape sequences take none. Wide characters are none of ours.
local function length(text)
  local plain = text:gsub("\27%[[%d;]*m", "")
  return utf8.len(plain) or #plain
end
internals.text_length = length

--- A paragraph in lines of at most `width`, each with `indent` before it; words that are longer stand alone.
function internals.wrap(text, indent, width, first)
  local lines, line = {}, nil
  for word in text:gmatch "%S+" do
    if line and length(line) + 1 + length(word) > width then
      lines[#lines + 1] = line
      line = nil
    end
    line = line and line .. " " .. word or (#lines == 0 and first or indent) .. word
  end
  lines[#lines + 1] = line or (first or indent)
  return table.concat(lines, "\n")
end

--- Rows of {name, text} in two columns: names up to `most` columns, longer ones on a line of their own.
function internals.columns_text(rows, indent, most, width)
  local names = 0
  for _, row in ipairs(rows) do
    if length(row[1]) <= most then names = math.max(names, length(row[1])) end
  end
  if #rows == 1 then names = most end
  local margin = string.rep(" ", indent + names + 2)
  local lines = {}
  for _, row in ipairs(rows) do
    local head = string.rep(" ", indent) .. row[1]
    if row[2] == "" then
      lines[#lines + 1] = head
    elseif length(row[1]) > names then
      lines[#lines + 1] = head
      lines[#lines + 1] = internals.wrap(row[2], margin, width)
    else
      lines[#lines + 1] = internals.wrap(row[2], margin, width, head .. string.rep(" ", names - length(row[1]) + 2))
    end
  end
  return table.concat(lines, "\n")
end

--- A line of a table that is too long: its last column goes on below itself, or on the next line where there is no room.
local function hang(line, indent, width)
  if length(indent .. line) <= width then return indent .. line end
  local last
  for place in line:gmatch "%S  +()%S" do last = place end
  if not last then return indent .. line end
  local head, tail = indent .. line:sub(1, last - 1), line:sub(last)
  if length(head) <= width - 18 then return internals.wrap(tail, string.rep(" ", length(head)), width, head) end
  return head:gsub(" +$", "") .. "\n" .. internals.wrap(tail, indent .. string.rep(" ", 8), width)
end

--- Wraps the paragraphs of a page; what is indented keeps its lines.
function internals.wrap_page(text, indent, width)
  local lines, paragraph = {}, {}
  local function flush()
    if #paragraph > 0 then lines[#lines + 1] = internals.wrap(table.concat(paragraph, " "), indent, width) end
    paragraph = {}
  end
  for line in (text .. "\n"):gmatch "(.-)\n" do
    if line == "" or line:find "^%s" then
      flush()
      lines[#lines + 1] = line == "" and "" or hang(line, indent, width)
    else
      paragraph[#paragraph + 1] = line
    end
  end
  flush()
  return table.concat(lines, "\n")
end

--- Prints a text; the program shows one that is longer than the terminal page by page.
function internals.page(text) print(text) end

--- 1234567 as "1,234,567".
function internals.grouped(number)
  local text = ("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""):gsub("^%-,", "-"))
end

--- Bytes in the unit that suits them, by thousands.
function internals.bytes(count)
  for _, unit in ipairs{ { 1e10, 1e9, "GB" }, { 1e7, 1e6, "MB" }, { 1e4, 1e3, "kB" } } do
    if count >= unit[1] then return ("%.1f %s"):format(count / unit[2], unit[3]) end
  end
  return internals.grouped(count) .. " B"
end
