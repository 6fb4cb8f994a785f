-- Pages on what no single function is: strategies, schedules, allocation, the guard. help "strategy.penalty" or `? penalty`
-- shows one; scripts/lua_docs writes them into the reference. Every example runs as it stands after the preamble.

local topics = {}

--- What the examples start from.
topics.preamble = [[
local prune = require "prune"
local train, test = prune.data.digits():split{test = 0.2, seed = 7}
local m = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32, 16}, classes = 10}
m:fit{data = train, epochs = 4, seed = 1}]]

topics.list = {
  {
    name = "strategy.threshold",
    title = "what scores below a number goes",
    text = [[
Truncation: every weight (or channel) whose score is below `threshold` goes, wherever it is.

    removed = { w : score(w) < t },   with criterion "magnitude"  |w| < t,   with "l2"  w² < t

Use it when a number means something to you, such as the resolution of a target's arithmetic, or to take out what training with
a regularizer drove to nearly nothing. How much goes is not known before: the report says. A layer that lies wholly below the
threshold keeps its best unit.

Options: `threshold` (needed), `criterion`, `granularity`, `mode` = "mask" (zeros) or, for channels and heads, "remove".
See also strategy.global for an amount, strategy.regularized for making weights small first.]],
    example = [[
local slim, report = m:prune{strategy = "threshold", threshold = 0.02, validate = test}
print(report.pruned, report.after.accuracy)]],
  },
  {
    name = "strategy.global",
    title = "one ranking over the whole network",
    text = [[
All units of all layers are ranked together and the lowest `amount` of them goes: layers that matter more keep more, by
themselves.

    removed = the amount · n lowest of  { score(w) : w in all layers }

With "taylor" or "fisher" the score is the change of the loss, so that the importance of a layer comes from the loss first, and
the order within it second. With "magnitude" layers of small weights lose most: batch-normalized networks then want
allocation = "lamp", or strategy.local. No layer is emptied: where the ranking would take the last unit of one, the next lowest of
another layer goes in its place, and the report says so.

Use it where layers are alike, or to do as the article does. An `amount` without a strategy is divided otherwise: single weights by allocation = "lamp" where the criterion is magnitude or
l2, which keeps small layers; channels by one ranking, inside residual blocks.

Options: `amount` or `target` = {params|macs|bytes = share kept}, `criterion`, `granularity`; channels are compared after
`normalize` = "mean"|"max"|"lamp"|"none", `isomorphic` = true ranks only groups of the same kind together.]],
    example = [[
local slim, report = m:prune{strategy = "global", criterion = "taylor", data = train, amount = 0.8, recover = {epochs = 2}}
print(report)]],
  },
  {
    name = "strategy.local",
    title = "each layer by itself",
    text = [[
From every layer the same share goes, its lowest.

    removed in layer l = the amount · n_l lowest of  { score(w) : w in l }

Use it when layers cannot be compared: after batch-normalization folding, for criteria without a common scale, or where every layer
has to shrink alike. Of a weight that several layers use only the first layer's use is pruned: the others get a whole copy of it,
which the report's notes say. `shared` = "all" prunes it once for all of them, and the model keeps one tensor.

Options: `amount`, `shared` = "one"|"all", `criterion`, `granularity`.]],
    example = [[
local slim, report = m:prune{strategy = "local", amount = 0.6, shared = "all"}
print(report.layers)]],
  },
  {
    name = "strategy.cost_aware",
    title = "the cut that costs least for what it saves comes next",
    text = [[
What pruning each layer costs is measured: the metric at several amounts, the rest of the network whole. Then cuts are taken in the
order of

    ( metric lost ) / ( cost saved )

until `amount` of the cost is saved, or `target` is met. The metric is the loss on `data`, the guard's, or `metric` = "accuracy",
"auc", … or a function of a model that returns a number. The cost is `cost` = "params", "macs", "bytes"; for channels it is what
`target` names, with "latency" too: the times of the layers at several widths are measured on this machine, and a knapsack over
that table chooses the widths.

Use it when the budget is not the number of weights: a convolution at full resolution has few weights and many MACs.

Options: `data` (needed), `cost`, `metric`, `lower_is_better`, `amount` or `target`, `granularity` = "weight" or "channel".]],
    example = [[
local slim, report = m:prune{
  strategy = "cost_aware", data = test, amount = 0.5, cost = "macs",
  metric = function(model) return model:evaluate(test, {metrics = "auc"}).auc end,
}
print(report.layers)]],
  },
  {
    name = "strategy.layerwise",
    title = "layer after layer, the least important first, each as far as the guard allows",
    text = [[
The importance of each layer is measured first: how much the loss rises when that layer alone loses `amount` of its units. Then the
layers are pruned in that order, the least important first, each as far as the guard allows: all of `amount`, else by halves between
what it kept and what it refused, four tries a layer.

    importance(l) = loss(network without `amount` of l) - loss(network)

Use it when a metric must hold and nobody knows which layers have room. Every layer that was pruned has used up a part of what the
guard tolerates, so that the important ones keep most of theirs.

Options: `guard` (needed), `amount` (0.9: the most of each layer), `criterion`, `granularity` = "weight", blocks or "channel",
`recover` after each try. The report lists "layer_importance": name, importance, units, removed.]],
    example = [[
local slim, report = m:prune{strategy = "layerwise", granularity = "channel", data = train, guard = {data = test, max_drop = 0.01}}
for _, row in ipairs(report.layer_importance) do print(row.name, row.importance, row.removed) end]],
  },
  {
    name = "strategy.shared",
    title = "shared and repeated weights are pruned together",
    text = [[
The relations between weights are looked for first, and the report lists them under "shared": initializers that several layers
use (tied), tensors that hold the same numbers (equal), layers with nearly parallel filters. Then equal weights are scored by the
sum of their scores, for what matters in one place matters in all, and lose the same elements:

    score(i) = Σ over equal weights k of score_k(i),   removed in one = removed in all

Use it for networks with repeated blocks or tied embeddings, which packing (.prunez) stores once as long as they stay equal. Parallel
filters are taken out by criterion = "cosine" with granularity = "channel": a filter that repeats an earlier one scores 0. With
data, criterion = "mutual" finds outputs that say the same, whatever their weights.

Options: `amount` or `threshold`, `criterion`, `granularity`.]],
    example = [[
local slim, report = m:prune{strategy = "shared", amount = 0.5}
print(report.shared)]],
  },
  {
    name = "strategy.penalty",
    title = "shared weights keep their signs while training; what wants to change it goes",
    text = [[
Before each cut the model is trained while weights that several layers share (or that equal others) may not change their sign;
a network without such weights is held to it everywhere.

    sign_constraint:  w ← 0  where  w · sign(w before) < 0                (default)
    sign:             loss + strength · Σ |w|  over w with w · sign(w before) < 0

A weight that the loss needs stays on its side; one that only wanders through zero stops there, and is cut for nothing. After the
cut the constraint is lifted from the weights that went and holds, through `recover`, for those that stay.

Use it for tied weights, whose uses pull in different directions, and where signs mean something (monotone models).

Options: `amount` or `threshold`, `data` with labels (needed), `train` = {epochs =, lr =, regularizer = {kind = "sign"|
"sign_constraint", strength =, scope =}}; 5 epochs if not given. The journal's "norm_cut" is the share of the weights' squared norm
that a cut took.]],
    example = [[
local slim, report = m:prune{strategy = "penalty", amount = 0.6, data = train, train = {epochs = 3}, recover = {epochs = 1}}
print(report.sparsity, report["journal.1.norm_cut"])]],
  },
  {
    name = "strategy.regularized",
    title = "training drives weights to zero, then they are cut",
    text = [[
Before each cut the model is trained with a regularizer, so that the cut takes little:

    l1           loss + λ Σ|w|                                          (default of weights)
    l2           loss + λ/2 Σw²
    group_lasso  loss + λ √size Σ‖w_c‖ over output channels c           (default of channels)
    bn_l1        loss + λ Σ|γ|; channels then go by |γ|, one threshold for the whole network: network slimming (Liu 2017)
    growing      λ_c/2 ‖w_c‖², λ_c growing faster where a channel is smaller (DepGraph's group regularizer)
    greg1        λ(t)/2 Σw² over what the criterion selects before the training, λ growing evenly up to `limit` (Wang 2021, GReg-1)
    greg2        λ(t)/2 Σw² over all weights first, which lets those that the loss holds stand out; in the second half of the epochs
                 greg1 on what then scores lowest (GReg-2)

λ is `strength`; λ(t) starts there and rises by `growth` every `interval` steps; for greg1 and greg2, if `growth` is not given, by as
much as brings it to `limit` after 60 % of the training.

Use it when there is data and time to train, and above all for channels, which one-shot cuts hurt.

Options: `amount`, `threshold` or `target`, `data` with labels (needed), `train` = {epochs =, lr =, regularizer = {kind =, strength =,
growth =, limit =, interval =}}, `granularity`, `mode`; 5 epochs if not given.]],
    example = [[
local slim, report = m:prune{
  strategy = "regularized", granularity = "channel", amount = 0.4, data = train, validate = test,
  train = {epochs = 6, lr = 3e-3, regularizer = {kind = "greg1", limit = 1}},
}
print(report.before.accuracy, report.after.accuracy, report.params_kept)]],
  },
  {
    name = "strategy.block",
    title = "sub-blocks of matrices and kernels",
    text = [[
Blocks of R outputs by C inputs go as one, at each tap of a convolution's kernel by itself; "kernel" takes all taps between an
output and an input.

    score(block) = mean of its elements' scores

Sizes that do not divide leave smaller blocks at the edges, which compare by their mean. Use it for hardware that skips zero blocks;
{block = {1, 16}} suits vector units, {block = {32, 32}} tensor cores. Blocks become zeros: nothing can be taken out of a matrix but
whole rows and columns, which m:compact() and granularity = "channel" do.

Four extents are blocks inside kernels, of outputs, inputs, height and width: {block = {1, 1, 4, 4}} cuts a 5 x 5 kernel into four
overlapping 4 x 4 ones, each one tap from the next, or `stride` = {outputs, inputs, height, width} from it. A weight goes with the first
of its blocks that goes. `amount` counts blocks; the report's sparsity counts weights. A kernel smaller than the block is an error that
names it, and matrices, which have no kernel, stay whole.

Options: `granularity` = {block = {R, C}} (4 x 4 if not given), {block = {O, I, H, W}, stride =} or "kernel", `amount` or `threshold`, `allocation`, `reconstruct`.]],
    example = [[
local slim, report = m:prune{strategy = "block", granularity = {block = {4, 2}}, amount = 0.5}
print(report.layers)]],
  },
  {
    name = "schedule",
    title = "how the amount is reached",
    text = [[
    one_shot   all at once
    linear     s_t = s_i + (s_f - s_i) t/n
    cubic      s_t = s_f + (s_i - s_f)(1 - t/n)³: much at first, little at the end (AGP, Zhu and Gupta 2017)
    (none)     one_shot; for channels and heads that `data` scores and fits by default, without guard, recover or train: linear in 4
               steps, each scored anew, its fits aiming at what the network gave before the first
    dynamic    at once to the amount; then in every step some of what was pruned comes back where the gradient pulls most, is trained,
               and as much goes again (dynamic surgery, Guo 2016; RigL, Evci 2020)

`schedule` is a name or {kind =, steps =}; `recover` trains after every step. Iterative magnitude pruning is linear or cubic with
recover; lottery tickets add `rewind` = the same network earlier in its training, to whose weights what stays goes back; gradual pruning
with distillation gives recover a `teacher`.]],
    example = [[
local first = prune.zoo.mlp{input = {1, 8, 8}, hidden = {32, 16}, classes = 10}
local ticket = m:prune{amount = 0.7, schedule = {kind = "cubic", steps = 3}, rewind = first, recover = {data = train, epochs = 1}}
local taught = m:prune{amount = 0.7, schedule = {kind = "linear", steps = 2}, recover = {data = train, epochs = 1, teacher = m}}
print(ticket:evaluate(test).accuracy, taught:evaluate(test).accuracy)]],
  },
  {
    name = "allocation",
    title = "how an amount is divided over layers",
    text = [[
    global       one ranking                                  local (uniform)  the same share of each layer
    row          the same share of each output (Wanda)        lamp             one ranking of w² / Σ of the layer's not smaller w²
    erk          density of a layer ∝ Σ extents / Π extents   isomorphic       one ranking a class of like layers
    sensitivity  of each layer as much as costs the same metric, by curves measured on data

`allocation` overrides what the strategy says; strategy "cost_aware" divides by cost. In place of an amount there is a budget: `target` =
{params = 0.2}, {macs = 0.5}, {bytes = 0.3}, or for channels {latency = 0.6} of the time of a run, measured here. It is met within
2 %, or the report's notes say why not. No layer is ever emptied.]],
    example = [[
local slim, report = m:prune{target = {macs = 0.25}, allocation = "lamp"}
print(report.kept, report.sparsity)]],
  },
  {
    name = "reconstruct",
    title = "what stays makes up for what went, without training",
    text = [[
Layer by layer, on a few hundred samples without labels: min ‖WX - W'X‖² over the weights that stay.

    obs            the mask is given; Δw = -(w_q / [H⁻¹]_qq) H⁻¹_:q for each weight that went (Hassibi 1993), H = XXᵀ + damping
    sparsegpt      also chooses what goes, column by column, by w² / [H⁻¹]_qq (Frantar 2023); for amounts, n:m and blocks
    least_squares  for channels and heads, the default where `data` is given: layers that read what changed are fitted to what
                   they gave before. A layer that ends a residual block is fitted to the sum of before, minus what the other
                   operand gives now: so each block corrects errors of the blocks before it. "none" fits nothing

Wanda needs no reconstruction: criterion = "wanda" scores |w| ‖x‖ and compares within each output.]],
    example = [[
local half = m:prune{amount = 0.5, reconstruct = "sparsegpt", data = train:take(256), allocation = "lamp"}
local two_of_four = m:prune{granularity = "2:4", reconstruct = "obs", data = train:take(256)}
print(half:evaluate(test).accuracy, two_of_four:evaluate(test).accuracy)]],
  },
  {
    name = "transactions",
    title = "the guard, the journal, going back and doing it again",
    text = [[
With `guard` = {data =, metric =, max_drop =, bound =} a step of pruning is a transaction: prune, recover, measure, then commit, or take it
back and try half of it (three times at most). What is returned always satisfies the guard. The metric is any of m:evaluate, "auc" among
them, or a function of a model; `max_drop` is against the given model, `bound` what the metric may not be worse than at all. A given
model that is beyond it, or whose metric is not a number, is an error before any work.

The report's "journal" has every step with its amount, metric, MACs, bytes and time, drawn: accuracy against size. report:restore(i)
brings back the model of a step that was kept; report:recipe() is a text that prune{recipe =} takes again on another model of the
same architecture, bit for bit with the same data. Ctrl-C returns the last model that was kept.]],
    example = [[
local slim, report = m:prune{
  amount = 0.95, schedule = {kind = "linear", steps = 4}, recover = {data = train, epochs = 1},
  guard = {data = test, metric = function(model) return model:evaluate(test, {metrics = "f1"}).f1 end, max_drop = 0.05},
}
print(report.journal)
local again = m:prune{recipe = report:recipe(), data = train}]],
  },
}

topics.by_name = {}
for _, topic in ipairs(topics.list) do topics.by_name[topic.name] = topic end

--- The topic that a name means: the whole name, or its last part.
function topics.find(name)
  if topics.by_name[name] then return topics.by_name[name] end
  for _, topic in ipairs(topics.list) do
    if topic.name:match "[^.]+$" == name then return topic end
  end
end

return topics
