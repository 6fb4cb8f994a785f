#!/usr/bin/env python3
"""Writes small networks of structures that break pruners, as exporters write them, into Tests/Data/topologies.

Usage: .venv/bin/python scripts/topologies.py [FOLDER]    (random weights from a fixed seed: the files do not change)
"""
import os
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "Tests", "Data", "topologies")


class Net:
    """A graph in the making; every method adds nodes and gives the name of what they make."""

    def __init__(self, name, opset=17, domains=()):
        self.name, self.opset, self.domains = name, opset, domains
        self.nodes, self.stored, self.inputs, self.outputs = [], [], [], []
        self.random = np.random.default_rng(7)

    def input(self, name, *shape, dtype=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return name

    def output(self, name, *shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def store(self, name, array):
        self.stored.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name, *shape):
        fan = max(int(np.prod(shape[1:])) if len(shape) != 2 else shape[0], 1)
        return self.store(name, (self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def add(self, op, inputs, name=None, outputs=None, domain="", **attributes):
        name = name or f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, outputs or [name], name=name, domain=domain, **attributes))
        return (outputs or [name])[0]

    def integers(self, name, *values):
        return self.store(name, np.array(values, np.int64))

    def conv(self, x, name, inputs, outputs, kernel=1, stride=1, group=1):
        w = self.weight(name + ".weight", outputs, inputs // group, kernel, kernel)
        b = self.weight(name + ".bias", outputs)
        pad = kernel // 2
        return self.add("Conv", [x, w, b], name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group)

    def linear(self, x, name, inputs, outputs, bias=True):
        y = self.add("MatMul", [x, self.weight(name + ".weight", inputs, outputs)], name)
        return self.add("Add", [y, self.weight(name + ".bias", outputs)], name + ".add") if bias else y

    def norm(self, x, name, width, op="LayerNormalization"):
        scale = self.store(name + ".weight", (1 + 0.1 * self.random.standard_normal(width)).astype(np.float32))
        inputs = [x, scale] + ([self.weight(name + ".bias", width)] if op == "LayerNormalization" else [])
        return self.add(op, inputs, name, axis=-1, epsilon=1e-5)

    def silu(self, x):
        return self.add("Mul", [x, self.add("Sigmoid", [x])])

    def classify(self, x, inputs, outputs=10):
        x = self.add("Flatten", [self.add("GlobalAveragePool", [x])])
        w, b = self.weight("head.weight", outputs, inputs), self.weight("head.bias", outputs)
        self.output(self.add("Gemm", [x, w, b], "head", outputs=["logits"], transB=1), "N", outputs)

    def save(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.stored)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(domain, 1) for domain in self.domains]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="topologies.py")
        checker.check_model(model)
        save(model, os.path.join(folder, self.name + ".onnx"))


def efficientnet():
    """Inverted bottlenecks with squeeze and excitation and SiLU, residual where shapes allow."""
    net = Net("efficientnet_mbconv")
    x = net.silu(net.conv(net.input("x", "N", 3, 16, 16), "stem", 3, 8, 3, 2))
    width = 8
    for block, (out, stride) in enumerate([(8, 1), (12, 2), (12, 1)]):
        inner, before, name = 3 * width, x, f"block{block}"
        x = net.silu(net.conv(x, name + ".expand", width, inner))
        x = net.silu(net.conv(x, name + ".depthwise", inner, inner, 3, stride, inner))
        pooled = net.add("ReduceMean", [x], axes=[2, 3], keepdims=1)
        gate = net.silu(net.conv(pooled, name + ".se.reduce", inner, 4))
        gate = net.add("Sigmoid", [net.conv(gate, name + ".se.expand", 4, inner)])
        x = net.conv(net.add("Mul", [x, gate]), name + ".project", inner, out)
        if stride == 1 and out == width:
            x = net.add("Add", [x, before])
        width = out
    net.classify(x, width)
    net.save()


def convnext():
    """Depthwise 7x7, layer normalization over channels moved last, two matrices with GELU, a learned scale, residual."""
    net = Net("convnext")
    x = net.conv(net.input("x", "N", 3, 16, 16), "stem", 3, 16, 4, 4)
    for block in range(2):
        name, before = f"block{block}", x
        x = net.conv(x, name + ".depthwise", 16, 16, 7, 1, 16)
        x = net.norm(net.add("Transpose", [x], perm=[0, 2, 3, 1]), name + ".norm", 16)
        x = net.linear(x, name + ".expand", 16, 48)
        half = net.add("Div", [x, net.store(name + ".root", np.float32(np.sqrt(2)))])
        gate = net.add("Add", [net.add("Erf", [half]), net.store(name + ".one", np.float32(1))])
        x = net.add("Mul", [net.add("Mul", [x, gate]), net.store(name + ".half", np.float32(0.5))])
        x = net.add("Mul", [net.linear(x, name + ".project", 48, 16), net.weight(name + ".gamma", 16)])
        x = net.add("Add", [net.add("Transpose", [x], perm=[0, 3, 1, 2]), before])
    net.classify(x, 16)
    net.save()


