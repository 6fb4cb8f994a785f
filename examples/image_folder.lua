#!/usr/bin/env prune
-- A classifier on a folder of images, one folder a class: weights from PyTorch, fine-tuning, a third of the channels out, int8.
--   prune image_folder.lua MODEL.onnx TRAIN_FOLDER TEST_FOLDER [WEIGHTS.pth]
-- The images are read as they are needed: memory is that of a batch, however many there are.
local prune = require "prune"

local path, train_folder, test_folder, weights = arg[1], arg[2], arg[3], arg[4]
if not test_folder then
  io.stderr:write "usage: image_folder.lua MODEL.onnx TRAIN_FOLDER TEST_FOLDER [WEIGHTS.pth]\n"
  os.exit(2)
end

local m = prune.load(path)
-- A state dict of the network that was exported; whatever does not fit is an error that says what would.
if weights then print(m:load_weights(weights)) end

-- As ImageNet's networks were trained: the shorter side to 8/7 of the input, then the middle.
local shape = m.inputs[1].shape
local function folder(name)
  return prune.data.images{
    path = name, size = {shape[3], shape[4]}, shorter = math.max(shape[3], shape[4]) * 8 // 7,
    mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225},
  }
end
local train, test = folder(train_folder), folder(test_folder)
print(train, table.concat(train.class_names, ", "))

m:fit{data = train, epochs = 2, batch_size = 32, lr = 1e-3, augment = {flip = true}}
local slim, report = m:prune{
  granularity = "channel", amount = 0.3, criterion = "taylor", data = train:take(256),
  recover = {data = train, epochs = 1, batch_size = 32, lr = 1e-3}, validate = test,
}
print(report)
local int8 = slim:quantize{scheme = "static", calibration = train:take(200)}
print(prune.compare{{"dense", m}, {"slim", slim}, {"int8", int8}, data = test})
if train.broken.count > 0 then print(train.broken) end
int8:save "image_folder-int8.onnx"
