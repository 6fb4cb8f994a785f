-- The results of two runs of agree.lua: the same words, and numbers within rounding.
local function words(path)
  local list = {}
  for line in io.lines(path) do
    for word in line:gmatch "%S+" do list[#list + 1] = word end
  end
  return list
end
local one, other = words(arg[1]), words(arg[2])
assert(#one == #other and #one > 20, ("%d words, and %d"):format(#one, #other))
for i, word in ipairs(one) do
  local a, b = tonumber(word), tonumber(other[i])
  local same = a and b and math.abs(a - b) <= 0.002 * math.max(1, math.abs(a)) or word == other[i]
  assert(same, ("word %d is %s, and %s"):format(i, word, other[i]))
end
