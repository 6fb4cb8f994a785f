"""Measures training steps beside PyTorch on the CPU: one process, A B A B, medians of the steps' times and of their ratios; and
the memory of a step, each in a process of its own.

usage: bench_training.py LIBRARY [--threads N] [--rounds N] [--steps N] [NAME ...]

Each step is forward, loss, backward and SGD with momentum on the same random batch. Compiling is not part of it: the first
step of each round is left out. Memory is the peak of a process over four steps beyond what it held with its libraries loaded: weights,
momentum, gradients, activations, a batch. NAMEs choose networks by a part of their name. Needs torch alone: the networks are
defined here as torchvision has them, whose wheels load only beside the very torch that they were built for.
"""
import argparse
import ctypes as c
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import libprune


class ZooOptions(c.Structure):
    _fields_ = [("size", c.c_uint32), ("tag", c.c_uint32), ("classes", c.c_uint32), ("input", c.POINTER(c.c_int64)),
                ("rank", c.c_size_t), ("hidden", c.c_void_p), ("hidden_count", c.c_size_t), ("activation", c.c_char_p),
                ("seed", c.c_uint64), ("width", c.c_double), ("stem", c.c_char_p), ("depth", c.c_uint32), ("patch", c.c_uint32),
                ("heads", c.c_uint32)]


class FitOptions(c.Structure):
    """The head of prune_fit_options; what follows has its defaults."""
    _fields_ = [("size", c.c_uint32), ("tag", c.c_uint32), ("on_event", c.c_void_p), ("user", c.c_void_p), ("epochs", c.c_uint32),
                ("batch_size", c.c_uint32), ("shuffle", c.c_uint32), ("optimizer", c.c_char_p), ("lr", c.c_double),
                ("momentum", c.c_double)]


TAG = 0x32505250


EVENT = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_uint32), c.c_void_p)


def convolution(inputs, outputs, kernel, stride=1, groups=1, activation=nn.ReLU):
    """With its normalization, padded to keep the image's extents."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([activation(True)] if activation else []))


class BasicBlock(nn.Module):
    """With a shortcut of projection where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.a = nn.Sequential(convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, 3, activation=None))
        self.b = nn.Sequential() if inputs == outputs else convolution(inputs, outputs, 1, stride, activation=None)

    def forward(self, x):
        return F.relu(self.a(x) + self.b(x))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide, self.adds = inputs * expansion, stride == 1 and inputs == outputs
        self.a = nn.Sequential(*([convolution(inputs, wide, 1, activation=nn.ReLU6)] if expansion > 1 else []),
                               convolution(wide, wide, 3, stride, wide, nn.ReLU6), convolution(wide, outputs, 1, activation=None))

    def forward(self, x):
        return x + self.a(x) if self.adds else self.a(x)


def residual(stem, blocks, widths, classes):
    layers, inputs = [stem], widths[0]
    for width in widths:
        for block in range(blocks):
            layers.append(BasicBlock(inputs, width, 2 if block == 0 and width > widths[0] else 1))
            inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def resnet20():
    return residual(convolution(3, 16, 3), 3, (16, 32, 64), 10)


def resnet18():
    return residual(nn.Sequential(convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)), 2, (64, 128, 256, 512), 1000)


def mobilenet_v2():
    layers, inputs = [convolution(3, 32, 3, 2, activation=nn.ReLU6)], 32
    for expansion, width, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                             (6, 320, 1, 1)):
        for block in range(blocks):
            layers.append(InvertedResidual(inputs, width, stride if block == 0 else 1, expansion))
            inputs = width
    return nn.Sequential(*layers, convolution(inputs, 1280, 1, activation=nn.ReLU6), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(1280, 1000))


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.ReLU(),
                         nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def lenet300():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))


NETWORKS = [
    # name, zoo name, depth, sample, classes, batch, PyTorch's, wanted ratio
    ("lenet_300_100", b"lenet_300_100", 0, (1, 28, 28), 10, 64, lenet300, 0.4),
    ("lenet5", b"lenet5", 0, (1, 28, 28), 10, 64, lenet5, 0.4),
    ("resnet20", b"resnet", 20, (3, 32, 32), 10, 128, resnet20, 0.7),
    ("resnet18", b"resnet", 18, (3, 224, 224), 1000, 8, resnet18, 0.85),
    ("mobilenet_v2", b"mobilenet_v2", 0, (3, 224, 224), 1000, 8, mobilenet_v2, 0.85),
]


