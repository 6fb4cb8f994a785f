-- Models on the command line: which words name one, and what to say of it first.
local host = ...
local internals = host.internals
local opening = {}

local SUFFIXES = { onnx = true, prunez = true, h5 = true, hdf5 = true, keras = true, safetensors = true, pt = true, pth = true, gguf = true,
  tflite = true }

--- Whether a word names a model rather than a script: by its ending, else by bytes that no Lua text has.
function opening.is_model(path)
  local suffix = path:match "%.(%w+)$"
  if suffix and SUFFIXES[suffix:lower()] then return true end
  if suffix == "lua" or path == "-" then return false end
  local file = io.open(path, "rb")
  local head = file and file:read(512) or ""
  if file then file:close() end
  -- A compiled chunk of Lua is a script.
  return head:sub(1, 4) ~= "\27Lua" and head:find "[%z\1-\8\14-\31]" ~= nil
end

local function shape_text(shape)
  local parts = {}
  for i, extent in ipairs(shape) do parts[i] = tostring(extent) end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- What a model is, in a few lines; `name` is the variable that has it.
function internals.about(model, name, options)
  local stats = model:stats(options)
  local head = ('%sModel "%s", %d layers with weights'):format(name and name .. " = " or "", model.name, #model)
  local rows = {}
  for _, side in ipairs{ { "input", model.inputs }, { "output", model.outputs } } do
    for i, value in ipairs(side[2]) do
      if i <= 4 then rows[#rows + 1] = { side[1], ("%s  %s %s"):format(value.name, value.dtype or "?", shape_text(value.shape or {})) } end
    end
    if #side[2] > 4 then rows[#rows + 1] = { "", ("… %d more"):format(#side[2] - 4) } end
  end
  rows[#rows + 1] = { "holds", ("%s parameters, %.1f %% of them zero, %s"):format(internals.grouped(stats.params), stats.sparsity * 100,
    internals.bytes(stats.bytes)) }
  local macs = stats.macs and internals.grouped(stats.macs) .. " multiply-adds a sample"
    or "multiply-adds are open: give shapes = (" .. table.concat(stats.open or {}, ", ") .. ")"
  rows[#rows + 1] = { "takes", macs .. (stats.shapes and ", at " .. stats.shapes or "") }
  return head .. "\n" .. internals.columns_text(rows, 2, 8, internals.text_width())
end

return opening
