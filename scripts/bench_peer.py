"""Measures libprune beside ONNX Runtime: one process, runs in the order A B A B, medians of the rounds' ratios.

usage: bench_peer.py LIBRARY PRUNE SHARED WORK [--threads 1,2] [--batch 1,8] [--rounds N] [NAME ...]

NAMEs choose graphs by a part of their name. Each line: what was run, both medians in ms, their ratio (below 1: libprune is
faster), the first run's ratio (open, compile, run), both peak memories in MB beyond the libraries themselves (each in a
process of its own), and how far the outputs are apart (relative, L2).
"""
import argparse
import glob
import os
import statistics
import subprocess
import sys
import time

import numpy as np

import libprune

class Graph:
    def __init__(self, name, path, inputs, goal=1.0):
        self.name, self.path, self.inputs, self.goal = name, path, inputs, goal


def image(*shape):
    def make(batch):
        return {"input": np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)}
    return make


def tokens(length, names):
    def make(batch):
        ids = np.random.default_rng(0).integers(1000, 20000, (batch, length))
        fill = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return {name: fill[name] for name in names}
    return make


def speech(batch):
    random = np.random.default_rng(0)
    return {"input": (random.standard_normal((batch, 576)) * 0.1).astype(np.float32),
            "state": np.zeros((2, batch, 128), np.float32), "sr": np.array(16000, np.int64)}


def stored(path):
    """The inputs beside a topology, repeated to the batch."""
    def make(batch):
        with np.load(path) as arrays:
            return {name.split("_", 2)[2]: np.ascontiguousarray(np.resize(arrays[name], (batch, *arrays[name].shape[1:])))
                    for name in arrays.files if name.startswith("in_")}
    return make


def lua(prune, work, script, **names):
    path = os.path.join(work, "script.lua")
    with open(path, "w") as file:
        file.write("".join(f"local {name} = [[{value}]]\n" for name, value in names.items()) + script)
    done = subprocess.run([prune, path], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"left out: {done.stderr.strip() or chr(34)+chr(34)}", file=sys.stderr)
    return done.returncode == 0


def quantized(prune, work, name, path, shape):
    """The model quantized by libprune on random images; None when that fails."""
    target, data = os.path.join(work, f"{name}_int8.onnx"), os.path.join(work, f"{name}_calibration.npz")
    np.savez(data, x=np.random.default_rng(1).standard_normal((16, *shape)).astype(np.float32), y=np.zeros(16, np.int64))
    script = 'prune.load(path):quantize{scheme = "static", calibration = prune.data.npz(data)}:save(target)'
    return target if lua(prune, work, script, data=data, path=path, target=target) else None


def graphs(prune, shared, work, wanted):
    """Those whose name holds one of the wanted parts."""
    models = f"{shared}/models"
    listed = [Graph(name, f"{models}/resnet_cifar/{name}.onnx", image(3, 32, 32), 0.9)
              for name in ["resnet20_cifar10", "resnet56_cifar10"]]
    listed.append(Graph("mobilenet_v2", f"{models}/mobilenet_v2/mobilenet_v2_imagenet.onnx", image(3, 224, 224), 0.9))
    zoo = {"zoo.resnet50": ("resnet{depth = 50}", 0.9), "zoo.densenet121": ("densenet121{}", 0.9),
           "zoo.mobilenet_v2": ("mobilenet_v2{}", 0.9), "zoo.vgg16": ("vgg{depth = 16}", 0.9), "zoo.vit": ("vit{}", 1.0)}
    for name, (_, goal) in zoo.items():
        listed.append(Graph(name, os.path.join(work, f"{name}.onnx"), image(3, 224, 224), goal))
    if "PRUNE_MINILM" in os.environ:
        listed.append(Graph("minilm_l6_v2", os.environ["PRUNE_MINILM"],
                            tokens(64, ["input_ids", "attention_mask", "token_type_ids"])))
    listed.append(Graph("silero_vad", f"{models}/silero_vad/silero_vad.onnx", speech))
    listed.append(Graph("silero_vad_ifless", f"{models}/silero_vad/silero_vad_op18_ifless.onnx", speech))
    for path in sorted(glob.glob(f"{models}/topologies/*.onnx")):
        convolutional = not any(word in path for word in ["encoder", "gru", "lstm", "tied", "vit", "two_inputs"])
        listed.append(Graph(f"topologies.{os.path.basename(path)[:-5]}", path, stored(path[:-5] + ".npz"),
                            0.9 if convolutional else 1.0))
    integer = {"resnet20_cifar10": ((3, 32, 32), 0.9), "mobilenet_v2": ((3, 224, 224), 0.8), "zoo.resnet50": ((3, 224, 224), 0.65)}
    for graph in list(listed):
        if graph.name in integer:
            listed.append(Graph(f"{graph.name} int8", graph.path, graph.inputs, integer[graph.name][1]))
    for graph in listed:
        if wanted and not any(word in graph.name for word in wanted):
            continue
        if graph.name.startswith("zoo.") and not os.path.exists(graph.path):
            if not lua(prune, work, f"prune.zoo.{zoo[graph.name][0]}:save(path)", path=graph.path):
                continue
        if graph.name.endswith(" int8"):
            graph.path = quantized(prune, work, graph.name[:-5], graph.path, integer[graph.name[:-5]][0])
            if graph.path is None:
                continue
        if os.path.exists(graph.path):
            yield graph


