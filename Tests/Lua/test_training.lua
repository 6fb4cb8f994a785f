package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path
local h = require "harness"
local prune = require "prune"
local test, equal, near, check, fails = h.test, h.equal, h.near, h.check, h.fails

local data = prune.data.digits():take(256)
local function mlp(seed) return prune.zoo.mlp{input = {1, 8, 8}, hidden = {8}, classes = 10, seed = seed} end
local function weights(m) return m:parameter "fc1.weight":totable() end
local function same(a, b)
  local x, y = weights(a), weights(b)
  for i = 1, #x do for j = 1, #x[i] do if x[i][j] ~= y[i][j] then return false end end end
  return true
end

test("losses of numbers", function()
  local t, p = {3, -0.5, 2, 7}, {2.5, 0, 2, 8}
  near(prune.losses.mae(t, p), 0.5)
  near(prune.losses.huber(t, p), (0.125 + 0.125 + 0 + 0.5) / 4)
  near(prune.losses.huber({0}, {3}, {delta = 2}), 4)
  near(prune.losses.bce({1, 0}, {0.8, 0.3}), -(math.log(0.8) + math.log(0.7)) / 2, 1e-6)
  near(prune.losses.bce({1}, {0}, {from_logits = true}), math.log(2), 1e-9)
  near(prune.losses.kl({0.5, 0.5}, {0.9, 0.1}), 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1), 1e-6)
  near(prune.losses.cross_entropy({1, 0}, {0, 0}, {from_logits = true}), math.log(2), 1e-9)
  near(prune.losses.cross_entropy({1, 0}, {0.5, 0.5}, {label_smoothing = 0.2, class_weights = {2, 2}}), math.log(2), 1e-6)
  near(prune.losses.cross_entropy(prune.tensor{1, 0}, {{0.2, 0.8}, {0.4, 0.6}}), -(math.log(0.8) + math.log(0.4)) / 2, 1e-6)
  fails("did you mean 'delta'", prune.losses.huber, t, p, {dleta = 1})
  fails("class_weights", prune.losses.cross_entropy, {1, 0}, {0.5, 0.5}, {class_weights = {1, 2, 3}})
  fails("a list of numbers", prune.losses.cross_entropy, {1, 0}, {0.5, 0.5}, {class_weights = {1, "x"}})
end)

test("every optimizer, schedule and loss trains", function()
  for _, o in ipairs{
    {optimizer = "rmsprop", momentum = 0.5, rho = 0.9, lr = 0.002}, {optimizer = "sgd", lr = 0.1, clip_norm = 1, schedule = "one_cycle"},
    {optimizer = "adamw", weight_decay = 0.01, lr = 0.01, schedule = "step", step_epochs = 2, gamma = 0.5},
    {lr = 0.01, warmup = 4, label_smoothing = 0.1, clip_value = 0.5},
    {lr = 0.01, class_weights = {1, 1, 1, 1, 1, 2, 1, 1, 1, 1}, schedule = "reduce_on_plateau", patience = 1},
    {lr = 0.01, loss = "kl"}, {lr = 0.01, loss = "bce"},
    {lr = 0.01, groups = {{parameters = "fc1.*", lr = 0.02}, {parameters = {"fc2.*"}, weight_decay = 0}}, weight_decay = 0.001},
  } do
    o.data, o.epochs = data, 4
    local history = mlp():fit(o)
    check(history.epochs[4].loss < history.epochs[1].loss, o.optimizer or o.loss or "adam")
  end
end)

test("options that make no sense are named", function()
  fails("rmsprop", mlp().fit, mlp(), {data = data, optimizer = "rmsprob"})
  fails("fc9", mlp().fit, mlp(), {data = data, groups = {{parameters = "fc9"}}})
  fails("Model:fit groups", mlp().fit, mlp(), {data = data, groups = {{params = "fc1"}}})
  fails("a list of tables", mlp().fit, mlp(), {data = data, groups = {"fc1"}})
  fails("no validation data", mlp().fit, mlp(), {data = data, early_stopping = 1, monitor = "validation_loss"})
  fails("'loss' must be a string or a Model", mlp().fit, mlp(), {data = data, loss = 3})
  fails("'resume' must be true or a path", mlp().fit, mlp(), {data = data, resume = 3})
  fails("no optimizer state", mlp().fit, mlp(), {data = data, resume = true})
  fails("label_smoothing", mlp().fit, mlp(), {data = data, label_smoothing = 1})
end)

