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
from onnx import TensorProto, helper, numpy_helper

from libprune import Library, Model

library_path, prune, work = sys.argv[1:4]
count, seed = int(sys.argv[4]), int(sys.argv[5])
keep = sys.argv[6] if len(sys.argv) > 6 else work
library = Library(library_path)
TYPES = {np.dtype(name): code for name, code in {
    "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int32": TensorProto.INT32, "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "float16": TensorProto.FLOAT16}.items()}
F, I, B = np.dtype("float32"), np.dtype("int64"), np.dtype("bool")


class Builder:
    """A graph that grows node by node, its shapes known."""

    def __init__(self, random, opset):
        self.random, self.opset = random, opset
        self.nodes, self.initializers, self.inputs, self.values = [], [], [], []
        for index in range(int(random.integers(1, 4))):
            rank = int(random.choice([2, 3, 4, 4]))
            shape = (2,) + tuple(int(x) for x in random.choice([1, 2, 3, 4, 6, 8], rank - 1))
            self.inputs.append((f"in{index}", F, shape))
        self.values = list(self.inputs)

    def pick(self, *choices):
        return choices[int(self.random.integers(len(choices)))]

    def value(self, dtype=F, test=lambda shape: True):
        found = [value for value in self.values if value[1] == dtype and 0 not in value[2] and test(value[2])]
        # Late ones more often: graphs are to be deep.
        return found[-1 - int(len(found) * self.random.random() ** 2)] if found else None

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weights(self, *shape):
        return self.constant((self.random.standard_normal(shape) * 0.5).astype(np.float32))

    def add(self, operator, inputs, *outputs, **attributes):
        """Outputs are (dtype, shape); None where one is left out."""
        names = ["" if output is None else f"v{len(self.nodes)}_{index}" for index, output in enumerate(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, f"{operator}_{len(self.nodes)}", **attributes))
        for name, output in zip(names, outputs):
            if output is not None:
                self.values.append((name, np.dtype(output[0]), tuple(int(x) for x in output[1])))
        return names[0]

    def model(self, outputs=None):
        read = {name for node in self.nodes for name in node.input}
        outputs = outputs or [v for v in self.values[len(self.inputs):] if v[0] not in read] or self.values[-1:]
        graph = helper.make_graph(
            self.nodes, "random", [info(v) for v in self.inputs], [info(v) for v in outputs], self.initializers)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=min(10, 3 + self.opset // 2))
        return made, outputs


def info(value):
    return helper.make_tensor_value_info(value[0], TYPES[value[1]], value[2])


# The kinds of nodes. Each adds one, or nothing where the graph has nothing for it.

def unary(g):
    names = ["Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Softplus", "Elu", "Selu", "LeakyRelu", "HardSigmoid", "Floor", "Ceil",
             "Softsign", "Identity", "ThresholdedRelu", "Sin", "Cos", "Atan", "Exp"]
    names += ["Erf", "Sign", "Sinh", "Asinh"] if g.opset >= 9 else []
    names += ["Round"] if g.opset >= 11 else []
    names += ["Celu"] if g.opset >= 12 else []
    names += ["HardSwish"] if g.opset >= 14 else []
    names += ["Mish"] if g.opset >= 18 else []
    names += ["Gelu"] if g.opset >= 20 else []
    v, name = g.value(), g.pick(*names)
    if name in ("Exp", "Sinh"):
        g.add("Tanh", [v[0]], v[1:])
        v = g.values[-1]
    attributes = {"alpha": float(g.random.random() + 0.1)} if name in ("Elu", "LeakyRelu", "ThresholdedRelu", "Celu") else {}
    if name == "Gelu":
        attributes["approximate"] = g.pick("none", "tanh")
    g.add(name, [v[0]], v[1:], **attributes)


def positive(g):
    v = g.value()
    a = g.add("Abs", [v[0]], v[1:])
    b = g.add("Add", [a, g.constant(np.float32(0.5))], v[1:])
    g.add(g.pick("Sqrt", "Log", "Reciprocal"), [b], v[1:])


def broadcastable(g, shape):
    part = tuple(extent if g.random.random() < 0.6 else 1 for extent in shape)
    return part[int(g.random.integers(0, len(part) + 1)):]


def binary(g):
    v = g.value()
    other = g.value(test=lambda shape: shape == v[2]) if g.random.random() < 0.5 else None
    second = other[0] if other else g.weights(*broadcastable(g, v[2]))
    name = g.pick("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Mean", "Sum")
    if name == "Div":
        second = g.constant(np.float32(g.random.random() + 0.5))
    if name == "PRelu" and other:
        name = "Add"
    inputs = [v[0], second]
    if name in ("Add", "Sub", "Mul", "Max", "Min") and g.random.random() < 0.3:
        inputs.reverse()
    g.add(name, inputs, v[1:])


def clip(g):
    v = g.value()
    low, high = sorted(g.random.standard_normal(2))
    if g.opset < 11:
        g.add("Clip", [v[0]], v[1:], min=float(low), max=float(high))
    else:
        g.add("Clip", [v[0], g.constant(np.float32(low)), "" if g.random.random() < 0.3 else g.constant(np.float32(high))], v[1:])


def choose(g):
    if g.opset < 9:
        return
    v = g.value()
    condition = g.add(g.pick("Greater", "Less"), [v[0], g.weights(*broadcastable(g, v[2]))], (B, v[2]))
    if g.random.random() < 0.4:
        condition = g.add("Not", [condition], (B, v[2]))
    g.add("Where", [condition, v[0], g.weights(*broadcastable(g, v[2]))], v[1:])


def softmax(g):
    v = g.value()
    g.add(g.pick("Softmax", "LogSoftmax"), [v[0]], v[1:], axis=int(g.random.integers(1 if g.opset < 13 else -len(v[2]), len(v[2]))))


def reduce(g):
    v = g.value(test=lambda shape: len(shape) > 1)
    if not v:
        return
    axes = sorted(int(x) for x in g.random.choice(len(v[2]), int(g.random.integers(1, len(v[2]))), replace=False))
    keep_dims = int(g.random.integers(2))
    name = g.pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare")
    shape = [1 if i in axes else x for i, x in enumerate(v[2]) if keep_dims or i not in axes]
    if g.opset >= (13 if name == "ReduceSum" else 18):
        g.add(name, [v[0], g.constant(np.array(axes, np.int64))], (F, shape), keepdims=keep_dims)
    else:
        g.add(name, [v[0]], (F, shape), axes=axes, keepdims=keep_dims)


def transpose(g):
    v = g.value()
    order = [int(x) for x in g.random.permutation(len(v[2]))]
    g.add("Transpose", [v[0]], (F, [v[2][i] for i in order]), perm=order)


def reshape(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    total = int(np.prod(v[2]))
    divisors = [d for d in (1, 2, 3, 4, 6, 8) if total % d == 0]
    first = g.pick(*divisors)
    rest = [d for d in (1, 2, 3, 4, 6, 8) if total // first % d == 0]
    second = g.pick(*rest)
    shape = [first, second, total // first // second]
    if g.random.random() < 0.3:
        shape.insert(int(g.random.integers(4)), 1)
    asked = list(shape)
    if g.random.random() < 0.5:
        asked[int(g.random.integers(len(asked)))] = -1
    g.add("Reshape", [v[0], g.constant(np.array(asked, np.int64))], (F, shape))


def flatten(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    axis = int(g.random.integers(0, len(v[2]) + 1))
    g.add("Flatten", [v[0]], (F, [int(np.prod(v[2][:axis], dtype=int)), int(np.prod(v[2][axis:], dtype=int))]), axis=axis)


def squeeze(g):
    v = g.value(test=lambda shape: len(shape) < 5)
    axis = int(g.random.integers(0, len(v[2]) + 1))
    grown = list(v[2][:axis]) + [1] + list(v[2][axis:])
    if g.opset >= 13:
        name = g.add("Unsqueeze", [v[0], g.constant(np.array([axis], np.int64))], (F, grown))
    else:
        name = g.add("Unsqueeze", [v[0]], (F, grown), axes=[axis])
    if g.random.random() < 0.4:
        if g.opset >= 13:
            g.add("Squeeze", [name, g.constant(np.array([axis], np.int64))], (F, v[2]))
        else:
            g.add("Squeeze", [name], (F, v[2]), axes=[axis])


def concat(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    axis = int(g.random.integers(len(v[2])))
    other = g.value(test=lambda s: len(s) == len(v[2]) and all(a == b for i, (a, b) in enumerate(zip(s, v[2])) if i != axis))
    shape = list(v[2])
    shape[axis] += other[2][axis]
    if shape[axis] <= 64:
        g.add("Concat", [v[0], other[0]], (F, shape), axis=axis)


def split(g):
    v = g.value(test=lambda shape: any(x > 1 for x in shape))
    if not v:
        return
    axis = g.pick(*[i for i, x in enumerate(v[2]) if x > 1])
    first = int(g.random.integers(1, v[2][axis]))
    sizes = [first, v[2][axis] - first]
    shapes = [(F, [size if i == axis else x for i, x in enumerate(v[2])]) for size in sizes]
    if g.opset >= 13:
        g.add("Split", [v[0], g.constant(np.array(sizes, np.int64))], *shapes, axis=axis)
    else:
        g.add("Split", [v[0]], *shapes, axis=axis, split=sizes)


def slices(g):
    v = g.value(test=lambda shape: any(x > 1 for x in shape))
    if not v:
        return
    axis = g.pick(*[i for i, x in enumerate(v[2]) if x > 1])
    start = int(g.random.integers(0, v[2][axis]))
    end = int(g.random.integers(start + 1, v[2][axis] + 1))
    step = 1 if g.opset < 10 else g.pick(1, 1, 2)
    shape = [len(range(start, end, step)) if i == axis else x for i, x in enumerate(v[2])]
    if g.opset < 10:
        g.add("Slice", [v[0]], (F, shape), axes=[axis], starts=[start], ends=[end])
    else:
        g.add("Slice", [v[0]] + [g.constant(np.array([x], np.int64)) for x in (start, end, axis, step)], (F, shape))


def pad(g):
    v = g.value(test=lambda shape: 1 < len(shape) < 5)
    if not v:
        return
    mode = g.pick("constant", "reflect", "edge") if len(v[2]) == 4 else "constant"
    rank = len(v[2])
    before, after = ([int(x) for x in g.random.integers(0, 2, rank)] for _ in range(2))
    for axis in range(rank):
        if mode != "constant" and (axis < 2 or v[2][axis] < 2):
            before[axis] = after[axis] = 0
    shape = [a + b + x for a, b, x in zip(before, after, v[2])]
    if g.opset < 11:
        g.add("Pad", [v[0]], (F, shape), pads=before + after, mode=mode)
    else:
        g.add("Pad", [v[0], g.constant(np.array(before + after, np.int64))], (F, shape), mode=mode)


def expand(g):
    v = g.value(test=lambda shape: 0 < len(shape) and int(np.prod(shape)) < 2000)
    if not v:
        return
    if g.opset >= 8 and g.random.random() < 0.5:
        shape = [g.pick(2, 3) if x == 1 else x for x in v[2]]
        g.add("Expand", [v[0], g.constant(np.array(shape, np.int64))], (F, shape))
    else:
        repeats = [int(x) for x in g.random.integers(1, 3, len(v[2]))]
        g.add("Tile", [v[0], g.constant(np.array(repeats, np.int64))], (F, [a * b for a, b in zip(v[2], repeats)]))


def gather(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    axis = int(g.random.integers(len(v[2])))
    least = -v[2][axis] if g.opset >= 11 else 0
    indices = g.random.integers(least, v[2][axis], g.pick((), (2,), (2, 2)))
    shape = v[2][:axis] + indices.shape + v[2][axis + 1:]
    g.add("Gather", [v[0], g.constant(np.asarray(indices, np.int64))], (F, shape), axis=axis)


def gather_elements(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    if g.opset < 11:
        return
    axis = int(g.random.integers(len(v[2])))
    shape = list(v[2])
    shape[axis] = g.pick(1, 2, 3)
    indices = g.random.integers(-v[2][axis], v[2][axis], shape)
    g.add("GatherElements", [v[0], g.constant(indices.astype(np.int64))], (F, shape), axis=axis)


def window(g, v, kernel, strides, dilations, pads):
    spatial = v[2][2:]
    return [(x + pads[i] + pads[i + len(spatial)] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1 for i, x in enumerate(spatial)]


def conv(g):
    v = g.value(test=lambda shape: len(shape) in (3, 4) )
    if not v:
        return
    n, channels, *spatial = v[2]
    group = g.pick(*[d for d in (1, 1, 2, 3, channels) if channels % d == 0])
    out = group * int(g.random.integers(1, 4))
    kernel = [int(g.random.integers(1, 4)) for _ in spatial]
    strides, dilations = ([g.pick(1, 1, 2) for _ in spatial] for _ in range(2))
    pads = [int(g.random.integers(0, 3)) for _ in spatial * 2]
    size = window(g, v, kernel, strides, dilations, pads)
    if min(size) < 1:
        return
    inputs = [v[0], g.weights(out, channels // group, *kernel)] + ([g.weights(out)] if g.random.random() < 0.6 else [])
    g.add("Conv", inputs, (F, [n, out] + size), kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, group=group)
    if g.random.random() < 0.4:
        g.add(g.pick("Relu", "Sigmoid", "LeakyRelu"), [g.values[-1][0]], g.values[-1][1:])


def conv_transpose(g):
    v = g.value(test=lambda shape: len(shape) == 4 and max(shape[2:]) < 9)
    if not v:
        return
    n, channels, *spatial = v[2]
    out = int(g.random.integers(1, 4))
    kernel, strides = [int(g.random.integers(1, 4)) for _ in spatial], [g.pick(1, 2) for _ in spatial]
    pads = [int(g.random.integers(0, 2)) for _ in spatial] * 2
    size = [s * (x - 1) + k - 2 * p for x, s, k, p in zip(spatial, strides, kernel, pads)]
    if min(size) < 1:
        return
    g.add("ConvTranspose", [v[0], g.weights(channels, out, *kernel)], (F, [n, out] + size), kernel_shape=kernel, strides=strides, pads=pads)


def pool(g):
    v = g.value(test=lambda shape: len(shape) in (3, 4))
    if not v:
        return
    if g.random.random() < 0.25:
        g.add(g.pick("GlobalAveragePool", "GlobalMaxPool"), [v[0]], (F, list(v[2][:2]) + [1] * (len(v[2]) - 2)))
        return
    spatial = v[2][2:]
    kernel = [int(g.random.integers(1, min(x, 3) + 1)) for x in spatial]
    strides = [g.pick(1, 2) for _ in spatial]
    pads = [int(g.random.integers(0, k)) for k in kernel] * 2
    size = window(g, v, kernel, strides, [1] * len(spatial), pads)
    if min(size) < 1:
        return
    name = g.pick("MaxPool", "AveragePool")
    extra = {"count_include_pad": int(g.random.integers(2))} if name == "AveragePool" else {}
    g.add(name, [v[0]], (F, list(v[2][:2]) + size), kernel_shape=kernel, strides=strides, pads=pads, **extra)


def normalize(g):
    v = g.value(test=lambda shape: len(shape) in (3, 4))
    if not v:
        return
    channels = v[2][1]
    positives = g.constant((g.random.random(channels) + 0.5).astype(np.float32))
    name = g.pick("BatchNormalization", "InstanceNormalization", "LRN", "LayerNormalization", "LpNormalization")
    if name == "BatchNormalization":
        g.add(name, [v[0], g.weights(channels), g.weights(channels), g.weights(channels), positives], v[1:])
    elif name == "InstanceNormalization":
        g.add(name, [v[0], g.weights(channels), g.weights(channels)], v[1:], epsilon=1e-2)
    elif name == "LRN" and len(v[2]) == 4:
        g.add(name, [v[0]], v[1:], size=3)
    elif name == "LayerNormalization" and g.opset >= 17:
        g.add(name, [v[0], g.weights(v[2][-1]), g.weights(v[2][-1])], v[1:], axis=-1, epsilon=1e-2)
    elif name == "LpNormalization":
        one = g.add("Add", [g.add("Abs", [v[0]], v[1:]), g.constant(np.float32(0.5))], v[1:])
        g.add(name, [one], v[1:], axis=int(g.random.integers(len(v[2]))), p=g.pick(1, 2))


def matmul(g):
    v = g.value(test=lambda shape: len(shape) >= 2)
    if not v:
        return
    out = int(g.random.integers(1, 9))
    if len(v[2]) == 2 and g.random.random() < 0.5:
        transposed = int(g.random.integers(2))
        weight = g.weights(*([out, v[2][1]] if transposed else [v[2][1], out]))
        g.add("Gemm", [v[0], weight, g.weights(out)], (F, [v[2][0], out]), transB=transposed, alpha=float(g.pick(1, 0.5)))
        return
    batch = v[2][:-2] if g.random.random() < 0.3 else ()
    name = g.add("MatMul", [v[0], g.weights(*batch, v[2][-1], out)], (F, list(v[2][:-1]) + [out]))
    if g.random.random() < 0.5:
        g.add("Add", [name, g.weights(out)], g.values[-1][1:])


def products(g):
    v = g.value(test=lambda shape: len(shape) >= 3)
    if not v:
        return
    order = list(range(len(v[2])))
    order[-1], order[-2] = order[-2], order[-1]
    turned = g.add("Transpose", [v[0]], (F, [v[2][i] for i in order]), perm=order)
    g.add("MatMul", [v[0], turned], (F, list(v[2][:-1]) + [v[2][-2]]))


def recurrent(g):
    v = g.value(test=lambda shape: len(shape) == 3 and shape[0] <= 8)
    if not v:
        return
    name, hidden = g.pick("LSTM", "GRU", "RNN"), int(g.random.integers(1, 5))
    gates, direction = {"LSTM": 4, "GRU": 3, "RNN": 1}[name], g.pick("forward", "reverse", "bidirectional")
    d = 2 if direction == "bidirectional" else 1
    steps, batch, features = v[2]
    inputs = [v[0], g.weights(d, gates * hidden, features), g.weights(d, gates * hidden, hidden), g.weights(d, 2 * gates * hidden)]
    extra = {"linear_before_reset": int(g.random.integers(2))} if name == "GRU" else {}
    g.add(name, inputs, (F, [steps, d, batch, hidden]), (F, [d, batch, hidden]), hidden_size=hidden, direction=direction, **extra)


def einsum(g):
    v = g.value(test=lambda shape: len(shape) == 3)
    if not v or g.opset < 12:
        return
    a, b, c = v[2]
    text, shape, weight = g.pick(("abc,cd->abd", [a, b, 3], [c, 3]), ("abc,dc->adb", [a, 3, b], [3, c]), ("abc->ca", [c, a], None))
    g.add("Einsum", [v[0]] + ([g.weights(*weight)] if weight else []), (F, shape), equation=text)


def cumulate(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    if g.opset >= 11:
        axis = g.constant(np.array(int(g.random.integers(len(v[2]))), np.int64))
        g.add("CumSum", [v[0], axis], v[1:], exclusive=int(g.random.integers(2)), reverse=int(g.random.integers(2)))


def cast(g):
    v = g.value()
    name = g.add("Cast", [v[0]], (np.float64, v[2]), to=TensorProto.DOUBLE)
    g.add("Cast", [g.add("Mul", [name, g.constant(np.float64(0.7))], (np.float64, v[2]))], v[1:], to=TensorProto.FLOAT)


def integers(g):
    v = g.value(test=lambda shape: len(shape) > 1)
    if not v:
        return
    axis = int(g.random.integers(len(v[2])))
    shape = [1 if i == axis else x for i, x in enumerate(v[2])]
    name = g.add(g.pick("ArgMax", "ArgMin"), [v[0]], (I, shape), axis=axis, keepdims=1)
    g.add("Cast", [g.add("Add", [name, g.constant(np.int64(2))], (I, shape))], (F, shape), to=TensorProto.FLOAT)


def top(g):
    v = g.value(test=lambda shape: len(shape) > 0 and shape[-1] > 1)
    if v and g.opset >= 11:
        k = int(g.random.integers(1, v[2][-1] + 1))
        g.add("TopK", [v[0], g.constant(np.array([k], np.int64))], (F, list(v[2][:-1]) + [k]), (I, list(v[2][:-1]) + [k]), axis=-1)


def rearrange(g):
    v = g.value(test=lambda s: len(s) == 4 and (s[1] % 4 == 0 or s[2] % 2 == 0 == s[3] % 2))
    if not v:
        return
    n, c, h, w = v[2]
    if c % 4 == 0:
        extra = {"mode": g.pick("DCR", "CRD")} if g.opset >= 11 else {}
        g.add("DepthToSpace", [v[0]], (F, [n, c // 4, h * 2, w * 2]), blocksize=2, **extra)
    else:
        g.add("SpaceToDepth", [v[0]], (F, [n, c * 4, h // 2, w // 2]), blocksize=2)


def resize(g):
    v = g.value(test=lambda s: len(s) == 4 and max(s) < 20)
    if not v or g.opset < 11:
        return
    scales = [1, 1, g.pick(1, 2), g.pick(1, 2)]
    mode = g.pick("nearest", "linear")
    extra = {"coordinate_transformation_mode": g.pick("half_pixel", "asymmetric", "align_corners")} if mode == "linear" else {
        "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    inputs = [v[0], "" if g.opset >= 13 else g.constant(np.zeros(0, np.float32)), g.constant(np.array(scales, np.float32))]
    g.add("Resize", inputs, (F, [a * b for a, b in zip(v[2], scales)]), mode=mode, **extra)


def quantized(g):
    if g.opset < 10:
        return
    v = g.value()
    scale, zero = g.constant(np.float32(0.05)), g.constant(np.int8(g.random.integers(-5, 5)))
    name = g.add("QuantizeLinear", [v[0], scale, zero], (np.int8, v[2]))
    g.add("DequantizeLinear", [name, scale, zero], v[1:])


KINDS = [unary] * 4 + [binary] * 4 + [conv] * 3 + [matmul] * 3 + [
    positive, clip, choose, softmax, reduce, transpose, reshape, flatten, squeeze, concat, split, slices, pad, expand, gather,
    gather_elements, conv_transpose, pool, normalize, products, recurrent, einsum, cumulate, cast, integers, top, rearrange, resize,
    quantized]


def build(number):
    random = np.random.default_rng([seed, number])
    g = Builder(random, int(random.integers(7, 24)))
    wanted = int(random.integers(5, 41))
    for _ in range(200):
        if len(g.nodes) >= wanted:
            break
        known = len(g.values)
        g.pick(*KINDS)(g)
        # Large values would fill the rest of the graph; a scalar has little to test.
        g.values = [v for i, v in enumerate(g.values) if i < known or int(np.prod(v[2], dtype=int)) <= 20000]
    return g


# Running

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
    """Inputs moved by a millionth, up and down."""
    return [{name: (x * (1 + sign * 1e-6)).astype(x.dtype) for name, x in feeds.items()} for sign in (1, -1)]


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
        g = build(number)
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
