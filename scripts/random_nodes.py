"""A graph that grows by random nodes, their shapes known: elementwise operators, reductions and what moves elements."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

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


def cumulate(g):
    v = g.value(test=lambda shape: len(shape) > 0)
    if g.opset >= 11:
        axis = g.constant(np.array(int(g.random.integers(len(v[2]))), np.int64))
        g.add("CumSum", [v[0], axis], v[1:], exclusive=int(g.random.integers(2)), reverse=int(g.random.integers(2)))


def cast(g):
    v = g.value()
    name = g.add("Cast", [v[0]], (np.float64, v[2]), to=TensorProto.DOUBLE)
    g.add("Cast", [g.add("Mul", [name, g.constant(np.float64(0.7))], (np.float64, v[2]))], v[1:], to=TensorProto.FLOAT)


def untied(g, v):
    """The value with something else added to each element: which of equal numbers is first must not hang on rounding."""
    return g.add("Add", [v[0], g.weights(*v[2])], v[1:])


def integers(g):
    v = g.value(test=lambda shape: len(shape) > 1)
    if not v:
        return
    axis = int(g.random.integers(len(v[2])))
    shape = [1 if i == axis else x for i, x in enumerate(v[2])]
    name = g.add(g.pick("ArgMax", "ArgMin"), [untied(g, v)], (I, shape), axis=axis, keepdims=1)
    g.add("Cast", [g.add("Add", [name, g.constant(np.int64(2))], (I, shape))], (F, shape), to=TensorProto.FLOAT)


def top(g):
    v = g.value(test=lambda shape: len(shape) > 0 and shape[-1] > 1)
    if v and g.opset >= 11:
        k = int(g.random.integers(1, v[2][-1] + 1))
        g.add("TopK", [untied(g, v), g.constant(np.array([k], np.int64))], (F, list(v[2][:-1]) + [k]), (I, list(v[2][:-1]) + [k]), axis=-1)


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
