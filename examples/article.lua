#!/usr/bin/env prune
-- The article that this project grew from, line by line: what it says in Python, and what says the same here.
--   scripts/prune examples/article.lua                  a ResNet-50 of the zoo learns the digits
--   scripts/prune examples/article.lua MODEL.keras      a model of Keras with inputs of 32x32x1 or 1x32x32 and 10 classes
-- Keras is not needed: "pruned_model.h5" is written and read here, and Keras loads it too.
local prune = require "prune"

-- from tensorflow.keras.applications import ResNet50
-- model = ResNet50(weights=None, input_shape=(32, 32, 1), classes=10)
local source = arg and arg[1]
local model = source and prune.load(source)
  or prune.zoo.resnet{depth = 50, input = {1, 32, 32}, classes = 10, stem = "imagenet", seed = 1}

-- (x_train, y_train), (x_test, y_test) = load_digits()
local digits = prune.data.digits():resize{32, 32}
local shape = model.inputs[1].shape
if shape[#shape] == 1 then
  -- One colour: channels last is the same numbers under another shape.
  local x, y = digits.x, digits.y
  digits = prune.data.tensors(x:reshape{#digits, 32, 32, 1}, y)
end
local _, test = digits:split{test = 0.2, seed = 1}

-- model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
-- model.fit(x_train, y_train, epochs=10, batch_size=64, validation_split=0.2)
model:fit{
  data = digits, validation_split = 0.2, epochs = 10, batch_size = 64, optimizer = "adam", lr = 1e-3, schedule = "cosine", seed = 1,
  on_epoch = function(event) print(("epoch %2d   loss %.4f   accuracy %.4f"):format(event.epoch, event.loss, event.accuracy)) end,
}

-- model.summary()
print(model:summary())

-- for layer in model.layers: w = layer.get_weights(); w[abs(w) < 0.01] = 0; layer.set_weights(w)
local pruned, report = model:prune{strategy = "global", threshold = 0.01}
print(report)

-- model.save('./pruned_model.h5')
local path = "pruned_model.h5"
pruned:save(path)

-- model = load_model('./pruned_model.h5')
local loaded = prune.load(path)

-- loss, accuracy = model.evaluate(x_test, y_test)
local result = loaded:evaluate(test)
print(("%s: loss %.4f, accuracy %.4f on the fifth that was held out"):format(path, result.loss, result.accuracy))
assert(math.abs(result.accuracy - pruned:evaluate(test).accuracy) < 1e-9, "the file is not the model that was saved")
