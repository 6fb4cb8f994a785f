"""Differential testing: random graphs of 5 to 40 nodes, opsets 7 to 23, run by libprune and by ONNX Runtime; then the same graphs
simplified, pruned and quantized by libprune, saved, and run by both.

usage: random_graphs.py LIBRARY PRUNE WORK COUNT SEED [KEEP]

A graph whose outputs differ is cut down to the node that does it, fed with what ONNX Runtime gave it, or else to the shortest
graph that still does. It is kept in the folder KEEP. What both cannot run is not counted; nor is a difference that ONNX
Runtime itself has when its inputs change by a millionth.
"""
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

from libprune import Library, Model
from random_layers import build
from random_nodes import Builder

library_path, prune, work = sys.argv[1:4]
count, seed = int(sys.argv[4]), int(sys.argv[5])
keep = sys.argv[6] if len(sys.argv) > 6 else work
library = Library(library_path)


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def theirs(path, feeds):
    peer = session(path)
    names = [output.name for output in peer.get_outputs()]
    return dict(zip(names, peer.run(names, {i.name: feeds[i.name] for i in peer.get_inputs()})))


class Mine:
    def __init__(self, path):
        self.model = Model(library, path, 1)

    def run(self, feeds):
        inputs = self.model.inputs(feeds)
        outputs = self.model.run(inputs)
        found = {name: array.copy() for name, array in self.model.arrays(outputs).items()}
        library.so.prune_tensors_free(inputs)
        library.so.prune_tensors_free(outputs)
        return found

    def close(self):
        library.so.prune_model_free(self.model.model)
        library.so.prune_context_free(self.model.context)


def mine(path, feeds):
    model = Mine(path)
    try:
        return model.run(feeds)
    finally:
        model.close()


def distance(a, b):
    """The largest difference relative to the largest number; NaN and infinities must be the same."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return float("inf")
    a, b = a.astype(np.float64), b.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)) or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    finite = np.isfinite(b)
    return float(np.max(np.abs(a - b)[finite], initial=0) / max(np.max(np.abs(b)[finite], initial=0), 1e-3))


def worst(a, b):
    return max([distance(a[name], b[name]) for name in b] or [0])


def nudged(feeds):
    """Inputs moved by a millionth, each element up or down."""
    random = np.random.default_rng(0)
    return [{name: (x * (1 + 1e-6 * random.choice([-1, 1], x.shape))).astype(x.dtype) for name, x in feeds.items()} for _ in range(3)]


def differs(path, feeds):
    """How far the two are apart, when that is more than ONNX Runtime's own rounding explains; else 0."""
    peer = theirs(path, feeds)
    far = worst(mine(path, feeds), peer)
    if far <= 1e-4:
        return 0
    own = max(worst(theirs(path, moved), peer) for moved in nudged(feeds))
    return far if far > 1e-4 + 50 * own else 0


def write(g, name, outputs=None):
    path = os.path.join(work, name)
    onnx.save(g.model(outputs)[0], path)
    return path


def minimize(g, feeds):
    """The smallest model that differs, and what it is."""
    produced = [v for v in g.values[len(g.inputs):]]
    everything = theirs(write(g, "all.onnx", produced), feeds)
    everything.update(feeds)
    types = {v[0]: v for v in g.values}
    constants = {c.name: c for c in g.initializers}
    for node in g.nodes:
        alone = Builder.__new__(Builder)
        alone.opset, alone.nodes, alone.values = g.opset, [node], []
        alone.initializers = [constants[name] for name in dict.fromkeys(node.input) if name in constants]
        alone.inputs = [types[name] for name in dict.fromkeys(node.input) if name in types]
        outputs = [types[name] for name in node.output if name in types]
        if not outputs or len(alone.inputs) + len(alone.initializers) < len({x for x in node.input if x}):
            continue
        path = write(alone, "alone.onnx", outputs)
        try:
            if differs(path, {v[0]: everything[v[0]] for v in alone.inputs}):
                return path, node.op_type
        except RuntimeError as problem:
            return path, f"{node.op_type}: {problem}"
    for length in range(1, len(g.nodes) + 1):
        part = Builder.__new__(Builder)
        part.opset, part.inputs, part.initializers, part.nodes = g.opset, g.inputs, g.initializers, g.nodes[:length]
        made = {name for node in part.nodes for name in node.output}
        part.values = [v for v in g.values if v[0] in made or v in g.inputs]
        path = write(part, "part.onnx")
        if differs(path, feeds):
            return path, "the first " + " ".join(node.op_type for node in part.nodes)
    return write(g, "whole.onnx"), "the whole"


