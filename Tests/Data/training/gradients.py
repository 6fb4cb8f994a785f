"""Gradients of whole networks by PyTorch, for the tests of autodiff.

    gradients.py SHARED MINILM OUT

Runs the ONNX graphs of ResNet-20, MiniLM and a small LSTM node by node in PyTorch and writes what the tests compare: of every
parameter's gradient its norm and four projections on fixed vectors of signs (the LSTM's gradients whole).
"""
import sys, zlib
import numpy as np
import onnx, torch
import torch.nn.functional as F
from onnx import helper, numpy_helper, TensorProto

torch.set_num_threads(1)


def signs(count, seed):
    """Element i is +1 or -1 by the lowest bit of murmur3's finalizer of i + seed * 0x9E3779B9."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return np.where(x & 1, 1.0, -1.0)


def summary(gradient):
    flat = gradient.detach().double().numpy().ravel()
    return [np.linalg.norm(flat)] + [float(flat @ signs(flat.size, k)) for k in range(1, 5)]


def run(model, feeds):
    """The graph in float32; returns its values and its float initializers as leaves."""
    values, leaves = {"": None}, {}
    for weight in model.graph.initializer:
        array = torch.from_numpy(numpy_helper.to_array(weight).copy())
        if array.is_floating_point():
            array.requires_grad_(True)
            leaves[weight.name] = array
        values[weight.name] = array
    values.update(feeds)
    for node in model.graph.node:
        a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
        x = [values[name] for name in node.input]
        out = compute(node.op_type, x, a)
        for name, value in zip(node.output, out if isinstance(out, (list, tuple)) else [out]):
            values[name] = value
    return values, leaves


def ints(t):
    return [int(v) for v in t.reshape(-1).tolist()]


def compute(op, x, a):
    if op == "Constant":
        return torch.from_numpy(numpy_helper.to_array(a["value"]).copy())
    if op == "Conv":
        p = a.get("pads", [0] * 4)
        return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a.get("strides", 1), p[:2], a.get("dilations", 1), a.get("group", 1))
    if op == "Relu":
        return F.relu(x[0])
    if op in ("Add", "Sub", "Mul", "Div", "Pow"):
        return {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow}[op](x[0], x[1])
    if op == "Sqrt":
        return torch.sqrt(x[0])
    if op == "Erf":
        return torch.erf(x[0])
    if op == "Tanh":
        return torch.tanh(x[0])
    if op == "MatMul":
        return x[0] @ x[1]
    if op == "Softmax":
        return torch.softmax(x[0], a.get("axis", -1))
    if op == "LayerNormalization":
        axis = a.get("axis", -1) % x[0].dim()
        return F.layer_norm(x[0], x[0].shape[axis:], x[1], x[2] if len(x) > 2 else None, a.get("epsilon", 1e-5))
    if op == "Gelu":
        return F.gelu(x[0], approximate=a.get("approximate", b"none").decode())
    if op == "Gemm":
        left = x[0].T if a.get("transA") else x[0]
        right = x[1].T if a.get("transB") else x[1]
        y = a.get("alpha", 1.0) * (left @ right)
        return y + a.get("beta", 1.0) * x[2] if len(x) > 2 else y
    if op == "ReduceMean":
        axes = a.get("axes") or (ints(x[1]) if len(x) > 1 else list(range(x[0].dim())))
        return x[0].mean(dim=axes, keepdim=bool(a.get("keepdims", 1)))
    if op == "ReduceSum":
        axes = ints(x[1]) if len(x) > 1 else list(range(x[0].dim()))
        return x[0].sum(dim=axes, keepdim=bool(a.get("keepdims", 1)))
    if op == "ReduceL2":
        axes = a.get("axes") or ints(x[1])
        return x[0].norm(dim=axes, keepdim=bool(a.get("keepdims", 1)))
    if op == "GlobalAveragePool":
        return x[0].mean(dim=(2, 3), keepdim=True)
    if op == "AveragePool":
        return F.avg_pool2d(x[0], a["kernel_shape"], a.get("strides", 1))
    if op == "Shape":
        return torch.tensor(x[0].shape)
    if op == "Gather":
        axis, index = a.get("axis", 0), x[1]
        index = torch.where(index < 0, index + x[0].shape[axis], index)
        return x[0].index_select(axis, index.reshape(-1)).reshape(x[0].shape[:axis] + index.shape + x[0].shape[axis + 1:])
    if op == "Unsqueeze":
        y = x[0]
        for axis in sorted(v % (y.dim() + len(ints(x[1]))) for v in ints(x[1])):
            y = y.unsqueeze(axis)
        return y
    if op == "Squeeze":
        y = x[0]
        for axis in sorted((v % y.dim() for v in ints(x[1])), reverse=True):
            y = y.squeeze(axis)
        return y
    if op == "Concat":
        return torch.cat(x, a["axis"])
    if op == "Reshape":
        dims = [x[0].shape[i] if v == 0 else v for i, v in enumerate(ints(x[1]))]
        return x[0].reshape(dims)
    if op == "Flatten":
        axis = a.get("axis", 1) % (x[0].dim() + 1)
        return x[0].reshape(int(np.prod(x[0].shape[:axis])), -1)
    if op == "Transpose":
        return x[0].permute(a.get("perm", list(range(x[0].dim()))[::-1]))
    if op == "Cast":
        kinds = {1: torch.float32, 7: torch.int64, 9: torch.bool, 6: torch.int32}
        return x[0].to(kinds[a["to"]])
    if op == "ConstantOfShape":
        value = numpy_helper.to_array(a["value"]) if "value" in a else np.zeros(1, np.float32)
        return torch.full(ints(x[0]), value.item(), dtype=torch.from_numpy(value.copy()).dtype)
    if op == "Slice":
        starts, ends = ints(x[1]), ints(x[2])
        axes = ints(x[3]) if len(x) > 3 else list(range(len(starts)))
        steps = ints(x[4]) if len(x) > 4 else [1] * len(starts)
        y = x[0]
        for start, end, axis, step in zip(starts, ends, axes, steps):
            positions = torch.arange(y.shape[axis])[slice(start, None if end < -(1 << 60) else end, step)] if step > 0 else torch.tensor(
                list(range(y.shape[axis]))[slice(start, None if end <= -y.shape[axis] - 1 else end, step)], dtype=torch.int64)
            y = y.index_select(axis, positions)
        return y
    if op == "Pad":
        pads = ints(x[1])
        n = len(pads) // 2
        order = [v for i in reversed(range(n)) for v in (pads[i], pads[i + n])]
        return F.pad(x[0], order, value=float(x[2]) if len(x) > 2 and x[2] is not None else 0)
    if op == "Expand":
        return x[0] + torch.zeros(ints(x[1]), dtype=x[0].dtype) if x[0].is_floating_point() else x[0].expand(torch.broadcast_shapes(x[0].shape, ints(x[1])))
    if op == "Where":
        return torch.where(x[0], x[1], x[2])
    if op == "Equal":
        return x[0] == x[1]
    if op == "Clip":
        return torch.clamp(x[0], *(float(v) if v is not None else None for v in x[1:3]))
    if op == "Range":
        return torch.arange(*(v.item() for v in x), dtype=x[0].dtype)
    if op == "Not":
        return ~x[0]
    if op in ("Less", "Greater", "And", "LessOrEqual", "GreaterOrEqual"):
        return {"Less": torch.lt, "Greater": torch.gt, "And": torch.logical_and, "LessOrEqual": torch.le, "GreaterOrEqual": torch.ge}[op](x[0], x[1])
    if op == "IsNaN":
        return torch.isnan(x[0])
    if op == "GatherND":
        index = x[1].reshape(-1, x[1].shape[-1])
        return x[0][tuple(index.T)].reshape(x[1].shape[:-1] + x[0].shape[x[1].shape[-1]:])
    if op == "Split":
        return torch.split(x[0], ints(x[1]), a.get("axis", 0))
    if op == "Tile":
        return x[0].repeat(ints(x[1]))
    if op == "Max":
        return torch.maximum(x[0], x[1])
    if op == "Identity":
        return x[0]
    if op == "LSTM":
        return lstm(x, a)
    raise SystemExit("no " + op)


def lstm(x, a):
    """torch.nn.LSTM with ONNX's gates (i, o, f, c) in torch's order (i, f, c, o)."""
    steps, w, r, b = x[0], x[1], x[2], x[3]
    d, h = w.shape[0], r.shape[2]
    order = torch.cat([torch.arange(k * h, (k + 1) * h) for k in (0, 2, 3, 1)])
    flat = []
    for k in range(d):
        flat += [w[k][order], r[k][order], b[k][:4 * h][order], b[k][4 * h:][order]]
    zeros = torch.zeros(d, steps.shape[1], h)
    y, last, cell = torch._VF.lstm(steps, (zeros, zeros), flat, True, 1, 0.0, False, d == 2, False)
    return y.reshape(steps.shape[0], steps.shape[1], d, h).permute(0, 2, 1, 3), last, cell


def write(path, rows):
    with open(path, "w") as file:
        for name, numbers in rows:
            file.write(name + "," + ",".join("%.9g" % n for n in numbers) + "\n")


def trained(model, leaves, loss):
    return [(w.name, summary(leaves[w.name].grad)) for w in model.graph.initializer if w.name in leaves and leaves[w.name].grad is not None]


def pixels(count, seed):
    """Uniform numbers in -1...1 from the same hash."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return ((x >> np.uint32(8)).astype(np.float64) / (1 << 23) - 1).astype(np.float32)


