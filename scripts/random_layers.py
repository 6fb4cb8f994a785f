"""Random layers of networks, and whole random graphs: what random_graphs.py compares."""
import numpy as np

from random_nodes import *  # noqa: F403: every kind of node


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


KINDS = [unary] * 4 + [binary] * 4 + [conv] * 3 + [matmul] * 3 + [
    positive, clip, choose, softmax, reduce, transpose, reshape, flatten, squeeze, concat, split, slices, pad, expand, gather,
    gather_elements, conv_transpose, pool, normalize, products, recurrent, einsum, cumulate, cast, integers, top, rearrange, resize,
    quantized]


def build(seed, number):
    """The graph of that number."""
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