test("a fit goes on from its checkpoint", function()
  local path = h.temporary ".npz"
  local o = {data = data, batch_size = 64, schedule = "cosine", epochs = 3, seed = 5}
  local whole = mlp()
  whole:fit(o)
  o.checkpoint = path
  local part = mlp()
  o.on_epoch = function(event) return event.epoch == 1 end
  part:fit(o)
  o.on_epoch, o.checkpoint, o.resume = nil, nil, path
  local resumed = mlp(99)
  equal(resumed:fit(o).epochs[1].epoch, 2)
  check(same(resumed, whole))
  local continued = mlp()
  continued:fit{data = data}
  continued:fit{data = data, resume = true}
  local broken = h.temporary ".npz"
  prune.npz.save(broken, {x = prune.tensor{1}})
  fails(broken, resumed.fit, resumed, {data = data, resume = broken})
end)

test("early stopping keeps the best weights", function()
  local m = mlp()
  local history = m:fit{
    data = data, validation_split = 0.3, optimizer = "sgd", lr = 3, epochs = 40, early_stopping = 2, restore_best = true,
  }
  equal(history.reason, "early_stopping")
  equal(history.stopped, false)
  equal(#history.epochs, history.best_epoch + 2)
end)

test("numbers that run away are told apart", function()
  local m = mlp()
  local targets = prune.tensor{shape = {256, 10}, dtype = "float32"}
  local rows = prune.data.tensors(data.x, targets)
  local problem = fails("largest gradient", m.fit, m, {data = rows, loss = "mse", optimizer = "sgd", lr = 1e6, epochs = 20})
  equal(problem.code, "numeric")
  for _, row in ipairs(weights(m)) do for _, w in ipairs(row) do check(w == w and math.abs(w) < math.huge) end end
end)

test("a student learns from a teacher", function()
  local teacher = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32}, classes = 10}
  teacher:fit{data = data, epochs = 10, lr = 0.01}
  local student = mlp(4)
  local history = student:fit{data = data, epochs = 6, lr = 0.02, teacher = teacher, temperature = 3, alpha = 0.9}
  check(history.epochs[6].loss < 0.5 * history.epochs[1].loss)
  fails("only their channels may differ", student.fit, student, {data = data, teacher = teacher, features = "logits", teacher_features = "input"})
  fails("'teacher' must be a Model", student.fit, student, {data = data, teacher = 3})
  fails("no teacher", student.fit, student, {data = data, alpha = 0.5})
  fails("teacher_features", student.fit, student, {data = data, teacher = teacher, features = {"logits"}, teacher_features = {"a", "b"}})
end)

test("regularizers pull on weights", function()
  local function size(o)
    local m = mlp()
    o.data, o.epochs, o.lr = data, 4, 0.01
    m:fit(o)
    local sum = 0
    for _, row in ipairs(weights(m)) do for _, w in ipairs(row) do sum = sum + math.abs(w) end end
    return sum
  end
  local plain = size{}
  check(size{regularizer = {kind = "l1", strength = 0.005}} < 0.7 * plain)
  check(size{regularizer = {{kind = "growing", growth = 0.01, interval = 1}, {kind = "max_norm", strength = 0.7}}} < plain)
  check(size{regularizer = {kind = "max_norm_l1", strength = 1}} < plain)
  check(size{dropout = 0.5} ~= plain)
  equal(size{dropout = false}, plain)
  fails("option 'kind' is required", size, {regularizer = {strength = 1}})
  fails("regularizer is 'l3'", size, {regularizer = {kind = "l3"}})
  fails("0 or more and below 1", size, {dropout = 2})
end)

test("checkpointing takes less memory", function()
  local function train(checkpointing)
    local m = prune.zoo.resnet{depth = 20, input = {1, 8, 8}, classes = 10, seed = 3}
    return m:fit{data = data:take(64), batch_size = 64, checkpointing = checkpointing}
  end
  local plain, again = train(), train(true)
  check(again.working_bytes < plain.working_bytes)
  near(again.epochs[1].loss, plain.epochs[1].loss, 1e-3)
end)

