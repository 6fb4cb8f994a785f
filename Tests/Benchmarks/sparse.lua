-- Pruned networks beside the same networks dense, in one process:
--   sparse.lua [--threads N] [--batch N] [--rounds N] [NAME ...]
-- Each round runs both, one after the other; times are sums of the shortest times of their steps, which other work on the machine
-- changes little; a ratio is the median of the rounds' (below 1: the pruned network is faster).
local prune = require "prune"

local settings, names = {threads = 1, batch = 1, rounds = 5}, {}
local position = 1
while position <= #arg do
  local option = arg[position]:match "^%-%-(%a+)$"
  if option then
    settings[option] = assert(
      settings[option] and math.tointeger(tonumber(arg[position + 1])),
      "usage: sparse.lua [--threads N] [--batch N] [--rounds N] [NAME ...]")
    position = position + 2
  else
    names[#names + 1] = arg[position]
    position = position + 1
  end
end

local minilm, smollm = os.getenv "PRUNE_MINILM", os.getenv "PRUNE_SMOLLM"
local function voice_encoder()
  local path = os.tmpname()
  dofile(arg[0]:gsub("[^/]*$", "voice_encoder.lua"))(path)
  local model = prune.load(path)
  os.remove(path)
  return model
end
-- Name, how it is made, what is left whole, shares of zeros, shapes, granularity.
local NETWORKS = {
  {"ResNet-50", function() return prune.zoo.resnet{depth = 50} end, {"conv1"}, {0.8, 0.9, 0.95}},
  {"VGG-16", function() return prune.zoo.vgg{depth = 16} end, {}, {0.9, 0.95}},
  {"MobileNetV2, 1x1 alone", function() return prune.zoo.mobilenet_v2{} end, {"features.0.conv", "*.depthwise.conv"},
    {0.8, 0.9}},
  {"MiniLM, 64 tokens", minilm and function() return prune.load(minilm) end, {}, {0.8, 0.9},
    {input_ids = {1, 64}, attention_mask = {1, 64}, token_type_ids = {1, 64}}},
  {"SmolLM2-135M, one token", smollm and function() return prune.load(smollm) end, {}, {0.5, 0.75},
    {input_ids = {1, 1}}},
  {"ResNet-50, blocks of 4 outputs", function() return prune.zoo.resnet{depth = 50} end, {"conv1"}, {0.6}, nil,
    {block = {4, 1}}},
  {"LSTM voice encoder", voice_encoder, {}, {0.8, 0.9}},
}

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function is_asked(name)
  for _, part in ipairs(names) do if name:lower():find(part:lower(), 1, true) then return true end end
  return #names == 0
end

print(("%d thread%s, batch %d, medians of %d rounds"):format(
  settings.threads, settings.threads == 1 and "" or "s", settings.batch, settings.rounds))
print "| network | zeros | dense ms | sparse ms | ratio | sparse layers |"
print "|---|---|---|---|---|---|"
for _, network in ipairs(NETWORKS) do
  local name, make, ignore, amounts, shapes, granularity = table.unpack(network, 1, 6)
  if make and is_asked(name) then
    local dense = make()
    for _, amount in ipairs(amounts) do
      local sparse = dense:prune{
        amount = amount, allocation = "uniform", ignore = ignore, mode = "mask", granularity = granularity,
      }
      local function steps(model)
        return model:benchmark{
          threads = settings.threads, batch_size = settings.batch, runs = 1, warmup = 1, steps = true, shapes = shapes,
        }.steps
      end
      -- Milliseconds of a run of which no step was held up: the sum of each step's shortest time.
      local function time(model)
        local sum = 0
        for _, step in ipairs(steps(model)) do sum = sum + step.ms end
        return sum
      end
      local ratios, slow, fast = {}, {}, {}
      time(dense)
      time(sparse)
      for round = 1, settings.rounds do
        slow[round], fast[round] = time(dense), time(sparse)
        ratios[round] = fast[round] / slow[round]
      end
      local layers, taken = {}, {}
      for _, step in ipairs(steps(sparse)) do
        if step.weights then layers[step.name] = true end
        if step.weights == "sparse" then taken[step.name] = true end
      end
      local function count(set)
        local sum = 0
        for _ in pairs(set) do sum = sum + 1 end
        return sum
      end
      print(("| %s | %g %% | %.2f | %.2f | %.2f | %d of %d |"):format(
        name, 100 * amount, median(slow), median(fast), median(ratios), count(taken), count(layers)))
      io.stdout:flush()
    end
  end
end