def attention(net, x, name, width, heads, rows, mask=None):
    """Merged queries, keys and values, cut by Reshape, Transpose and Gather."""
    size = width // heads
    merged = net.add("Reshape", [net.linear(x, name + ".qkv", width, 3 * width), net.integers(name + ".cut", -1, rows, 3, heads, size)])
    merged = net.add("Transpose", [merged], perm=[2, 0, 3, 1, 4])
    q, k, v = (net.add("Gather", [merged, net.store(f"{name}.{i}", np.int64(i))], axis=0) for i in range(3))
    q = net.add("Mul", [q, net.store(name + ".scale", np.float32(size**-0.5))])
    scores = net.add("MatMul", [q, net.add("Transpose", [k], perm=[0, 1, 3, 2])])
    if mask:
        scores = net.add("Add", [scores, mask])
    y = net.add("MatMul", [net.add("Softmax", [scores], axis=-1), v])
    y = net.add("Reshape", [net.add("Transpose", [y], perm=[0, 2, 1, 3]), net.integers(name + ".join", -1, rows, width)])
    return net.linear(y, name + ".proj", width, width)


def swin():
    """Attention in windows of 4x4 of an 8x8 image, a bias a head on positions, patch merging."""
    net = Net("swin_windows")
    x = net.conv(net.input("x", "N", 3, 16, 16), "patch", 3, 16, 2, 2)
    x = net.add("Slice", [x, net.integers("s", 0, 0), net.integers("e", 8, 8), net.integers("a", 2, 3)])
    x = net.add("Transpose", [x], perm=[0, 2, 3, 1])
    for block in range(2):
        name, before = f"block{block}", x
        y = net.norm(x, name + ".norm1", 16)
        y = net.add("Reshape", [y, net.integers(name + ".w1", -1, 2, 4, 2, 4, 16)])
        y = net.add("Reshape", [net.add("Transpose", [y], perm=[0, 1, 3, 2, 4, 5]), net.integers(name + ".w2", -1, 16, 16)])
        y = attention(net, y, name + ".attention", 16, 4, 16, net.weight(name + ".positions", 1, 4, 16, 16))
        y = net.add("Reshape", [y, net.integers(name + ".w3", -1, 2, 2, 4, 4, 16)])
        y = net.add("Reshape", [net.add("Transpose", [y], perm=[0, 1, 3, 2, 4, 5]), net.integers(name + ".w4", -1, 8, 8, 16)])
        x = net.add("Add", [before, y])
        y = net.linear(net.norm(x, name + ".norm2", 16), name + ".fc1", 16, 32)
        x = net.add("Add", [x, net.linear(net.add("Relu", [y]), name + ".fc2", 32, 16)])
    parts = []
    for i, (row, column) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        starts, ends = net.integers(f"m{i}s", row, column), net.integers(f"m{i}e", 8, 8)
        parts.append(net.add("Slice", [x, starts, ends, net.integers(f"m{i}a", 1, 2), net.integers(f"m{i}t", 2, 2)]))
    x = net.linear(net.norm(net.add("Concat", parts, axis=-1), "merge.norm", 64), "merge", 64, 24, bias=False)
    net.classify(net.add("Transpose", [x], perm=[0, 3, 1, 2]), 24)
    net.save()


