#!/usr/bin/env prune
-- Half of a sentence encoder's weights taken out without training, and what that does to how well it tells like from unlike.
local prune = require "prune"

local USAGE = [[
usage: prune minilm_sparse.lua MODEL CALIBRATION TEST [SAMPLES]

  MODEL        all-MiniLM-L6-v2 as ONNX: int64 input_ids, attention_mask and token_type_ids [N,L], output sentence_embedding
  CALIBRATION  a .npz of pairs of sentences, of which only the tokens are used: int32 ids_a, mask_a, ids_b, mask_b [N,64]
  TEST         the same with float32 score [N]: STS-B's test pairs
  SAMPLES      sentences to calibrate on, 128 by default

It prints Spearman's correlation of the embeddings' cosines with the scores, for the dense network, for Wanda and for SparseGPT;
and fails when they lose more than 0.03 and 0.015, or when finding what goes takes more than two minutes of processor time.
]]

if #arg < 3 then
  io.stderr:write(USAGE)
  os.exit(2)
end
for position = 1, 3 do
  local found = io.open(arg[position], "rb")
  if not found then
    print(("skipped: there is no file %s"):format(arg[position]))
    os.exit(0)
  end
  found:close()
end

--- Sentences of both sides as lists of token numbers, without padding; the second half are those of side b.
local function sentences(arrays)
  local list = {}
  for _, side in ipairs{"a", "b"} do
    local ids, mask = arrays["ids_" .. side]:totable(), arrays["mask_" .. side]:totable()
    for row = 1, #ids do
      local tokens = {}
      for column = 1, #ids[row] do
        if mask[row][column] ~= 0 then tokens[#tokens + 1] = ids[row][column] end
      end
      list[#list + 1] = tokens
    end
  end
  return list
end

--- The model's inputs for some sentences, each cut or filled to `length` tokens.
local function inputs(some, length)
  local ids, mask, types = {}, {}, {}
  for row, tokens in ipairs(some) do
    ids[row], mask[row], types[row] = {}, {}, {}
    for column = 1, length do
      ids[row][column], mask[row][column], types[row][column] = tokens[column] or 0, tokens[column] and 1 or 0, 0
    end
  end
  return {input_ids = ids, attention_mask = mask, token_type_ids = types}
end

--- An embedding for each sentence. Those of like length share a run; the mean over the mask does not see the filling.
local function embeddings(model, list)
  local order, result = {}, {}
  for index = 1, #list do order[index] = index end
  table.sort(order, function(a, b) return #list[a] < #list[b] or #list[a] == #list[b] and a < b end)
  for first = 1, #order, 32 do
    local some, length = {}, 0
    for place = first, math.min(first + 31, #order) do
      some[#some + 1] = list[order[place]]
      length = math.max(length, (#list[order[place]] + 7) // 8 * 8)
    end
    for row, vector in ipairs(model:run(inputs(some, length)).sentence_embedding:totable()) do
      result[order[first + row - 1]] = vector
    end
  end
  return result
end

--- The rank of each value among all, equal ones sharing the mean of theirs.
local function ranks(values)
  local order, result = {}, {}
  for index = 1, #values do order[index] = index end
  table.sort(order, function(a, b) return values[a] < values[b] or values[a] == values[b] and a < b end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and values[order[last + 1]] == values[order[first]] do last = last + 1 end
    for place = first, last do result[order[place]] = (first + last) / 2 end
    first = last + 1
  end
  return result
end

--- Spearman's correlation: Pearson's of the ranks.
local function spearman(a, b)
  local x, y, mean = ranks(a), ranks(b), (#a + 1) / 2
  local xy, xx, yy = 0, 0, 0
  for index = 1, #x do
    local u, v = x[index] - mean, y[index] - mean
    xy, xx, yy = xy + u * v, xx + u * u, yy + v * v
  end
  return xy / math.sqrt(xx * yy)
end

local m = prune.load(arg[1])
local pairs_to_test = prune.npz.load(arg[3])
local list, scores = sentences(pairs_to_test), pairs_to_test.score:totable()

local function correlation(model)
  local vectors, cosines = embeddings(model, list), {}
  for index = 1, #scores do
    local a, b, sum = vectors[index], vectors[index + #scores], 0
    for place = 1, #a do sum = sum + a[place] * b[place] end
    cosines[index] = sum
  end
  return spearman(cosines, scores)
end

-- The longest sentences, each once, cut to the same length: all that layers see of them are tokens.
local samples, seen, calibration = math.tointeger(tonumber(arg[4] or 128)), {}, {}
for _, tokens in ipairs(sentences(prune.npz.load(arg[2]))) do
  local key = table.concat(tokens, " ")
  if not seen[key] then
    seen[key] = true
    calibration[#calibration + 1] = tokens
  end
end
table.sort(calibration, function(a, b) return #a > #b or #a == #b and table.concat(a, " ") < table.concat(b, " ") end)
calibration = table.move(calibration, 1, samples, 1, {})
local data = prune.data.tensors(inputs(calibration, #calibration[#calibration]))

local base = correlation(m)
print(("dense: Spearman %.4f on %d pairs; calibrating on %d sentences of %d tokens"):format(
  base, #scores, #data, #calibration[#calibration]))
local missed
for _, way in ipairs{
  {name = "Wanda", most = 0.03, options = {criterion = "wanda"}},
  {name = "SparseGPT", most = 0.015, options = {strategy = "local", reconstruct = "sparsegpt"}},
} do
  way.options.amount, way.options.data, way.options.batch_size = 0.5, data, 32
  local cpu = os.clock()
  local sparse, report = m:prune(way.options)
  local seconds, after = os.clock() - cpu, correlation(sparse)
  print(("%s: %.1f %% of %d weights out in %.0f s of processor time, Spearman %.4f, %+.4f"):format(
    way.name, 100 * report.sparsity, report.weights, seconds, after, after - base))
  if base - after > way.most or seconds > 120 then missed = way.name end
end
if missed then error(missed .. " missed its target", 0) end