class Ours:
    def __init__(self, library, zoo, depth, sample, classes, batch, threads):
        self.library, self.batch = library, batch
        self.context = library.made("prune_context_create")
        library.prune_context_set_threads(self.context, c.c_int32(threads))
        shape = (c.c_int64 * 3)(*sample)
        options = ZooOptions(c.sizeof(ZooOptions), TAG, classes, shape, 3, width=1, depth=depth)
        self.model = library.made("prune_zoo_create", self.context, zoo, c.byref(options))
        self.sample, self.classes, self.data = sample, classes, {}

    def dataset(self, steps):
        """Of so many whole batches."""
        count = steps * self.batch
        x = np.random.default_rng(0).standard_normal((count, *self.sample)).astype(np.float32)
        y = (np.arange(count) % self.classes).astype(np.int64)
        made = []
        for array in (x, y):
            shape = (c.c_int64 * array.ndim)(*array.shape)
            made.append(self.library.made("prune_tensor_create", c.c_int(libprune.DTYPES[array.dtype]), c.c_size_t(array.ndim),
                                          shape, array.ctypes.data_as(c.c_void_p)))
        return self.library.made("prune_dataset_from_tensors", self.context, *made)

    def steps(self, count):
        """Seconds of each step but the first."""
        if count not in self.data:
            self.data[count] = self.dataset(count + 1)
        times = []

        @EVENT
        def listen(event, user):
            times.append(time.perf_counter())
            return 0

        options = FitOptions(c.sizeof(FitOptions), TAG, None, None, 1, self.batch, 0, b"sgd", 1e-3, 0.9)
        options.on_event = c.cast(listen, c.c_void_p)
        self.library.prune_model_fit(self.model, self.data[count], c.byref(options), None)
        # The last event is the epoch's.
        return [b - a for a, b in zip(times, times[1:-1])]


    def repeat(self, count):
        """Steps on one batch."""
        options = FitOptions(c.sizeof(FitOptions), TAG, None, None, count, self.batch, 0, b"sgd", 1e-3, 0.9)
        self.library.prune_model_fit(self.model, self.dataset(1), c.byref(options), None)


class Torch:
    def __init__(self, make, sample, classes, batch):
        self.model = make().train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9)
        self.x, self.y = torch.randn(batch, *sample), torch.arange(batch) % classes

    def steps(self, count):
        times = []
        for _ in range(count + 1):
            start = time.perf_counter()
            self.optimizer.zero_grad()
            F.cross_entropy(self.model(self.x), self.y).backward()
            self.optimizer.step()
            times.append(time.perf_counter() - start)
        return times[1:]

    def repeat(self, count):
        self.steps(count - 1)


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) / 1e3


def peak(engine, library, name, threads):
    """Peak memory in MB of a few steps, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, library, "--memory", engine, "--threads", str(threads), name], capture_output=True,
                          text=True)
    return float(done.stdout) if done.returncode == 0 else float("nan")


def measure_memory(engine, library, name, threads):
    found = next(network for network in NETWORKS if network[0] == name)
    opened, make = libprune.Library(library), found[6]
    # What PyTorch keeps after its first step, whatever the network, is no part of it.
    torch.nn.functional.cross_entropy(torch.nn.Linear(4, 2)(torch.randn(2, 4)), torch.tensor([0, 1])).backward()
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
    run = Ours(opened, *found[1:6], threads) if engine == "libprune" else Torch(make, found[3], found[4], found[5])
    run.repeat(4)
    print(status("VmHWM") - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="steps a round; 0 goes by the network's size")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    given = parser.parse_intermixed_args()
    torch.set_num_threads(given.threads)
    if given.memory:
        measure_memory(given.memory, given.library, given.names[0], given.threads)
        return
    library = libprune.Library(given.library)
    print(f"{'network':<16}{'batch':>6}{'libprune ms':>13}{'PyTorch ms':>12}{'ratio':>8}{'wanted':>8}{'MB':>8}{'PyTorch MB':>12}")
    for name, zoo, depth, sample, classes, batch, make, wanted in NETWORKS:
        if given.names and not any(part in name for part in given.names):
            continue
        ours, torchs = Ours(library, zoo, depth, sample, classes, batch, given.threads), Torch(make, sample, classes, batch)
        count = given.steps or (40 if sample[1] == 28 else 6 if sample[1] == 32 else 2)
        torchs.steps(1)
        pairs = [(statistics.median(ours.steps(count)), statistics.median(torchs.steps(count))) for _ in range(given.rounds)]
        a, b = (statistics.median(p[k] for p in pairs) * 1000 for k in (0, 1))
        ratio = statistics.median(p[0] / p[1] for p in pairs)
        memory = [peak(engine, given.library, name, given.threads) for engine in ("libprune", "torch")]
        print(f"{name:<16}{batch:>6}{a:>13.2f}{b:>12.2f}{ratio:>8.2f}{wanted:>8.2f}{memory[0]:>8.0f}{memory[1]:>12.0f}", flush=True)


main()
