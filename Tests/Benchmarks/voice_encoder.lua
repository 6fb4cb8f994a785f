-- Writes the voice encoder of "Generalized End-to-End Loss for Speaker Verification" (3 LSTM layers of 256, 160 frames of 40
-- numbers, a vector of 256) with random weights as an ONNX file: what is measured does not depend on them.
return function(path)
  local WIDTH, HIDDEN, FRAMES, LAYERS = 40, 256, 160, 3
  local function varint(n)
    local bytes = {}
    repeat
      local low = n & 0x7f
      n = n >> 7
      bytes[#bytes + 1] = string.char(n > 0 and low | 0x80 or low)
    until n == 0
    return table.concat(bytes)
  end
  local function number(field, n) return varint(field << 3) .. varint(n) end
  local function bytes(field, text) return varint(field << 3 | 2) .. varint(#text) .. text end

  math.randomseed(7)
  local function weights(name, dims, scale)
    local count = 1
    for _, extent in ipairs(dims) do count = count * extent end
    local parts = {}
    for i = 1, count do
      -- Three even numbers make a distribution that is fuller in the middle, as trained weights are.
      parts[i] = string.pack("<f", scale * (math.random() + math.random() + math.random() - 1.5))
    end
    local tensor = ""
    for _, extent in ipairs(dims) do tensor = tensor .. number(1, extent) end
    return bytes(5, tensor .. number(2, 1) .. bytes(8, name) .. bytes(9, table.concat(parts)))
  end
  local function node(kind, name, inputs, outputs, attributes)
    local text = ""
    for _, input in ipairs(inputs) do text = text .. bytes(1, input) end
    for _, output in ipairs(outputs) do text = text .. bytes(2, output) end
    text = text .. bytes(3, name) .. bytes(4, kind)
    for key, value in pairs(attributes or {}) do
      text = text .. bytes(5, bytes(1, key) .. number(3, value) .. number(20, 2))
    end
    return bytes(1, text)
  end
  local function value(field, name, dims)
    local shape = ""
    for _, extent in ipairs(dims) do shape = shape .. bytes(1, number(1, extent)) end
    return bytes(field, bytes(1, name) .. bytes(2, bytes(1, number(1, 1) .. bytes(2, shape))))
  end

  local graph, from, width = {}, "mels", WIDTH
  graph[#graph + 1] = bytes(5, number(1, 1) .. number(2, 7) .. bytes(8, "direction") .. bytes(9, string.pack("<i8", 1)))
  graph[#graph + 1] = bytes(5, number(1, 1) .. number(2, 7) .. bytes(8, "first") .. bytes(9, string.pack("<i8", 0)))
  for layer = 1, LAYERS do
    local name = "lstm" .. layer
    graph[#graph + 1] = weights(name .. ".w", {1, 4 * HIDDEN, width}, 0.08)
    graph[#graph + 1] = weights(name .. ".r", {1, 4 * HIDDEN, HIDDEN}, 0.08)
    graph[#graph + 1] = weights(name .. ".b", {1, 8 * HIDDEN}, 0.08)
    graph[#graph + 1] = node("LSTM", name, {from, name .. ".w", name .. ".r", name .. ".b"},
      {name .. ".y", name .. ".last"}, {hidden_size = HIDDEN})
    if layer < LAYERS then
      from, width = name .. ".rows", HIDDEN
      graph[#graph + 1] = node("Squeeze", name .. ".squeeze", {name .. ".y", "direction"}, {from})
    else
      graph[#graph + 1] = node("Squeeze", name .. ".squeeze", {name .. ".last", "first"}, {"state"})
    end
  end
  graph[#graph + 1] = weights("linear.w", {HIDDEN, HIDDEN}, 0.08)
  graph[#graph + 1] = weights("linear.b", {HIDDEN}, 0.08)
  graph[#graph + 1] = node("Gemm", "linear", {"state", "linear.w", "linear.b"}, {"embedding"}, {transB = 1})
  graph[#graph + 1] = value(11, "mels", {FRAMES, 1, WIDTH}) .. value(12, "embedding", {1, HIDDEN})
  local model = number(1, 8) .. bytes(7, bytes(2, "voice_encoder") .. table.concat(graph))
    .. bytes(8, bytes(1, "") .. number(2, 17))
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(model))
end
