"""Measures static quantization beside ONNX Runtime's quantize_static: the same network and samples, int8 with a scale a channel, QDQ.
One thread each, a process a run, in the order A B A B.

usage: bench_ptq.py PRUNE WORK [--samples N] [--rounds N] [--calibrators minmax,percentile,entropy] [NAME ...]

NAMEs choose networks of the zoo by a part of their name. Each line: medians of the processor time in s from file to file, and of the
rounds' ratios (below 1: libprune is faster), and both peak memories in MB. ONNX Runtime is given the network with its batch
normalizations folded by its own quant_pre_process, whose time does not count; samples go to it one by one, which it likes best.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

import numpy as np

ZOO = {"zoo.resnet50": "resnet{depth = 50}", "zoo.mobilenet_v2": "mobilenet_v2{}", "zoo.vgg16": "vgg{depth = 16}"}

OURS = """
local prune = require "prune"
local start = os.clock()
prune.load(arg[1]):quantize{scheme = "static", calibration = prune.data.npz(arg[2]), calibrator = arg[4]}:save(arg[3])
local used = os.clock() - start
print(used, io.open "/proc/self/status":read "a":match "VmHWM:%s*(%d+)" / 1000)
"""


def theirs(path, data, target, calibrator):
    import logging
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, quantize_static
    logging.disable(logging.WARNING)

    class OneThread(onnxruntime.SessionOptions):
        def __init__(self):
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.samples = iter(np.load(data)["x"])

        def get_next(self):
            sample = next(self.samples, None)
            return None if sample is None else {"input": sample[None]}

    start = time.process_time()
    method = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile, "entropy": CalibrationMethod.Entropy}
    quantize_static(path, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, calibrate_method=method[calibrator])
    used = time.process_time() - start
    with open("/proc/self/status") as file:
        print(used, next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1000)


def figures(command):
    """Seconds and MB that a process prints last."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return [float(word) for word in done.stdout.split()[-2:]]


def main():
    parser = argparse.ArgumentParser()
    for name in ["prune", "work"]:
        parser.add_argument(name)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calibrators", default="minmax,percentile")
    parser.add_argument("names", nargs="*")
    options = parser.parse_intermixed_args()
    from onnxruntime.quantization.shape_inference import quant_pre_process
    script, data, target = (os.path.join(options.work, name) for name in ["ptq.lua", "ptq.npz", "ptq.onnx"])
    with open(script, "w") as file:
        file.write(OURS)
    x = np.random.default_rng(0).standard_normal((options.samples, 3, 224, 224)).astype(np.float32)
    np.savez(data, x=x, y=np.zeros(options.samples, np.int64))
    print("| network | calibrator | samples | libprune s | quantize_static s | ratio | goal | MB | their MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in [known for known in ZOO if any(word in known for word in options.names or ["resnet50"])]:
        path, folded = (os.path.join(options.work, name + suffix) for suffix in [".onnx", ".folded.onnx"])
        subprocess.run([options.prune, "-e", f"require('prune').zoo.{ZOO[name]}:save('{path}')"], check=True)
        quant_pre_process(path, folded, skip_symbolic_shape=True)
        for calibrator in options.calibrators.split(","):
            rounds = []
            for _ in range(options.rounds):
                ours = figures([options.prune, script, path, data, target, calibrator])
                peer = figures([sys.executable, __file__, "--theirs", folded, data, target, calibrator])
                rounds.append((ours[0], peer[0], ours[0] / peer[0], ours[1], peer[1]))
            a, b, ratio, mb, their_mb = (statistics.median(column) for column in zip(*rounds))
            print(f"| {name} | {calibrator} | {options.samples} | {a:.2f} | {b:.2f} | {ratio:.2f} | 0.25 | {mb:.0f} | {their_mb:.0f} |",
                  flush=True)


if sys.argv[1] == "--theirs":
    theirs(*sys.argv[2:])
else:
    main()