def llama():
    """A decoder layer as exporters write it: RMS norm written out, rotary halves, keys repeated for their queries (Expand), a
    gated MLP, weights behind DequantizeLinear and Transpose, length open."""
    net = Net("llama_gqa")
    width, heads, keys, size, rows = 16, 4, 2, 8, 6
    table = net.weight("embed.weight", 32, width)
    x = net.add("Gather", [table, net.input("ids", "N", rows, dtype=TensorProto.INT64)], "embed")

    def rms(x, name):
        square = net.add("Pow", [x, net.store(name + ".two", np.float32(2))])
        mean = net.add("ReduceMean", [square], axes=[-1], keepdims=1)
        root = net.add("Sqrt", [net.add("Add", [mean, net.store(name + ".eps", np.float32(1e-5))])])
        return net.add("Mul", [net.store(name + ".weight", np.ones(width, np.float32)), net.add("Div", [x, root])])

    def rotary(x, name):
        low, high = (
            net.add("Slice", [x, net.integers(f"{name}.s{i}", i * size // 2), net.integers(f"{name}.e{i}", (i + 1) * size // 2),
                              net.integers(f"{name}.a{i}", 3)]) for i in range(2))
        turned = net.add("Concat", [net.add("Neg", [high]), low], axis=-1)
        return net.add("Add", [net.add("Mul", [x, "cos"]), net.add("Mul", [turned, "sin"])])

    angles = np.outer(np.arange(rows), 0.5 ** np.arange(size // 2)).repeat(2, 0).reshape(rows, 2, -1).reshape(rows, size)
    net.store("cos", np.cos(angles).astype(np.float32))
    net.store("sin", np.sin(angles).astype(np.float32))

    def split(x, name, count):
        x = net.add("Reshape", [x, net.integers(name, 0, rows, count, size)])
        return net.add("Transpose", [x], perm=[0, 2, 1, 3])

    def repeat(x, name):
        x = net.add("Unsqueeze", [x, net.integers(name + ".axis", 2)])
        x = net.add("Expand", [x, net.integers(name + ".extents", 1, keys, heads // keys, rows, size)])
        return net.add("Reshape", [x, net.integers(name + ".joined", -1, heads, rows, size)])

    h = rms(x, "norm1")
    q = rotary(split(net.linear(h, "q", width, heads * size, False), "q.cut", heads), "q.rotary")
    k = rotary(split(net.linear(h, "k", width, keys * size, False), "k.cut", keys), "k.rotary")
    v = split(net.linear(h, "v", width, keys * size, False), "v.cut", keys)
    scores = net.add("MatMul", [q, net.add("Transpose", [repeat(k, "k.repeat")], perm=[0, 1, 3, 2])])
    scores = net.add("Mul", [scores, net.store("scale", np.float32(size**-0.5))])
    scores = net.add("Add", [scores, net.store("causal", np.triu(np.full((rows, rows), -1e9, np.float32), 1))])
    y = net.add("MatMul", [net.add("Softmax", [scores], axis=-1), repeat(v, "v.repeat")])
    y = net.add("Reshape", [net.add("Transpose", [y], perm=[0, 2, 1, 3]), net.integers("joined", 0, rows, heads * size)])
    x = net.add("Add", [x, net.linear(y, "o", heads * size, width, False)])
    h = rms(x, "norm2")
    # Weights as int8 [outputs, inputs], a scale an output, turned.
    packed = net.store("up.packed", net.random.integers(-127, 127, (40, width)).astype(np.int8))
    scale = net.store("up.scale", (0.004 * (1 + net.random.random(40))).astype(np.float32))
    up = net.add("Transpose", [net.add("DequantizeLinear", [packed, scale], axis=0)], perm=[1, 0])
    gated = net.add("Mul", [net.silu(net.linear(h, "gate", width, 40, False)), net.add("MatMul", [h, up], "up")])
    x = net.add("Add", [x, net.linear(gated, "down", 40, width, False)])
    # The table again, turned: logits of tokens.
    logits = net.add("MatMul", [rms(x, "norm"), net.add("Transpose", [table], perm=[1, 0])], outputs=["logits"])
    net.output(logits, "N", rows, 32)
    net.save()


def attention_operators():
    """Attention of opset 23 with shared keys, RotaryEmbedding and RMSNormalization; batch and length open."""
    net = Net("attention_operators", opset=23)
    width, heads, keys, size = 16, 4, 2, 8
    x = net.input("x", "N", "L", width)
    positions = net.input("positions", "N", "L", dtype=TensorProto.INT64)
    angles = np.outer(np.arange(64), 0.5 ** np.arange(size // 2))
    tables = [net.store("cos", np.cos(angles).astype(np.float32)), net.store("sin", np.sin(angles).astype(np.float32))]
    h = net.norm(x, "norm1", width, "RMSNormalization")
    q = net.add("RotaryEmbedding", [net.linear(h, "q", width, heads * size, False), *tables, positions], num_heads=heads)
    k = net.add("RotaryEmbedding", [net.linear(h, "k", width, keys * size, False), *tables, positions], num_heads=keys)
    v = net.linear(h, "v", width, keys * size, False)
    y = net.add("Attention", [q, k, v], "attention", q_num_heads=heads, kv_num_heads=keys, is_causal=1)
    x = net.add("Add", [x, net.linear(y, "o", heads * size, width, False)])
    h = net.norm(x, "norm2", width, "RMSNormalization")
    y = net.add("Einsum", [h, net.weight("up.weight", 32, width)], "up", equation="nlw,uw->nlu")
    y = net.linear(net.add("Relu", [y]), "down", 32, width)
    net.output(net.add("Add", [x, y], outputs=["y"]), "N", "L", width)
    net.save()


def contributed_attention():
    """ONNX Runtime's own attention operators, with a bias and with fewer keys than queries."""
    net = Net("contributed_attention", domains=["com.microsoft"])
    width = 32
    x = net.input("x", 2, 8, width)
    y = net.add("Attention", [x, net.weight("qkv.weight", width, 96), net.weight("qkv.bias", 96)], "merged", domain="com.microsoft", num_heads=4)
    x = net.add("Add", [x, net.linear(y, "o1", width, width)])
    q, k, v = (net.linear(x, name, width, width, False) for name in "qkv")
    y = net.add("MultiHeadAttention", [q, k, v, net.weight("bias", 96)], "apart", domain="com.microsoft", num_heads=4)
    x = net.add("Add", [x, net.linear(y, "o2", width, width)])
    q, k, v = (net.linear(x, name, width, count * 8, False) for name, count in [("q3", 4), ("k3", 2), ("v3", 2)])
    lengths, total = net.store("lengths", np.array([7, 7], np.int32)), net.store("total", np.array(8, np.int32))
    y = net.add("GroupQueryAttention", [q, k, v, "", "", lengths, total], outputs=["grouped", "key", "value"], domain="com.microsoft",
                num_heads=4, kv_num_heads=2)
    x = net.add("Add", [x, net.linear(y, "o3", width, width)])
    net.output(net.add("Identity", [x], outputs=["y"]), 2, 8, width)
    net.save()


def bodies():
    """A convolution net whose middle is chosen by If and repeated by Loop: what the bodies read stays."""
    net = Net("control_flow")
    x = net.add("Relu", [net.conv(net.input("x", "N", 3, 8, 8), "first", 3, 16, 3)])
    x = net.add("Relu", [net.conv(x, "second", 16, 8, 3)])
    flag = net.input("flag", dtype=TensorProto.BOOL)

    def info(name, *shape, dtype=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, dtype, list(shape))

    then = helper.make_graph([helper.make_node("Relu", [x], ["a"])], "then", [], [info("a", "N", 8, 8, 8)])
    other = helper.make_graph([helper.make_node("Neg", [x], ["b"])], "else", [], [info("b", "N", 8, 8, 8)])
    chosen = net.add("If", [flag], "choice", then_branch=then, else_branch=other)
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes"]), helper.make_node("Mul", ["state", net.weight("decay", 1, 8, 1, 1)], ["next"])],
        "body", [info("turn", dtype=TensorProto.INT64), info("going", dtype=TensorProto.BOOL), info("state", "N", 8, 8, 8)],
        [info("goes", dtype=TensorProto.BOOL), info("next", "N", 8, 8, 8)])
    turns, start = net.store("turns", np.array(3, np.int64)), net.store("start", np.array(True))
    x = net.add("Loop", [turns, start, chosen], "repeat", body=body)
    x = net.add("Relu", [net.conv(x, "third", 8, 24, 3)])
    net.classify(x, 24)
    net.save()


def shared():
    """Constants of one value stored once for several layers, one weight that is truly used twice, weights behind Constant and
    Cast nodes, a GRU of two directions and a group normalization."""
    net = Net("shared_constants", opset=21)
    zeros, ones = net.store("zeros", np.zeros(16, np.float32)), net.store("ones", np.ones(16, np.float32))
    x = net.input("x", "N", 3, 8, 8)
    x = net.add("Conv", [x, net.weight("first.weight", 16, 3, 3, 3), zeros], "first", pads=[1] * 4)
    x = net.add("Relu", [net.add("GroupNormalization", [x, ones, zeros], num_groups=4)])
    tied = net.weight("tied.weight", 16, 16, 3, 3)
    for turn in range(2):
        x = net.add("Relu", [net.add("Conv", [x, tied, zeros], f"tied{turn}", pads=[1] * 4)])
    half = net.store("half.weight", (net.random.standard_normal((16, 16, 1, 1)) / 4).astype(np.float16))
    x = net.add("Relu", [net.add("Conv", [x, net.add("Cast", [half], to=TensorProto.FLOAT), zeros], "half")])
    held = numpy_helper.from_array((net.random.standard_normal((24, 16, 1, 1)) / 4).astype(np.float32))
    x = net.add("Relu", [net.add("Conv", [x, net.add("Constant", [], value=held)], "held")])
    x = net.add("Transpose", [net.add("Reshape", [x, net.integers("rows", 0, 24, 64)])], perm=[2, 0, 1])
    w, r = net.weight("gru.w", 2, 36, 24), net.weight("gru.r", 2, 36, 12)
    x = net.add("GRU", [x, w, r, net.weight("gru.b", 2, 72)], outputs=["all", "last"], hidden_size=12, direction="bidirectional",
                linear_before_reset=1)
    x = net.add("Reshape", [net.add("Transpose", ["last"], perm=[1, 0, 2]), net.integers("flat", 0, 24)])
    b = net.weight("head.bias", 10)
    net.output(net.add("Gemm", [x, net.weight("head.weight", 24, 10), b], "head", outputs=["logits"]), "N", 10)
    net.save()


os.makedirs(folder, exist_ok=True)
for make in [efficientnet, convnext, swin, llama, attention_operators, contributed_attention, bodies, shared]:
    make()