test("images are changed as they are fed", function()
  local function loss(augment)
    return mlp():fit{data = data, lr = 1e-12, optimizer = "sgd", augment = augment}.epochs[1].loss
  end
  local plain = loss()
  check(loss{flip = true} ~= plain)
  equal(loss{flip = true, crop = 1, cutout = 2}, loss{flip = true, crop = 1, cutout = 2})
  local m = mlp()
  local history = m:fit{data = data, epochs = 12, lr = 0.02, augment = {mixup = 0.2}, validation_split = 0.2}
  check(history.epochs[12].loss < history.epochs[1].loss and history.epochs[12].validation_accuracy > 0.5)
  history = mlp():fit{data = data, epochs = 12, lr = 0.02, augment = {cutmix = 1}, validation_split = 0.2}
  check(history.epochs[12].loss < history.epochs[1].loss and history.epochs[12].validation_accuracy > 0.5)
  fails("did you mean 'flip'", loss, {flipp = true})
  local rows = prune.data.tensors({{1, 2}, {3, 4}}, {0, 1})
  fails("wanted float32 images", function() prune.zoo.mlp{input = {2}, classes = 2}:fit{data = rows, augment = {flip = true}} end)
end)

--- ONNX of mean((p - t)^2): fields are {number, text} or {number, integer}.
local function message(fields)
  local out = {}
  local function varint(n)
    local bytes = ""
    repeat
      local low = n & 127
      n = n >> 7
      bytes = bytes .. string.char(n > 0 and low | 128 or low)
    until n == 0
    return bytes
  end
  for _, field in ipairs(fields) do
    if type(field[2]) == "string" then
      out[#out + 1] = varint(field[1] << 3 | 2) .. varint(#field[2]) .. field[2]
    else
      out[#out + 1] = varint(field[1] << 3) .. varint(field[2])
    end
  end
  return table.concat(out)
end

test("a loss may be a model", function()
  local function value(name)
    local shape = message{{1, message{{2, "N"}}}, {1, message{{2, "C"}}}}
    return message{{1, name}, {2, message{{1, message{{1, 1}, {2, shape}}}}}}
  end
  local keep = message{{1, "keepdims"}, {3, 0}, {20, 2}}
  local graph = message{
    {1, message{{1, "p"}, {1, "t"}, {2, "d"}, {4, "Sub"}}}, {1, message{{1, "d"}, {1, "d"}, {2, "s"}, {4, "Mul"}}},
    {1, message{{1, "s"}, {2, "loss"}, {4, "ReduceMean"}, {5, keep}}}, {2, "squares"}, {11, value "p"}, {11, value "t"},
    {12, message{{1, "loss"}, {2, message{{1, message{{1, 1}, {2, ""}}}}}}},
  }
  local path = h.temporary ".onnx"
  local file = assert(io.open(path, "wb"))
  file:write(message{{1, 8}, {8, message{{2, 17}}}, {7, graph}})
  file:close()
  local targets = {}
  for i = 1, 64 do
    targets[i] = {}
    for j = 1, 10 do targets[i][j] = (i * j % 7) / 7 end
  end
  local rows = prune.data.tensors(data:take(64).x, prune.tensor(targets))
  local own, given = mlp(), mlp()
  own:fit{data = rows, loss = "mse", optimizer = "sgd"}
  given:fit{data = rows, loss = prune.load(path), optimizer = "sgd"}
  local a, b = weights(own), weights(given)
  near(a[1][20], b[1][20], 1e-6)
  near(a[5][33], b[5][33], 1e-6)
  fails("1 inputs", own.fit, own, {data = rows, loss = mlp()})
end)

test("what was pruned after a checkpoint stays so when it is resumed", function()
  local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32}, seed = 1}
  local path = h.temporary()
  m:fit{data = data, epochs = 1, checkpoint = path}
  local slim = m:prune{amount = 0.7}
  local before = slim:stats().sparsity
  slim:fit{data = data, epochs = 2, resume = path}
  check(slim:stats().sparsity >= before)
end)

test("a pruned network recovers from a teacher alone", function()
  local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32}, seed = 1}
  m:fit{data = data, epochs = 10, lr = 3e-3}
  local bare = prune.data.tensors(data.x)
  fails("targets", m.prune, m, {amount = 0.8, recover = {data = bare, epochs = 1}})
  local cut = m:prune{amount = 0.9}
  local slim, report = m:prune{amount = 0.9, recover = {data = bare, epochs = 10, lr = 3e-3, teacher = m, loss = "cross_entropy"}}
  near(report.sparsity, 0.9, 0.01)
  local same = bare:labelled(m)
  check(slim:evaluate(same).accuracy > cut:evaluate(same).accuracy + 0.1, slim:evaluate(same).accuracy)
end)

h.finish()