def resnet(shared, out):
    model = onnx.load(shared + "/models/resnet_cifar/resnet20_cifar10.onnx")
    x = torch.from_numpy(pixels(4 * 3 * 32 * 32, 7).reshape(4, 3, 32, 32))
    values, leaves = run(model, {model.graph.input[0].name: x})
    loss = F.cross_entropy(values[model.graph.output[0].name], torch.tensor([3, 1, 4, 1]))
    loss.backward()
    write(out + "/resnet20.csv", [("loss", [loss.item()])] + trained(model, leaves, loss))


def minilm(folder, out):
    model = onnx.load(folder + "/minilm_l6_v2.onnx")
    ids = torch.from_numpy((np.abs(pixels(2 * 12, 3)) * 20000 + 1000).astype(np.int64).reshape(2, 12))
    names = [i.name for i in model.graph.input]
    mask = torch.ones(2, 12, dtype=torch.int64)
    mask[1, 9:] = 0
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros(2, 12, dtype=torch.int64)}
    values, leaves = run(model, {n: feeds[n] for n in names})
    y = values[model.graph.output[0].name]
    target = torch.from_numpy(pixels(y.numel(), 5).reshape(tuple(y.shape)))
    loss = ((y - target) ** 2).mean()
    loss.backward()
    print("minilm outputs", [(o.name, tuple(values[o.name].shape)) for o in model.graph.output])
    write(out + "/minilm.csv", [("loss", [loss.item()])] + trained(model, leaves, loss))