class Peer:
    def __init__(self, path, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, arrays):
        return self.session.run(None, arrays)


def timed(run, least, clock):
    """Median time of one run, in ms, over at least `least` seconds and three runs."""
    times, began = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < least:
        start = clock()
        run()
        times.append((clock() - start) * 1e3)
    return statistics.median(times)


def compare(library, graph, threads, batch, rounds):
    arrays = graph.inputs(batch)
    firsts, first_ratios = [], []
    for _ in range(3):
        start = time.perf_counter()
        ours = libprune.Model(library, graph.path, threads)
        inputs = ours.inputs(arrays)
        outputs = ours.run(inputs)
        middle = time.perf_counter()
        peer = Peer(graph.path, threads)
        theirs = peer.run(arrays)
        firsts.append(middle - start)
        first_ratios.append((middle - start) / (time.perf_counter() - middle))
    mine = ours.arrays(outputs)
    names = [output.name for output in peer.session.get_outputs()]
    far = max(float(np.linalg.norm(mine[name].astype(np.float64) - other) / max(np.linalg.norm(other), 1e-12))
              for name, other in zip(names, theirs))

    def ours_once():
        ours.free(ours.run(inputs))

    # With one thread, the processor's time is the run's time less what other programs of a busy machine took.
    clock = time.process_time if threads == 1 else time.perf_counter
    a, b, ratios = [], [], []
    for _ in range(rounds):
        a.append(timed(ours_once, 0.15, clock))
        time.sleep(0.02)  # either pool's idle threads spin for a while
        b.append(timed(lambda: peer.run(arrays), 0.15, clock))
        time.sleep(0.02)
        ratios.append(a[-1] / b[-1])
    ours.free(inputs, outputs)
    ours.close()
    return statistics.median(a), statistics.median(b), statistics.median(ratios), statistics.median(first_ratios), far


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) / 1e3


def peak(engine, library, path, threads, inputs):
    """Peak memory in MB of opening and three runs beyond what the process held before, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--memory", engine, library, path, str(threads), inputs],
                          capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else float("nan")


def measure_memory(engine, library, path, threads, inputs):
    with np.load(inputs) as stored_arrays:
        arrays = dict(stored_arrays)
    if engine == "libprune":
        opened = libprune.Library(library)
    else:
        import onnxruntime  # noqa: F401  its own size is not the model's
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
    if engine == "libprune":
        model = libprune.Model(opened, path, int(threads))
        inputs = model.inputs(arrays)
        for _ in range(3):
            model.free(model.run(inputs))
    else:
        peer = Peer(path, int(threads))
        for _ in range(3):
            peer.run(arrays)
    print(status("VmHWM") - before)


def main():
    parser = argparse.ArgumentParser()
    for name in ["library", "prune", "shared", "work"]:
        parser.add_argument(name)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", default="1,8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*")
    options = parser.parse_intermixed_args()
    library = libprune.Library(options.library)
    print("| graph | threads | batch | libprune ms | ONNX Runtime ms | ratio | goal | first run | MB | their MB | distance |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for graph in graphs(options.prune, options.shared, options.work, options.names):
        for threads in map(int, options.threads.split(",")):
            for batch in map(int, options.batch.split(",")):
                row = f"| {graph.name} | {threads} | {batch} |"
                try:
                    ours, theirs, ratio, first, far = compare(library, graph, threads, batch, options.rounds)
                except RuntimeError as error:
                    print(f"{row} failed: {str(error).splitlines()[0]} |", flush=True)
                    continue
                inputs = os.path.join(options.work, "inputs.npz")
                np.savez(inputs, **graph.inputs(batch))
                memory = [peak(engine, options.library, graph.path, threads, inputs) for engine in ["libprune", "peer"]]
                print(f"{row} {ours:.3g} | {theirs:.3g} | {ratio:.2f} | {graph.goal} | {first:.2f} | {memory[0]:.1f} | "
                      f"{memory[1]:.1f} | {far:.0e} |", flush=True)


if sys.argv[1] == "--memory":
    measure_memory(*sys.argv[2:])
else:
    main()
