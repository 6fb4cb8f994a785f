-- What ranks of one machine each are expected to reach: prunesh Tests/Benchmarks/scaling.lua [SECONDS_OF_A_STEP]
-- Measures the processor time of one training step of ResNet-50 (unless given), and models a ring all-reduce of its gradients:
-- 2 (n - 1) / n of their bytes over the wire and 2 (n - 1) times the latency, after the backward pass, not beside it, with two
-- copies of the bucket. Every machine keeps its batch of 32 images: the speed-up is that of samples a second.
local prune = require "prune"
prune.threads(1)
local LATENCY, COPY, BATCH = 30e-6, 5e9, 32

local function measured()
  -- Images of one channel: a fiftieth of the work less.
  local m = prune.zoo.resnet{ depth = 50, stem = "imagenet", input = { 1, 224, 224 }, classes = 10, seed = 1 }
  local data = prune.data.digits():take(8):resize{ 224, 224 }
  local times, last = {}, nil
  m:fit{ data = data, epochs = 2, batch_size = 2, optimizer = "sgd", momentum = 0.9, lr = 1e-4, seed = 1,
    on_batch = function()
      local now = os.clock()
      if last then times[#times + 1] = now - last end
      last = now
    end }
  table.sort(times)
  return times[(#times + 1) // 2] / 2
end

local function table_of(name, bytes, step)
  print(("| %s, %.0f MB of gradients, %.2f s a step | 2 | 4 | 8 | 16 | 32 | 64 |"):format(name, bytes / 1e6, step))
  print "|---|---|---|---|---|---|---|"
  for _, gigabits in ipairs{ 10, 25, 100 } do
    local cells = {}
    for _, n in ipairs{ 2, 4, 8, 16, 32, 64 } do
      local exchange = 2 * (n - 1) / n * bytes / (gigabits * 1e9 / 8) + 2 * (n - 1) * LATENCY + 2 * bytes / COPY
      cells[#cells + 1] = ("%.1f"):format(n * step / (step + exchange))
    end
    print(("| %d Gbit/s | %s |"):format(gigabits, table.concat(cells, " | ")))
  end
  print ""
end

local image = tonumber(arg[1]) or measured()
print(("ResNet-50 takes %.2f s of processor time an image and step, one thread"):format(image))
-- Sixteen cores a machine, of which a training step uses four fifths.
local cores = 16 * 0.8
table_of("ResNet-50", 25.6e6 * 4, image * BATCH / cores)
-- As many operations a second as ResNet-50's 3 x 4.1 GMAC an image; 3 x 135 MMAC a token, 8 sequences of 512 tokens.
table_of("SmolLM2-135M", 135e6 * 4, image / (3 * 4.1e9) * 3 * 135e6 * 8 * 512 / cores)
print "| sensitivity of ResNet-50, 54 layers shared out | 2 | 4 | 8 | 16 | 32 | 64 |\n|---|---|---|---|---|---|---|"
local cells = {}
for _, n in ipairs{ 2, 4, 8, 16, 32, 64 } do cells[#cells + 1] = ("%.1f"):format(54 / math.ceil(54 / n)) end
print("| any network | " .. table.concat(cells, " | ") .. " |")