def recurrent(out):
    rng = np.random.default_rng(5)
    t, n, i, h, c = 7, 3, 5, 6, 4
    draw = lambda *s: rng.normal(0, 0.4, s).astype(np.float32)
    weights = {"w": draw(2, 4 * h, i), "r": draw(2, 4 * h, h), "b": draw(2, 8 * h), "fc.weight": draw(c, 2 * h), "fc.bias": draw(c)}
    shape = numpy_helper.from_array(np.array([0, -1], np.int64), "flat")
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "w", "r", "b"], ["", "last"], hidden_size=h, direction="bidirectional"),
        helper.make_node("Transpose", ["last"], ["rows"], perm=[1, 0, 2]), helper.make_node("Reshape", ["rows", "flat"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "lstm", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", t, i])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", c])],
        [numpy_helper.from_array(v, k) for k, v in weights.items()] + [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, out + "/lstm.onnx")
    x = torch.from_numpy(pixels(n * t * i, 9).reshape(n, t, i))
    values, leaves = run(model, {"x": x})
    loss = F.cross_entropy(values["logits"], torch.tensor([0, 2, 3]))
    loss.backward()
    write(out + "/lstm.csv", [("loss", [loss.item()])] + trained(model, leaves, loss))


shared, folder, out = sys.argv[1:]
resnet(shared, out)
recurrent(out)
minilm(folder, out)