TRANSFORMS = """
local prune = require "prune"
for line in io.lines(list) do
  local ok, m = pcall(prune.load, line)
  local feeds = prune.npz.load(line .. ".npz")
  local function try(name, transform)
    local found, made = pcall(transform)
    if not found then return end
    local path = line .. "." .. name
    made:save(path .. ".onnx")
    local ran, outputs = pcall(made.run, made, feeds)
    if ran then prune.npz.save(path .. ".npz", outputs) else print(path, outputs) end
  end
  if ok then
    try("simplify", function() return (m:simplify()) end)
    try("weights", function() return (m:prune{amount = 0.5}) end)
    try("channels", function() return (m:prune{granularity = "channel", amount = 0.4}) end)
    try("weight_only", function() return (m:quantize{scheme = "weight_only"}) end)
    try("bits4", function() return (m:quantize{scheme = "weight_only", bits = 4}) end)
    try("palette", function() return (m:quantize{scheme = "palette"}) end)
  end
end
"""


def transformed(paths):
    """Saves what each graph becomes, by the program; yields the saved models with libprune's outputs."""
    listing, script = os.path.join(work, "list"), os.path.join(work, "transforms.lua")
    with open(listing, "w") as file:
        file.write("\n".join(paths))
    with open(script, "w") as file:
        file.write(f"local list = [[{listing}]]\n{TRANSFORMS}")
    done = subprocess.run([prune, script], capture_output=True, text=True)
    if done.returncode != 0:
        yield None, f"the program ended with {done.returncode}: {done.stderr[-400:]}"
    for line in done.stdout.splitlines():
        yield None, line
    for path in paths:
        for kind in ["simplify", "weights", "channels", "weight_only", "bits4", "palette"]:
            if os.path.exists(f"{path}.{kind}.npz"):
                yield path, kind


def main():
    ran = skipped = failures = made = 0
    waiting = []

    def fail(what, path):
        nonlocal failures
        failures += 1
        kept = os.path.join(keep, f"random-{seed}-{failures}.onnx")
        if path:
            os.replace(path, kept)
        print(f"FAILED {what}" + (f", kept as {kept}" if path else ""), flush=True)

    def flush():
        nonlocal made
        for path, kind in transformed([path for path, _ in waiting]):
            if path is None:
                fail(kind, None)
                continue
            feeds, file = dict(waiting)[path], f"{path}.{kind}.onnx"
            made += 1
            try:
                peer = theirs(file, feeds)
                far = worst(dict(np.load(f"{path}.{kind}.npz")), peer)
                if far > 1e-4 and far > 1e-4 + 50 * max(worst(theirs(file, moved), peer) for moved in nudged(feeds)):
                    fail(f"{os.path.basename(path)} {kind}: distance {far:.1e}", file)
            except Exception as problem:
                # What ONNX Runtime has no kernel for is no fault of the file.
                if "NOT_IMPLEMENTED" not in str(problem):
                    fail(f"{os.path.basename(path)} {kind}: {str(problem)[:200]}", file)
        for path, _ in waiting:
            for name in os.listdir(work):
                if name.startswith(os.path.basename(path)):
                    os.remove(os.path.join(work, name))
        waiting.clear()

    for number in range(count):
        g = build(seed, number)
        random = np.random.default_rng([seed, number, 1])
        feeds = {name: random.standard_normal(shape).astype(np.float32) for name, _, shape in g.inputs}
        path = write(g, f"graph{number}.onnx")
        try:
            onnx.checker.check_model(path)
            theirs(path, feeds)
        except Exception:
            skipped += 1
            continue
        ran += 1
        try:
            far = differs(path, feeds)
            if far:
                small, what = minimize(g, feeds)
                fail(f"graph {number} (opset {g.opset}, {len(g.nodes)} nodes), distance {far:.1e}: {what}", small)
        except RuntimeError as problem:
            if "unsupported" not in str(problem):
                fail(f"graph {number} (opset {g.opset}): {problem}", path)
                continue
        np.savez(path + ".npz", **feeds)
        waiting.append((path, feeds))
        if len(waiting) == 50:
            flush()
    flush()
    print(f"random graphs: seed {seed}, {ran} compared, {made} made of them, {skipped} that ONNX Runtime refuses, {failures} differ")
    return failures != 0


sys.exit(main())
